-- A search of the past compares every vector that its versions had. What is in scope is asked by a hash of
-- it for each row, and not the other way round: the planner takes an array for ten elements, and would look
-- ten thousand of them up one by one. An "or" keeps it from making a join of the question. Whose rows are
-- scanned is always for the key to say, as in dense_exact.
create or replace function memos_private.dense_as_of(
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
set enable_seqscan = off
as $body$
#variable_conflict use_column
declare
    v_lane memos_private.lane;
begin
    with scored as materialized (
        select e.memory_id, 1 - (e.embedding <=> p_embedding) as score
        from memos_private.embedding as e
        where e.user_id = p_user_id and e.model_id = p_model_id
            and (p_scope is null or e.memory_id in (
                select s.memory_id from unnest(p_scope) as s where s.superseded_at is null
            ))
        union all
        select c.memory_id, 1 - (c.embedding <=> p_embedding)
        from memos_private.embedding_cold as c
        where c.user_id = p_user_id and c.model_id = p_model_id
            and (p_scope is null or c.memory_id in (
                select s.memory_id from unnest(p_scope) as s where s.superseded_at is null
            ))
        union all
        select h.memory_id, 1 - (h.embedding <=> p_embedding)
        from memos_private.embedding_history as h
        where h.user_id = p_user_id and h.model_id = p_model_id
            and (p_scope is null or (h.memory_id, h.version, h.superseded_at) in (
                select s.memory_id, s.version, s.superseded_at from unnest(p_scope) as s
            ))
    )
    select b.memory_ids, b.scores, a.mean, nullif(a.deviation, 0), 'exact'
    into v_lane
    from (
        select avg(s.score) as mean, stddev_pop(s.score) as deviation from scored as s
    ) as a
    cross join (
        select coalesce(array_agg(m.memory_id), '{}') as memory_ids,
            coalesce(array_agg(m.score), '{}') as scores
        from (
            select s.memory_id, max(s.score) as score
            from scored as s
            group by s.memory_id
            order by max(s.score) desc, s.memory_id
            limit p_depth
        ) as m
    ) as b;
    return v_lane;
end
$body$;
comment on function memos_private.dense_as_of is
    'The dense lane over versions of any time, each with the vectors it had. Arguments as of '
    'dense_candidates.';
