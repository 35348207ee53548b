create or replace function memos.undo_evolution(p_user_id uuid, p_evolution_id uuid)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_evolution memos_private.memory_evolution;
    v_change memos_private.evolution_change;
    v_ids uuid[];
    v_now jsonb;
    v_count int := 0;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'undo_evolution', array[p_evolution_id]);
    select * into v_evolution
    from memos_private.memory_evolution as e
    where e.user_id = p_user_id and e.evolution_id = p_evolution_id
    for update;
    if not found then
        raise exception 'evolution not found'
            using errcode = memos_private.audit_failure('MO404'),
                detail = format('the user has no evolution %s', p_evolution_id),
                hint = 'memos.list_evolutions shows them';
    end if;
    if v_evolution.undone_at is not null then
        raise exception 'the evolution is undone already'
            using errcode = memos_private.audit_failure('MO409'), detail = format('since %s', v_evolution.undone_at),
                hint = 'nothing is left to undo';
    end if;
    perform memos_private.share_embedding_models();
    perform memos_private.lock_postings(p_user_id);
    v_ids := v_evolution.memory_id || array(
        select c.memory_id from memos_private.evolution_change as c
        where c.user_id = p_user_id and c.evolution_id = p_evolution_id
    );
    perform memos_private.recall_memories(p_user_id, v_ids);
    perform from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = any (v_ids)
    order by m.memory_id
    for update;
    for v_change in
        select * from memos_private.evolution_change as c
        where c.user_id = p_user_id and c.evolution_id = p_evolution_id
        order by c.ordinal desc
    loop
        v_count := v_count + 1;
        case v_change.target
            when 'memory' then
                select to_jsonb(m) into v_now
                from memos_private.memory as m
                where m.user_id = p_user_id and m.memory_id = v_change.memory_id;
                if v_now ->> 'version' is distinct from v_change.after ->> 'version' then
                    perform memos_private.refuse_changed(format('memory %s', v_change.memory_id));
                end if;
                perform memos_private.restore_version(
                    p_user_id, v_change.before, 'undo of evolution ' || p_evolution_id
                );
            when 'note' then
                select to_jsonb(n) into v_now
                from memos_private.memory_note as n
                where n.user_id = p_user_id and n.memory_id = v_change.memory_id;
                -- That its own neighbours were looked at meanwhile changes nothing of a note.
                if v_now - 'evolved' is distinct from v_change.after - 'evolved' then
                    perform memos_private.refuse_changed(format('the note of memory %s', v_change.memory_id));
                end if;
                delete from memos_private.memory_note as n
                where n.user_id = p_user_id and n.memory_id = v_change.memory_id;
                if v_change.before is not null then
                    insert into memos_private.memory_note
                    select (jsonb_populate_record(null::memos_private.memory_note, v_change.before)).*;
                end if;
            when 'link' then
                select to_jsonb(l) into v_now
                from memos_private.memory_link as l
                where l.user_id = p_user_id and l.from_id = (v_change.after ->> 'from_id')::uuid
                    and l.to_id = (v_change.after ->> 'to_id')::uuid and l.type = v_change.after ->> 'type';
                if v_now is distinct from v_change.after then
                    perform memos_private.refuse_changed(format(
                        'the %s link with memory %s', v_change.after ->> 'type', v_change.memory_id
                    ));
                end if;
                delete from memos_private.memory_link as l
                where l.user_id = p_user_id and l.from_id = (v_change.after ->> 'from_id')::uuid
                    and l.to_id = (v_change.after ->> 'to_id')::uuid and l.type = v_change.after ->> 'type';
                if v_change.before is not null then
                    insert into memos_private.memory_link
                    select (jsonb_populate_record(null::memos_private.memory_link, v_change.before)).*;
                end if;
        end case;
    end loop;
    update memos_private.memory_evolution as e
    set undone_at = clock_timestamp()
    where e.user_id = p_user_id and e.evolution_id = p_evolution_id;
    return v_count;
