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
    p_weights      memos_private.search_weights,
    p_rrf_k        int,
    p_include_cold boolean,
    p_explain      boolean,
    p_now          timestamptz
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
as $body$
#variable_conflict use_column
declare
    v_as_of constant boolean := p_valid_at is not null or p_recorded_at is not null;
    v_cold boolean := false;
    v_cold_memories double precision := 0;
    v_scope memos_private.version_key[];
    v_versions memos_private.version_key[];
    -- With a budget, a row that does not fit makes room for the next one.
    v_limit constant int := case when p_token_budget is null then p_limit else p_limit * 10 end;
    v_depth int;
    v_terms memos_private.search_terms;
    v_memories double precision;
    v_required uuid[];
    v_excluded uuid[];
    v_dense memos_private.lane;
    v_lexical memos_private.lane;
    v_period tstzrange;
    v_ranked memos_private.candidate[];
    v_explanation jsonb;
begin
    if p_include_cold and not v_as_of then
        v_cold := exists (select from memos_private.cold_place as p where p.user_id = p_user_id);
    end if;
    v_scope := memos_private.eligible_versions(
        p_user_id, p_kinds, p_tags, p_metadata, p_session_id, p_from, p_until, p_valid_at, p_recorded_at,
        v_cold, null
    );
    if memos_private.has_query_syntax(p_query) then
        select c.required, c.excluded into v_required, v_excluded
        from memos_private.query_conditions(p_user_id, p_query, v_scope, v_as_of, v_cold) as c;
        if v_excluded is not null then
            v_scope := memos_private.eligible_versions(
                p_user_id, p_kinds, p_tags, p_metadata, p_session_id, p_from, p_until, p_valid_at,
                p_recorded_at, v_cold, v_excluded
            );
        end if;
    end if;
    if v_as_of then
        v_terms := memos_private.query_terms_as_of(p_user_id, p_query, v_scope);
    else
        v_terms := memos_private.query_terms(p_user_id, p_query, v_cold);
    end if;
    -- Deep lists are exact lists as long as a user's memories are few; later they cost more than ranks
    -- that far down count.
    v_depth := case
        when p_fusion = 'rrf' and v_terms.documents <= 2000 then greatest(1000, v_limit)
        else greatest(100, v_limit * 2)
    end;
    if v_cold then
        v_cold_memories := (
            select count(*) from memos_private.cold_place as p
            where p.user_id = p_user_id
                and (v_scope is null or p.memory_id in (select s.memory_id from unnest(v_scope) as s))
        );
    end if;
    v_memories := coalesce(cardinality(v_scope), v_terms.documents) - v_cold_memories;
    if p_embedding is not null and p_weights.dense > 0 then
        v_dense := memos_private.dense_candidates(
            p_user_id, p_model.model_id, p_embedding, v_scope, v_as_of, v_depth,
            case when not v_cold then v_terms.documents end
        );
        if v_cold then
            v_dense := memos_private.merge_lanes(
                v_dense, v_memories, memos_private.cold_dense_lane(
                    p_user_id, p_model.model_id, p_embedding, v_scope, v_depth
                ), v_cold_memories, v_depth
            );
        end if;
    end if;
    if v_terms.lexemes is not null and p_weights.lexical > 0 then
        v_lexical := memos_private.lexical_candidates(
            p_user_id, v_terms.lexemes, v_terms.idf, v_terms.length, greatest(v_memories, 1), v_scope,
            v_as_of, v_depth, v_terms.terms, v_required
        );
        if v_cold then
            v_lexical := memos_private.merge_lanes(
                v_lexical, v_memories, memos_private.cold_lexical_lane(
                    v_terms.cold, v_terms.lexemes, v_terms.idf, v_terms.length, v_cold_memories, v_scope,
                    v_depth, v_terms.terms, v_required
                ), v_cold_memories, v_depth
            );
        end if;
    end if;

    if p_fusion = 'rrf' then
        v_ranked := memos_private.fuse_reciprocal_rank(v_dense, v_lexical, p_weights, p_rrf_k, v_limit);
    else
        v_period := case when p_weights.time > 0
            then memos_private.question_period(p_query, p_now) end;
        v_ranked := memos_private.fuse_calibrated(
            p_user_id, v_dense, v_lexical, p_weights, v_scope, v_as_of, v_period, p_now, v_depth, v_limit,
            v_cold
        );
    end if;
    if v_as_of then
        -- Hashed, as in dense_as_of.
        v_versions := array(
            select s
            from unnest(v_scope) as s
            where v_ranked is null or s.memory_id in (select r.memory_id from unnest(v_ranked) as r)
        );
    elsif v_cold then
        v_versions := array(
            select row(m.memory_id, m.version, null)::memos_private.version_key
            from memos_private.memory_of_any_tier as m
            where m.user_id = p_user_id and m.memory_id = any (array(select r.memory_id from unnest(v_ranked) as r))
        );
    end if;
    if p_token_budget is not null then
        v_ranked := memos_private.fit_budget(
            p_user_id, v_ranked, v_versions, p_token_budget, p_limit
        );
    end if;

    if p_explain then
        v_explanation := jsonb_strip_nulls(jsonb_build_object(
            'fusion', p_fusion,
            'k', case when p_fusion = 'rrf' then p_rrf_k end,
            'model', p_model.name,
            'scope', case when v_scope is null then 'all current memories'
                else format('%s versions that pass the filters', cardinality(v_scope)) end,
            'cold', case when v_cold then v_cold_memories end,
            'paths', jsonb_build_object('dense', v_dense.path, 'lexical', v_lexical.path),
            'period', v_period,
            'encrypted', case when memos_private.has_user_key(p_user_id)
                then 'restricted memories are found by what stands near them and by links only' end,
            'valid_at', p_valid_at,
            'recorded_at', p_recorded_at
        )) || jsonb_build_object('lanes_off', jsonb_strip_nulls(jsonb_build_object(
            'dense', case
                when v_dense.path is not null then null
                when p_weights.dense = 0 then 'its weight is 0'
                when p_model.name is null then 'no embedding model is registered'
                else format('no vector was given, and the database cannot make one of model "%s"',
                    p_model.name) end,
            'lexical', case
                when v_lexical.path is not null then null
                when p_weights.lexical = 0 then 'its weight is 0'
                when coalesce(v_terms.documents, 0) = 0 then 'the user has no memories'
                else 'the query has no word to look for, or stop words only' end,
            'graph', case when v_as_of and p_fusion = 'calibrated' then 'links are of now' end
        )));
    end if;
    return query
    select m.place::int, m.memory_id, m.version, m.content, m.score, m.kind, m.tags, m.metadata,
        m.session_id, m.position, m.occurred_at,
        case when p_explain then v_explanation || jsonb_build_object(
            'lanes', memos_private.explain_candidate(
                v_ranked[m.place], v_dense, v_lexical, p_weights, p_fusion
            )
        ) end
    from memos_private.ranked_contents(p_user_id, v_ranked, v_versions) as m
    order by m.place;
end
$body$;
comment on function memos_private.find_memories is
    'The search itself, on checked arguments and in an entered context: candidates of the lanes, fused, '
    'cut to the limit and the budget, explained. Arguments as in memos.search_memories.';
