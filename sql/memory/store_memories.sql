create or replace function memos_private.analyze_first_memories()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if (select c.reltuples < 0 from pg_class as c where c.oid = 'memos_private.memory'::regclass)
        and pg_try_advisory_xact_lock(hashtextextended('memos.analyze', 0))
    then
        analyze memos_private.memory;
    end if;
end
$body$;
comment on function memos_private.analyze_first_memories is
    'Without statistics the planner takes any index that leads with user_id for as good as the right one, '
    'and an import into a new database would slow down with the square of its size.';

-- The one write path for new memories: add_memory, add_memories and whatever imports call it.
-- Sorted by hash and by request id, so that two batches with the same texts cannot deadlock.
create or replace function memos_private.store_memories(
    p_user_id  uuid,
    p_memories memos_private.memory_input[],
    p_model    text
)
returns table (ordinal int, memory_id uuid, created boolean)
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_has_requests constant boolean :=
        exists (select from unnest(p_memories) as m where m.request_id is not null);
    v_has_embeddings constant boolean :=
        exists (select from unnest(p_memories) as m where m.embedding is not null);
    v_model_id smallint;
    v_answered int[] := '{}';
    v_created uuid[];
    v_ids uuid[];
    v_there uuid[];
    v_held uuid[];
begin
    perform memos_private.require_valid_memories(p_memories);
    perform memos_private.share_embedding_models();
    perform memos_private.share_contents(p_user_id);
    p_memories := memos_private.admit_memories(p_user_id, p_memories, true);
    p_memories := memos_private.seal_memories(p_user_id, p_memories);
    if v_has_embeddings or p_model is not null then
        v_model_id := memos_private.require_embeddings(p_memories, p_model);
    end if;

    if v_has_requests then
        with first_answers as (
            insert into memos_private.request as r (user_id, request_id, memory_id, recorded_at)
            select distinct on (m.request_id) p_user_id, m.request_id, m.memory_id, v_now
            from unnest(p_memories) as m
            where m.request_id is not null
            order by m.request_id, m.ordinal
            on conflict (user_id, request_id) do nothing
            returning r.memory_id
        )
        select coalesce(array_agg(m.ordinal), '{}') into v_answered
        from unnest(p_memories) as m
        where m.request_id is not null and m.memory_id not in (select f.memory_id from first_answers as f);
    end if;

    if exists (select from memos_private.cold_place as p where p.user_id = p_user_id) then
        perform memos_private.recall_contents(p_user_id, p_memories, '{}');
    end if;
    with stored as (
        insert into memos_private.memory as s (
            user_id, memory_id, content, content_hash, language, kind, tags, metadata, importance,
            confidence, privacy_level, provenance, session_id, position, occurred_at, valid_from,
            valid_until, recorded_at
        )
        select distinct on (m.content_hash)
            p_user_id, m.memory_id, m.content, m.content_hash, m.language, m.kind, m.tags, m.metadata,
            m.importance, m.confidence, m.privacy_level, m.provenance, m.session_id, m.position,
            m.occurred_at, coalesce(m.valid_from, m.occurred_at, v_now), m.valid_until, v_now
        from unnest(p_memories) as m
        where m.ordinal <> all (v_answered)
        order by m.content_hash, m.ordinal
        on conflict (user_id, content_hash) do nothing
        returning s.memory_id
    )
    select coalesce(array_agg(s.memory_id), '{}') into v_created from stored as s;
    -- What another session was making cold, this insert has waited for.
    if exists (select from memos_private.cold_place as p where p.user_id = p_user_id)
        or current_setting('transaction_isolation') <> 'read committed'
    then
        v_created := memos_private.recall_contents(p_user_id, p_memories, v_created);
    end if;
    if cardinality(v_created) >= 100 then
        perform memos_private.analyze_first_memories();
    end if;

    -- The answer for each memory, by its place.
    v_ids := array(
        select case
            when m.ordinal = any (v_answered) then (
                select r.memory_id from memos_private.request as r
                where r.user_id = p_user_id and r.request_id = m.request_id
            )
            else (
                select s.memory_id from memos_private.memory as s
                where s.user_id = p_user_id and s.content_hash = m.content_hash
            ) end
        from unnest(p_memories) as m
        order by m.ordinal
    );
    if array_position(v_ids, null) is not null then
        -- Repeatable read: there, but not visible.
        raise exception 'another session stored the same content meanwhile'
            using errcode = 'serialization_failure', hint = 'repeat the transaction';
    end if;
    if v_has_requests then
        update memos_private.request as r
        set memory_id = v_ids[m.ordinal]
        from unnest(p_memories) as m
        where r.user_id = p_user_id and r.request_id = m.request_id
            and r.memory_id = m.memory_id and r.memory_id <> v_ids[m.ordinal];
    end if;
    if v_has_embeddings then
        insert into memos_private.embedding (user_id, model_id, memory_id, passage, embedding)
        select p_user_id, v_model_id, m.memory_id, 0, m.embedding
        from unnest(p_memories) as m
        where m.embedding is not null and v_ids[m.ordinal] = m.memory_id
        order by m.memory_id;
        if (select d.is_default from memos_private.embedding_model as d where d.model_id = v_model_id) then
            perform memos_private.queue_links(p_user_id, array(
                select v_ids[m.ordinal] from unnest(p_memories) as m where m.embedding is not null
            ));
        end if;
    end if;
    if v_has_embeddings and cardinality(v_created) < cardinality(p_memories) then
        -- A vector for a memory that was there. Queue before vectors, as workers do, so that neither
        -- waits for the other in a ring.
        v_there := array(
            select v_ids[m.ordinal]
            from unnest(p_memories) as m
            where m.embedding is not null and v_ids[m.ordinal] <> m.memory_id
                and m.ordinal <> all (v_answered)
        );
        v_held := array(
            select m.memory_id
            from memos_private.memory as m
            where m.user_id = p_user_id and m.memory_id = any (v_there)
            order by m.memory_id
            for key share
        );
        -- Made cold since it was found.
        perform memos_private.recall_memories(
            p_user_id, array(select unnest(v_there) except select unnest(v_held))
        );
        perform from memos_private.embedding_queue as q
        where q.user_id = p_user_id and q.model_id = v_model_id and q.memory_id = any (v_there)
        order by q.memory_id
        for update;
        with stored as (
            insert into memos_private.embedding as e (user_id, model_id, memory_id, passage, embedding)
            select p_user_id, v_model_id, v_ids[m.ordinal], 0, m.embedding
            from unnest(p_memories) as m
            where m.embedding is not null and v_ids[m.ordinal] <> m.memory_id
                and m.ordinal <> all (v_answered)
                -- Not deleted since it was found.
                and v_ids[m.ordinal] in (
                    select s.memory_id
                    from memos_private.memory as s
                    where s.user_id = p_user_id and s.memory_id = any (v_there)
                )
            order by v_ids[m.ordinal]
            on conflict (user_id, model_id, memory_id, passage) do nothing
            returning e.memory_id
        )
        delete from memos_private.embedding_queue as q
        using stored as s
        where q.user_id = p_user_id and q.model_id = v_model_id and q.memory_id = s.memory_id;
    end if;
    -- With a vector for each and no other model there is nothing to look for.
    if not v_has_embeddings
        or exists (select from unnest(p_memories) as m where m.embedding is null)
        or exists (select from memos_private.embedding_model as d where d.model_id <> v_model_id)
    then
        perform memos_private.enqueue_embeddings(p_user_id, v_created);
    end if;

    return query
    select m.ordinal, v_ids[m.ordinal], v_ids[m.ordinal] = m.memory_id
    from unnest(p_memories) as m
    order by m.ordinal;
end
$body$;
comment on function memos_private.store_memories is
    'Stores validated inputs in a few set-based statements, in the entered user''s context. created is '
    'false for content or a request id that was there before. Errors: MO400, MO403, MO429, MO451.';
