-- Cold memories are read one by one, and each lane is put together of what it found among them and among
-- the others: the same scores, by statistics over both.
create or replace function memos_private.cold_dense_lane(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_scope     memos_private.version_key[],
    p_depth     int
)
returns memos_private.lane
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_ids uuid[];
    v_scores double precision[];
    v_lane memos_private.lane;
begin
    select array_agg(s.memory_id), array_agg(s.score), avg(s.score), stddev_pop(s.score)
    into v_ids, v_scores, v_lane.mean, v_lane.deviation
    from (
        select e.memory_id, 1 - (e.embedding <=> p_embedding) as score
        from memos_private.embedding_cold as e
        where e.user_id = p_user_id and e.model_id = p_model_id
            and (p_scope is null or e.memory_id in (select s.memory_id from unnest(p_scope) as s))
    ) as s;
    v_lane := memos_private.best_passages(v_ids, v_scores, p_depth, v_lane);
    v_lane.path := 'cold: exact';
    return v_lane;
end
$body$;
comment on function memos_private.cold_dense_lane is 'The dense lane over cold memories, compared exactly.';

create or replace function memos_private.cold_lexical_lane(
    p_postings  memos_private.posting[],
    p_lexemes   text[],
    p_idf       double precision[],
    p_length    double precision,
    p_documents double precision,
    p_scope     memos_private.version_key[],
    p_depth     int,
    p_terms     int[],
    p_required  uuid[]
)
returns memos_private.lane
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_k1 double precision;
    v_b double precision;
    v_lane memos_private.lane;
    v_sum double precision;
    v_sum_of_squares double precision;
begin
    select max(s.value) filter (where s.name = 'bm25_k1'), max(s.value) filter (where s.name = 'bm25_b')
    into v_k1, v_b
    from memos_private.setting as s;
    select coalesce(array_agg(b.memory_id), '{}'), coalesce(array_agg(b.score), '{}'), sum(b.score),
        sum(b.score * b.score)
    into v_lane.memory_ids, v_lane.scores, v_sum, v_sum_of_squares
    from (
        select t.memory_id,
            sum(t.idf * memos_private.bm25_saturation(t.frequency, t.length, p_length, v_k1, v_b)) as score
        from (
            select e.memory_id, q.idf, sum(e.frequency) as frequency, e.length
            from unnest(
                p_lexemes, p_idf, coalesce(p_terms, array(select generate_subscripts(p_lexemes, 1)))
            ) as q (lexeme, idf, term)
            join unnest(p_postings) as p on p.lexeme = q.lexeme
            cross join lateral unnest(p.memory_ids, p.frequencies, p.lengths)
                as e (memory_id, frequency, length)
            group by e.memory_id, q.term, q.idf, e.length
        ) as t
        where (p_scope is null or t.memory_id in (select s.memory_id from unnest(p_scope) as s))
            and (p_required is null or t.memory_id = any (p_required))
        group by t.memory_id
        order by score desc, t.memory_id
    ) as b;
    v_lane.memory_ids := v_lane.memory_ids[:p_depth];
    v_lane.scores := v_lane.scores[:p_depth];
    v_lane.mean := coalesce(v_sum, 0) / nullif(p_documents, 0);
    v_lane.deviation :=
        nullif(sqrt(greatest(coalesce(v_sum_of_squares, 0) / nullif(p_documents, 0) - v_lane.mean ^ 2, 0)), 0);
    v_lane.path := 'cold: each';
    return v_lane;
end
$body$;
comment on function memos_private.cold_lexical_lane is
    'The lexical lane over cold memories, from what cold_postings found. Arguments as of '
    'lexical_candidates; p_documents: how many cold memories there are.';

create or replace function memos_private.merge_lanes(
    p_warm memos_private.lane, p_warm_memories double precision,
    p_cold memos_private.lane, p_cold_memories double precision, p_depth int
)
returns memos_private.lane
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $body$
declare
    -- A lane without a mean has seen none of them.
    v_warm constant double precision := case when p_warm.mean is null then 0 else p_warm_memories end;
    v_cold constant double precision := case when p_cold.mean is null then 0 else p_cold_memories end;
    v_all constant double precision := nullif(v_warm + v_cold, 0);
    v_lane memos_private.lane;
begin
    select coalesce(array_agg(b.memory_id), '{}'), coalesce(array_agg(b.score), '{}')
    into v_lane.memory_ids, v_lane.scores
    from (
        select u.memory_id, u.score
        from (
            select w.memory_id, w.score
            from unnest(p_warm.memory_ids, p_warm.scores) as w (memory_id, score)
            union all
            select c.memory_id, c.score
            from unnest(p_cold.memory_ids, p_cold.scores) as c (memory_id, score)
        ) as u
        order by u.score desc, u.memory_id
        limit p_depth
    ) as b;
    v_lane.mean := (v_warm * coalesce(p_warm.mean, 0) + v_cold * coalesce(p_cold.mean, 0)) / v_all;
    -- Variance within and between the two.
    v_lane.deviation := nullif(sqrt(
        (v_warm * coalesce(p_warm.deviation, 0) ^ 2 + v_cold * coalesce(p_cold.deviation, 0) ^ 2) / v_all
        + v_warm * v_cold * (coalesce(p_warm.mean, 0) - coalesce(p_cold.mean, 0)) ^ 2 / v_all ^ 2
    ), 0);
    v_lane.path := concat_ws('; ', p_warm.path, p_cold.path);
    return v_lane;
end
$body$;
comment on function memos_private.merge_lanes is
    'One lane of two that were scored alike: the best of both, mean and deviation over both.';
