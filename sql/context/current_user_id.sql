create or replace function memos.current_user_id()
returns uuid
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_token constant text := current_setting('memos.context', true);
begin
    if v_token <> '' then
        return memos_private.verify_context(v_token);
    end if;
    if memos_private.may_name_users() then
        if v_token is not null and memos_private.is_bound() then
            perform memos_private.refuse_unbinding();
        end if;
        return nullif(current_setting('memos.user_id', true), '')::uuid;
    end if;
    return null;
end
$body$;
comment on function memos.current_user_id is
    'The user whose rows the read views show: from the signed context, or for memos_app from the '
    'setting memos.user_id; null when there is none. Errors: MO403.';
