-- Shared entries belong to the nil UUID, which memos.user_id never returns.
create or replace function memos_private.shared_cache()
returns uuid
language sql
immutable
return '00000000-0000-0000-0000-000000000000'::uuid;
comment on function memos_private.shared_cache is 'The user that stands for all: owner of shared cache entries.';

create or replace function memos_private.enter_cache_context(p_user_id uuid, p_writing boolean)
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_token constant text := current_setting('memos.context', true);
begin
    if pg_is_in_recovery() then
        raise exception 'there is no cache on this server'
            using errcode = 'MO503',
                detail = 'it is a standby, and the unlogged tables of the cache are not replicated',
                hint = 'go on without the cache, or ask the primary';
    end if;
    if p_user_id is not null then
        if p_user_id = memos_private.shared_cache() then
            perform memos_private.refuse_argument(
                'p_user_id', 'it is the nil uuid', 'null for the entries that all users share'
            );
        end if;
        perform memos_private.enter_user_context(p_user_id);
        return p_user_id;
    end if;
    if v_token <> '' then
        perform memos_private.verify_context(v_token);
        -- Every user reads what is shared: one who could write it would answer for all the others.
        if p_writing then
            raise exception 'this session is bound to one user'
                using errcode = memos_private.audit_failure('MO403'),
                    detail = 'the call would change entries that all users share',
                    hint = 'name the user, or have memos_app do it';
        end if;
    elsif not memos_private.may_name_users() then
        raise exception 'no user context'
            using errcode = memos_private.audit_failure('MO001'),
                detail = format('role %s has to present a signed context', memos_private.caller()),
                hint = 'call memos.use_context with a token from memos_admin.mint_context first';
    elsif v_token is not null and memos_private.is_bound() then
        perform memos_private.refuse_unbinding();
    end if;
    perform set_config('memos.user_id', memos_private.shared_cache()::text, true);
    return memos_private.shared_cache();
end
$body$;
comment on function memos_private.enter_cache_context is
    'First statement of every cache function: the context of the user, or for null of the shared '
    'entries, which a session bound to one user may read but not change. Returns the owner of the '
    'entries. Errors: MO001, MO400, MO403, MO503 on a standby.';
