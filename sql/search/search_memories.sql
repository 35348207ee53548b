create or replace function memos.search_memories(
    p_user_id      uuid,
    p_query        text,
    p_embedding    public.halfvec default null,
    p_model        text default null,
    p_limit        int default 10,
    p_token_budget int default null,
    p_kinds        text[] default null,
    p_tags         text[] default null,
    p_metadata     jsonb default null,
    p_session_id   text default null,
    p_from         timestamptz default null,
    p_until        timestamptz default null,
    p_valid_at     timestamptz default null,
    p_recorded_at  timestamptz default null,
    p_fusion       text default 'calibrated',
    p_weights      jsonb default null,
    p_rrf_k        int default 60,
    p_include_cold boolean default false,
    p_explain      boolean default false,
    p_record       boolean default false,
    p_purpose      text default null,
    p_profile      text default null,
    p_now          timestamptz default null
)
returns table (
    rank int, memory_id uuid, version int, content text, score double precision, kind text,
    tags text[], metadata jsonb, session_id text, "position" int, occurred_at timestamptz,
    explanation jsonb, search_id uuid
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, public, pg_temp
set memos.user_id = ''
-- For all that it calls: planning anew costs more than any better plan saves.
set plan_cache_mode = force_generic_plan
as $body$
#variable_conflict use_column
declare
    v_profile memos_private.search_profile;
    v_weights memos_private.search_weights;
    v_model memos_private.embedding_model;
    v_embedding halfvec := p_embedding;
    v_rrf_k int := p_rrf_k;
    -- "For ever" and "from the start" are times to look from, but nobody asks "last week" there.
    v_now constant timestamptz := coalesce(
        p_now,
        case when p_valid_at between '1000-01-01 UTC' and '9999-01-01 UTC' then p_valid_at end,
        case when p_recorded_at between '1000-01-01 UTC' and '9999-01-01 UTC' then p_recorded_at end,
        now()
    );
    v_search_id uuid;
    v_ids uuid[] := '{}';
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_consent(p_user_id, 'recalling');
    perform memos_private.require_valid_search(
        p_query, p_embedding is not null, p_limit, p_token_budget, p_metadata, p_from, p_until, p_fusion,
        p_rrf_k, p_include_cold, p_explain, p_record, p_purpose, p_now
    );
    if p_profile is not null then
        v_profile := memos_private.require_profile(p_profile);
        v_rrf_k := v_profile.rrf_k;
    end if;
    if p_embedding is not null or p_model is not null then
        v_model := memos_private.require_embedding_model(p_model);
    else
        select * into v_model from memos_private.embedding_model as m where m.is_default;
    end if;
    v_weights := memos_private.search_weights(
        case when p_profile is null then p_weights else v_profile.weights || coalesce(p_weights, '{}') end,
        p_fusion, v_model.provider
    );
    if p_embedding is not null then
        perform memos_private.require_embedding('p_embedding', p_embedding, v_model);
    elsif v_weights.dense > 0 then
        v_embedding := memos_private.query_embedding(v_model, p_query);
    end if;

    if p_record then
        v_search_id := gen_random_uuid();
        insert into memos_private.search_record (user_id, search_id, searched_at, purpose, settings)
        values (
            p_user_id, v_search_id, clock_timestamp(), coalesce(p_purpose, memos_private.current_purpose()),
            jsonb_strip_nulls(jsonb_build_object(
                'limit', p_limit, 'token_budget', p_token_budget, 'kinds', p_kinds, 'tags', p_tags,
                'session_id', p_session_id, 'from', p_from, 'until', p_until, 'valid_at', p_valid_at,
                'recorded_at', p_recorded_at, 'fusion', p_fusion, 'weights', to_jsonb(v_weights),
                'rrf_k', v_rrf_k, 'profile', p_profile, 'now', v_now,
                'include_cold', p_include_cold, 'model', v_model.name,
                'explain', p_explain
            ))
        );
        insert into memos_private.search_hit (
            user_id, search_id, rank, memory_id, version, score, explanation
        )
        select p_user_id, v_search_id, f.rank, f.memory_id, f.version, f.score, f.explanation
        from memos_private.find_memories(
            p_user_id, p_query, v_embedding, v_model, p_limit, p_token_budget, p_kinds, p_tags,
            p_metadata, p_session_id, p_from, p_until, p_valid_at, p_recorded_at, p_fusion, v_weights,
            v_rrf_k, p_include_cold, true, v_now
        ) as f;
        v_ids := array(
            select h.memory_id
            from memos_private.search_hit as h
            where h.user_id = p_user_id and h.search_id = v_search_id
            order by h.rank
        );
        perform memos_private.record_access(p_user_id, v_ids, now());
        perform memos_private.audit_read(p_user_id, 'search_memories', v_ids, p_query, p_purpose);
        return query
        select h.* from memos_private.recorded_hits(p_user_id, v_search_id, p_explain) as h;
        return;
    end if;
    for rank, memory_id, version, content, score, kind, tags, metadata, session_id, "position", occurred_at,
        explanation, search_id in
        select f.rank, f.memory_id, f.version, f.content, f.score, f.kind, f.tags, f.metadata, f.session_id,
            f.position, f.occurred_at, f.explanation, null::uuid
        from memos_private.find_memories(
            p_user_id, p_query, v_embedding, v_model, p_limit, p_token_budget, p_kinds, p_tags, p_metadata,
            p_session_id, p_from, p_until, p_valid_at, p_recorded_at, p_fusion, v_weights, v_rrf_k,
            p_include_cold, p_explain, v_now
        ) as f
    loop
        v_ids := v_ids || memory_id;
        return next;
    end loop;
    if v_ids = '{}' and p_embedding is null and p_model is null and v_embedding is not null
        and not exists (
            select from memos_private.embedding_model as m
            where m.model_id = v_model.model_id and m.retired_at is null
        )
    then
        -- Another model became the default, and this one was dropped, since it was chosen.
        return query
        select s.*
        from memos.search_memories(
            p_user_id, p_query, null, null, p_limit, p_token_budget, p_kinds, p_tags, p_metadata,
            p_session_id, p_from, p_until, p_valid_at, p_recorded_at, p_fusion, p_weights, p_rrf_k,
            p_include_cold, p_explain, false, p_purpose, p_profile, p_now
        ) as s;
        return;
    end if;
    perform memos_private.audit_read(p_user_id, 'search_memories', v_ids, p_query, p_purpose);
end
$body$;
comment on function memos.search_memories is
    'The memories that best answer p_query, best first: by meaning (p_embedding, a vector of p_model or '
    'of the default model), by words (BM25), by what stands near them in the same session, and by the '
    'time that the question names, as seen from p_now (default: the time searched as of, else now). '
    'p_limit: rows; p_token_budget: also at most so many tokens of content (estimated). Filters: any of '
    'p_kinds, all of p_tags, metadata containing p_metadata, p_session_id, happened in [p_from, p_until). '
    'p_valid_at, p_recorded_at: as it was true, as it was known then. p_fusion: calibrated (weighted mean '
    'of standardised scores) or rrf (Cormack, Clarke and Buettcher 2009, with p_rrf_k, over the 1000 best of '
    'dense and lexical; the 100 best, or 2 * p_limit, of more than 2000 memories). p_weights: {"dense": '
    '0.7, "lexical": 0.3, "context": 1, "graph": 1, "time": 1, "importance": 0.2, "recency": 0.05, '
    '"retention": 0.05} for calibrated (0.3 and 0.7 with vectors of the hash provider), {"dense": 1, "lexical": 1} for rrf; 0 '
    'switches off. p_profile: weights and k of '
    'memos_admin.search_profiles, under those of p_weights. A query without a word to look for finds by '
    'its vector; without one, nothing. p_explain: why each row is there. p_record: keep ids and ranks '
    'under search_id, with p_purpose or that of the signed context, for memos.replay_search, and count '
    'the rows as used (memos.record_access). Ties go to the older id. '
    'Errors: MO001, MO400, MO403, MO451.';
