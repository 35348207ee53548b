create or replace function memos_private.cache_policy(p_namespace text)
returns memos_private.cache_namespace
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_policy memos_private.cache_namespace;
begin
    select * into v_policy from memos_private.cache_namespace as n where n.name = p_namespace;
    if not found then
        perform memos_private.refuse_argument(
            'p_namespace',
            coalesce(format('there is no cache namespace "%s"', left(p_namespace, 200)), 'it is null'),
            'one of: ' || coalesce((select string_agg(n.name, ', ' order by n.name)
                from memos_private.cache_namespace as n), 'none')
                || '; a DBA adds one with memos_admin.set_cache_namespace'
        );
    end if;
    return v_policy;
end
$body$;
comment on function memos_private.cache_policy is 'The rules of a cache namespace. Errors: MO400.';

create or replace function memos_private.require_cache_key(p_argument text, p_key text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_key is null or p_key !~ '\S' then
        perform memos_private.refuse_argument(
            p_argument, case when p_key is null then 'it is null' else 'it is blank' end, 'text that is not blank'
        );
    elsif octet_length(p_key) > memos_private.setting('cache_max_key_bytes')::int then
        perform memos_private.refuse_argument(
            p_argument, format('it has %s bytes', octet_length(p_key)),
            format('at most %s bytes (setting cache_max_key_bytes): take a digest of what is longer',
                memos_private.setting('cache_max_key_bytes'))
        );
    end if;
end
$body$;
comment on function memos_private.require_cache_key is 'Raises MO400 for a key that no entry can have.';

create or replace function memos_private.require_cache_settings(p_settings jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if jsonb_typeof(p_settings) <> 'object' then
        perform memos_private.refuse_argument(
            'p_settings', 'it is a JSON ' || jsonb_typeof(p_settings), 'an object such as {"model": "m"}'
        );
    end if;
end
$body$;
comment on function memos_private.require_cache_settings is 'Raises MO400 for settings that are no object.';

create or replace function memos_private.cache_entry_hash(p_namespace text, p_key text, p_settings jsonb)
returns bytea
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_policy constant memos_private.cache_namespace := memos_private.cache_policy(p_namespace);
begin
    perform memos_private.require_cache_key('p_key', p_key);
    perform memos_private.require_cache_settings(p_settings);
    return memos_private.cache_key_hash(
        p_namespace, memos_private.cache_settings(v_policy.key_settings, p_settings),
        memos_private.cache_key(v_policy.key_form, p_key)
    );
end
$body$;
comment on function memos_private.cache_entry_hash is
    'The identity of the entry that a caller''s key and settings mean. Errors: MO400.';
