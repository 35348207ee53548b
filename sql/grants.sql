-- Who may do what, in one place, whatever was granted before.
do $$
declare
    v_function record;
    v_view regclass;
begin
    for v_function in
        select p.oid::regprocedure as signature, n.nspname as schema, p.proowner::regrole::text as owner,
            case when n.nspname = 'memos_admin' then 'memos_maintenance' else 'memos_owner' end as rightful_owner
        from pg_catalog.pg_proc as p
        join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
        where n.nspname in ('memos', 'memos_private', 'memos_admin')
    loop
        if v_function.owner <> v_function.rightful_owner then
            execute format('alter routine %s owner to %I', v_function.signature, v_function.rightful_owner);
        end if;
        execute format(
            'revoke all on routine %s from public, memos_app, memos_user, memos_auditor, memos_admin',
            v_function.signature
        );
        case v_function.schema
            when 'memos' then
                execute format('grant execute on routine %s to memos_app, memos_user', v_function.signature);
            when 'memos_admin' then
                execute format('grant execute on routine %s to memos_admin', v_function.signature);
            else
                execute format('grant execute on routine %s to memos_maintenance', v_function.signature);
        end case;
    end loop;

    for v_view in
        select c.oid
        from pg_catalog.pg_class as c
        where c.relkind = 'v' and c.relnamespace in ('memos'::regnamespace, 'memos_private'::regnamespace)
    loop
        execute format('alter view %s owner to memos_owner', v_view);
        execute format('revoke all on %s from public, memos_app, memos_user', v_view);
        if v_view::text like 'memos.%' then
            execute format('grant select on %s to memos_app, memos_user', v_view);
        end if;
    end loop;
end
$$;

revoke all on schema memos, memos_private, memos_admin from public;
grant usage on schema memos to memos_app, memos_user, memos_admin;
grant usage on schema memos_admin to memos_admin;
grant execute on function memos.user_id(text) to memos_admin;

-- Auditors see the audit, and no content.
grant usage on schema memos, memos_admin to memos_auditor;
grant execute on function
    memos.user_id(text),
    memos_admin.accounting_of_disclosures(uuid, timestamptz, timestamptz),
    memos_admin.anchor_audit(),
    memos_admin.audit_anchors(timestamptz, timestamptz),
    memos_admin.audit_entries(uuid, timestamptz, timestamptz, text, int, text, uuid),
    memos_admin.audit_status(),
    memos_admin.verify_audit(timestamptz, timestamptz)
to memos_auditor;

-- pg_partman acts as the owner of the tables that it keeps.
grant usage, create on schema partman to memos_owner;
grant select, insert, update, delete on all tables in schema partman to memos_owner;
grant execute on all routines in schema partman to memos_owner;

select memos_private.maintain_partitions();
