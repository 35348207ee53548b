-- The lane is a few functions with one or two statements each, planned once a session: a statement that
-- holds every variant costs more to open than a scan of a thousand vectors takes. A scan of the key's
-- index is always right here, and the setting says so: a cached plan outlives the statistics it came from.
create or replace function memos_private.dense_exact(
    p_user_id    uuid,
    p_model_id   smallint,
    p_embedding  public.halfvec,
    p_memory_ids uuid[],
    p_sample     int,
    p_depth      int
)
returns memos_private.lane
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
as $body$
declare
    v_ids uuid[];
    v_scores double precision[];
    v_passages int;
    v_lane memos_private.lane;
begin
    if p_memory_ids is null then
        select array_agg(s.memory_id), array_agg(s.score), max(s.passage), avg(s.score), stddev_pop(s.score)
        into v_ids, v_scores, v_passages, v_lane.mean, v_lane.deviation
        from (
            select e.memory_id, 1 - (e.embedding <=> p_embedding) as score, e.passage
            from memos_private.embedding as e
            where e.user_id = p_user_id and e.model_id = p_model_id
            order by 2 desc, 1
        ) as s;
    else
        select array_agg(s.memory_id), array_agg(s.score), max(s.passage),
            avg(s.score) filter (where uuid_hash(s.memory_id) <= p_sample),
            stddev_pop(s.score) filter (where uuid_hash(s.memory_id) <= p_sample)
        into v_ids, v_scores, v_passages, v_lane.mean, v_lane.deviation
        from (
            select e.memory_id, 1 - (e.embedding <=> p_embedding) as score, e.passage
            from memos_private.embedding as e
            where e.user_id = p_user_id and e.model_id = p_model_id and e.memory_id = any (p_memory_ids)
            order by 2 desc, 1
        ) as s;
    end if;
    return memos_private.best_passages(v_ids, v_scores, v_passages > 0, p_depth, v_lane);
end
$body$;
comment on function memos_private.dense_exact is
    'Cosine similarity of every vector of a user, or of those memories only; mean and deviation over the '
    'memories whose hash is at most p_sample.';

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
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_ids uuid[];
    v_scores double precision[];
    v_lane memos_private.lane;
begin
    select array_agg(s.memory_id), array_agg(s.score), avg(s.score), stddev_pop(s.score)
    into v_ids, v_scores, v_lane.mean, v_lane.deviation
    from memos_private.dense_lane_as_of(p_user_id, p_model_id, p_embedding, p_scope) as s;
    return memos_private.best_passages(v_ids, v_scores, true, p_depth, v_lane);
end
$body$;
comment on function memos_private.dense_as_of is
    'The same over versions of any time, each with the vectors it had.';

create or replace function memos_private.best_passages(
    p_memory_ids uuid[],
    p_scores     double precision[],
    p_repeated   boolean,
    p_depth      int,
    p_lane       memos_private.lane
)
returns memos_private.lane
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    p_lane.memory_ids := coalesce(p_memory_ids[1:p_depth], '{}');
    p_lane.scores := coalesce(p_scores[1:p_depth], '{}');
    if p_repeated then
        select array_agg(b.memory_id), array_agg(b.score) into p_lane.memory_ids, p_lane.scores
        from (
            select u.memory_id, max(u.score) as score
            from unnest(p_memory_ids, p_scores) as u (memory_id, score)
            group by u.memory_id
            order by max(u.score) desc, u.memory_id
            limit p_depth
        ) as b;
    end if;
    p_lane.deviation := nullif(p_lane.deviation, 0);
    return p_lane;
end
$body$;
comment on function memos_private.best_passages is
    'The lane with the best memories of a ranking of passages, each with its best one. p_repeated: a '
    'memory may stand more than once, in any order.';

create or replace function memos_private.dense_candidates(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_scope     memos_private.version_key[],
    p_as_of     boolean,
    p_depth     int
)
returns memos_private.lane
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_lane memos_private.lane;
begin
    if p_as_of then
        v_lane := memos_private.dense_as_of(p_user_id, p_model_id, p_embedding, p_scope, p_depth);
        v_lane.path := 'exact';
        return v_lane;
    end if;
    v_lane := memos_private.dense_exact(
        p_user_id, p_model_id, p_embedding,
        (select array_agg(s.memory_id) from unnest(p_scope) as s where p_scope is not null),
        2147483647, p_depth
    );
    v_lane.path := 'exact';
    return v_lane;
end
$body$;
comment on function memos_private.dense_candidates is
    'The p_depth memories nearest to a vector of the model''s dimensions, by cosine similarity (-1 to 1) '
    'of their best passage. p_scope: only of these versions; null: of every current memory. p_as_of: the '
    'scope holds superseded versions too.';
