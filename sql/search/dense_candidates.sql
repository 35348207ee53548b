-- The lane is a few functions with one or two statements each, planned once a session: a statement that
-- holds every variant costs more to open than a scan of a thousand vectors takes. A scan of the key's
-- index is always right here, and the settings say so: a cached plan outlives the statistics it is from.
create or replace function memos_private.dense_exact(
    p_user_id    uuid,
    p_model_id   smallint,
    p_embedding  public.halfvec,
    p_memory_ids uuid[],
    p_by_key     boolean,
    p_sample     int,
    p_depth      int
)
returns memos_private.lane
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
as $body$
declare
    v_ids uuid[];
    v_scores double precision[];
    v_passages int;
    v_lane memos_private.lane;
begin
    if p_by_key then
        select array_agg(s.memory_id), array_agg(s.score), max(s.passage),
            avg(s.score) filter (where s.passage = 0 and uuid_hash(s.memory_id) <= p_sample),
            stddev_pop(s.score) filter (where s.passage = 0 and uuid_hash(s.memory_id) <= p_sample)
        into v_ids, v_scores, v_passages, v_lane.mean, v_lane.deviation
        from (
            select e.memory_id, 1 - (e.embedding <=> p_embedding) as score, e.passage
            from memos_private.embedding as e
            where e.user_id = p_user_id and e.model_id = p_model_id and e.memory_id = any (p_memory_ids)
            order by 2 desc, 1
        ) as s;
    else
        select array_agg(s.memory_id), array_agg(s.score), max(s.passage), avg(s.score), stddev_pop(s.score)
        into v_ids, v_scores, v_passages, v_lane.mean, v_lane.deviation
        from (
            select e.memory_id, 1 - (e.embedding <=> p_embedding) as score, e.passage
            from memos_private.embedding as e
            where e.user_id = p_user_id and e.model_id = p_model_id
                and (p_memory_ids is null or e.memory_id in (select unnest(p_memory_ids)))
            order by 2 desc, 1
        ) as s;
    end if;
    if v_passages > 0 then
        return memos_private.best_passages(v_ids, v_scores, p_depth, v_lane);
    end if;
    v_lane.memory_ids := coalesce(v_ids[1:p_depth], '{}');
    v_lane.scores := coalesce(v_scores[1:p_depth], '{}');
    v_lane.deviation := nullif(v_lane.deviation, 0);
    return v_lane;
end
$body$;
comment on function memos_private.dense_exact is
    'Cosine similarity of every vector of a user, or of those memories only. p_by_key: look them up one '
    'by one, and take mean and deviation over the first passages whose memory''s hash is at most p_sample.';

create or replace function memos_private.nearest_codes(
    p_user_id    uuid,
    p_model_id   smallint,
    p_code       bit varying,
    p_memory_ids uuid[],
    p_by_key     boolean,
    p_memories   double precision,
    p_sample     int,
    p_limit      int
)
returns uuid[]
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
as $body$
declare
    -- Sorting copies each row that it is shown, which takes as long as to read it. So what is further than
    -- three times as many as wanted, by the first 512 codes, is not shown.
    c_first constant int := 512;
    v_share constant double precision := 3 * p_limit / p_memories;
    v_bound double precision := 'infinity';
    v_ids uuid[];
begin
    if p_by_key then
        return array(
            select e.memory_id
            from memos_private.embedding as e
            where e.user_id = p_user_id and e.model_id = p_model_id and e.memory_id = any (p_memory_ids)
            order by case when uuid_hash(e.memory_id) <= p_sample and e.passage = 0 then -1
                else e.code <~> p_code end
            limit p_limit
        );
    end if;
    if v_share < 0.2 then
        v_bound := (
            select f.distance
            from (
                select e.code <~> p_code as distance
                from memos_private.embedding as e
                where e.user_id = p_user_id and e.model_id = p_model_id
                order by e.memory_id, e.passage
                limit c_first
            ) as f
            order by f.distance
            offset (c_first * v_share)::int
            limit 1
        );
    end if;
    loop
        v_ids := array(
            select e.memory_id
            from memos_private.embedding as e
            where e.user_id = p_user_id and e.model_id = p_model_id
                and (p_memory_ids is null or e.memory_id in (select unnest(p_memory_ids)))
                and (e.code <~> p_code <= v_bound or uuid_hash(e.memory_id) <= p_sample and e.passage = 0)
            order by case when uuid_hash(e.memory_id) <= p_sample and e.passage = 0 then -1
                else e.code <~> p_code end
            limit p_limit
        );
        exit when cardinality(v_ids) = p_limit or v_bound = 'infinity';
        -- The first ones were nearer than most.
        v_bound := 'infinity';
    end loop;
    return v_ids;
