create or replace function memos_private.fuse_reciprocal_rank(
    p_dense   memos_private.lane,
    p_lexical memos_private.lane,
    p_weights memos_private.search_weights,
    p_k       int,
    p_limit   int
)
returns memos_private.candidate[]
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return array(
        select row(
            r.memory_id, coalesce(sum(r.dense), 0) + coalesce(sum(r.lexical), 0), sum(r.dense),
            sum(r.lexical), null, null, null, null, null, null, null
        )::memos_private.candidate
        from (
            select d.memory_id, p_weights.dense / (p_k + d.rank) as dense, null::double precision as lexical
            from unnest(p_dense.memory_ids) with ordinality as d (memory_id, rank)
            union all
            select l.memory_id, null, p_weights.lexical / (p_k + l.rank)
            from unnest(p_lexical.memory_ids) with ordinality as l (memory_id, rank)
        ) as r
        group by r.memory_id
        order by coalesce(sum(r.dense), 0) + coalesce(sum(r.lexical), 0) desc, r.memory_id
        limit p_limit
    );
end
$body$;
comment on function memos_private.fuse_reciprocal_rank is
    'Reciprocal rank fusion (Cormack, Clarke and Buettcher 2009): weight / (k + rank), summed over the '
    'lanes that found the memory. Ranks count from 1; ties go to the older memory.';

-- What a memory that is not among the p_depth best of a lane scores at most.
create or replace function memos_private.lane_floor(
    p_lane memos_private.lane, p_depth int, p_unfound double precision
)
returns double precision
language sql
immutable
parallel safe
return case when cardinality(p_lane.scores) >= p_depth then p_lane.scores[p_depth] else p_unfound end;
comment on function memos_private.lane_floor is
    'The score that stands for that of a memory which a lane does not list: the last of a full list, else '
    'p_unfound.';

create or replace function memos_private.standardise(
    p_score double precision, p_mean double precision, p_deviation double precision
)
returns double precision
language sql
immutable
parallel safe
return coalesce((p_score - p_mean) / p_deviation, 0);
comment on function memos_private.standardise is
    'A score in standard deviations from the mean of its lane; 0 where all scores are the same.';

create or replace function memos_private.importance_factor(p_importance real, p_weight double precision)
returns double precision
language sql
immutable
parallel safe
return 1 + p_weight * (p_importance - 0.5);
comment on function memos_private.importance_factor is
    'From 1 - p_weight / 2 for importance 0 to 1 + p_weight / 2 for importance 1; 1 for the usual 0.5.';

create or replace function memos_private.recency_factor(
    p_happened_at timestamptz, p_now timestamptz, p_weight double precision
)
returns double precision
language sql
immutable
parallel safe
return 1 + p_weight * exp(-least(abs(date_part('epoch', p_now - p_happened_at)) / 2592000, 50));
comment on function memos_private.recency_factor is
    'From 1 for long ago (or far ahead) to 1 + p_weight for now; a third of that is left after 30 days.';

create or replace function memos_private.retention_factor(
    p_last_used_at timestamptz, p_stability double precision, p_now timestamptz, p_weight double precision
)
returns double precision
language sql
immutable
parallel safe
return 1 + p_weight * memos_private.retention(
    date_part('epoch', p_now - p_last_used_at) / 86400, p_stability
);
comment on function memos_private.retention_factor is
    'From 1 for a memory whose last use is long ago to 1 + p_weight for one in use. What was never used has '
    'no such factor: that it is old must not bury it.';

