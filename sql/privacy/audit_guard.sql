-- What grants do not stop, a superuser's slip of the hand, the triggers do; what they do not stop either,
-- memos_admin.verify_audit finds.
create or replace function memos_private.tg_audit_changed()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    raise exception 'the audit is only added to'
        using errcode = 'MO500',
            detail = format('%s on %I.%I', lower(tg_op), tg_table_schema, tg_table_name),
            hint = 'months older than audit_retention_days go with memos_admin.run_maintenance';
end
$body$;
comment on function memos_private.tg_audit_changed is 'Keeps the audit append-only.';

create or replace trigger t10_audit_is_append_only
    before update or delete on memos_private.audit_log
    for each row execute function memos_private.tg_audit_changed();
create or replace trigger t10_audit_is_append_only
    before update on memos_private.audit_buffer
    for each row execute function memos_private.tg_audit_changed();
create or replace trigger t20_audit_is_not_truncated
    before truncate on memos_private.audit_buffer
    for each statement execute function memos_private.tg_audit_changed();
create or replace trigger t10_audit_is_append_only
    before update or delete or truncate on memos_private.audit_anchor
    for each statement execute function memos_private.tg_audit_changed();

create or replace function memos_private.protect_audit()
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_table regclass;
begin
    -- A trigger on truncate does not reach the partitions, nor does a revoked right.
    for v_table in
        select c.oid
        from pg_class as c
        where (
                c.oid = 'memos_private.audit_log'::regclass
                or c.oid in (
                    select i.inhrelid from pg_inherits as i where i.inhparent = 'memos_private.audit_log'::regclass
                )
            )
            and not exists (
                select from pg_trigger as t where t.tgrelid = c.oid and t.tgname = 't20_audit_is_not_truncated'
            )
            and exists (
                select from partman.part_config as p where p.parent_table = 'memos_private.audit_log'
            )
    loop
        execute format(
            'create trigger t20_audit_is_not_truncated before truncate on %s '
            || 'for each statement execute function memos_private.tg_audit_changed()', v_table
        );
        execute format('revoke update, delete, truncate on %s from memos_owner', v_table);
    end loop;
end
$body$;
comment on function memos_private.protect_audit is
    'Append-only, the audit and each month of it, by grants and by triggers.';
