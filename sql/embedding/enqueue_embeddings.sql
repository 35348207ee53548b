create or replace function memos_private.enqueue_embeddings(p_user_id uuid, p_memory_ids uuid[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    insert into memos_private.embedding_queue (
        user_id, memory_id, model_id, version, enqueued_at, available_at
    )
    select m.user_id, m.memory_id, d.model_id, m.version, m.recorded_at, m.recorded_at
    from memos_private.memory as m
    cross join memos_private.embedding_model as d
    where m.user_id = p_user_id and m.memory_id = any (p_memory_ids) and d.retired_at is null
        and not memos_private.is_sealed(m.content)
        and not exists (
            select from memos_private.embedding as e
            where e.user_id = p_user_id and e.model_id = d.model_id and e.memory_id = m.memory_id
        )
    order by m.memory_id, d.model_id
    on conflict (user_id, memory_id, model_id) do update
    set version = excluded.version, enqueued_at = excluded.enqueued_at,
        available_at = excluded.available_at, attempts = 0, passages = null, worker = null,
        last_error = null, failed_at = null;
end
$body$;
comment on function memos_private.enqueue_embeddings is
    'Marks as pending every vector that these memories lack; encrypted ones get none.';