end
$body$;
comment on function memos_private.nearest_codes is
    'Memories of the passages whose codes differ in the fewest bits, by an index-only scan of the key. The '
    'sample that mean and deviation are taken from comes first, so that one scan finds both. p_memories: '
    'about how many there are.';

create or replace function memos_private.best_passages(
    p_memory_ids uuid[], p_scores double precision[], p_depth int, p_lane memos_private.lane
)
returns memos_private.lane
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    select coalesce(array_agg(b.memory_id), '{}'), coalesce(array_agg(b.score), '{}')
    into p_lane.memory_ids, p_lane.scores
    from (
        select u.memory_id, max(u.score) as score
        from unnest(p_memory_ids, p_scores) as u (memory_id, score)
        group by u.memory_id
        order by max(u.score) desc, u.memory_id
        limit p_depth
    ) as b;
    p_lane.deviation := nullif(p_lane.deviation, 0);
    return p_lane;
end
$body$;
comment on function memos_private.best_passages is
    'The lane with the best memories of a ranking of passages, each with its best one.';

create or replace function memos_private.dense_by_codes(
    p_user_id    uuid,
    p_model_id   smallint,
    p_embedding  public.halfvec,
    p_memory_ids uuid[],
    p_by_key     boolean,
    p_memories   double precision,
    p_depth      int
)
returns memos_private.lane
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    c_sample constant int := 100;
    v_sample int := (4294967296 * least(c_sample / p_memories, 1) - 2147483649)::bigint;
    -- The fewer bits a code has, and the more of them there are, the more look alike.
    v_limit int := greatest(memos_private.setting('dense_rescored')::int, 2 * p_depth, p_memories / 200)
        * greatest(1, 512.0 / vector_dims(p_embedding));
    v_ids uuid[];
    v_lane memos_private.lane;
begin
    loop
        v_ids := memos_private.nearest_codes(
            p_user_id, p_model_id, binary_quantize(p_embedding), p_memory_ids, p_by_key, p_memories,
            v_sample, v_limit + c_sample
        );
        if cardinality(v_ids) < v_limit + c_sample then
            v_sample := 2147483647;
            exit;
        end if;
        -- The passages of a few long memories can be all there was room for.
        exit when (select count(distinct id) from unnest(v_ids[c_sample + 1:]) as id) >= p_depth;
        v_limit := 4 * v_limit;
    end loop;
    v_lane := memos_private.dense_exact(
        p_user_id, p_model_id, p_embedding, v_ids, true, v_sample, p_depth
    );
    v_lane.path := format('binary codes, %s rescored', cardinality(v_ids));
    return v_lane;
end
$body$;
comment on function memos_private.dense_by_codes is
    'The nearest by binary codes, then by their vectors: at least twice p_depth, more the more '
    'memories and the fewer dimensions there are. Mean and deviation are of a fixed sample of 100.';

create or replace function memos_private.dense_by_hnsw(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_depth     int
)
returns memos_private.lane
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
set enable_sort = off
as $body$
declare
    v_limit constant int := greatest(memos_private.setting('dense_rescored')::int, 2 * p_depth);
    -- Loads pgvector, where the session has not used it yet, and with it the settings below.
    v_dimensions constant int := vector_dims(p_embedding);
    v_iterative constant text := current_setting('hnsw.iterative_scan');
    v_ef constant text := current_setting('hnsw.ef_search');
    v_ids uuid[];
    v_lane memos_private.lane;
begin
    -- Not clauses of the function: they would take a superuser wherever pgvector is not loaded yet.
    perform set_config('hnsw.iterative_scan', 'relaxed_order', true);
    perform set_config('hnsw.ef_search', least(v_limit, 1000)::text, true);
    -- The model is spelled out, or the planner could not tell that the index covers it.
    execute format(
        'select array(
            select e.memory_id
            from memos_private.embedding as e
            where e.user_id = $1 and e.model_id = %s
            order by e.embedding::public.halfvec(%s) <=> $2
            limit $3
        )', p_model_id, v_dimensions
    ) into v_ids using p_user_id, p_embedding, v_limit;
    perform set_config('hnsw.iterative_scan', v_iterative, true);
    perform set_config('hnsw.ef_search', v_ef, true);
    if cardinality(v_ids) < v_limit then
        return null;
    end if;
    v_lane := memos_private.dense_exact(
        p_user_id, p_model_id, p_embedding, v_ids, true, 2147483647, p_depth
    );
    if cardinality(v_lane.memory_ids) < p_depth then
        return null;
    end if;
    select d.mean, d.deviation into v_lane.mean, v_lane.deviation
    from memos_private.dense_exact(
        p_user_id, p_model_id, p_embedding, memos_private.spread_memory_ids(p_user_id, p_model_id, 200),
        true, 2147483647, p_depth
    ) as d;
    v_lane.path := format('hnsw index, %s rescored', v_limit);
    return v_lane;
