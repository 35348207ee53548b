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

create or replace function memos_private.is_cache_key(p_key text, p_most int)
returns boolean
language sql
immutable
return octet_length(p_key) <= p_most and p_key ~ '\S';
comment on function memos_private.is_cache_key is 'Whether this is a key that an entry can have.';

create or replace function memos_private.require_cache_key(p_argument text, p_key text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_most constant int := memos_private.setting('cache_max_key_bytes');
begin
    if memos_private.is_cache_key(p_key, v_most) is not true then
        perform memos_private.refuse_argument(
            p_argument,
            case
                when p_key is null then 'it is null'
                when octet_length(p_key) > v_most then format('it has %s bytes', octet_length(p_key))
                else 'it is blank'
            end,
            format('text that is not blank, of at most %s bytes (setting cache_max_key_bytes): take a digest of '
                'what is longer', v_most)
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

-- Every put and every miss comes by: one statement, and a call only for who is refused.
create or replace function memos_private.cache_target(
    p_namespace text,
    p_key       text,
    p_settings  jsonb,
    out policy          memos_private.cache_namespace,
    out key             text,
    out settings        text,
    out key_hash        bytea,
    out max_value_bytes bigint
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_found record;
begin
    select n as policy, least(v.value::bigint, n.max_bytes) as max_value_bytes, k.value::int as max_key_bytes
    into v_found
    from memos_private.cache_namespace as n
    join memos_private.setting as v on v.name = 'cache_max_value_bytes'
    join memos_private.setting as k on k.name = 'cache_max_key_bytes'
    where n.name = p_namespace;
    if not found then
        perform memos_private.cache_policy(p_namespace);
    elsif memos_private.is_cache_key(p_key, v_found.max_key_bytes) is not true then
        perform memos_private.require_cache_key('p_key', p_key);
    end if;
    policy := v_found.policy;
    max_value_bytes := v_found.max_value_bytes;
    settings := '';
    if p_settings is not null then
        perform memos_private.require_cache_settings(p_settings);
        settings := memos_private.cache_settings(policy.key_settings, p_settings);
    end if;
    key := memos_private.cache_key(policy.key_form, p_key);
    key_hash := memos_private.cache_key_hash(p_namespace, settings, key);
end
$body$;
comment on function memos_private.cache_target is
    'The entry that a caller''s namespace, key and settings mean, with the rules for it. Errors: MO400.';
