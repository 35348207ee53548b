create or replace function memos_private.dense_lane_as_of(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_scope     memos_private.version_key[]
)
returns table (memory_id uuid, score double precision)
language plpgsql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    return query
    select e.memory_id, 1 - (e.embedding operator(public.<=>) p_embedding)
    from unnest(p_scope) as s
    join memos_private.embedding as e
        on e.user_id = p_user_id and e.model_id = p_model_id and e.memory_id = s.memory_id
    where s.superseded_at is null
    union all
    select c.memory_id, 1 - (c.embedding operator(public.<=>) p_embedding)
    from unnest(p_scope) as s
    join memos_private.embedding_cold as c
        on c.user_id = p_user_id and c.model_id = p_model_id and c.memory_id = s.memory_id
    where s.superseded_at is null
    union all
    select h.memory_id, 1 - (h.embedding operator(public.<=>) p_embedding)
    from unnest(p_scope) as s
    join memos_private.embedding_history as h
        on h.user_id = p_user_id and h.model_id = p_model_id and h.memory_id = s.memory_id
            and h.version = s.version and h.superseded_at = s.superseded_at;
end
$body$;
comment on function memos_private.dense_lane_as_of is
    'The dense lane over versions of any time, each with the vectors it had.';
