-- Reads go from the buffer to the log as they are, chain by chain. What is visible of a chain is a
-- beginning of it, since one process writes it.
create or replace function memos_private.move_reads(
    p_month timestamptz, p_era int, p_pid int, p_limit int
)
returns int
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_from bigint;
    v_rows memos_private.audit_log[];
    v_last memos_private.audit_log;
begin
    -- One at a time, and nobody waits: whoever holds the lock moves them.
    if current_setting('transaction_isolation') <> 'read committed'
        or not pg_try_advisory_xact_lock(hashtext('memos.audit_chain'), p_pid)
    then
        return 0;
    end if;
    select c.number into v_from
    from memos_private.audit_chain as c
    where c.month = p_month and c.era = p_era and c.pid = p_pid
    order by c.number desc
    limit 1;
    with moved as (
        delete from memos_private.audit_buffer as b
        where b.ctid = any (array(
            select n.ctid
            from memos_private.audit_buffer as n
            where n.era = p_era and n.pid = p_pid and n.number > coalesce(v_from, 0)
                and n.recorded_at >= p_month and n.recorded_at < p_month + interval '1 month'
            order by n.number
            limit p_limit
        ))
        returning b.*
    )
    select array_agg(m::memos_private.audit_log order by m.number) into v_rows from moved as m;
    if v_rows is null then
        return 0;
    end if;
    v_last := v_rows[cardinality(v_rows)];
    if v_from is null then
        perform memos_private.require_audit_month(p_month);
        insert into memos_private.audit_chain (month, era, pid, number, hash)
        values (p_month, p_era, p_pid, v_last.number, v_last.hash);
    else
        update memos_private.audit_chain as c
        set number = v_last.number, hash = v_last.hash
        where c.month = p_month and c.era = p_era and c.pid = p_pid and c.number = v_from;
    end if;
    insert into memos_private.audit_log select r.* from unnest(v_rows) as r;
    return cardinality(v_rows);
end
$body$;
comment on function memos_private.move_reads is
    'Moves at most p_limit reads of a chain from the buffer to the log, and returns how many.';

create or replace function memos_private.move_own_reads(p_at timestamptz)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_month constant timestamptz := date_trunc('month', p_at, 'UTC');
    v_era int;
begin
    select e.era into v_era
    from memos_private.audit_buffer_era as e
    cross join lateral (
        select b.number
        from memos_private.audit_buffer_chain as b
        where b.month = v_month and b.era = e.era and b.pid = pg_backend_pid()
        order by b.number desc
        limit 1
    ) as b
    where b.number > coalesce((
        select max(c.number)
        from memos_private.audit_chain as c
        where c.month = v_month and c.era = e.era and c.pid = pg_backend_pid()
    ), 0);
    if found then
        perform memos_private.move_reads(v_month, v_era, pg_backend_pid(), 100);
    end if;
end
$body$;
comment on function memos_private.move_own_reads is
    'For who flushes anyway: makes the latest reads of its own process durable, up to 100 a call.';

create or replace function memos_admin.move_audited_reads()
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $body$
declare
    v_chain record;
    v_moved bigint := 0;
begin
    for v_chain in
        select b.month, b.era, b.pid, max(b.number) as number
        from memos_private.audit_buffer_chain as b
        group by b.month, b.era, b.pid
        having max(b.number) > coalesce((
            select max(c.number)
            from memos_private.audit_chain as c
            where c.month = b.month and c.era = b.era and c.pid = b.pid
        ), 0)
    loop
        v_moved := v_moved
            + memos_private.move_reads(v_chain.month, v_chain.era, v_chain.pid, 100000);
    end loop;
    -- No process goes on with a chain of a month that is over.
    delete from memos_private.audit_buffer_chain as b
    where b.month < date_trunc('month', now()) - interval '1 month' and b.number <= (
        select max(c.number)
        from memos_private.audit_chain as c
        where c.month = b.month and c.era = b.era and c.pid = b.pid
    );
    return v_moved;
end
$body$;
comment on function memos_admin.move_audited_reads is
    'Moves audited reads from the buffer, which a crash empties, to the log; returns how many.';
