-- A cold memory is one row of cold_place and what belongs to it in memory_cold, embedding_cold and
-- memory_link_cold. Whoever moves memories of a user holds the lock on his postings, so that one session
-- at a time does: of two that bring back both ends of a link, one has to see that both are there. Who
-- changes contents takes that lock, too, before any memory.
create or replace function memos_private.move_to_cold(p_user_id uuid, p_memory_ids uuid[])
returns int
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_now constant timestamptz := clock_timestamp();
    v_ids uuid[];
    v_ends uuid[];
    v_free uuid[];
begin
    perform memos_private.lock_postings(p_user_id);
    v_ids := array(
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (p_memory_ids) and not exists (
            -- What is held to be true is never far.
            select from memos_private.fact as f where f.user_id = p_user_id and f.memory_id = m.memory_id
        )
        order by m.memory_id
        for update of m skip locked
    );
    -- The other ends stay while their links are moved.
    v_ends := array(
        select l.from_id from memos_private.memory_link as l
        where l.user_id = p_user_id and l.to_id = any (v_ids)
        union
        select l.to_id from memos_private.memory_link as l
        where l.user_id = p_user_id and l.from_id = any (v_ids)
        except
        select unnest(v_ids)
    );
    v_free := array(
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (v_ends)
        order by m.memory_id
        for key share skip locked
    );
    if cardinality(v_free) < cardinality(v_ends) then
        v_ends := array(select unnest(v_ends) except select unnest(v_free));
        v_ids := array(
            select unnest(v_ids)
            except
            select l.from_id from memos_private.memory_link as l
            where l.user_id = p_user_id and l.to_id = any (v_ends)
            except
            select l.to_id from memos_private.memory_link as l
            where l.user_id = p_user_id and l.from_id = any (v_ends)
        );
    end if;
    if v_ids = '{}' then
        return 0;
    end if;
    perform memos_private.require_partitions(
        array['memos_private.memory_cold', 'memos_private.embedding_cold'], v_now
    );

    with moved as (
        delete from memos_private.memory_link as l
        where l.user_id = p_user_id and (l.from_id = any (v_ids) or l.to_id = any (v_ids))
        returning l.from_id, l.to_id, l.type, l.weight, l.origin, l.created_at
    )
    insert into memos_private.memory_link_cold (
        user_id, from_id, to_id, type, weight, origin, created_at, moved_at
    )
    select p_user_id, m.from_id, m.to_id, m.type, m.weight, m.origin, m.created_at, v_now
    from moved as m;
    perform from memos_private.embedding_queue as q
    where q.user_id = p_user_id and q.memory_id = any (v_ids)
    order by q.memory_id, q.model_id
    for update;
    insert into memos_private.memory_cold (
        user_id, memory_id, version, content, content_hash, language, kind, tags, metadata, importance,
        confidence, privacy_level, provenance, session_id, position, occurred_at, valid_from, valid_until,
        recorded_at, pinned, tier, lexemes, frequencies, pending, links_due, moved_at
    )
    select m.user_id, m.memory_id, m.version, m.content, m.content_hash, m.language, m.kind, m.tags,
        m.metadata, m.importance, m.confidence, m.privacy_level, m.provenance, m.session_id, m.position,
        m.occurred_at, m.valid_from, m.valid_until, m.recorded_at, m.pinned, 'cold', l.lexemes,
        l.frequencies,
        (
            select jsonb_agg(to_jsonb(q) order by q.model_id)
            from memos_private.embedding_queue as q
            where q.user_id = p_user_id and q.memory_id = m.memory_id
        ),
        m.memory_id in (
            select unnest(q.memory_ids) from memos_private.link_queue as q where q.user_id = p_user_id
        ),
        v_now
    from memos_private.memory as m
    cross join lateral (
        select coalesce(array_agg(x.lexeme), '{}') as lexemes,
            coalesce(array_agg(x.frequency), '{}') as frequencies
        from memos_private.lexemes(m.language, m.content) as x
    ) as l
    where m.user_id = p_user_id and m.memory_id = any (v_ids);
    insert into memos_private.cold_place (user_id, memory_id, content_hash, moved_at, language, length)
    select c.user_id, c.memory_id, c.content_hash, c.moved_at, c.language,
        (select coalesce(sum(f), 0) from unnest(c.frequencies) as f)
    from memos_private.memory_cold as c
    where c.user_id = p_user_id and c.moved_at = v_now and c.memory_id = any (v_ids);
    insert into memos_private.embedding_cold (user_id, model_id, memory_id, passage, embedding, moved_at)
    select e.user_id, e.model_id, e.memory_id, e.passage, e.embedding, v_now
    from memos_private.embedding_model as d
    join memos_private.embedding as e
        on e.user_id = p_user_id and e.model_id = d.model_id and e.memory_id = any (v_ids);

    -- All at once, before the foreign keys would do it memory by memory.
    delete from memos_private.embedding as e
    where e.user_id = p_user_id and e.memory_id = any (v_ids)
        and e.model_id in (select d.model_id from memos_private.embedding_model as d);
    delete from memos_private.embedding_queue as q
    where q.user_id = p_user_id and q.memory_id = any (v_ids);
    delete from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = any (v_ids);
    return cardinality(v_ids);
