create or replace function memos.use_context(p_token text, p_local boolean default true)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_user_id uuid;
begin
    if p_token is null or p_local is null then
        perform memos_private.refuse_argument(
            case when p_token is null then 'p_token' else 'p_local' end,
            'it is null', 'pass a token made by memos_admin.mint_context'
        );
    end if;
    v_user_id := memos_private.verify_context(p_token);
    -- The login, not the role it acts as: reset role must not set it free either.
    if pg_has_role(session_user, 'memos_app', 'member') then
        perform memos_private.bind_session(p_local);
    end if;
    perform set_config('memos.context', p_token, p_local);
    perform set_config('memos.user_id', v_user_id::text, p_local);
    return v_user_id;
end
$body$;
comment on function memos.use_context is
    'Binds the transaction (p_local) or the session to the user of a signed context and returns that '
    'user. Naming another user is then MO403, and so is every call once the context was taken away; '
    'another user''s context binds anew. A session of memos_app that has bound itself stays bound until '
    'it ends, discard all included. Errors: MO400, MO403, MO409.';
