-- Exact over the user's vectors: a shared approximate index under a user filter loses most rows.
-- A plain SQL body, so that the lane becomes part of the ranking statement's own plan; the past stays a
-- function, which inlined would open every partition of the history for nothing.
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
    select h.memory_id, 1 - (h.embedding operator(public.<=>) p_embedding)
    from unnest(p_scope) as s
    join memos_private.embedding_history as h
        on h.user_id = p_user_id and h.model_id = p_model_id and h.memory_id = s.memory_id
            and h.version = s.version and h.superseded_at = s.superseded_at;
end
$body$;
comment on function memos_private.dense_lane_as_of is
    'The dense lane over versions of any time, each with the vectors it had.';

create or replace function memos_private.dense_lane(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_scope     memos_private.version_key[],
    p_as_of     boolean
)
returns table (memory_id uuid, score double precision)
language sql
stable
begin atomic
    select e.memory_id, 1 - (e.embedding operator(public.<=>) p_embedding)
    from memos_private.embedding as e
    where p_embedding is not null and not p_as_of
        and e.user_id = p_user_id and e.model_id = p_model_id
        and (p_scope is null or e.memory_id in (select s.memory_id from unnest(p_scope) as s))
    union all
    select a.memory_id, a.score
    from memos_private.dense_lane_as_of(p_user_id, p_model_id, p_embedding, p_scope) as a
    where p_embedding is not null and p_as_of;
end;
comment on function memos_private.dense_lane is
    'Cosine similarity (-1 to 1) of every passage to a vector of the model''s dimensions, exact. '
    'p_scope: only of these versions; null: of every current memory. p_as_of: the scope holds superseded '
    'versions too. No vector, no rows.';
