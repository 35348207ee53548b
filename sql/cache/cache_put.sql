create or replace function memos.cache_put(
    p_user_id    uuid,
    p_namespace  text,
    p_key        text,
    p_value      jsonb,
    p_ttl        interval default null,
    p_tags       text[] default '{}',
    p_embedding  public.halfvec default null,
    p_question   text default null,
    p_model      text default null,
    p_settings   jsonb default null,
    p_success    boolean default true,
    p_confidence real default null,
    p_lease      uuid default null
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, public, pg_temp
set memos.user_id = ''
as $body$
declare
    v_owner constant uuid := memos_private.enter_cache_context(p_user_id, true);
    v_target constant record := memos_private.cache_target(p_namespace, p_key, p_settings);
    v_policy constant memos_private.cache_namespace := v_target.policy;
    v_hash constant bytea := v_target.key_hash;
    v_model constant text := memos_private.require_valid_cache_entry(
        v_policy, v_owner, p_value, v_target.max_value_bytes, p_ttl, p_tags, p_embedding, p_question, p_model,
        p_success, p_confidence
    );
    v_now constant timestamptz := clock_timestamp();
    v_expires_at constant timestamptz := v_now
        + coalesce(p_ttl, case when p_success then v_policy.lifetime else v_policy.failure_lifetime end)
        * (1 - v_policy.jitter * random());
    v_bytes constant int := pg_column_size(p_value) + octet_length(v_target.key)
        + coalesce(pg_column_size(p_embedding), 0);
    v_tags text[] := '{}';
    v_seen pg_snapshot;
    v_old record;
    v_held record;
begin
    perform memos_private.share_contents(v_owner);
    if p_tags <> '{}' then
        v_tags := array(select distinct t.tag from unnest(p_tags) as t (tag) order by t.tag);
    end if;
    if p_lease is not null then
        delete from memos_private.cache_lease as l
        where l.user_id = v_owner and l.key_hash = v_hash and l.lease = p_lease
        returning l.seen into v_seen;
        -- Too late: another has taken over, or what the value was made from may have changed unseen.
        if not found
            or memos_private.is_invalidated(v_owner, p_namespace, v_hash, v_target.key, v_tags, v_seen)
        then
            return false;
        end if;
    elsif v_tags <> '{}' then
        v_seen := memos_private.current_cache_snapshot();
        -- Marks are kept for half an hour: of what was invalidated since an older snapshot, they tell nothing.
        if not memos_private.is_read_committed() and v_now - transaction_timestamp() > interval '10 minutes' then
            return false;
        end if;
    end if;

    loop
        update memos_private.cache_entry as e
        set value = p_value, stamp = gen_random_uuid(), seen = v_seen, tags = v_tags, success = p_success,
            confidence = p_confidence, bytes = v_bytes, stored_at = v_now, used_at = v_now,
            expires_at = v_expires_at, copied = false, has_question = p_embedding is not null
        from (
            select s.ctid as place, s.tags, s.bytes, s.copied and s.expires_at > v_now as is_copied, s.has_question,
                v_policy.keep = 'confident' and s.expires_at > v_now and s.confidence > coalesce(p_confidence, 0)
                    as is_better
            from memos_private.cache_entry as s
            where s.user_id = v_owner and s.key_hash = v_hash
            for update
        ) as o
        where e.ctid = o.place and o.is_better is not true
        returning o.tags, o.bytes, o.is_copied, o.has_question into v_old;
        exit when found;
        insert into memos_private.cache_entry (
            user_id, key_hash, namespace, key, settings, value, stamp, seen, tags, success, confidence, bytes,
            stored_at, used_at, expires_at, has_question
        ) values (
            v_owner, v_hash, p_namespace, v_target.key, v_target.settings, p_value, gen_random_uuid(), v_seen,
            v_tags, p_success, p_confidence, v_bytes, v_now, v_now, v_expires_at, p_embedding is not null
        )
        on conflict (user_id, key_hash) do nothing;
        exit when found;
        -- The one that is there is better, or it was put between the two statements.
        if v_policy.keep = 'confident' and exists (
            select from memos_private.cache_entry as e
            where e.user_id = v_owner and e.key_hash = v_hash and e.expires_at > v_now
                and e.confidence > coalesce(p_confidence, 0)
        ) then
            return false;
        end if;
    end loop;

    if v_tags <> coalesce(v_old.tags, '{}') then
        delete from memos_private.cache_tag as t
        where t.user_id = v_owner and t.tag = any (v_old.tags) and t.key_hash = v_hash
            and t.tag <> all (v_tags);
        -- In order, as everybody who has to wait for another.
        insert into memos_private.cache_tag (user_id, tag, key_hash)
        select v_owner, t.tag, v_hash from unnest(v_tags) as t (tag)
        on conflict (user_id, tag, key_hash) do nothing;
    end if;
    if p_embedding is not null then
        insert into memos_private.cache_question as q (
            user_id, namespace, key_hash, settings, model, question, facts, embedding
        ) values (
            v_owner, p_namespace, v_hash, v_target.settings, v_model, coalesce(p_question, p_key),
            memos_private.question_facts(coalesce(p_question, p_key)), p_embedding
        )
        on conflict (user_id, namespace, key_hash) do update
        set model = excluded.model, question = excluded.question, facts = excluded.facts,
            embedding = excluded.embedding;
    elsif v_old.has_question then
        delete from memos_private.cache_question as q
        where q.user_id = v_owner and q.namespace = p_namespace and q.key_hash = v_hash;
    end if;
    if v_old.is_copied then
        perform memos_private.notify_cache(v_owner, array[v_hash]);
    end if;
    if v_bytes is distinct from v_old.bytes then
        v_held := memos_private.account_cache(
            v_owner, p_namespace, (v_old.bytes is null)::int, v_bytes - coalesce(v_old.bytes, 0)
        );
        if v_held.entries > v_policy.max_entries or v_held.bytes > v_policy.max_bytes then
            perform memos_private.evict_cache_entries(v_owner, v_policy, v_hash, v_held.entries, v_held.bytes);
        end if;
    end if;
    perform memos_private.count_cache_event('fills', p_namespace);
    return true;
end
$body$;
comment on function memos.cache_put is
    'Stores a value under a key, in place of an older one; null: for all users, which a session bound to '
    'one user may not. It lives for p_ttl, else as long as the namespace says (failures shorter), less up to '
    'the namespace''s jitter. Tags: what it was made from, by which it can be invalidated; the id of a '
    'memory is one that a change to the memory invalidates by itself. With p_embedding it is found by '
    'meaning, too, as the answer to p_question (else p_key). p_lease: from cache_lease; '
    'without one, a value with tags counts as made from what this call sees. False when it was not stored: the '
    'lease is gone, what it was made from has or may have changed meanwhile, or the namespace keeps an entry '
    'of higher confidence. Errors: MO001, MO400, MO403, MO503 on a standby.';

create or replace function memos_private.require_valid_cache_entry(
    p_policy memos_private.cache_namespace, p_owner uuid, p_value jsonb, p_max_bytes bigint, p_ttl interval,
    p_tags text[], p_embedding public.halfvec, p_question text, p_model text, p_success boolean,
    p_confidence real
)
returns text
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $body$
begin
    if p_policy.scope <> 'both' and (p_owner = memos_private.shared_cache()) <> (p_policy.scope = 'shared') then
        perform memos_private.refuse_argument(
            'p_user_id', format('namespace "%s" holds %s', p_policy.name,
                case p_policy.scope when 'user' then 'entries of single users only' else 'shared entries only' end),
            case p_policy.scope when 'user' then 'name a user' else 'null' end
        );
    elsif p_value is null or p_value = 'null' then
        perform memos_private.refuse_argument(
            'p_value', 'it is null', 'a value; to remember that there is none, an object that says so'
        );
    elsif p_ttl <= interval '0' or p_ttl > interval '366 days' then
        perform memos_private.refuse_argument(
            'p_ttl', format('it is %s', p_ttl), 'more than 0, at most 366 days; null for that of the namespace'
        );
    elsif p_success is null then
        perform memos_private.refuse_argument('p_success', 'it is null', 'true or false');
    elsif p_confidence is not null then
        perform memos_private.require_fraction('p_confidence', p_confidence);
    end if;
    if pg_column_size(p_value) > p_max_bytes then
        perform memos_private.refuse_argument(
            'p_value', format('it has %s bytes', pg_column_size(p_value)),
            format('at most %s bytes (setting cache_max_value_bytes, max_bytes of the namespace)', p_max_bytes)
        );
    end if;
    if p_tags is distinct from '{}' then
        perform memos_private.require_cache_tags(p_tags);
    end if;
    if p_embedding is null then
        if p_question is not null then
            perform memos_private.refuse_argument(
                'p_question', 'there is no p_embedding', 'the vector of the question, or leave the question out'
            );
        end if;
        return null;
    end if;
    if p_question is not null then
        perform memos_private.require_cache_key('p_question', p_question);
    end if;
    return memos_private.require_cache_embedding(p_embedding, p_model);
end
$body$;
comment on function memos_private.require_valid_cache_entry is
    'Raises MO400 for the first bad argument of cache_put; returns the model of the vector.';

create or replace function memos_private.require_cache_tags(p_tags text[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_most constant int := memos_private.setting('cache_max_tags');
begin
    if p_tags is null or array_position(p_tags, null) is not null or cardinality(p_tags) > v_most
        or exists (select from unnest(p_tags) as t (tag) where octet_length(t.tag) not between 1 and 1024)
    then
        perform memos_private.refuse_argument(
            'p_tags',
            case
                when p_tags is null then 'it is null'
                when array_position(p_tags, null) is not null then 'one of them is null'
                when cardinality(p_tags) > v_most then format('there are %s', cardinality(p_tags))
                else 'one of them is empty or longer than 1024 bytes'
            end,
            format('at most %s (setting cache_max_tags), of 1 to 1024 bytes', v_most)
        );
    end if;
end
$body$;
comment on function memos_private.require_cache_tags is 'Raises MO400 for tags that no entry can have.';

-- A cache of questions works without registered models, too: all its vectors are then of one unnamed model.
create or replace function memos_private.require_cache_embedding(p_embedding public.halfvec, p_model text)
returns text
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_model memos_private.embedding_model;
begin
    if p_model is null and not exists (select from memos_private.embedding_model) then
        if l2_norm(p_embedding) = 0 then
            perform memos_private.refuse_argument('p_embedding', 'every component is zero', 'the vector of the question');
        end if;
        return '';
    end if;
    v_model := memos_private.require_embedding_model(p_model);
    perform memos_private.require_embedding('p_embedding', p_embedding, v_model);
    return v_model.name;
end
$body$;
comment on function memos_private.require_cache_embedding is
    'The name of the model that a vector is of (of the default model for null). Errors: MO400.';

create or replace function memos_private.evict_cache_entries(
    p_owner uuid, p_policy memos_private.cache_namespace, p_but bytea, p_entries bigint, p_bytes bigint
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    -- A little more than needed, so that the next writes need not.
    v_entries constant bigint := case when p_entries > p_policy.max_entries
        then p_entries - p_policy.max_entries + p_policy.max_entries / 64 else 0 end;
    v_bytes constant bigint := case when p_bytes > p_policy.max_bytes
        then p_bytes - p_policy.max_bytes + p_policy.max_bytes / 64 else 0 end;
    v_count bigint;
begin
    if not memos_private.is_read_committed() then
        return;
    end if;
    with oldest as (
        select e.ctid as place, row_number() over by_age as number, sum(e.bytes) over by_age - e.bytes as freed
        from (
            select s.ctid, s.used_at, s.bytes
            from memos_private.cache_entry as s
            where s.user_id = p_owner and s.namespace = p_policy.name and s.key_hash <> p_but
            order by s.used_at
            limit 64
        ) as e
        window by_age as (order by e.used_at, e.ctid)
    )
    delete from memos_private.cache_entry as e
    where e.ctid = any (array(
        select s.ctid
        from memos_private.cache_entry as s
        join oldest as o on o.place = s.ctid
        where o.number <= v_entries or o.freed < v_bytes
        for update of s skip locked
    ));
    get diagnostics v_count = row_count;
    perform memos_private.count_cache(p_policy.name, p_evictions => v_count);
end
$body$;
comment on function memos_private.evict_cache_entries is
    'Removes the least recently used entries of an owner above the bounds of a namespace and up to a 64th '
    'more, at most 64 at a time, but not the one that is being put.';