end
$body$;
comment on function memos_private.dense_by_hnsw is
    'The nearest by the model''s vector index, then by their vectors; null when the index gives too few. '
    'Mean and deviation are of a sample over the time in which the memories were written.';

create or replace function memos_private.spread_memory_ids(
    p_user_id uuid, p_model_id smallint, p_count int
)
returns uuid[]
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
as $body$
declare
    v_first bigint;
    v_last bigint;
begin
    -- The first 48 bits of a UUID version 7 are its time.
    select ('x' || left(replace(e.memory_id::text, '-', ''), 12))::bit(48)::bigint into v_first
    from memos_private.embedding as e
    where e.user_id = p_user_id and e.model_id = p_model_id
    order by e.memory_id
    limit 1;
    select ('x' || left(replace(e.memory_id::text, '-', ''), 12))::bit(48)::bigint into v_last
    from memos_private.embedding as e
    where e.user_id = p_user_id and e.model_id = p_model_id
    order by e.memory_id desc
    limit 1;
    -- A few steps on from each point: else the first memories of sessions and imports would be all.
    return array(
        select s.memory_id
        from (
            select n, rpad(lpad(to_hex(v_first + (v_last - v_first) * n / p_count), 12, '0'), 32, '0')::uuid as point
            from generate_series(0, p_count - 1) as n
            offset 0
        ) as p
        cross join lateral (
            select e.memory_id
            from memos_private.embedding as e
            where e.user_id = p_user_id and e.model_id = p_model_id and e.memory_id >= p.point
            order by e.memory_id
            offset p.n * 37 % 64
            limit 1
        ) as s
    );
end
$body$;
comment on function memos_private.spread_memory_ids is
    'Memories of a user about evenly spread over the time in which they were written, without a scan.';

create or replace function memos_private.prefers_hnsw(p_model_id smallint, p_memories double precision)
returns boolean
language sql
stable
begin atomic
    select p_memories >= memos_private.setting('dense_hnsw_memories')::int and exists (
        select
        from pg_class as c
        join pg_index as i on i.indexrelid = c.oid
        where c.oid = to_regclass('memos_private.' || memos_private.vector_index_name(p_model_id))
            and i.indisvalid and p_memories >= c.reltuples / 10
    );
end;
comment on function memos_private.prefers_hnsw is
    'Whether a user with so many memories is searched by the vector index: there is a valid one, and the '
    'user owns enough of what it holds, for it cannot leave the others out.';

create or replace function memos_private.dense_candidates(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_scope     memos_private.version_key[],
    p_as_of     boolean,
    p_depth     int,
    p_memories  double precision default null
)
returns memos_private.lane
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_memories double precision := p_memories;
    v_ids uuid[];
    v_by_key boolean := false;
    v_lane memos_private.lane;
begin
    if p_as_of then
        return memos_private.dense_as_of(p_user_id, p_model_id, p_embedding, p_scope, p_depth);
    end if;
    if v_memories is null then
        v_memories := coalesce(
            (select sum(c.documents) from memos_private.corpus as c where c.user_id = p_user_id), 0
        );
    end if;
    if p_scope is not null then
        -- Looking one memory up costs about as much as passing over eight.
        v_by_key := cardinality(p_scope) < v_memories / 8;
        v_ids := array(select s.memory_id from unnest(p_scope) as s);
        v_memories := least(v_memories, cardinality(v_ids));
    end if;
    if v_memories <= memos_private.setting('dense_exact_memories')::int then
        v_lane := memos_private.dense_exact(
            p_user_id, p_model_id, p_embedding, v_ids, v_by_key, 2147483647, p_depth
        );
        v_lane.path := 'exact';
        return v_lane;
    end if;
    if v_ids is null and memos_private.prefers_hnsw(p_model_id, v_memories) then
        v_lane := memos_private.dense_by_hnsw(p_user_id, p_model_id, p_embedding, p_depth);
    end if;
    return coalesce(v_lane, memos_private.dense_by_codes(
        p_user_id, p_model_id, p_embedding, v_ids, v_by_key, v_memories, p_depth
    ));
end
$body$;
comment on function memos_private.dense_candidates is
    'The p_depth memories nearest to a vector of the model''s dimensions, by cosine similarity (-1 to 1) '
    'of their best passage. p_scope: only of these versions; null: of every current memory. p_as_of: the '
    'scope holds superseded versions too. p_memories: how many the user has, if the caller knows. A small '
    'set is compared vector by vector, a larger one by codes first, the memories of the largest users by a '
    'vector index where there is one (settings dense_exact_memories, dense_rescored, dense_hnsw_memories).';
