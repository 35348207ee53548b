create or replace function memos.cache_record_outcome(
    p_user_id uuid, p_namespace text, p_key text, p_success boolean, p_settings jsonb default null
)
returns real
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_owner constant uuid := memos_private.enter_cache_context(p_user_id, true);
    v_hash constant bytea := (memos_private.cache_target(p_namespace, p_key, p_settings)).key_hash;
    v_rate real;
begin
    if p_success is null then
        perform memos_private.refuse_argument('p_success', 'it is null', 'true or false');
    end if;
    -- The first outcome is the rate: no number stands in for what nobody has seen.
    update memos_private.cache_entry as e
    set success_rate = case when e.success_rate is null then p_success::int
            else 0.7 * e.success_rate + 0.3 * p_success::int end,
        outcomes = e.outcomes + 1
    where e.user_id = v_owner and e.key_hash = v_hash and e.expires_at > clock_timestamp()
    returning e.success_rate into v_rate;
    if not found then
        raise exception 'no such cache entry'
            using errcode = memos_private.audit_failure('MO404'),
                detail = format('namespace %s, key %s', p_namespace, left(p_key, 200)),
                hint = 'it has expired or was never put';
    end if;
    return v_rate;
end
$body$;
comment on function memos.cache_record_outcome is
    'Says how it went with a cached plan and returns its success rate: an exponential moving average with '
    'weight 0.3 for the newest outcome. A new value for the key keeps the rate. '
    'Errors: MO001, MO400, MO403, MO404, MO503 on a standby.';

create or replace function memos.cache_entries(p_user_id uuid, p_namespace text, p_limit int default 50)
returns table (
    key          text,
    settings     jsonb,
    value        jsonb,
    tags         text[],
    success      boolean,
    confidence   real,
    success_rate real,
    outcomes     int,
    bytes        int,
    stored_at    timestamptz,
    used_at      timestamptz,
    expires_at   timestamptz
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_owner constant uuid := memos_private.enter_cache_context(p_user_id, false);
begin
    perform memos_private.cache_policy(p_namespace);
    if p_limit is null or p_limit not between 1 and 1000 then
        perform memos_private.refuse_argument(
            'p_limit', memos_private.it_is(p_limit), 'a whole number from 1 to 1000'
        );
    end if;
    return query
    select e.key, nullif(e.settings, '')::jsonb, e.value, e.tags, e.success, e.confidence, e.success_rate,
        e.outcomes, e.bytes, e.stored_at, e.used_at, e.expires_at
    from memos_private.cache_entry as e
    where e.user_id = v_owner and e.namespace = p_namespace and e.expires_at > clock_timestamp()
        and (e.seen is null or not memos_private.is_invalidated(
            v_owner, p_namespace, e.key_hash, e.key, e.tags, e.seen
        ))
    order by e.success_rate desc nulls last, e.used_at desc, e.key_hash
    limit p_limit;
end
$body$;
comment on function memos.cache_entries is
    'The fresh entries of a user (null: the shared ones) in a namespace: those with the best success rate '
    'first, then those used last. Errors: MO001, MO400, MO403, MO503 on a standby.';

create or replace function memos.cache_stats(p_user_id uuid)
returns table (
    namespace text,
    entries   bigint,
    expired   bigint,
    bytes     bigint,
    oldest    timestamptz,
    newest    timestamptz
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_owner constant uuid := memos_private.enter_cache_context(p_user_id, false);
begin
    return query
    select n.name, count(e.key_hash), count(e.key_hash) filter (where e.expires_at <= clock_timestamp()),
        coalesce(sum(e.bytes), 0)::bigint, min(e.stored_at), max(e.stored_at)
    from memos_private.cache_namespace as n
    left join memos_private.cache_entry as e on e.user_id = v_owner and e.namespace = n.name
    group by n.name
    order by n.name;
end
$body$;
comment on function memos.cache_stats is
    'What a user (null: all users together) holds in each namespace. Errors: MO001, MO400, MO403, MO503 on a '
    'standby.';
