create or replace function memos_private.require_erasure(p_user_id uuid, p_reason text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.require_hold_reason(p_reason);
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'what others have just written has to be seen'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('the transaction is %s', current_setting('transaction_isolation')),
                hint = 'erase in a transaction that is read committed';
    end if;
    perform memos_private.share_embedding_models();
    perform memos_private.lock_contents(p_user_id);
    perform memos_private.require_no_hold(p_user_id);
    perform memos_private.lock_postings(p_user_id);
end
$body$;
comment on function memos_private.require_erasure is
    'Checks that what the user has may be erased, and has nobody else write it. Errors: MO400, MO409, MO451.';

-- Derived is what says in other words, or along with others, what its sources say: duplicates that were
-- merged, summaries, facts, conclusions. An evolution that can no longer be taken back is derived, too.
create or replace function memos_private.derived_memories(p_user_id uuid, p_memory_ids uuid[])
returns uuid[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_ids uuid[] := p_memory_ids;
    v_more uuid[];
begin
    loop
        v_more := array(
            select l.from_id from memos_private.memory_link as l
            where l.user_id = p_user_id and l.to_id = any (v_ids) and l.type = 'derived_from'
            union
            select l.from_id from memos_private.memory_link_cold as l
            where l.user_id = p_user_id and l.to_id = any (v_ids) and l.type = 'derived_from'
            union
            -- Merged memories say the same, whichever of them stays.
            select unnest(a.memory_id || case a.action when 'merge' then a.source_ids end)
            from memos_private.consolidation_action as a
            join memos_private.consolidation_run as r on r.user_id = p_user_id and r.run_id = a.run_id
            where a.user_id = p_user_id and r.undone_at is null
                and (a.source_ids && v_ids or a.action = 'merge' and a.memory_id = any (v_ids))
            union
            select p.memory_id
            from memos_private.scratchpad_promotion as p
            where p.user_id = p_user_id and p.created and (p.scratchpad_id, p.entry_id) in (
                select d.scratchpad_id, d.entry_id from memos_private.derived_entries(p_user_id, v_ids) as d
            )
            union
            select c.memory_id
            from memos_private.evolved_memories(p_user_id, v_ids) as c
            where c.rewrote and not c.can_be_restored
            except
            select unnest(v_ids)
        );
        exit when v_more = '{}';
        v_ids := v_ids || v_more;
    end loop;
    return v_ids;
end
$body$;
comment on function memos_private.derived_memories is
    'Memories, with all that are derived from them, directly or not.';

create or replace function memos_private.derived_entries(p_user_id uuid, p_memory_ids uuid[])
returns table (scratchpad_id uuid, entry_id uuid)
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    with recursive derived as (
        select p.scratchpad_id, p.entry_id
        from memos_private.scratchpad_promotion as p
        where p.user_id = p_user_id and p.memory_id = any (p_memory_ids)
        union
        select e.scratchpad_id, e.entry_id
        from derived as d
        join memos_private.scratchpad_entry as e
            on e.user_id = p_user_id and e.scratchpad_id = d.scratchpad_id and d.entry_id = any (e.basis)
    )
    select d.scratchpad_id, d.entry_id from derived as d
$body$;
comment on function memos_private.derived_entries is
    'Scratchpad entries that became one of these memories, and what was concluded from them.';

create or replace function memos_private.evolved_memories(p_user_id uuid, p_memory_ids uuid[])
returns table (
    memory_id uuid, target text, before jsonb, after jsonb, rewrote boolean, can_be_restored boolean
)
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select c.memory_id, c.target, c.before, c.after,
        c.target = 'memory' and c.before -> 'content_hash' <> c.after -> 'content_hash',
        exists (
            select from memos_private.memory_history as h
            where h.user_id = p_user_id and h.memory_id = c.memory_id
                and h.version = (c.before ->> 'version')::int
                and not exists (
                    select from memos_private.memory_of_any_tier as m
                    where m.user_id = p_user_id and m.content_hash = h.content_hash
                        and m.memory_id <> c.memory_id
                )
        )
    from memos_private.memory_evolution as e
    join memos_private.evolution_change as c on c.user_id = p_user_id and c.evolution_id = e.evolution_id
    where e.user_id = p_user_id and e.memory_id = any (p_memory_ids) and c.memory_id <> all (p_memory_ids)
        and c.target <> 'link'
    order by e.evolution_id desc, c.ordinal desc
$body$;
comment on function memos_private.evolved_memories is
    'What these memories changed about others, the last first; rewrote: its words.';

create or replace function memos_private.said_texts(p_user_id uuid, p_memory_ids uuid[])
returns table (memory_id uuid, content text)
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select v.memory_id, c.content
    from memos_private.memory_version as v
    cross join lateral (
        -- Without the key nobody can tell what it says: no text of it is looked for, and none refused.
        select case when memos_private.is_sealed(v.content)
            then memos_private.unseal(
                p_user_id, v.memory_id, v.content, (select memos_private.opened_key(p_user_id)), false
            ) ->> 'content'
            else v.content end
    ) as c (content)
    where v.user_id = p_user_id and (p_memory_ids is null or v.memory_id = any (p_memory_ids))
        and c.content is not null
    union
    -- In the words in which it would be asserted again.
    select f.memory_id, format('%s: %s is %s', f.entity, f.attribute, f.value)
    from memos_private.fact as f
    where f.user_id = p_user_id and (p_memory_ids is null or f.memory_id = any (p_memory_ids))
    union
    select f.memory_id, format('%s: %s is %s', f.entity, f.attribute, f.value)
    from memos_private.fact_history as f
    where f.user_id = p_user_id and (p_memory_ids is null or f.memory_id = any (p_memory_ids))
$body$;
comment on function memos_private.said_texts is
    'What memories (null: all) have ever said, in every version, and as facts; encrypted ones only while '
    'the user''s key is at hand.';

create or replace function memos_private.text_digests(p_user_id uuid, p_texts text[])
returns bytea[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select coalesce(array_agg(distinct memos_private.erasure_digest(
        p_user_id, memos_private.erasure_form(x), k.secret
    )), '{}')
    from memos_private.newest_erasure_key() as k
    cross join unnest(p_texts) as x
$body$;
comment on function memos_private.text_digests is 'Digests of texts as a whole, made with the newest key.';

-- All there is to erase with a memory, as memories and as digests of their texts: those that say the same,
-- too, and what is derived from them in turn.
create or replace function memos_private.erasure_scope(
    p_user_id uuid, p_memory_id uuid, out memory_ids uuid[], out digests bytea[]
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_secret constant bytea := (memos_private.newest_erasure_key()).secret;
    v_more uuid[];
    v_same uuid[];
begin
    memory_ids := array[p_memory_id];
    loop
        memory_ids := memos_private.derived_memories(p_user_id, memory_ids);
        digests := memos_private.text_digests(p_user_id, array(
            select s.content from memos_private.said_texts(p_user_id, memory_ids) as s
        ));
        v_more := '{}';
        for v_same in execute (
            select string_agg(
                format(
                    'select array(select t.memory_id from memos_private.%I as t '
                    'where t.user_id = $1 and t.memory_id <> all ($4) and %s)',
                    u.name, memos_private.carries(u.texts)
                ),
                ' union all '
            )
            from memos_private.user_tables() as u
            where u.name in ('memory', 'memory_cold', 'fact')
        ) using p_user_id, digests, v_secret, memory_ids
        loop
            v_more := v_more || v_same;
        end loop;
        exit when v_more = '{}';
        memory_ids := memory_ids || v_more;
    end loop;
end
$body$;
comment on function memos_private.erasure_scope is
    'The memories that go with one, and the digests of all that they say.';

-- A value that something else still says may be derived from it again: no tombstone for it.
create or replace function memos_private.rederivable_memories(p_user_id uuid, p_memory_ids uuid[])
returns uuid[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select array(
        select l.from_id from memos_private.memory_link as l
        where l.user_id = p_user_id and l.from_id = any (p_memory_ids) and l.to_id <> all (p_memory_ids)
            and l.type = 'derived_from'
        union
        select l.from_id from memos_private.memory_link_cold as l
        where l.user_id = p_user_id and l.from_id = any (p_memory_ids) and l.to_id <> all (p_memory_ids)
            and l.type = 'derived_from'
        union
        select a.memory_id from memos_private.consolidation_action as a
        where a.user_id = p_user_id and a.memory_id = any (p_memory_ids) and a.action = 'summarize'
            and not a.source_ids <@ p_memory_ids
    )
$body$;
comment on function memos_private.rederivable_memories is
    'Those of the memories that are derived from others that stay.';

-- Not an update, which would keep what is to go on record and ask for consent to store.
create or replace function memos_private.put_back_version(
    p_user_id uuid, p_memory_id uuid, p_version int, p_rewrote boolean
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
as $body$
begin
    update memos_private.memory as m
    set version = m.version + 1, content = h.content, content_hash = h.content_hash, language = h.language,
        kind = h.kind, tags = h.tags, metadata = h.metadata, importance = h.importance,
        confidence = h.confidence, privacy_level = h.privacy_level, provenance = h.provenance,
        session_id = h.session_id, position = h.position, occurred_at = h.occurred_at,
        valid_from = h.valid_from, valid_until = h.valid_until, recorded_at = clock_timestamp()
    from memos_private.memory_history as h
    where m.user_id = p_user_id and m.memory_id = p_memory_id
        and h.user_id = p_user_id and h.memory_id = p_memory_id and h.version = p_version;
    if p_rewrote then
        delete from memos_private.embedding as e where e.user_id = p_user_id and e.memory_id = p_memory_id;
        insert into memos_private.embedding (user_id, model_id, memory_id, passage, embedding)
        select h.user_id, h.model_id, h.memory_id, h.passage, h.embedding
        from memos_private.embedding_history as h
        join memos_private.embedding_model as d on d.model_id = h.model_id and d.retired_at is null
        where h.user_id = p_user_id and h.memory_id = p_memory_id and h.version = p_version
        on conflict do nothing;
        perform memos_private.enqueue_embeddings(p_user_id, array[p_memory_id]);
    end if;
end
$body$;
comment on function memos_private.put_back_version is
    'Has a memory say again what an earlier version said, and keeps nothing of what it said meanwhile.';

create or replace function memos_private.undo_influence(p_user_id uuid, p_memory_ids uuid[])
returns text[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_change record;
    v_now memos_private.memory;
    v_texts text[];
    v_removed text[] := '{}';
begin
    perform memos_private.recall_memories(p_user_id, array(
        select c.memory_id from memos_private.evolved_memories(p_user_id, p_memory_ids) as c
    ));
    for v_change in select * from memos_private.evolved_memories(p_user_id, p_memory_ids) loop
        if v_change.target = 'note' then
            delete from memos_private.memory_note as n
            where n.user_id = p_user_id and n.memory_id = v_change.memory_id;
            insert into memos_private.note_queue (user_id, memory_id)
            select p_user_id, m.memory_id
            from memos_private.memory as m
            where m.user_id = p_user_id and m.memory_id = v_change.memory_id
            on conflict (user_id, memory_id) do update set available_at = '-infinity', attempts = 0;
            continue;
        end if;
        select * into v_now
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = v_change.memory_id;
        if v_change.can_be_restored and (
            v_now.version = (v_change.after ->> 'version')::int
            or v_change.rewrote and v_now.content_hash = (v_change.after ->> 'content_hash')::bytea
        ) then
            perform memos_private.put_back_version(
                p_user_id, v_change.memory_id, (v_change.before ->> 'version')::int, v_change.rewrote
            );
            v_removed := v_removed || case when v_change.rewrote then v_now.content end;
        end if;
        if v_change.rewrote then
            with gone as (
                delete from memos_private.memory_history as h
                where h.user_id = p_user_id and h.memory_id = v_change.memory_id
                    and h.content_hash = (v_change.after ->> 'content_hash')::bytea
                returning h.memory_id, h.version, h.content
            ),
            vectors as (
                delete from memos_private.embedding_history as e
                using gone as g
                where e.user_id = p_user_id and e.memory_id = g.memory_id and e.version = g.version
            )
            select array_agg(g.content) into v_texts from gone as g;
            v_removed := v_removed || v_texts;
        end if;
    end loop;
    return v_removed;
end
$body$;
comment on function memos_private.undo_influence is
    'Gives memories that were rewritten in the light of these what they said before, takes what they said '
    'meanwhile off the record, and has notes made anew. Returns the texts that went.';

-- What is shared with others in one row.
create or replace function memos_private.remove_from_blocks(
    p_user_id uuid, p_table text, p_memory_ids uuid[]
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    execute format(
        'with gone as ('
        'delete from memos_private.%1$I as b where b.user_id = $1 and b.memory_ids && $2 '
        'returning b.block_id, b.memory_ids) '
        'insert into memos_private.%1$I (user_id, block_id, memory_ids) '
        'select $1, g.block_id, r.ids from gone as g cross join lateral ('
        'select array(select unnest(g.memory_ids) except select unnest($2)) as ids) as r '
        'where r.ids <> ''{}''',
        p_table
    ) using p_user_id, p_memory_ids;
end
$body$;
comment on function memos_private.remove_from_blocks is
    'Takes memories out of the blocks in which they wait; blocks that become empty go.';

create or replace function memos.erase_memory(p_user_id uuid, p_memory_id uuid, p_reason text)
returns table (
    receipt_id uuid, memories int, versions int, row_count bigint, counts jsonb, tombstones int,
    erased_at timestamptz, backups_until timestamptz
)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_secret bytea;
    v_scope record;
    v_tombstones bytea[];
    v_rederivable uuid[];
    v_reasons text[];
    v_table record;
    v_counts jsonb := '{}';
    v_count bigint;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_erasure(p_user_id, p_reason);
    if not exists (
        select from memos_private.memory_version as v
        where v.user_id = p_user_id and v.memory_id = p_memory_id
    ) then
        perform memos_private.refuse_missing_memory(p_memory_id);
    end if;
    v_secret := (memos_private.newest_erasure_key()).secret;
    select * into v_scope from memos_private.erasure_scope(p_user_id, p_memory_id);
    if exists (
        select from memos_private.said_texts(p_user_id, v_scope.memory_ids) as s
        where position(memos_private.erasure_form(s.content) in memos_private.erasure_form(p_reason)) > 0
    ) then
        perform memos_private.refuse_argument(
            'p_reason', 'it has what is to be erased in it', 'why, without what: the reason stays'
        );
    end if;
    v_rederivable := memos_private.rederivable_memories(p_user_id, v_scope.memory_ids);
    v_tombstones := memos_private.text_digests(p_user_id, array(
        select s.content from memos_private.said_texts(p_user_id, v_scope.memory_ids) as s
        where s.memory_id <> all (v_rederivable)
    ));
    perform memos_private.lock_memories(p_user_id, v_scope.memory_ids || array(
        select c.memory_id from memos_private.evolved_memories(p_user_id, v_scope.memory_ids) as c
    ));
    v_tombstones := v_tombstones || memos_private.text_digests(
        p_user_id, memos_private.undo_influence(p_user_id, v_scope.memory_ids)
    );

    perform memos_private.remove_from_blocks(p_user_id, t.name, v_scope.memory_ids)
    from unnest(array['note_block', 'link_queue']) as t (name);
    -- Other values of the attribute say which one ended them.
    v_reasons := array(
        select w.word || left(f.value, 500)
        from (
            select c.value from memos_private.fact as c
            where c.user_id = p_user_id and c.memory_id = any (v_scope.memory_ids)
            union
            select h.value from memos_private.fact_history as h
            where h.user_id = p_user_id and h.memory_id = any (v_scope.memory_ids)
        ) as f
        cross join (values ('corrected: '), ('afterwards: '), ('before: ')) as w (word)
    );
    update memos_private.memory_history as h
    set reason = null
    where h.user_id = p_user_id and h.reason = any (v_reasons);
    delete from memos_private.scratchpad_entry as e
    where e.user_id = p_user_id and (e.scratchpad_id, e.entry_id) in (
        select d.scratchpad_id, d.entry_id
        from memos_private.derived_entries(p_user_id, v_scope.memory_ids) as d
    );
    get diagnostics v_count = row_count;
    v_counts := jsonb_build_object('scratchpad_entry', v_count);
    -- What they answer may be all of it in other words.
    delete from memos_private.cache_entry as e where e.user_id = p_user_id;
    get diagnostics v_count = row_count;
    v_counts := v_counts || jsonb_build_object('cache_entry', v_count);
    perform memos_private.mark_cache(p_user_id, array['*']);
    perform memos_private.notify_cache(p_user_id);
    update memos_private.warm_prefix as w
    set state = 'evicted', warm_until = null
    where w.user_id = p_user_id and w.state <> 'cold';
    -- The job looks at the user again: sources that lost their summary get another one.
    delete from memos_private.consolidation_state as s where s.user_id = p_user_id;

    for v_table in
        select t.name, concat_ws(' or ',
                memos_private.names_memories(t.ids, '= any ($4)'),
                -- These were looked through, and nobody has written since.
                case when t.name not in ('memory', 'memory_cold', 'fact')
                    then memos_private.carries(t.texts) end
            ) as condition
        from memos_private.user_tables() as t
        where t.on_erase = 'delete' and t.ids || t.texts <> '{}'
            -- Kept by triggers on memory, which see to the other entries of a block.
            and t.name <> 'posting'
        order by t.place
    loop
        execute format(
            'delete from memos_private.%I as t where t.user_id = $1 and (%s)', v_table.name, v_table.condition
        ) using p_user_id, v_scope.digests, v_secret, v_scope.memory_ids;
        get diagnostics v_count = row_count;
        if v_count > 0 then
            v_counts := v_counts || jsonb_build_object(
                v_table.name, v_count + coalesce((v_counts ->> v_table.name)::bigint, 0)
            );
        end if;
    end loop;
    -- What was concluded from what is gone.
    loop
        delete from memos_private.scratchpad_entry as e
        where e.user_id = p_user_id and exists (
            select from unnest(e.basis) as b (entry_id)
            where not exists (
                select from memos_private.scratchpad_entry as o
                where o.user_id = p_user_id and o.scratchpad_id = e.scratchpad_id and o.entry_id = b.entry_id
            )
        );
        exit when not found;
    end loop;
    execute format(
        'update memos_private.user_setting as u set preferences = coalesce(('
        'select jsonb_object_agg(t.key, t.value) from jsonb_each(u.preferences) as p '
        'cross join lateral (select u.user_id, p.key, p.value) as t where not %1$s), ''{}'') '
        'where u.user_id = $1 and exists ('
        'select from jsonb_each(u.preferences) as p '
        'cross join lateral (select u.user_id, p.key, p.value) as t where %1$s)',
        memos_private.carries('{key,value}')
    ) using p_user_id, v_scope.digests, v_secret;
    delete from memos_private.embedding_history as e
    where e.user_id = p_user_id and not exists (
        select from memos_private.memory_history as h
        where h.user_id = p_user_id and h.memory_id = e.memory_id and h.version = e.version
    );
    delete from memos_private.consolidation_run as r
    where r.user_id = p_user_id and not exists (
        select from memos_private.consolidation_action as a
        where a.user_id = p_user_id and a.run_id = r.run_id
    );
    delete from memos_private.memory_evolution as e
    where e.user_id = p_user_id and not exists (
        select from memos_private.evolution_change as c
        where c.user_id = p_user_id and c.evolution_id = e.evolution_id
    );

    select jsonb_object_agg(c.key, c.value) into v_counts from jsonb_each(v_counts) as c where c.value <> '0';
    return query
    select r.receipt_id, cardinality(r.memory_ids),
        (
            select coalesce(sum(c.value::bigint), 0)::int from jsonb_each_text(r.counts) as c
            where c.key in ('memory', 'memory_cold', 'memory_history')
        ),
        (select sum(c.value::bigint)::bigint from jsonb_each_text(r.counts) as c),
        r.counts, r.tombstones, r.erased_at, r.backups_until
    from memos_private.write_receipt(
        p_user_id, 'memory', p_reason, v_scope.memory_ids, v_counts, v_tombstones
    ) as r;
end
$body$;
comment on function memos.erase_memory is
    'Removes a memory for good, in one transaction: every version, vector, link, note, queue and record of '
    'it; other memories that say the same; what is derived from it (summaries, facts, conclusions, merged '
    'duplicates), while memories that were rewritten in its light say again what they said before; what '
    'carries its text on scratchpads, in quarantine and in settings; all of the user''s cache. A deleted '
    'memory that is on record still can be erased. The text is then refused (MO451) wherever it is written, '
    'whatever its case, spacing or disguise. The receipt says what went and until when backups hold it; '
    'memos_admin.verify_erasure checks it. p_reason is kept. Errors: MO001, MO400, MO403, MO404, MO409, '
    'MO451 (legal hold).';
