-- Stable, so that statistics, lanes and contents all see one snapshot.
create or replace function memos_private.find_memories(
    p_user_id      uuid,
    p_query        text,
    p_embedding    public.halfvec,
    p_model        memos_private.embedding_model,
    p_limit        int,
    p_token_budget int,
    p_kinds        text[],
    p_tags         text[],
    p_metadata     jsonb,
    p_session_id   text,
    p_from         timestamptz,
    p_until        timestamptz,
    p_valid_at     timestamptz,
    p_recorded_at  timestamptz,
    p_fusion       text,
    p_weights      jsonb,
    p_rrf_k        int,
    p_include_cold boolean,
    p_explain      boolean
)
returns table (
    rank int, memory_id uuid, version int, content text, score double precision, kind text,
    tags text[], metadata jsonb, session_id text, "position" int, occurred_at timestamptz,
    explanation jsonb
)
language plpgsql
stable
rows 10
set search_path = pg_catalog, public, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
#variable_conflict use_column
declare
    v_as_of constant boolean := p_valid_at is not null or p_recorded_at is not null;
    v_scope constant memos_private.version_key[] := memos_private.eligible_versions(
        p_user_id, p_kinds, p_tags, p_metadata, p_session_id, p_from, p_until, p_valid_at, p_recorded_at,
        p_include_cold
    );
    v_documents double precision;
    v_length double precision;
    v_lexemes text[];
    v_idf double precision[];
    v_dense double precision := p_weights -> 'dense';
    v_lexical double precision := p_weights -> 'lexical';
    v_embedding halfvec;
    v_memories double precision;
    v_explanation jsonb;
    v_ranked memos_private.ranked[];
    -- With a budget, a row that does not fit makes room for the next one.
    v_depth constant int := case when p_token_budget is null then p_limit else p_limit * 10 end;
begin
    if v_as_of then
        v_documents := cardinality(v_scope);
        v_lexemes := memos_private.query_terms_as_of(p_user_id, p_query, v_scope);
    else
        select t.documents, t.length, t.lexemes, t.idf into v_documents, v_length, v_lexemes, v_idf
        from memos_private.query_terms(p_user_id, p_query) as t;
    end if;

    -- A lane that has nothing to go by is off, and the explanation says so.
    v_dense := case when p_embedding is null then 0 else v_dense end;
    v_lexical := case when v_lexemes is null then 0 else v_lexical end;
    v_embedding := case when v_dense > 0 then p_embedding end;
    v_lexemes := case when v_lexical > 0 then v_lexemes end;
    v_memories := greatest(coalesce(cardinality(v_scope), v_documents), 1);

    v_ranked := case p_fusion
        when 'rrf' then memos_private.fuse_reciprocal_rank(
            p_user_id, p_model.model_id, v_embedding, v_lexemes, v_idf, v_length, v_scope, v_as_of,
            v_dense, v_lexical, p_rrf_k, v_depth
        )
        when 'calibrated' then memos_private.fuse_calibrated(
            p_user_id, p_model.model_id, v_embedding, v_lexemes, v_idf, v_length, v_scope, v_as_of,
            v_dense, v_lexical, v_memories, v_depth
        )
    end;
    if p_token_budget is not null then
        v_ranked := memos_private.fit_budget(
            p_user_id, v_ranked, case when v_as_of then v_scope end, p_token_budget, p_limit
        );
    end if;
    if p_explain then
        v_explanation := jsonb_build_object(
            'fusion', p_fusion,
            'model', p_model.name,
            'index', case when v_scope is null then 'exact, all current memories'
                else format('exact, %s versions that pass the filters', cardinality(v_scope)) end,
            'lanes_off', jsonb_strip_nulls(jsonb_build_object(
                'dense', case
                    when v_dense > 0 then null
                    when (p_weights -> 'dense')::numeric = 0 then 'its weight is 0'
                    when p_model.name is null then 'no embedding model is registered'
                    else format('no vector was given, and the database cannot make one of model "%s"',
                        p_model.name) end,
                'lexical', case
                    when v_lexical > 0 then null
                    when (p_weights -> 'lexical')::numeric = 0 then 'its weight is 0'
                    when coalesce(v_documents, 0) = 0 then 'the user has no memories'
                    else 'the query has no word to look for' end
            ))
        ) || case when p_fusion = 'rrf' then jsonb_build_object('k', p_rrf_k) else '{}' end
        || jsonb_strip_nulls(jsonb_build_object('valid_at', p_valid_at, 'recorded_at', p_recorded_at));
    end if;

    if p_explain then
        return query
        select m.place::int, m.memory_id, m.version, m.content, m.score, m.kind, m.tags, m.metadata,
            m.session_id, m.position, m.occurred_at,
            v_explanation || jsonb_build_object('lanes', e.lanes)
        from memos_private.ranked_contents(p_user_id, v_ranked, case when v_as_of then v_scope end) as m
        join memos_private.explain_lanes(
            p_user_id, p_model.model_id, v_embedding, v_lexemes, v_idf, v_length, v_scope, v_as_of,
            v_dense, v_lexical, v_memories, p_fusion, p_rrf_k, v_ranked
        ) as e using (memory_id)
        order by m.place;
    else
        return query
        select m.place::int, m.memory_id, m.version, m.content, m.score, m.kind, m.tags, m.metadata,
            m.session_id, m.position, m.occurred_at, null::jsonb
        from memos_private.ranked_contents(p_user_id, v_ranked, case when v_as_of then v_scope end) as m
        order by m.place;
    end if;
end
$body$;
comment on function memos_private.find_memories is
    'The search itself, on checked arguments and in an entered context: candidates of the lanes, fused, '
    'cut to the limit and the budget, explained. Arguments as in memos.search_memories.';