end
$body$;
comment on function memos_private.move_to_cold is
    'Takes memories with their vectors, links and queued work out of the tables that are searched, and '
    'returns how many. Facts stay, and those that another session is changing, or the other end of a '
    'link of theirs.';

create or replace function memos_private.move_from_cold(
    p_user_id uuid, p_memory_ids uuid[], p_tier text
)
returns int
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_ends uuid[];
    v_ids uuid[];
    v_batch uuid[];
    v_moved_at timestamptz;
    v_due uuid[] := '{}';
begin
    -- Vectors of a model that is dropped meanwhile would have none.
    perform memos_private.share_embedding_models();
    perform memos_private.lock_postings(p_user_id);
    v_ends := p_memory_ids || array(
        select l.to_id from memos_private.memory_link_cold as l
        where l.user_id = p_user_id and l.from_id = any (p_memory_ids)
        union
        select l.from_id from memos_private.memory_link_cold as l
        where l.user_id = p_user_id and l.to_id = any (p_memory_ids)
    );
    perform from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = any (v_ends)
    order by m.memory_id
    for key share;
    -- The other ends too: else repeatable read would not notice that one of them has come back.
    perform from memos_private.cold_place as p
    where p.user_id = p_user_id and p.memory_id = any (v_ends)
    order by p.memory_id
    for update;
    v_ids := array(
        select p.memory_id
        from memos_private.cold_place as p
        where p.user_id = p_user_id and p.memory_id = any (p_memory_ids)
    );

    for v_moved_at, v_batch in
        select p.moved_at, array_agg(p.memory_id)
        from memos_private.cold_place as p
        where p.user_id = p_user_id and p.memory_id = any (v_ids)
        group by p.moved_at
    loop
        insert into memos_private.memory (
            user_id, memory_id, version, content, content_hash, language, kind, tags, metadata,
            importance, confidence, privacy_level, provenance, session_id, position, occurred_at,
            valid_from, valid_until, recorded_at, pinned, tier
        )
        select c.user_id, c.memory_id, c.version, c.content, c.content_hash, c.language, c.kind, c.tags,
            c.metadata, c.importance, c.confidence, c.privacy_level, c.provenance, c.session_id,
            c.position, c.occurred_at, c.valid_from, c.valid_until, c.recorded_at, c.pinned, p_tier
        from memos_private.memory_cold as c
        where c.user_id = p_user_id and c.moved_at = v_moved_at and c.memory_id = any (v_batch)
        order by c.memory_id;
        insert into memos_private.embedding (user_id, model_id, memory_id, passage, embedding)
        select e.user_id, e.model_id, e.memory_id, e.passage, e.embedding
        from memos_private.embedding_model as d
        join memos_private.embedding_cold as e
            on e.user_id = p_user_id and e.model_id = d.model_id and e.moved_at = v_moved_at
                and e.memory_id = any (v_batch)
        where d.retired_at is null
        order by e.memory_id;
        insert into memos_private.embedding_queue
        select q.*
        from memos_private.memory_cold as c
        cross join lateral jsonb_populate_recordset(
            null::memos_private.embedding_queue, c.pending
        ) as q
        join memos_private.embedding_model as d on d.model_id = q.model_id and d.retired_at is null
        where c.user_id = p_user_id and c.moved_at = v_moved_at and c.memory_id = any (v_batch)
        order by q.memory_id, q.model_id;

        -- Its vectors were compared before, unless they waited for that, or there are newer memories. (The
        -- first 48 bits of an id are its time.)
        if exists (
            select from memos_private.memory as m
            where m.user_id = p_user_id and m.memory_id > rpad(
                lpad(to_hex(floor(extract(epoch from v_moved_at) * 1000)::bigint), 12, '0'), 32, '0'
            )::uuid
        ) then
            v_due := v_due || v_batch;
        end if;
        v_due := v_due || array(
            select c.memory_id
            from memos_private.memory_cold as c
            where c.user_id = p_user_id and c.moved_at = v_moved_at and c.memory_id = any (v_batch)
                and c.links_due
        );
        delete from memos_private.embedding_cold as e
        where e.user_id = p_user_id and e.moved_at = v_moved_at and e.memory_id = any (v_batch);
        delete from memos_private.memory_cold as c
        where c.user_id = p_user_id and c.moved_at = v_moved_at and c.memory_id = any (v_batch);
    end loop;
    delete from memos_private.cold_place as p
    where p.user_id = p_user_id and p.memory_id = any (v_ids);

    -- Models registered meanwhile.
    insert into memos_private.embedding_queue (
        user_id, memory_id, model_id, version, enqueued_at, available_at
    )
    select m.user_id, m.memory_id, d.model_id, m.version, m.recorded_at, m.recorded_at
    from memos_private.memory as m
    cross join memos_private.embedding_model as d
    where m.user_id = p_user_id and m.memory_id = any (v_ids) and d.retired_at is null
        and not memos_private.is_sealed(m.content)
        and not exists (
            select from memos_private.embedding as e
            where e.user_id = p_user_id and e.model_id = d.model_id and e.memory_id = m.memory_id
        )
    order by m.memory_id, d.model_id
    on conflict (user_id, memory_id, model_id) do nothing;

    -- A link waits for its other end when that is cold, and is gone when that was deleted.
    with moved as (
        delete from memos_private.memory_link_cold as l
        where l.user_id = p_user_id and (l.from_id = any (v_ids) or l.to_id = any (v_ids))
            and not exists (
                select from memos_private.cold_place as p
                where p.user_id = p_user_id and p.memory_id in (l.from_id, l.to_id)
            )
        returning l.*
    ),
    linked as (
        select m.*,
            m.origin = 'automatic' and greatest(f.recorded_at, t.recorded_at) > m.moved_at as is_outdated
        from moved as m
        join memos_private.memory as f on f.user_id = p_user_id and f.memory_id = m.from_id
        join memos_private.memory as t on t.user_id = p_user_id and t.memory_id = m.to_id
    ),
    restored as (
        insert into memos_private.memory_link (
            user_id, from_id, to_id, type, weight, origin, created_at
        )
        select p_user_id, l.from_id, l.to_id, l.type, l.weight, l.origin, l.created_at
        from linked as l
        where not l.is_outdated
        order by l.from_id, l.to_id, l.type
    )
    select v_due || coalesce(array_agg(l.from_id) || array_agg(l.to_id), '{}') into v_due
    from linked as l
    where l.is_outdated;
    perform memos_private.queue_links(p_user_id, array(
        select unnest(v_due)
        except
        select unnest(q.memory_ids) from memos_private.link_queue as q where q.user_id = p_user_id
    ));
    return cardinality(v_ids);
