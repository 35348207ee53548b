create or replace function memos_admin.expire_audit(p_at timestamptz default now())
returns table (month timestamptz, outcome text)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_custom_plan
as $body$
#variable_conflict use_column
declare
    v_due record;
begin
    perform memos_private.lock_legal_holds();
    for v_due in
        select p.partition, p.month, p.until
        from memos_private.month_partitions('memos_private.audit_log') as p
        where p.until <= memos_private.retention_start('audit_retention_days', p_at)
        order by p.month
    loop
        month := v_due.month;
        -- A month without the rows of others could not be verified: it stays as it is.
        if exists (
            select from memos_private.audit_log as l
            where l.recorded_at >= v_due.month and l.recorded_at < v_due.until
                and l.subject = any (memos_private.held_users())
        ) then
            outcome := 'held';
        else
            perform memos_admin.move_audited_reads();
            perform memos_private.anchor_audit();
            outcome := case when memos_private.drop_partitions(array[v_due.partition])
                then 'dropped' else 'busy' end;
        end if;
        if outcome = 'dropped' then
            perform memos_private.anchor_audit(v_due.month);
            delete from memos_private.audit_chain as c where c.month = v_due.month;
            delete from memos_private.audit_buffer_chain as c where c.month = v_due.month;
            delete from memos_private.audit_anchored as c where c.month = v_due.month;
            perform memos_private.audit(null, 'memos_admin.expire_audit');
        end if;
        return next;
    end loop;
end
$body$;
comment on function memos_admin.expire_audit is
    'Drops the months of the audit that are older than audit_retention_days at p_at (not later than now). '
    'What their chains ended with stays anchored. held: a user of whom there are rows is under a legal '
    'hold; busy: a transaction that wrote is open, the next call tries again. Errors: MO400, MO409.';
