-- Two ways to make one ranking of the lanes, each a statement of its own: a plan that holds every variant
-- costs more to open than a search of a thousand memories takes.
create or replace function memos_private.fuse_reciprocal_rank(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_lexemes   text[],
    p_idf       double precision[],
    p_length    double precision,
    p_scope     memos_private.version_key[],
    p_as_of     boolean,
    p_dense     double precision,
    p_lexical   double precision,
    p_k         int,
    p_limit     int
)
returns memos_private.ranked[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_k1 constant double precision := memos_private.setting('bm25_k1');
    v_b constant double precision := memos_private.setting('bm25_b');
begin
    return array(
        select row(r.memory_id, sum(r.share))::memos_private.ranked
        from (
            select d.memory_id,
                p_dense / (p_k + row_number() over (order by max(d.score) desc, d.memory_id)) as share
            from memos_private.dense_lane(p_user_id, p_model_id, p_embedding, p_scope, p_as_of) as d
            group by d.memory_id
            union all
            select l.memory_id,
                p_lexical / (p_k + row_number() over (order by l.score desc, l.memory_id))
            from memos_private.lexical_lane(
                p_user_id, p_lexemes, p_idf, p_length, v_k1, v_b, p_scope, p_as_of
            ) as l
        ) as r
        group by r.memory_id
        order by sum(r.share) desc, r.memory_id
        limit p_limit
    );
end
$body$;
comment on function memos_private.fuse_reciprocal_rank is
    'Reciprocal rank fusion (Cormack, Clarke and Buettcher 2009): weight / (k + rank), summed over the '
    'lanes that found the memory. Ranks count from 1; ties go to the older memory.';

create or replace function memos_private.fuse_calibrated(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_lexemes   text[],
    p_idf       double precision[],
    p_length    double precision,
    p_scope     memos_private.version_key[],
    p_as_of     boolean,
    p_dense     double precision,
    p_lexical   double precision,
    p_memories  double precision,
    p_limit     int
)
returns memos_private.ranked[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_depth constant int := greatest(50, p_limit * 4);
    v_k1 constant double precision := memos_private.setting('bm25_k1');
    v_b constant double precision := memos_private.setting('bm25_b');
begin
    return array(
        with dense as materialized (
            select d.memory_id, d.score
            from memos_private.dense_lane(p_user_id, p_model_id, p_embedding, p_scope, p_as_of) as d
        ),
        lexical as materialized (
            select l.memory_id, l.score
            from memos_private.lexical_lane(
                p_user_id, p_lexemes, p_idf, p_length, v_k1, v_b, p_scope, p_as_of
            ) as l
        ),
        dense_spread as (
            select avg(d.score) as mean, nullif(stddev_pop(d.score), 0) as deviation from dense as d
        ),
        lexical_spread as (
            select memos_private.mean_with_zeros(sum(l.score), p_memories) as mean,
                memos_private.deviation_with_zeros(
                    sum(l.score), sum(l.score * l.score), p_memories
                ) as deviation
            from lexical as l
        ),
        pool as (
            -- Grouped: the passages of one long memory must not crowd the others out.
            (
                select d.memory_id from dense as d
                group by d.memory_id
                order by max(d.score) desc, d.memory_id
                limit v_depth
            )
            union all
            (select l.memory_id from lexical as l order by l.score desc, l.memory_id limit v_depth)
        ),
        candidates as (
            select memory_id, max(d.score) as dense, max(l.score) as lexical
            from pool
            left join dense as d using (memory_id)
            left join lexical as l using (memory_id)
            group by memory_id
        )
        select row(f.memory_id, f.score)::memos_private.ranked
        from (
            select c.memory_id,
                (
                    p_dense * coalesce((c.dense - d.mean) / d.deviation, 0)
                    + p_lexical * coalesce((coalesce(c.lexical, 0) - l.mean) / l.deviation, 0)
                ) / (p_dense + p_lexical) as score
            from candidates as c
            cross join dense_spread as d
            cross join lexical_spread as l
        ) as f
        order by f.score desc, f.memory_id
        limit p_limit
    );
end
$body$;
comment on function memos_private.fuse_calibrated is
    'Weighted mean of each lane''s score in standard deviations from its mean: over the passages that have '
    'a vector, and over all p_memories, where one without any of the words has BM25 0. Only the best 50 '
    '(or 4 * p_limit) of each lane compete, with their scores in both. A memory whose vector is pending '
    'counts as average in the dense lane. Ties go to the older memory.';

create or replace function memos_private.mean_with_zeros(p_sum double precision, p_count double precision)
returns double precision
language sql
immutable
parallel safe
return coalesce(p_sum, 0) / p_count;
comment on function memos_private.mean_with_zeros is
    'Mean of p_count numbers, all zero but those that were summed.';

create or replace function memos_private.deviation_with_zeros(
    p_sum double precision, p_sum_of_squares double precision, p_count double precision
)
returns double precision
language sql
immutable
parallel safe
return nullif(
    sqrt(greatest(coalesce(p_sum_of_squares, 0) / p_count - (coalesce(p_sum, 0) / p_count) ^ 2, 0)), 0
);
comment on function memos_private.deviation_with_zeros is
    'Standard deviation of p_count numbers, all zero but those that were summed; null when there is none.';
