drop schema if exists memos_admin cascade;
drop schema if exists memos cascade;
drop schema if exists memos_private cascade;
alter default privileges for role memos_owner grant execute on functions to public;
alter default privileges for role memos_maintenance grant execute on functions to public;
do $$
declare
    v_role text;
begin
    foreach v_role in array array[
        'memos_app', 'memos_user', 'memos_auditor', 'memos_admin', 'memos_maintenance', 'memos_owner'
    ] loop
        execute format('drop owned by %I', v_role);
        begin
            execute format('drop role %I', v_role);
        exception when dependent_objects_still_exist then
            raise notice 'role % stays: another database of this server uses it', v_role;
        end;
    end loop;
end
$$;
