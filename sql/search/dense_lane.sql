-- Exact over the user's vectors: a shared approximate index under a user filter loses most rows.
-- A plain SQL body, so that the lane becomes part of the search statement's own plan.
create or replace function memos_private.dense_lane(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_scope     memos_private.version_key[]
)
returns table (memory_id uuid, score double precision)
language sql
stable
begin atomic
    select e.memory_id, 1 - (e.embedding operator(public.<=>) p_embedding)
    from memos_private.embedding as e
    where e.user_id = p_user_id and e.model_id = p_model_id
        and (p_scope is null or e.memory_id in (select s.memory_id from unnest(p_scope) as s));
end;
comment on function memos_private.dense_lane is
    'Cosine similarity (-1 to 1) of each passage of the current memories to a vector of the model''s '
    'dimensions, exact. p_scope: only these memories; null: all.';

create or replace function memos_private.dense_lane_as_of(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_scope     memos_private.version_key[]
)
returns table (memory_id uuid, score double precision)
language sql
stable
begin atomic
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
end;
comment on function memos_private.dense_lane_as_of is
    'The dense lane over versions of any time, each with the vectors it had.';
