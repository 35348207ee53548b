-- An anchor vouches for where the chains ended when it was taken. Whoever removes a chain with its end, or
-- drops a month, would have to remake every anchor since; and who keeps the newest one elsewhere sees that.
create or replace function memos_private.anchor_hash(
    p_before bytea, p_anchor memos_private.audit_anchor, p_secret bytea
)
returns bytea
language sql
stable
return public.hmac(
    p_before || record_send(row(
        p_anchor.number, p_anchor.taken_at, p_anchor.dropped_month, p_anchor.months, p_anchor.eras,
        p_anchor.pids, p_anchor.numbers, p_anchor.hashes, p_anchor.key_id
    )), p_secret, 'sha256'
);
comment on function memos_private.anchor_hash is
    'What an anchor''s hash has to be; p_before: that of the anchor before, empty for the first.';

create or replace function memos_private.anchor_audit(p_dropped_month timestamptz default null)
returns memos_private.audit_anchor
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_key memos_private.audit_key;
    v_before memos_private.audit_anchor;
    v_anchor memos_private.audit_anchor;
begin
    perform pg_advisory_xact_lock(hashtextextended('memos.audit_anchor', 0));
    select * into v_before from memos_private.audit_anchor as a order by a.number desc limit 1;
    select * into v_key from memos_private.audit_key as k order by k.key_id desc limit 1;
    v_anchor.number := coalesce(v_before.number, 0) + 1;
    v_anchor.taken_at := clock_timestamp();
    v_anchor.dropped_month := p_dropped_month;
    v_anchor.key_id := v_key.key_id;
    select coalesce(array_agg(c.month), '{}'), coalesce(array_agg(c.era), '{}'),
        coalesce(array_agg(c.pid), '{}'), coalesce(array_agg(c.number), '{}'), coalesce(array_agg(c.hash), '{}')
    into v_anchor.months, v_anchor.eras, v_anchor.pids, v_anchor.numbers, v_anchor.hashes
    from (
        select c.month, c.era, c.pid, c.number, c.hash
        from memos_private.audit_chain as c
        left join memos_private.audit_anchored as a
            on a.month = c.month and a.era = c.era and a.pid = c.pid
        where c.number > coalesce(a.number, 0)
        order by c.month, c.era, c.pid
    ) as c;
    if v_anchor.months = '{}' and p_dropped_month is null then
        return v_before;
    end if;
    v_anchor.hash := memos_private.anchor_hash(coalesce(v_before.hash, ''), v_anchor, v_key.secret);
    insert into memos_private.audit_anchor values (v_anchor.*);
    insert into memos_private.audit_anchored as a (month, era, pid, number)
    select c.month, c.era, c.pid, c.number
    from unnest(v_anchor.months, v_anchor.eras, v_anchor.pids, v_anchor.numbers) as c (month, era, pid, number)
    on conflict (month, era, pid) do update set number = excluded.number;
    return v_anchor;
end
$body$;
comment on function memos_private.anchor_audit is
    'Takes an anchor, and returns it; the one before where no chain has grown.';

create or replace function memos_admin.anchor_audit()
returns table (number bigint, taken_at timestamptz, chains int, hash text)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    perform memos_admin.collect_audit();
    perform memos_admin.move_audited_reads();
    return query
    select a.number, a.taken_at, cardinality(a.months), encode(a.hash, 'hex')
    from memos_private.anchor_audit() as a
    where a.number is not null;
end
$body$;
comment on function memos_admin.anchor_audit is
    'Anchors what is in the audit, and returns the newest anchor. Keep number and hash where no superuser '
    'of this server writes: memos_admin.audit_anchors has to show the same ever after.';

create or replace function memos_admin.audit_anchors(
    p_from timestamptz default null, p_until timestamptz default null
)
returns table (
    number bigint, taken_at timestamptz, chains int, dropped_month timestamptz, hash text
)
language sql
stable
security definer
rows 100
set search_path = pg_catalog, pg_temp
as $body$
    select a.number, a.taken_at, cardinality(a.months), a.dropped_month, encode(a.hash, 'hex')
    from memos_private.audit_anchor as a
    where (p_from is null or a.taken_at >= p_from) and (p_until is null or a.taken_at < p_until)
    order by a.number
$body$;
comment on function memos_admin.audit_anchors is
    'The anchors of the audit, oldest first. chains: how many had grown; dropped_month: the month whose '
    'rows were dropped for their age.';

create or replace function memos_admin.rotate_audit_key()
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_key_id int;
begin
    perform pg_advisory_xact_lock(hashtextextended('memos.audit_key', 0));
    insert into memos_private.audit_key (key_id)
    select max(k.key_id) + 1 from memos_private.audit_key as k
    returning key_id into v_key_id;
    perform memos_private.audit(null, 'memos_admin.rotate_audit_key');
    return v_key_id;
end
$body$;
comment on function memos_admin.rotate_audit_key is
    'A new key for hashes and digests from now on; those before it stay, for what they have signed. '
    'Returns the new key''s id. Digests of the same text by two keys differ.';
