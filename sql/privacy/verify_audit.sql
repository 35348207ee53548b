create or replace function memos_private.audit_months(p_from timestamptz, p_until timestamptz)
returns setof timestamptz
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select c.month from memos_private.audit_chain as c
    where c.month >= date_trunc('month', p_from, 'UTC') and c.month < p_until
    union
    select c.month from memos_private.audit_buffer_chain as c
    where c.month >= date_trunc('month', p_from, 'UTC') and c.month < p_until
    union
    select p.month from memos_private.month_partitions('memos_private.audit_log') as p
    where p.month >= date_trunc('month', p_from, 'UTC') and p.month < least(p_until, now())
    order by 1
$body$;
comment on function memos_private.audit_months is 'Months that have, or should have, rows of the audit.';

-- In one ordered pass. A chain goes on from the log into the buffer.
create or replace function memos_private.chain_problems(
    p_month timestamptz, p_from timestamptz, p_until timestamptz
)
returns table (problem text, recorded_at timestamptz, era int, pid int, number bigint, detail text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select case
            when n.number = n.last_number then 'inserted'
            when n.number <> n.last_number + 1 then 'deleted'
            else 'edited' end,
        n.recorded_at, n.era, n.pid, n.number,
        case
            when n.number = n.last_number then 'two rows have this number'
            when n.number <> n.last_number + 1
                then format('%s to %s are missing', n.last_number + 1, n.number - 1)
            when k.secret is null then format('there is no key %s', n.key_id)
            else 'the row, or its place, is not what was written' end
    from (
        select r.*, coalesce(lag(r.number) over chain, 0) as last_number,
            coalesce(lag(r.hash) over chain, '') as last_hash
        from (
            select l.recorded_at, l.era, l.pid, l.number, l.key_id, l.hash,
                case when l.recorded_at >= p_from then memos_private.audit_bytes(l) end as bytes
            from memos_private.audit_log as l
            where l.recorded_at >= p_month and l.recorded_at < p_month + interval '1 month'
            union all
            select b.recorded_at, b.era, b.pid, b.number, b.key_id, b.hash,
                memos_private.audit_bytes(row(b.*)::memos_private.audit_log)
            from memos_private.audit_buffer as b
            where b.recorded_at >= p_month and b.recorded_at < p_month + interval '1 month'
        ) as r
        window chain as (partition by r.era, r.pid order by r.number, r.recorded_at)
    ) as n
    left join memos_private.audit_key as k on k.key_id = n.key_id
    where n.recorded_at >= p_from and n.recorded_at < p_until
        and (
            n.number <> n.last_number + 1
            or n.hash is distinct from public.hmac(n.last_hash || n.bytes, k.secret, 'sha256')
        )
$body$;
comment on function memos_private.chain_problems is
    'Rows of a month that do not follow from the row before them.';

create or replace function memos_private.chain_end_problems(p_month timestamptz)
returns table (problem text, recorded_at timestamptz, era int, pid int, number bigint, detail text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    with log as (
        select distinct on (l.era, l.pid) l.era, l.pid, l.number, l.hash, l.recorded_at
        from memos_private.audit_log as l
        where l.recorded_at >= p_month and l.recorded_at < p_month + interval '1 month'
        order by l.era, l.pid, l.number desc
    ),
    buffer as (
        select distinct on (b.era, b.pid) b.era, b.pid, b.number, b.hash, b.recorded_at
        from memos_private.audit_buffer as b
        where b.recorded_at >= p_month and b.recorded_at < p_month + interval '1 month'
        order by b.era, b.pid, b.number desc
    )
    select case
            when f.number < e.number or f.number is null then 'deleted'
            when e.number is null then 'end is gone'
            when f.number > e.number then 'inserted'
            else 'end is edited' end,
        f.recorded_at, era, pid, coalesce(e.number, f.number),
        case
            when f.number is null then format('the whole chain of %s is missing in %s', e.number, f.place)
            when f.number < e.number then format('%s to %s are missing in %s', f.number + 1, e.number, f.place)
            when e.number is null then format('nothing says where the chain ends in %s', f.place)
            when f.number > e.number then format('%s ends after %s', f.place, e.number)
            else 'the last row is not the one that the chain ends with' end
    from (
        select 'audit_log' as place, era, pid, l.number, l.hash, l.recorded_at
        from log as l
        full join (select distinct c.era, c.pid from memos_private.audit_chain as c where c.month = p_month) as c
            using (era, pid)
        union all
        -- Everything of it may have been moved.
        select 'audit_buffer', era, pid, coalesce(b.number, l.number), coalesce(b.hash, l.hash),
            coalesce(b.recorded_at, l.recorded_at)
        from buffer as b
        full join (
            select distinct c.era, c.pid from memos_private.audit_buffer_chain as c where c.month = p_month
        ) as c using (era, pid)
        left join log as l using (era, pid)
    ) as f
    full join (
        select 'audit_log' as place, c.era, c.pid, c.number, c.hash
        from memos_private.audit_chain as c
        where c.month = p_month
        union all
        select 'audit_buffer', c.era, c.pid, c.number, c.hash
        from memos_private.audit_buffer_chain as c
        where c.month = p_month and c.number > 0
    ) as e using (place, era, pid)
    where f.number is distinct from e.number or f.hash is distinct from e.hash
$body$;
comment on function memos_private.chain_end_problems is
    'Chains of a month that do not end where they should.';

create or replace function memos_private.anchor_problems(p_from timestamptz, p_until timestamptz)
returns table (problem text, recorded_at timestamptz, month timestamptz, era int, pid int, number bigint, detail text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select 'anchor is edited', a.taken_at, a.dropped_month, null::int, null::int, a.number,
        'the anchor, or the one before it, is not as it was taken'
    from (
        select a, a.taken_at, a.dropped_month, a.number, a.hash, a.key_id,
            coalesce(lag(a.number) over (order by a.number), 0) as last_number,
            coalesce(lag(a.hash) over (order by a.number), '') as last_hash
        from memos_private.audit_anchor as a
    ) as a
    left join memos_private.audit_key as k on k.key_id = a.key_id
    where a.taken_at >= p_from and a.taken_at < p_until
        and (
            a.number <> a.last_number + 1
            or a.hash is distinct from memos_private.anchor_hash(a.last_hash, a.a, k.secret)
        )
    union all
    select 'deleted', a.taken_at, h.month, h.era, h.pid, h.number,
        format('anchor %s vouches for a row that is not there, or is another one', a.number)
    from memos_private.audit_anchor as a
    cross join lateral unnest(a.months, a.eras, a.pids, a.numbers, a.hashes) as h (month, era, pid, number, hash)
    where h.month >= date_trunc('month', p_from, 'UTC') and h.month < p_until
        and not exists (select from memos_private.audit_anchor as d where d.dropped_month = h.month)
        and not exists (
            select from memos_private.audit_log as l
            where l.era = h.era and l.pid = h.pid and l.number = h.number and l.hash = h.hash
                and l.recorded_at >= h.month and l.recorded_at < h.month + interval '1 month'
        )
    union all
    select 'anchor is gone', null, d.month, d.era, d.pid, d.number, 'no anchor reaches so far, and one did'
    from memos_private.audit_anchored as d
    where d.month >= date_trunc('month', p_from, 'UTC') and d.month < p_until
        and not exists (
            select
            from memos_private.audit_anchor as a
            cross join lateral unnest(a.months, a.eras, a.pids, a.numbers) as h (month, era, pid, number)
            where h.month = d.month and h.era = d.era and h.pid = d.pid and h.number = d.number
        )
$body$;
comment on function memos_private.anchor_problems is
    'Anchors that do not follow from the one before, and rows that they vouch for and that are not there.';

create or replace function memos_private.audit_problems(p_from timestamptz, p_until timestamptz)
returns table (
    problem text, recorded_at timestamptz, month timestamptz, era int, pid int, number bigint, detail text
)
language plpgsql
stable -- One snapshot: who writes changes a row and the end of its chain at once.
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
declare
    v_month timestamptz;
begin
    for v_month in select m from memos_private.audit_months(p_from, p_until) as m loop
        return query
        select c.problem, c.recorded_at, v_month, c.era, c.pid, c.number, c.detail
        from memos_private.chain_problems(v_month, p_from, p_until) as c;
        return query
        select c.problem, c.recorded_at, v_month, c.era, c.pid, c.number, c.detail
        from memos_private.chain_end_problems(v_month) as c;
    end loop;
    return query select a.* from memos_private.anchor_problems(p_from, p_until) as a;
end
$body$;
comment on function memos_private.audit_problems is 'What memos_admin.verify_audit finds.';

create or replace function memos_admin.verify_audit(
    p_from timestamptz default null, p_until timestamptz default null
)
returns table (
    problem text, recorded_at timestamptz, month timestamptz, era int, pid int, number bigint, detail text
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
as $body$
begin
    if pg_is_in_recovery() then
        raise exception 'the audit cannot be verified on this server'
            using errcode = 'MO409',
                detail = 'it is a standby, and the buffer of audited reads is not replicated',
                hint = 'ask the primary';
    end if;
    if p_from >= p_until then
        perform memos_private.refuse_argument('p_until', format('it is %s', p_until), 'a time after p_from');
    end if;
    perform memos_admin.collect_audit();
    return query
    select a.*
    from memos_private.audit_problems(coalesce(p_from, '-infinity'), coalesce(p_until, 'infinity')) as a;
end
$body$;
comment on function memos_admin.verify_audit is
    'Rows of the audit that were edited, deleted, inserted or moved, and where a chain, a month or an '
    'anchor is cut off or gone; none when it is intact. From p_from until p_until (null: from the start, '
    'to the end), by whole chains where an end is missing. Before the first anchor that is kept elsewhere '
    'a superuser can remake everything. Errors: MO400, MO409 on a standby.';
