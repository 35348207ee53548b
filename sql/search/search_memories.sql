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
    p_purpose      text default null
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
as $body$
#variable_conflict use_column
declare
    v_weights jsonb;
    v_model memos_private.embedding_model;
    v_embedding halfvec := p_embedding;
    v_search_id uuid;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_limit(p_limit);
    perform memos_private.require_valid_search(
        p_query, p_embedding is not null, p_token_budget, p_metadata, p_from, p_until, p_fusion, p_rrf_k,
        p_include_cold, p_explain, p_record, p_purpose
    );
    v_weights := memos_private.lane_weights(p_weights);
    if p_embedding is not null or p_model is not null then
        v_model := memos_private.require_embedding_model(p_model);
    else
        select * into v_model from memos_private.embedding_model as m where m.is_default;
    end if;
    if p_embedding is not null then
        perform memos_private.require_embedding('p_embedding', p_embedding, v_model);
    elsif (v_weights -> 'dense')::numeric > 0 then
        v_embedding := memos_private.query_embedding(v_model, p_query);
    end if;

    if p_record then
        v_search_id := gen_random_uuid();
        insert into memos_private.search_record (user_id, search_id, searched_at, purpose, settings)
        values (
            p_user_id, v_search_id, clock_timestamp(), p_purpose,
            jsonb_strip_nulls(jsonb_build_object(
                'limit', p_limit, 'token_budget', p_token_budget, 'kinds', p_kinds, 'tags', p_tags,
                'session_id', p_session_id, 'from', p_from, 'until', p_until, 'valid_at', p_valid_at,
                'recorded_at', p_recorded_at, 'fusion', p_fusion, 'weights', v_weights,
                'rrf_k', p_rrf_k, 'include_cold', p_include_cold, 'model', v_model.name, 'explain', p_explain
            ))
        );
        insert into memos_private.search_hit (
            user_id, search_id, rank, memory_id, version, score, explanation
        )
        select p_user_id, v_search_id, f.rank, f.memory_id, f.version, f.score, f.explanation
        from memos_private.find_memories(
            p_user_id, p_query, v_embedding, v_model, p_limit, p_token_budget, p_kinds, p_tags,
            p_metadata, p_session_id, p_from, p_until, p_valid_at, p_recorded_at, p_fusion, v_weights,
            p_rrf_k, p_include_cold, true
        ) as f;
        return query
        select h.* from memos_private.recorded_hits(p_user_id, v_search_id, p_explain) as h;
        return;
    end if;
    return query
    select f.rank, f.memory_id, f.version, f.content, f.score, f.kind, f.tags, f.metadata, f.session_id,
        f.position, f.occurred_at, f.explanation, null::uuid
    from memos_private.find_memories(
        p_user_id, p_query, v_embedding, v_model, p_limit, p_token_budget, p_kinds, p_tags, p_metadata,
        p_session_id, p_from, p_until, p_valid_at, p_recorded_at, p_fusion, v_weights, p_rrf_k,
        p_include_cold, p_explain
    ) as f;
end
$body$;
comment on function memos.search_memories is
    'The memories that best answer p_query, best first: by meaning (p_embedding, a vector of p_model or '
    'of the default model) and by words (BM25). p_limit: rows; p_token_budget: also at most so many '
    'tokens of content (estimated). Filters: any of p_kinds, all of p_tags, metadata containing '
    'p_metadata, p_session_id, happened in [p_from, p_until). p_valid_at, p_recorded_at: as it was true, '
    'as it was known then. p_fusion: calibrated (weighted mean of standardised scores) or rrf '
    '(Cormack, Clarke and Buettcher 2009, with p_rrf_k and weights). p_weights: {"dense": 1, "lexical": '
    '1}; 0 switches a lane off. p_explain: why each row is there. p_record: keep ids and ranks under '
    'search_id, with p_purpose, for memos.replay_search. Ties go to the older id. '
    'Errors: MO001, MO400, MO403.';
