do $$
begin
    if (select rolsuper from pg_roles where rolname = current_user) then
        alter role memos_user reset track_activities;
        alter role memos_user reset pg_stat_statements.track;
    end if;
end
$$;
drop function if exists memos_admin.mint_context(uuid, interval, text);
drop table if exists memos_private.session_binding;
drop policy if exists maintenance_rotates on memos_private.context_key;
revoke all on memos_private.context_key from memos_maintenance;
alter table memos_private.context_key
    drop column if exists retires_at,
    alter column secret drop default;
