-- Two ways to make one ranking of the lanes. Each is a small statement of its own: a plan that holds
-- every variant costs more to open than a search of a thousand memories takes.
create or replace function memos_private.fuse_reciprocal_rank(
    p_candidates memos_private.candidate[],
    p_dense      double precision,
    p_lexical    double precision,
    p_k          int,
    p_limit      int
)
returns memos_private.ranked[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    return array(
        select row(l.memory_id, sum(l.share))::memos_private.ranked
        from (
            select c.memory_id,
                p_dense / (p_k + row_number() over (order by c.dense desc, c.memory_id)) as share
            from unnest(p_candidates) as c
            where c.dense is not null
            union all
            select c.memory_id,
                p_lexical / (p_k + row_number() over (order by c.lexical desc, c.memory_id))
            from unnest(p_candidates) as c
            where c.lexical is not null
        ) as l
        group by l.memory_id
        order by sum(l.share) desc, l.memory_id
        limit p_limit
    );
end
$body$;
comment on function memos_private.fuse_reciprocal_rank is
    'Reciprocal rank fusion (Cormack, Clarke and Buettcher 2009): weight / (k + rank), summed over the '
    'lanes that found the memory. Ranks count from 1; ties go to the older memory.';

create or replace function memos_private.spread_of_lanes(
    p_candidates memos_private.candidate[], p_memories double precision
)
returns memos_private.lane_spread
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_spread memos_private.lane_spread;
begin
    select avg(c.dense), nullif(stddev_pop(c.dense), 0),
        coalesce(sum(c.lexical), 0) / p_memories,
        nullif(
            sqrt(greatest(
                coalesce(sum(c.lexical * c.lexical), 0) / p_memories
                - (coalesce(sum(c.lexical), 0) / p_memories) ^ 2,
                0
            )),
            0
        )
    into v_spread
    from unnest(p_candidates) as c;
    return v_spread;
end
$body$;
comment on function memos_private.spread_of_lanes is
    'Mean and standard deviation of each lane''s raw scores: over the memories that have a vector, and '
    'over all of p_memories, where one without any of the words has BM25 0. No deviation: null.';

create or replace function memos_private.fuse_calibrated(
    p_candidates memos_private.candidate[],
    p_dense      double precision,
    p_lexical    double precision,
    p_spread     memos_private.lane_spread,
    p_limit      int
)
returns memos_private.ranked[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    return array(
        select row(f.memory_id, f.score)::memos_private.ranked
        from (
            select c.memory_id,
                (
                    p_dense * coalesce((c.dense - p_spread.dense_mean) / p_spread.dense_deviation, 0)
                    + p_lexical * coalesce(
                        (coalesce(c.lexical, 0) - p_spread.lexical_mean) / p_spread.lexical_deviation, 0
                    )
                ) / (p_dense + p_lexical) as score
            from unnest(p_candidates) as c
        ) as f
        order by f.score desc, f.memory_id
        limit p_limit
    );
end
$body$;
comment on function memos_private.fuse_calibrated is
    'Weighted mean of each lane''s score in standard deviations from its mean. A memory whose vector is '
    'pending counts as average in the dense lane. Ties go to the older memory.';