end
$body$;
comment on function memos.undo_evolution is
    'Takes an evolution back as a whole: notes and links are as they were, rewritten memories get a new '
    'version with what they said before. Refuses (MO409, naming what) when something of it was changed '
    'since. Returns how many changes. Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos_private.restore_version(p_user_id uuid, p_before jsonb, p_reason text)
returns int
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_keys constant text[] := array[
        'content', 'kind', 'tags', 'metadata', 'importance', 'confidence', 'privacy_level', 'provenance',
        'session_id', 'position', 'occurred_at', 'valid_from', 'valid_until'
    ];
    v_memory_id constant uuid := p_before ->> 'memory_id';
    v_content constant text := (
        select h.content
        from memos_private.memory_history as h
        where h.user_id = p_user_id and h.memory_id = v_memory_id
            and h.version = (p_before ->> 'version')::int
        limit 1
    );
    v_rewritten constant boolean := (
        select m.content <> v_content
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = v_memory_id
    );
    v_version int;
begin
    if v_content is null then
        perform memos_private.refuse_changed(format(
            'version %s of memory %s is no longer on record', p_before ->> 'version', v_memory_id
        ));
    end if;
    v_version := memos.update_memory(
        p_user_id, v_memory_id,
        (
            select jsonb_object_agg(b.key, b.value)
            from jsonb_each(p_before || jsonb_build_object('content', v_content)) as b
            where b.key = any (v_keys)
        ),
        null, p_reason
    );
    if v_rewritten then
        -- The vectors it had are on record: the same text needs no new ones.
        with restored as (
            insert into memos_private.embedding (user_id, model_id, memory_id, passage, embedding)
            select h.user_id, h.model_id, h.memory_id, h.passage, h.embedding
            from memos_private.embedding_history as h
            join memos_private.embedding_model as d on d.model_id = h.model_id and d.retired_at is null
            where h.user_id = p_user_id and h.memory_id = v_memory_id
                and h.version = (p_before ->> 'version')::int
            on conflict do nothing
            returning model_id
        )
        delete from memos_private.embedding_queue as q
        where q.user_id = p_user_id and q.memory_id = v_memory_id
            and q.model_id in (select r.model_id from restored as r);
    end if;
    return v_version;
end
$body$;
comment on function memos_private.restore_version is
    'Writes a new version that says what an earlier row of the memory said, with the vectors of then.';

create or replace function memos.list_evolutions(
    p_user_id uuid, p_memory_id uuid default null, p_limit int default 50
)
returns table (
    evolution_id uuid, memory_id uuid, made_by text, reason text, created_at timestamptz,
    undone_at timestamptz, changes jsonb
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_limit(p_limit);
    perform memos_private.audit_read(p_user_id, 'list_evolutions', array_remove(array[p_memory_id], null));
    return query
    select e.evolution_id, e.memory_id, e.made_by, e.reason, e.created_at, e.undone_at, (
            select coalesce(jsonb_agg(jsonb_build_object(
                'target', c.target, 'memory_id', c.memory_id, 'before', c.before - 'user_id',
                'after', c.after - 'user_id'
            ) order by c.ordinal), '[]')
            from memos_private.evolution_change as c
            where c.user_id = p_user_id and c.evolution_id = e.evolution_id
        )
    from memos_private.memory_evolution as e
    where e.user_id = p_user_id and (p_memory_id is null or e.memory_id = p_memory_id or exists (
        select from memos_private.evolution_change as c
        where c.user_id = p_user_id and c.evolution_id = e.evolution_id and c.memory_id = p_memory_id
    ))
    order by e.evolution_id desc
    limit p_limit;
end
$body$;
comment on function memos.list_evolutions is
    'What new memories changed about others, newest first, with each row before and after; those that a '
    'memory caused or was changed by. Errors: MO001, MO400, MO403.';