end
$body$;
comment on function memos_private.move_from_cold is
    'Puts cold memories back as they were, into tier hot or warm, and returns how many were cold. What '
    'was pending goes on waiting; automatic links are made anew only where newer memories or changes '
    'since then can have made a difference.';

create or replace function memos_private.recall_memories(p_user_id uuid, p_memory_ids uuid[])
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if exists (
        select from memos_private.cold_place as p
        where p.user_id = p_user_id and p.memory_id = any (p_memory_ids)
    ) then
        perform memos_private.move_to_tier(p_user_id, p_memory_ids, 'warm');
    end if;
    -- Also when somebody else was faster.
    return exists (
        select from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (p_memory_ids)
    );
end
$body$;
comment on function memos_private.recall_memories is
    'For whoever is to change memories and has not found them: makes those warm that are cold. True when '
    'any of them is warm then.';

create or replace function memos_private.recall_contents(
    p_user_id uuid, p_memories memos_private.memory_input[], p_created uuid[]
)
returns uuid[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_cold uuid[];
    v_twins uuid[];
begin
    if p_created <> '{}' and current_setting('transaction_isolation') <> 'read committed' then
        -- A snapshot from before the move shows no cold memory; a key shows it, as a serialization failure.
        insert into memos_private.cold_place (
            user_id, memory_id, content_hash, moved_at, language, length
        )
        select p_user_id, m.memory_id, m.content_hash, m.recorded_at, m.language, 0
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (p_created)
        on conflict (user_id, content_hash) do nothing;
        delete from memos_private.cold_place as p
        where p.user_id = p_user_id and p.memory_id = any (p_created);
    end if;
    v_cold := array(
        select p.memory_id
        from unnest(p_memories) as m
        join memos_private.cold_place as p
            on p.user_id = p_user_id and p.content_hash = m.content_hash
    );
    if v_cold = '{}' then
        return p_created;
    end if;
    v_twins := array(
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (p_created) and m.content_hash in (
            select p.content_hash from memos_private.cold_place as p
            where p.user_id = p_user_id and p.memory_id = any (v_cold)
        )
    );
    delete from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = any (v_twins);
    perform memos_private.recall_memories(p_user_id, v_cold);
    return array(select unnest(p_created) except select unnest(v_twins));
end
$body$;
comment on function memos_private.recall_contents is
    'One memory a content, cold ones included: makes the cold memories warm that have the contents of a '
    'batch. p_created: memories the batch has stored already; those that are twins of cold ones are '
    'taken back, and the others returned.';
