create or replace function memos_private.lock_for_sealing(p_user_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'what is restricted is encrypted as it is now, not as of an earlier snapshot'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('the transaction is %s', current_setting('transaction_isolation')),
                hint = 'call this in a transaction that is read committed';
    end if;
    perform memos_private.share_embedding_models();
    perform memos_private.lock_postings(p_user_id);
    perform memos_private.lock_user_key(p_user_id, true);
end
$body$;
comment on function memos_private.lock_for_sealing is
    'The locks of who encrypts what there is of a user, in the order of all writers. Errors: MO409.';

-- A database has more of a memory than its row. What is made of it for searching goes, what tells its past
-- is encrypted like it.
create or replace function memos_private.remove_traces(p_user_id uuid, p_memory_ids uuid[], p_key bytea)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_count bigint;
begin
    delete from memos_private.embedding as e
    where e.user_id = p_user_id and e.memory_id = any (p_memory_ids)
        and e.model_id in (select d.model_id from memos_private.embedding_model as d);
    delete from memos_private.embedding_cold as e
    where e.user_id = p_user_id and e.memory_id = any (p_memory_ids);
    delete from memos_private.embedding_history as e
    where e.user_id = p_user_id and e.memory_id = any (p_memory_ids);
    delete from memos_private.embedding_queue as q
    where q.user_id = p_user_id and q.memory_id = any (p_memory_ids);
    delete from memos_private.memory_link as l
    where l.user_id = p_user_id and l.origin = 'automatic'
        and (l.from_id = any (p_memory_ids) or l.to_id = any (p_memory_ids));
    delete from memos_private.memory_link_cold as l
    where l.user_id = p_user_id and l.origin = 'automatic'
        and (l.from_id = any (p_memory_ids) or l.to_id = any (p_memory_ids));
    delete from memos_private.memory_note as n
    where n.user_id = p_user_id and n.memory_id = any (p_memory_ids);
    delete from memos_private.note_queue as q
    where q.user_id = p_user_id and q.memory_id = any (p_memory_ids);
    -- Images of rows, for undoing: without their metadata, notes and plain hash nothing can be undone.
    update memos_private.consolidation_action as a
    set before = (
        select jsonb_object_agg(b.key, case when b.key::uuid = any (p_memory_ids)
            then b.value - '{metadata,content_hash}'::text[] else b.value end)
        from jsonb_each(a.before) as b
    )
    where a.user_id = p_user_id and a.before ?| p_memory_ids::text[];
    update memos_private.evolution_change as c
    set before = c.before - v.hidden, after = c.after - v.hidden
    from (select '{metadata,content_hash,keywords,tags,context}'::text[] as hidden) as v
    where c.user_id = p_user_id and c.memory_id = any (p_memory_ids) and c.target in ('memory', 'note');
    -- The reason of a rule names the words that memories share.
    update memos_private.memory_evolution as e
    set reason = null
    where e.user_id = p_user_id and e.reason is not null and (
        e.memory_id = any (p_memory_ids) or exists (
            select from memos_private.evolution_change as c
            where c.user_id = p_user_id and c.evolution_id = e.evolution_id
                and c.memory_id = any (p_memory_ids)
        )
    );
    update memos_private.memory_history as h
    set content = memos_private.seal(p_user_id, h.memory_id, h.content, h.metadata, p_key),
        content_hash = memos_private.sealed_hash(h.content, p_key), metadata = '{}', lexemes = '{}',
        -- Facts say there what they are corrected to.
        frequencies = '{}', reason = null
    where h.user_id = p_user_id and h.memory_id = any (p_memory_ids)
        and not memos_private.is_sealed(h.content);
    get diagnostics v_count = row_count;
    perform memos_private.invalidate_tags(p_user_id, p_memory_ids::text[]);
    return v_count;
end
$body$;
comment on function memos_private.remove_traces is
    'Removes vectors, automatic links, notes, what waits to be made and cached results of memories that are '
    'encrypted, and encrypts their earlier versions; returns how many.';

create or replace function memos_private.seal_existing(p_user_id uuid, p_key bytea)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_ids uuid[];
    v_cold uuid[];
    v_past uuid[];
begin
    -- A value of a fact is looked up and compared: what is encrypted remains a memory, and no fact.
    delete from memos_private.fact as f
    using memos_private.memory as m
    where f.user_id = p_user_id and m.user_id = p_user_id and m.memory_id = f.memory_id
        and m.privacy_level = 'restricted';
    -- What was stored both in clear and encrypted.
    perform memos_private.remove_memory(p_user_id, m.memory_id, 'encrypted already')
    from memos_private.memory_of_any_tier as m
    where m.user_id = p_user_id and m.privacy_level = 'restricted'
        and not memos_private.is_sealed(m.content)
        and exists (
            select from memos_private.memory_of_any_tier as s
            where s.user_id = p_user_id
                and s.content_hash = memos_private.sealed_hash(m.content, p_key)
        );
    v_ids := array(
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and m.privacy_level = 'restricted'
            and not memos_private.is_sealed(m.content)
        order by m.memory_id
        for update
    );
    update memos_private.memory as m
    set content = memos_private.seal(p_user_id, m.memory_id, m.content, m.metadata, p_key),
        content_hash = memos_private.sealed_hash(m.content, p_key), metadata = '{}'
    where m.user_id = p_user_id and m.memory_id = any (v_ids);
    with sealed as (
        update memos_private.memory_cold as c
        set content = memos_private.seal(p_user_id, c.memory_id, c.content, c.metadata, p_key),
            content_hash = memos_private.sealed_hash(c.content, p_key), metadata = '{}', lexemes = '{}',
            frequencies = '{}', pending = null, links_due = false
        where c.user_id = p_user_id and c.privacy_level = 'restricted'
            and not memos_private.is_sealed(c.content)
        returning c.memory_id, c.content_hash
    ),
    placed as (
        update memos_private.cold_place as p
        set content_hash = s.content_hash, length = 0
        from sealed as s
        where p.user_id = p_user_id and p.memory_id = s.memory_id
        returning p.memory_id
    )
    select coalesce(array_agg(p.memory_id), '{}') into v_cold from placed as p;
    -- Also of what is restricted by now, or was once.
    v_past := array(
        select distinct h.memory_id
        from memos_private.memory_history as h
        where h.user_id = p_user_id and not memos_private.is_sealed(h.content) and (
            h.privacy_level = 'restricted' or exists (
                select from memos_private.memory_of_any_tier as m
                where m.user_id = p_user_id and m.memory_id = h.memory_id
                    and memos_private.is_sealed(m.content)
            )
        )
    );
    delete from memos_private.fact_history as f
    where f.user_id = p_user_id and f.memory_id = any (v_ids || v_cold || v_past);
    perform memos.cache_invalidate(p_user_id);
    return cardinality(v_ids) + cardinality(v_cold)
        + memos_private.remove_traces(p_user_id, v_ids || v_cold || v_past, p_key);
end
$body$;
comment on function memos_private.seal_existing is
    'Encrypts what a user has of restricted memories in clear, under the locks of lock_for_sealing; '
    'returns how many versions.';

create or replace function memos.encrypt_restricted(p_user_id uuid)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_key bytea;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'encrypt_restricted');
    perform memos_private.lock_for_sealing(p_user_id);
    v_key := memos_private.opened_key(p_user_id);
    if v_key is null then
        perform memos_private.refuse_without_key('what is restricted is encrypted with it');
    end if;
    return memos_private.seal_existing(p_user_id, v_key);
end
$body$;
comment on function memos.encrypt_restricted is
    'Encrypts in place what there is in clear of the user''s restricted memories, with all their earlier '
    'versions, and returns how many versions that were: what another session stored while the key was '
    'made, or a restored backup holds. Removes their vectors, automatic links, notes and facts, and all '
    'of the user''s cache entries, and the reasons of changes. Consolidations and evolutions that they '
    'were part of cannot be undone any more. '
    'Errors: MO001, MO400, MO403, MO409.';
