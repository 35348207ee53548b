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
    v_k1 constant double precision := memos_private.setting('bm25_k1');
    v_b constant double precision := memos_private.setting('bm25_b');
    v_documents double precision;
    v_length double precision;
    v_size double precision;
    v_lexemes text[];
    v_dense double precision := p_weights -> 'dense';
    v_lexical double precision := p_weights -> 'lexical';
    v_common jsonb;
begin
    select sum(c.documents), sum(c.tokens) / nullif(sum(c.documents), 0), (
            select array_agg(distinct l.lexeme)
            from unnest(array_agg(distinct c.language)) as g (language)
            cross join lateral memos_private.lexemes(g.language, p_query) as l
        )
    into v_documents, v_length, v_lexemes
    from memos_private.corpus as c
    where c.user_id = p_user_id;
    if v_as_of then
        v_documents := cardinality(v_scope);
    end if;

    v_size := greatest(coalesce(cardinality(v_scope), v_documents), 1);

    -- A lane that has nothing to go by is off, and the explanation says so.
    v_dense := case when p_embedding is null then 0 else v_dense end;
    v_lexical := case when v_lexemes is null then 0 else v_lexical end;
    if p_explain then
        v_common := jsonb_build_object(
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
                    when v_documents is null then 'the user has no memories'
                    else 'the query has no word to look for' end
            ))
        ) || case when p_fusion = 'rrf' then jsonb_build_object('k', p_rrf_k) else '{}' end
        || jsonb_strip_nulls(jsonb_build_object('valid_at', p_valid_at, 'recorded_at', p_recorded_at));
    end if;

    return query
    with recursive dense as (
        select l.memory_id, l.score
        from memos_private.dense_lane(p_user_id, p_model.model_id, p_embedding, v_scope) as l
        where v_dense > 0 and not v_as_of
        union all
        select l.memory_id, l.score
        from memos_private.dense_lane_as_of(p_user_id, p_model.model_id, p_embedding, v_scope) as l
        where v_dense > 0 and v_as_of
    ),
    lexical as (
        select l.memory_id, l.score
        from memos_private.lexical_lane(
            p_user_id, v_lexemes, v_documents, v_length, v_k1, v_b, v_scope
        ) as l
        where v_lexical > 0 and not v_as_of
        union all
        select l.memory_id, l.score
        from memos_private.lexical_lane_as_of(
            p_user_id, v_lexemes, v_documents, v_length, v_k1, v_b, v_scope
        ) as l
        where v_lexical > 0 and v_as_of
    ),
    candidates as materialized (
        select memory_id, max(c.dense) as dense, max(c.lexical) as lexical
        from (
            select memory_id, score as dense, null::double precision as lexical from dense
            union all
            select memory_id, null, score from lexical
        ) as c
        group by memory_id
    ),
    -- RRF: weight / (k + rank), summed over the lanes that found the memory.
    reciprocal as (
        select memory_id, dense, lexical,
            coalesce(v_dense / (p_rrf_k + case when dense is not null then
                row_number() over (order by dense desc nulls last, memory_id) end), 0)
            + coalesce(v_lexical / (p_rrf_k + case when lexical is not null then
                row_number() over (order by lexical desc nulls last, memory_id) end), 0) as score
        from candidates
        where p_fusion = 'rrf'
    ),
    -- Calibrated: each lane in standard deviations from its mean over all memories. A memory without
    -- any of the words has BM25 0; one whose vector is pending counts as average.
    distribution as (
        select avg(dense) as dense_mean, nullif(stddev_pop(dense), 0) as dense_deviation,
            coalesce(sum(lexical), 0) / v_size as lexical_mean,
            nullif(
                sqrt(greatest(
                    coalesce(sum(lexical * lexical), 0) / v_size - (coalesce(sum(lexical), 0) / v_size) ^ 2,
                    0
                )),
                0
            ) as lexical_deviation
        from candidates
    ),
    calibrated as (
        select memory_id, dense, lexical,
            (
                v_dense * coalesce((dense - n.dense_mean) / n.dense_deviation, 0)
                + v_lexical * coalesce((coalesce(lexical, 0) - n.lexical_mean) / n.lexical_deviation, 0)
            ) / (v_dense + v_lexical) as score
        from candidates
        cross join distribution as n
        where p_fusion = 'calibrated'
    ),
    best as (
        select f.memory_id, f.dense, f.lexical, f.score
        from (
            select memory_id, dense, lexical, score from reciprocal
            union all
            select memory_id, dense, lexical, score from calibrated
        ) as f
        order by f.score desc, f.memory_id
        limit case when p_token_budget is null then p_limit else p_limit * 10 end
    ),
    placed as materialized (
        select row_number() over (order by b.score desc, b.memory_id) as place, b.* from best as b
    ),
    contents as materialized (
        -- The inner limit makes it look-ups by key, whatever number of rows the planner guesses.
        select p.*, m.version, m.content, m.kind, m.tags, m.metadata, m.session_id, m.position,
            m.occurred_at
        from placed as p
        cross join lateral (
            select m.*
            from memos_private.memory as m
            where m.user_id = p_user_id and m.memory_id = p.memory_id
            limit 1
        ) as m
        where not v_as_of
        union all
        select p.*, m.version, m.content, m.kind, m.tags, m.metadata, m.session_id, m.position,
            m.occurred_at
        from memos_private.contents_as_of(
            p_user_id,
            array(select s from unnest(v_scope) as s where s.memory_id in (select memory_id from placed))
        ) as m
        join placed as p using (memory_id)
        where v_as_of
    ),
    -- Best first, whatever still fits the budget.
    packed (place, used, fits, count) as (
        select 0::bigint, 0, false, 0
        where p_token_budget is not null
        union all
        select c.place, p.used + case when f.fits then f.tokens else 0 end, f.fits, p.count + f.fits::int
        from packed as p
        join contents as c on c.place = p.place + 1
        cross join lateral (
            select t.tokens, p.used + t.tokens <= p_token_budget and p.count < p_limit as fits
            from (select memos_private.estimate_tokens(c.content) as tokens) as t
        ) as f
    )
    select (row_number() over (order by c.place))::int, c.memory_id, c.version, c.content, c.score,
        c.kind, c.tags, c.metadata, c.session_id, c.position, c.occurred_at,
        case when p_explain then v_common || jsonb_build_object(
            'lanes',
            jsonb_strip_nulls(jsonb_build_object(
                'dense', memos_private.explain_lane(
                    p_fusion, p_rrf_k, v_dense, v_dense + v_lexical,
                    (
                        select count(*) from candidates as o
                        where o.dense > c.dense or o.dense = c.dense and o.memory_id <= c.memory_id
                    ),
                    c.dense, n.dense_mean, n.dense_deviation
                ),
                'lexical', memos_private.explain_lane(
                    p_fusion, p_rrf_k, v_lexical, v_dense + v_lexical,
                    (
                        select count(*) from candidates as o
                        where o.lexical > c.lexical or o.lexical = c.lexical and o.memory_id <= c.memory_id
                    ),
                    case when p_fusion = 'calibrated' then coalesce(c.lexical, 0) else c.lexical end,
                    n.lexical_mean, n.lexical_deviation
                )
            ))
        ) end
    from contents as c
    cross join distribution as n
    where p_token_budget is null
        or exists (select from packed as p where p.place = c.place and p.fits)
    order by c.place;
end
$body$;
comment on function memos_private.find_memories is
    'The search itself, on checked arguments and in an entered context: one lane of candidates a CTE, '
    'fused, cut, filled with content, explained. Arguments as in memos.search_memories.';
