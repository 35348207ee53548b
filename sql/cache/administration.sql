create or replace function memos_admin.cache_namespaces()
returns table (
    name             text,
    description      text,
    lifetime         interval,
    failure_lifetime interval,
    stale_lifetime   interval,
    jitter           real,
    max_entries      int,
    max_bytes        bigint,
    max_total_bytes  bigint,
    scope            text,
    key_form         text,
    key_settings     text[],
    keep             text
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select n.name, n.description, n.lifetime, n.failure_lifetime, n.stale_lifetime, n.jitter, n.max_entries,
        n.max_bytes, n.max_total_bytes, n.scope, n.key_form, n.key_settings, n.keep
    from memos_private.cache_namespace as n
    order by n.name
$body$;
comment on function memos_admin.cache_namespaces is 'What the caches hold, and by which rules.';

create or replace function memos_admin.set_cache_namespace(p_name text, p_policy jsonb)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_keys constant text[] := array[
        'description', 'lifetime', 'failure_lifetime', 'stale_lifetime', 'jitter', 'max_entries', 'max_bytes',
        'max_total_bytes', 'scope', 'key_form', 'key_settings', 'keep'
    ];
    v_old memos_private.cache_namespace;
    v_new memos_private.cache_namespace;
begin
    if p_policy is null or jsonb_typeof(p_policy) <> 'object' or p_policy - v_keys <> '{}' then
        perform memos_private.refuse_argument(
            'p_policy', memos_private.it_is(p_policy),
            'a JSON object with any of the keys ' || array_to_string(v_keys, ', ')
        );
    end if;
    select * into v_old from memos_private.cache_namespace as n where n.name = p_name for update;
    if not found then
        v_old := row(
            p_name, '', '1 hour', '1 minute', '0', 0.1, 1000, 67108864, 1073741824, 'both', 'exact', '{}', 'newest'
        );
    end if;
    begin
        v_new := jsonb_populate_record(v_old, p_policy);
        insert into memos_private.cache_namespace select v_new.*
        on conflict (name) do update
        set description = excluded.description, lifetime = excluded.lifetime,
            failure_lifetime = excluded.failure_lifetime, stale_lifetime = excluded.stale_lifetime,
            jitter = excluded.jitter, max_entries = excluded.max_entries, max_bytes = excluded.max_bytes,
            max_total_bytes = excluded.max_total_bytes, scope = excluded.scope, key_form = excluded.key_form,
            key_settings = excluded.key_settings, keep = excluded.keep;
    exception when data_exception or integrity_constraint_violation then
        perform memos_private.refuse_argument(
            case when p_name ~ '^[a-z][a-z0-9_]{0,31}$' then 'p_policy' else 'p_name' end, sqlerrm,
            'a name of lower-case letters, digits and underscores, lifetimes of at most 366 days, jitter up '
            'to 0.5, bounds from 1; scope user, shared or both; key_form exact, text or url; keep newest or '
            'confident'
        );
    end;
    -- Under other rules for keys, what is there would not be found, or for the wrong question.
    if (v_new.key_form, v_new.key_settings) is distinct from (v_old.key_form, v_old.key_settings) then
        perform memos_admin.cache_clear(p_name);
    end if;
end
$body$;
comment on function memos_admin.set_cache_namespace is
    'Adds a cache namespace, or changes those rules of one that p_policy names. Other rules for keys empty '
    'it. Errors: MO400.';

create or replace function memos_admin.drop_cache_namespace(p_name text)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    delete from memos_private.cache_namespace as n where n.name = p_name;
    if not found then
        return false;
    end if;
    delete from memos_private.cache_entry as e where e.namespace = p_name;
    delete from memos_private.cache_counter as c where c.namespace = p_name;
    perform pg_notify('memos_cache', 'everything');
    return true;
end
$body$;
comment on function memos_admin.drop_cache_namespace is
    'Removes a cache namespace with its entries; false when there is none of that name.';

create or replace function memos_admin.cache_clear(p_namespace text default null)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_count bigint;
begin
    if p_namespace is not null then
        perform memos_private.cache_policy(p_namespace);
    end if;
    -- Fillings that go on are not told apart by owner here: none of them may put what it has.
    delete from memos_private.cache_lease as l where l.namespace = coalesce(p_namespace, l.namespace);
    delete from memos_private.cache_entry as e where e.namespace = coalesce(p_namespace, e.namespace);
    get diagnostics v_count = row_count;
    perform pg_notify('memos_cache', 'everything');
    return v_count;
end
$body$;
comment on function memos_admin.cache_clear is
    'Empties the caches of all users, or one namespace of them; returns how many entries went. Errors: MO400.';
