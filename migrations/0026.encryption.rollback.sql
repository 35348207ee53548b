do $$
begin
    -- Without the keys nobody could read them again.
    if exists (
        select from memos_private.user_key where destroyed_at is null
    ) then
        raise exception 'there are encrypted memories'
            using errcode = 'MO409',
                hint = 'lower their privacy level with memos.update_memory, or destroy the keys with '
                    'memos_admin.destroy_user_key';
    end if;
    if (select rolsuper from pg_roles where rolname = current_user) then
        alter role memos_app reset log_parameter_max_length;
        alter role memos_app reset log_parameter_max_length_on_error;
        alter role memos_user reset log_parameter_max_length;
        alter role memos_user reset log_parameter_max_length_on_error;
        if current_setting('server_version_num')::int >= 160000 then
            alter role memos_app reset auto_explain.log_parameter_max_length;
            alter role memos_user reset auto_explain.log_parameter_max_length;
        end if;
    end if;
end
$$;
drop table if exists memos_private.key_command;
drop table if exists memos_private.user_key;
-- is_sealed stays: what makes lexemes of texts, which rollbacks before this one need, has it for a part.
delete from memos_private.setting where name = 'restricted_encryption';
