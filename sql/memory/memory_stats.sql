create or replace function memos.memory_stats(p_user_id uuid)
returns table (
    memories bigint, pinned bigint, versions bigint, sessions bigint, kinds jsonb,
    privacy_levels jsonb, content_bytes bigint, embedded bigint, pending bigint, failed bigint,
    oldest timestamptz, newest timestamptz, tiers jsonb
)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    return query
    select count(m.memory_id), count(*) filter (where m.pinned),
        count(m.memory_id) + (select count(*) from memos_private.memory_history as h where h.user_id = p_user_id),
        count(distinct m.session_id),
        (
            select coalesce(jsonb_object_agg(k.kind, k.count), '{}')
            from (
                select kind, count(*) from memos_private.memory_of_any_tier where user_id = p_user_id group by kind
            ) as k
        ),
        (
            select coalesce(jsonb_object_agg(k.privacy_level, k.count), '{}')
            from (
                select privacy_level, count(*)
                from memos_private.memory_of_any_tier where user_id = p_user_id group by privacy_level
            ) as k
        ),
        coalesce(sum(octet_length(m.content)), 0)::bigint,
        (
            select count(distinct e.memory_id)
            from (
                select model_id, memory_id from memos_private.embedding where user_id = p_user_id
                union all
                select model_id, memory_id from memos_private.embedding_cold where user_id = p_user_id
            ) as e
            join memos_private.embedding_model as d on d.model_id = e.model_id and d.is_default
        ),
        q.pending, q.failed, min(coalesce(m.occurred_at, m.recorded_at)),
        max(coalesce(m.occurred_at, m.recorded_at)),
        jsonb_build_object(
            'hot', count(*) filter (where m.tier = 'hot'), 'warm', count(*) filter (where m.tier = 'warm'),
            'cold', count(*) filter (where m.tier = 'cold')
        )
    from (
        select count(*) filter (where failed_at is null) as pending,
            count(*) filter (where failed_at is not null) as failed
        from memos_private.embedding_queue
        where user_id = p_user_id
    ) as q
    left join memos_private.memory_of_any_tier as m on m.user_id = p_user_id
    group by q.pending, q.failed;
    perform memos_private.audit_read(p_user_id, 'memory_stats');
end
$body$;
comment on function memos.memory_stats is
    'One row about a user''s memories: counts (versions include superseded and deleted ones), bytes of '
    'content, memories with a vector of the default model, pending and failed embeddings of all models '
    '(what is pending of a cold memory waits with it and is not counted), time of the oldest and newest '
    'memory, memories by tier. Errors: MO001, MO400, MO403.';
