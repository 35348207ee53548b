-- The role that talks to us: inside a definer function current_user is the owner, so look outside.
create or replace function memos_private.caller()
returns name
language sql
stable
return case when current_setting('role') = 'none' then session_user
    else current_setting('role')::name end;
comment on function memos_private.caller is 'The role that called the API.';

create or replace function memos_private.may_name_users()
returns boolean
language sql
stable
return pg_has_role(memos_private.caller(), 'memos_app', 'usage');
comment on function memos_private.may_name_users is
    'Whether the caller is trusted to say which user it acts for (the bot).';

create or replace function memos_private.is_trusted_call()
returns boolean
language sql
stable
return current_setting('memos.context', true) is null and memos_private.may_name_users();
comment on function memos_private.is_trusted_call is
    'The ordinary case, in which enter_user_context has nothing to refuse: the bot, in a session that never '
    'had a signed context (one that was bound and has taken it away has an empty one). Becomes part of the '
    'caller''s own expression, where a call would be too dear.';

create or replace function memos_private.enter_user_context(p_user_id uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    -- Null where none has ever been set in this session: then it was never bound either.
    v_token constant text := current_setting('memos.context', true);
begin
    if p_user_id is null then
        perform memos_private.refuse_argument(
            'p_user_id', 'it is null', 'pass the uuid of a user: memos.user_id(''your id'')'
        );
    end if;
    if v_token <> '' then
        if memos_private.verify_context(v_token) <> p_user_id then
            raise exception 'this session is bound to another user'
                using errcode = memos_private.audit_refusal('MO403', p_user_id),
                    detail = format('the call names user %s', p_user_id),
                    hint = 'a signed context opens the rows of its own user only';
        end if;
    elsif not memos_private.may_name_users() then
        raise exception 'no user context'
            using errcode = memos_private.audit_refusal('MO001', p_user_id),
                detail = format('role %s has to present a signed context', memos_private.caller()),
                hint = 'call memos.use_context with a token from memos_admin.mint_context first';
    elsif v_token is not null and memos_private.is_bound() then
        perform memos_private.refuse_unbinding();
    end if;
    perform set_config('memos.user_id', p_user_id::text, true);
end
$body$;
comment on function memos_private.enter_user_context is
    'First statement of every API function: checks that the caller may act for the user and opens that '
    'user''s rows. The function''s own "set memos.user_id" clause closes them again on every exit. '
    'Errors: MO001, MO400, MO403.';
