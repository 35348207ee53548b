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
    v_policy constant memos_private.cache_namespace := memos_private.cache_policy(p_namespace);
    v_now constant timestamptz := clock_timestamp();
    v_model text;
    v_key text;
    v_settings text;
    v_hash bytea;
    v_tags text[];
    v_seen pg_snapshot;
    v_old memos_private.cache_entry;
    v_new memos_private.cache_entry;
begin
    perform memos_private.share_contents(v_owner);
    v_model := memos_private.require_valid_cache_entry(
        v_policy, v_owner, p_key, p_value, p_ttl, p_tags, p_embedding, p_question, p_model, p_settings,
        p_success, p_confidence
    );
    v_key := memos_private.cache_key(v_policy.key_form, p_key);
    v_settings := memos_private.cache_settings(v_policy.key_settings, p_settings);
    v_hash := memos_private.cache_key_hash(p_namespace, v_settings, v_key);
    v_tags := array(select distinct t.tag from unnest(p_tags) as t (tag) order by t.tag);
    if p_lease is not null then
        delete from memos_private.cache_lease as l
        where l.user_id = v_owner and l.key_hash = v_hash and l.lease = p_lease
        returning l.seen into v_seen;
        -- Too late: another has taken over, or what the value was made from may have changed unseen.
        if not found or memos_private.is_invalidated(v_owner, p_namespace, v_hash, v_key, v_tags, v_seen) then
            return false;
        end if;
    elsif v_tags <> '{}' then
        v_seen := memos_private.current_cache_snapshot();
    end if;

    v_new := row(
        v_owner, v_hash, p_namespace, v_key, v_settings, p_value, gen_random_uuid(), v_seen, v_tags, p_success,
        p_confidence, null, 0,
        pg_column_size(p_value) + octet_length(v_key) + coalesce(pg_column_size(p_embedding), 0), v_now, v_now,
        v_now + coalesce(p_ttl, case when p_success then v_policy.lifetime else v_policy.failure_lifetime end)
            * (1 - v_policy.jitter * random())
    );
    loop
        select * into v_old
        from memos_private.cache_entry as e
        where e.user_id = v_owner and e.key_hash = v_hash
        for update;
        if v_old.stamp is null then
            insert into memos_private.cache_entry select v_new.* on conflict (user_id, key_hash) do nothing;
        elsif v_policy.keep = 'confident' and v_old.expires_at > v_now
            and v_old.confidence > coalesce(p_confidence, 0)
        then
            return false;
        else
            update memos_private.cache_entry as e
            set value = v_new.value, stamp = v_new.stamp, seen = v_new.seen, tags = v_new.tags,
                success = v_new.success, confidence = v_new.confidence, bytes = v_new.bytes,
                stored_at = v_new.stored_at, used_at = v_new.used_at, expires_at = v_new.expires_at
            where e.user_id = v_owner and e.key_hash = v_hash;
        end if;
        -- Else another one was inserted between the two.
        exit when found;
    end loop;

    if v_old.tags is distinct from v_tags then
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
            v_owner, p_namespace, v_hash, v_settings, v_model, coalesce(p_question, p_key),
            memos_private.question_facts(coalesce(p_question, p_key)), p_embedding
        )
        on conflict (user_id, namespace, key_hash) do update
        set model = excluded.model, question = excluded.question, facts = excluded.facts,
            embedding = excluded.embedding;
    elsif v_old.stamp is not null then
        delete from memos_private.cache_question as q
        where q.user_id = v_owner and q.namespace = p_namespace and q.key_hash = v_hash;
    end if;

    if v_old.expires_at > v_now then
        perform memos_private.notify_cache(v_owner, array[v_hash]);
    end if;
    perform memos_private.account_cache(
        v_owner, p_namespace, case when v_old.stamp is null then 1 else 0 end,
        v_new.bytes - coalesce(v_old.bytes, 0)
    );
    perform memos_private.count_cache(
        p_namespace, p_fills => 1,
        p_evictions => memos_private.evict_cache_entries(v_owner, v_policy, v_hash)
    );
    return true;