-- Links that somebody made. An automatic one says that two vectors are near each other, which the dense
-- lane has counted: following those too costs two points of recall.
create or replace function memos_private.follow_links(
    p_user_id       uuid,
    p_candidates    memos_private.candidate[],
    p_spread        double precision,
    p_dense_floor   double precision,
    p_lexical_floor double precision,
    p_scope         memos_private.version_key[],
    p_limit         int,
    p_include_cold  boolean
)
returns memos_private.candidate[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return array(
        with leaders as materialized (
            select c.memory_id, c.score from unnest(p_candidates[:20]) as c where c.score > 0
        ),
        reached as (
            select e.memory_id, e.activation
            from (
                select l.to_id as memory_id, l.weight * s.score as activation
                from leaders as s
                join memos_private.memory_link as l on l.user_id = p_user_id and l.from_id = s.memory_id
                where l.origin <> 'automatic'
                union all
                select l.from_id, l.weight * s.score
                from leaders as s
                join memos_private.memory_link as l on l.user_id = p_user_id and l.to_id = s.memory_id
                where l.origin <> 'automatic'
                union all
                select l.to_id, l.weight * s.score
                from leaders as s
                join memos_private.memory_link_cold as l
                    on l.user_id = p_user_id and l.from_id = s.memory_id
                where p_include_cold and l.origin <> 'automatic'
                union all
                select l.from_id, l.weight * s.score
                from leaders as s
                join memos_private.memory_link_cold as l
                    on l.user_id = p_user_id and l.to_id = s.memory_id
                where p_include_cold and l.origin <> 'automatic'
            ) as e
            where p_scope is null or e.memory_id in (select s.memory_id from unnest(p_scope) as s)
        )
        select row(
            f.memory_id, f.dense + f.lexical + f.graph, f.dense, f.lexical, 0, 0, f.graph, 0, 1, 1, 1
        )::memos_private.candidate
        from (
            select g.memory_id, coalesce(max(g.dense), p_dense_floor) as dense,
                coalesce(max(g.lexical), p_lexical_floor) as lexical, coalesce(max(g.graph), 0) as graph
            from (
                select c.memory_id, c.dense, c.lexical, null::double precision as graph
                from unnest(p_candidates) as c
                union all
                select r.memory_id, null, null, p_spread * r.activation from reached as r
            ) as g
            group by g.memory_id
        ) as f
        order by f.dense + f.lexical + f.graph desc, f.memory_id
        limit p_limit
    );
end
$body$;
comment on function memos_private.follow_links is
    'Spreading activation over links, one step from the 20 best (Crestani 1997): a memory that is linked '
    'to them gets p_spread of the strongest product of link weight and score. Floors: what a memory scores '
    'in a lane that does not list it.';

-- Which memories compete, by their own scores; whom they are linked to; and what their surroundings add.
create or replace function memos_private.fuse_calibrated(
    p_user_id uuid,
    p_dense   memos_private.lane,
    p_lexical memos_private.lane,
    p_weights memos_private.search_weights,
    p_scope   memos_private.version_key[],
    p_as_of   boolean,
    p_period  tstzrange,
    p_now     timestamptz,
    p_depth   int,
    p_limit   int,
    p_include_cold boolean
)
returns memos_private.candidate[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    -- Neighbours get 0.3 of a memory's score, those one further 0.3 of that; every memory of a session
    -- gets 0.4 of the best score in it (the maximum of passage scores, Dai and Callan 2019).
    v_spread constant double precision := 0.3 * p_weights.context;
    v_session constant double precision := 0.4 * p_weights.context;
    v_links constant double precision := 0.3 * p_weights.graph;
    v_leaders constant int := greatest(30, p_limit * 2);
    -- The same state gives the same answer, all day.
    v_today constant timestamptz := date_trunc('day', p_now, 'UTC');
    v_dense double precision := case when p_dense.scores is null then 0 else p_weights.dense end;
    v_lexical double precision := case when p_lexical.scores is null then 0 else p_weights.lexical end;
    v_dense_floor double precision;
    v_lexical_floor double precision;
    v_candidates memos_private.candidate[];
    v_used boolean;
    v_linked boolean;
begin
    if v_dense + v_lexical = 0 then
        return '{}';
    end if;
    v_dense := v_dense / (v_dense + v_lexical);
    v_lexical := 1 - v_dense;
    -- Not in a complete list means: no vector yet, which counts as average.
    v_dense_floor := v_dense * memos_private.standardise(
        memos_private.lane_floor(p_dense, p_depth, p_dense.mean), p_dense.mean, p_dense.deviation
    );
    v_lexical_floor := v_lexical * memos_private.standardise(
        memos_private.lane_floor(p_lexical, p_depth, 0), p_lexical.mean, p_lexical.deviation
    );
    -- Uses and links are of now.
    select
        array(
            select row(c.memory_id, c.dense + c.lexical, c.dense, c.lexical, 0, 0, 0, 0, 1, 1, 1)::memos_private.candidate
            from (
                select memory_id,
                    case when d.score is null then v_dense_floor
                        else v_dense * memos_private.standardise(d.score, p_dense.mean, p_dense.deviation)
                    end as dense,
                    case when l.score is null then v_lexical_floor
                        else v_lexical * memos_private.standardise(l.score, p_lexical.mean, p_lexical.deviation)
                    end as lexical
                from unnest(p_dense.memory_ids, p_dense.scores) as d (memory_id, score)
                full join unnest(p_lexical.memory_ids, p_lexical.scores) as l (memory_id, score)
                    using (memory_id)
            ) as c
            order by c.dense + c.lexical desc, c.memory_id
            limit v_leaders * 2
        ),
        p_weights.retention > 0 and not p_as_of and exists (
            select from memos_private.memory_usage as u where u.user_id = p_user_id
        ),
        v_links > 0 and not p_as_of
            and (
                exists (
                    select from memos_private.memory_link as l
                    where l.user_id = p_user_id and l.origin <> 'automatic'
                )
                or p_include_cold and exists (
                    select from memos_private.memory_link_cold as l
                    where l.user_id = p_user_id and l.origin <> 'automatic'
                )
            )
    into v_candidates, v_used, v_linked;
    if v_linked then
        v_candidates := memos_private.follow_links(
            p_user_id, v_candidates, v_links, v_dense_floor, v_lexical_floor, p_scope, v_leaders * 2,
            p_include_cold
        );
    end if;
    return array(
        with lifted as (
            select n.memory_id, coalesce(c.dense, v_dense_floor) as dense,
                coalesce(c.lexical, v_lexical_floor) as lexical, coalesce(c.graph, 0) as graph, n.context,
                n.session_id, n.happened_at, n.importance
            from (
                select s.memory_id, max(s.session_id collate "C") as session_id, max(s.happened_at) as happened_at,
                    max(s.importance) as importance, sum(s.context) as context
                from memos_private.surroundings(
                    p_user_id, v_candidates[:v_leaders], v_spread, p_scope, p_as_of, p_include_cold
                ) as s
                where p_scope is null or s.memory_id in (select v.memory_id from unnest(p_scope) as v)
                group by s.memory_id
            ) as n
            left join unnest(v_candidates) as c using (memory_id)
        ),
        parts as (
            select f.memory_id, f.dense, f.lexical, f.graph, f.context, f.happened_at, f.importance,
                case when f.session_id is null then 0 else v_session * greatest(
                    max(f.dense + f.lexical + f.graph + f.context) over (partition by f.session_id collate "C"), 0
                ) end as session,
                2 * p_weights.time * memos_private.period_overlap(p_period, f.happened_at) as time,
                case when v_used then coalesce((
                    select memos_private.retention_factor(
                        u.last_used_at, u.stability, v_today, p_weights.retention
                    )
                    from memos_private.memory_usage as u
                    where u.user_id = p_user_id and u.memory_id = f.memory_id
                ), 1) else 1 end as retention
            from lifted as f
        )
        select row(
            s.memory_id, s.score, s.dense, s.lexical, s.context, s.session, s.graph, s.time,
            memos_private.importance_factor(s.importance, p_weights.importance),
            memos_private.recency_factor(s.happened_at, v_today, p_weights.recency), s.retention
        )::memos_private.candidate
        from (
            -- A score below the mean gets smaller by a factor below 1, and not nearer to the mean.
            select p.*,
                (p.dense + p.lexical + p.graph + p.context + p.session + p.time) * (
                    memos_private.importance_factor(p.importance, p_weights.importance)
                    * memos_private.recency_factor(p.happened_at, v_today, p_weights.recency) * p.retention
                ) ^ sign(p.dense + p.lexical + p.graph + p.context + p.session + p.time) as score
            from parts as p
            order by score desc, p.memory_id
            limit p_limit
        ) as s
    );
end
$body$;
comment on function memos_private.fuse_calibrated is
    'Weighted mean of the lanes'' scores in standard deviations from their means, lifted by links, by what '
    'is near in the same session and by the session''s best memory, by up to two deviations where the '
    'time fits the question''s, and by importance, recency and use within bounds. p_depth: how many each lane '
    'lists at most; p_limit come back, best first. Ties go to the older memory.';
