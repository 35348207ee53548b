create or replace function memos.cache_find_similar(
    p_user_id        uuid,
    p_namespace      text,
    p_query          text,
    p_embedding      public.halfvec,
    p_min_similarity real default 0.88,
    p_model          text default null,
    p_settings       jsonb default null
)
returns table (
    value         jsonb,
    hit           boolean,
    expires_at    timestamptz,
    matched_query text,
    similarity    real
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, public, pg_temp
set memos.user_id = ''
as $body$
declare
    v_owner uuid := memos_private.enter_cache_context(p_user_id, false);
    v_policy constant memos_private.cache_namespace := memos_private.cache_policy(p_namespace);
    v_settings text;
    v_model text;
    v_facts memos_private.question_facts;
    v_found record;
begin
    perform memos_private.require_cache_key('p_query', p_query);
    perform memos_private.require_cache_settings(p_settings);
    if p_embedding is null then
        perform memos_private.refuse_argument('p_embedding', 'it is null', 'the vector of the question');
    elsif p_min_similarity is null or not p_min_similarity between 0 and 1 then
        perform memos_private.refuse_argument(
            'p_min_similarity', memos_private.it_is(p_min_similarity), 'a number from 0 to 1'
        );
    end if;
    v_model := memos_private.require_cache_embedding(p_embedding, p_model);
    v_facts := memos_private.question_facts(p_query);
    v_settings := memos_private.cache_settings(v_policy.key_settings, p_settings);
    loop
        for v_found in
            with near as materialized (
                select q.key_hash, q.question, q.facts,
                    1 - case when vector_dims(q.embedding) = vector_dims(p_embedding)
                        then q.embedding <=> p_embedding end as similarity
                from memos_private.cache_question as q
                where q.user_id = v_owner and q.namespace = p_namespace and q.settings = v_settings
                    and q.model = v_model
            )
            select e.*, n.question, n.facts, n.similarity
            from near as n
            join memos_private.cache_entry as e on e.user_id = v_owner and e.key_hash = n.key_hash
            where n.similarity >= p_min_similarity and e.expires_at > clock_timestamp()
            order by n.similarity desc, e.stored_at desc
            limit 32
        loop
            if memos_private.facts_agree(v_facts, v_found.facts) and (
                v_found.seen is null
                or not memos_private.is_invalidated(
                    v_owner, p_namespace, v_found.key_hash, v_found.key, v_found.tags, v_found.seen
                )
            ) then
                perform memos_private.touch_cache_entry(v_owner, v_found.key_hash);
                perform memos_private.count_cache_event('hits', p_namespace);
                return query select v_found.value, true, v_found.expires_at, v_found.question,
                    v_found.similarity::real;
                return;
            end if;
        end loop;
        exit when v_owner = memos_private.shared_cache();
        v_owner := memos_private.shared_cache();
        perform set_config('memos.user_id', v_owner::text, true);
    end loop;
    perform memos_private.count_cache_event('misses', p_namespace);
    return query select null::jsonb, false, null::timestamptz, null::text, null::real;
end
$body$;
comment on function memos.cache_find_similar is
    'The value of the nearest cached question of the same user (else of all users), by the same model and '
    'settings, if it is near enough and says the same: questions that differ in numbers, units, dates, '
    'negation, names, quotations or opposites do not answer each other, however near. One row, with hit '
    'false when there is none. Errors: MO001, MO400, MO403, MO503 on a standby.';