end
$body$;
comment on function memos.cache_put is
    'Stores a value under a key, in place of an older one; null: for all users, which a session bound to '
    'one user may not. It lives for p_ttl, else as long as the namespace says (failures shorter), less up to '
    'the namespace''s jitter. Tags: what it was made from, by which it can be invalidated; the id of a '
    'memory is one that a change to the memory invalidates by itself. With p_embedding it is found by '
    'meaning, too, as the answer to p_question (else p_key). p_lease: from cache_lease. False when it was '
    'not stored: the lease is gone, what it was made from has changed meanwhile, or the namespace keeps an '
    'entry of higher confidence. Errors: MO001, MO400, MO403, MO503 on a standby.';

create or replace function memos_private.require_valid_cache_entry(
    p_policy memos_private.cache_namespace, p_owner uuid, p_key text, p_value jsonb, p_ttl interval,
    p_tags text[], p_embedding public.halfvec, p_question text, p_model text, p_settings jsonb,
    p_success boolean, p_confidence real
)
returns text
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_most int;
begin
    perform memos_private.require_cache_key('p_key', p_key);
    perform memos_private.require_cache_settings(p_settings);
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
    v_most := least(memos_private.setting('cache_max_value_bytes')::int, p_policy.max_bytes);
    if pg_column_size(p_value) > v_most then
        perform memos_private.refuse_argument(
            'p_value', format('it has %s bytes', pg_column_size(p_value)),
            format('at most %s bytes (setting cache_max_value_bytes, max_bytes of the namespace)', v_most)
        );
    end if;
    v_most := memos_private.setting('cache_max_tags');
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
    p_owner uuid, p_policy memos_private.cache_namespace, p_but bytea
)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_entries bigint;
    v_bytes bigint;
    v_count bigint;
    v_expired tid[];
begin
    v_expired := array(
        select o.place
        from (
            select e.ctid as place, e.expires_at
            from memos_private.cache_entry as e
            where e.user_id = p_owner and e.namespace = p_policy.name
            order by e.used_at
            limit 4
        ) as o
        where o.expires_at < clock_timestamp() - p_policy.stale_lifetime
    );
    if v_expired <> '{}' then
        delete from memos_private.cache_entry as e
        where e.ctid = any (array(
            select s.ctid from memos_private.cache_entry as s
            where s.ctid = any (v_expired) and s.key_hash <> p_but
            for update skip locked
        ));
    end if;
    select sum(u.entries) - p_policy.max_entries, sum(u.bytes) - p_policy.max_bytes into v_entries, v_bytes
    from memos_private.cache_usage as u
    where u.user_id = p_owner and u.namespace = p_policy.name;
    if v_entries <= 0 and v_bytes <= 0 then
        return 0;
    end if;
    with oldest as (
        select e.ctid as place, e.used_at, e.bytes
        from memos_private.cache_entry as e
        where e.user_id = p_owner and e.namespace = p_policy.name and e.key_hash <> p_but
        order by e.used_at
        limit 64
        for update skip locked
    ),
    counted as (
        select o.place, row_number() over by_age as number, sum(o.bytes) over by_age - o.bytes as freed
        from oldest as o
        window by_age as (order by o.used_at, o.place)
    )
    delete from memos_private.cache_entry as e
    where e.ctid = any (array(
        select c.place from counted as c where c.number <= v_entries or c.freed < v_bytes
    ));
    get diagnostics v_count = row_count;
    return v_count;
end
$body$;
comment on function memos_private.evict_cache_entries is
    'Removes the least recently used entries of an owner above the bounds of a namespace: as many as are '
    'needed, at most 64, but not the one that is being put; and of the four oldest those that have expired.';
