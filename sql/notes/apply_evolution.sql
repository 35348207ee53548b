create or replace function memos_private.require_changes(
    p_argument text, p_object jsonb, p_keys text[], p_arrays text[]
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_key text;
begin
    if p_object is null or jsonb_typeof(p_object) <> 'object' or p_object - p_keys <> '{}' then
        perform memos_private.refuse_argument(
            p_argument, coalesce('it is ' || left(p_object::text, 200), 'it is null'),
            'JSON objects with the keys ' || array_to_string(p_keys, ', ')
        );
    end if;
    foreach v_key in array p_arrays loop
        if jsonb_typeof(coalesce(p_object -> v_key, '[]')) <> 'array' then
            perform memos_private.refuse_argument(
                p_argument, format('%s is a JSON %s', v_key, jsonb_typeof(p_object -> v_key)), 'a JSON array'
            );
        end if;
    end loop;
end
$body$;
comment on function memos_private.require_changes is 'Raises MO400 for JSON of the wrong form.';

create or replace function memos_private.json_uuid(p_argument text, p_object jsonb, p_key text)
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_object ->> p_key is null then
        perform memos_private.refuse_argument(p_argument, format('%s is missing', p_key), 'the id of a memory');
    end if;
    return (p_object ->> p_key)::uuid;
exception when invalid_text_representation then
    perform memos_private.refuse_argument(
        p_argument, format('%s is "%s"', p_key, left(p_object ->> p_key, 200)), 'the id of a memory'
    );
end
$body$;
comment on function memos_private.json_uuid is 'An id in JSON. Errors: MO400.';

create or replace function memos_private.refuse_changed(p_what text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    raise exception 'something has changed since'
        using errcode = memos_private.audit_failure('MO409'), detail = p_what,
            hint = 'undo later changes first, or change it back by hand';
end
$body$;
comment on function memos_private.refuse_changed is 'Raises MO409 for an undo that would overwrite.';

create or replace function memos.apply_evolution(
    p_user_id   uuid,
    p_memory_id uuid,
    p_changes   jsonb,
    p_made_by   text default 'caller'
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_evolution_id constant uuid := memos_private.new_memory_id(clock_timestamp());
    v_reason constant text := 'evolution ' || v_evolution_id;
    v_content_keys constant text[] := array['content', 'tags', 'metadata'];
    v_neighbour jsonb;
    v_link jsonb;
    v_ids uuid[] := array[p_memory_id];
    v_known uuid[];
    v_id uuid;
    v_memory memos_private.memory;
    v_note memos_private.memory_note;
    v_change jsonb;
    v_ordinal int := 0;
    v_before jsonb;
    v_after jsonb;
    v_from uuid;
    v_to uuid;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'apply_evolution', array[p_memory_id]);
    perform memos_private.require_consent(p_user_id, 'deriving');
    perform memos_private.require_changes(
        'p_changes', p_changes, array['reason', 'neighbours', 'links'], array['neighbours', 'links']
    );
    if p_made_by is null or p_made_by !~ '\S' or length(p_made_by) > 128 then
        perform memos_private.refuse_argument(
            'p_made_by', 'it is null, blank or too long', 'who decided, in at most 128 characters'
        );
    end if;
    if length(p_changes ->> 'reason') > 900 then
        perform memos_private.refuse_argument('p_changes', 'the reason is too long', 'at most 900 characters');
    end if;
    for v_neighbour in select n from jsonb_array_elements(p_changes -> 'neighbours') as n loop
        perform memos_private.require_changes(
            'p_changes', v_neighbour,
            array['memory_id', 'version', 'content', 'tags', 'metadata', 'note', 'why'], '{}'
        );
        if jsonb_typeof(coalesce(v_neighbour -> 'version', '1')) <> 'number' then
            perform memos_private.refuse_argument(
                'p_changes', 'version is a JSON ' || jsonb_typeof(v_neighbour -> 'version'), 'a whole number'
            );
        end if;
        if v_neighbour ? 'note' then
            perform memos_private.require_changes(
                'p_changes', v_neighbour -> 'note', array['keywords', 'tags', 'context'],
                array['keywords', 'tags']
            );
        end if;
        v_ids := v_ids || memos_private.json_uuid('p_changes', v_neighbour, 'memory_id');
    end loop;
    if p_memory_id = any (v_ids[2:]) or cardinality(v_ids) - 1
        <> (select count(distinct i) from unnest(v_ids[2:]) as i)
    then
        perform memos_private.refuse_argument(
            'p_changes', 'a neighbour is the memory itself, or stands twice', 'each neighbour once'
        );
    end if;
    for v_link in select l from jsonb_array_elements(p_changes -> 'links') as l loop
        perform memos_private.require_changes('p_changes', v_link, array['to', 'type', 'weight'], '{}');
        v_to := memos_private.json_uuid('p_changes', v_link, 'to');
        perform memos_private.require_link(p_memory_id, v_to, v_link ->> 'type');
        if jsonb_typeof(v_link -> 'weight') is distinct from 'number' then
            perform memos_private.refuse_argument('p_changes', 'a link has no weight', 'a number from 0 to 1');
        end if;
        perform memos_private.require_fraction('p_changes', (v_link ->> 'weight')::real);
        v_ids := v_ids || v_to;
    end loop;

    -- As update_memory does, and in the order of the ids, as everybody locks several memories.
    perform memos_private.share_embedding_models();
    perform memos_private.lock_postings(p_user_id);
    v_known := array(
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (v_ids)
        order by m.memory_id
        for update
    );
    foreach v_id in array v_ids loop
        if v_id is null or v_id <> all (v_known) then
            perform memos_private.refuse_missing_memory(v_id);
        end if;
    end loop;

    insert into memos_private.memory_evolution (user_id, evolution_id, memory_id, made_by, reason)
    values (p_user_id, v_evolution_id, p_memory_id, p_made_by, p_changes ->> 'reason');
    for v_neighbour in
        select n from jsonb_array_elements(p_changes -> 'neighbours') as n order by n ->> 'memory_id'
    loop
        v_id := v_neighbour ->> 'memory_id';
        select * into v_memory
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = v_id;
        if (v_neighbour ->> 'version')::numeric <> v_memory.version then
            perform memos_private.refuse_changed(format(
                'memory %s: expected version %s, found %s', v_id, v_neighbour ->> 'version', v_memory.version
            ));
        end if;
        v_change := (
            select jsonb_object_agg(c.key, c.value)
            from jsonb_each(v_neighbour) as c
            where c.key = any (v_content_keys) and to_jsonb(v_memory) -> c.key <> c.value
        );
        if v_change is not null then
            if v_memory.pinned then
                raise exception 'a pinned memory is not rewritten'
                    using errcode = memos_private.audit_failure('MO409'), detail = format('memory %s', v_id),
                        hint = 'a human has to: unpin it, or update it directly';
            end if;
            perform memos.update_memory(p_user_id, v_id, v_change, v_memory.version, v_reason);
            v_ordinal := v_ordinal + 1;
            insert into memos_private.evolution_change (
                user_id, evolution_id, ordinal, target, memory_id, before, after
            )
            select p_user_id, v_evolution_id, v_ordinal, 'memory', v_id, to_jsonb(v_memory) - 'content',
                to_jsonb(m) - 'content'
            from memos_private.memory as m
            where m.user_id = p_user_id and m.memory_id = v_id;
        end if;
        if v_neighbour ? 'note' then
            v_before := (
                select to_jsonb(n) from memos_private.memory_note as n
                where n.user_id = p_user_id and n.memory_id = v_id
            );
            v_note := jsonb_populate_record(
                jsonb_populate_record(
                    null::memos_private.memory_note,
                    coalesce(v_before, '{"keywords": [], "tags": [], "context": "", "evolved": true}')
                ),
                v_neighbour -> 'note'
            );
            perform memos_private.require_note(v_note.keywords, v_note.tags, v_note.context);
            insert into memos_private.memory_note (
                user_id, memory_id, version, keywords, tags, context, made_by, evolved
            )
            select p_user_id, v_id, m.version, v_note.keywords, v_note.tags, v_note.context,
                coalesce(v_note.made_by, p_made_by), v_note.evolved
            from memos_private.memory as m
            where m.user_id = p_user_id and m.memory_id = v_id
            on conflict (user_id, memory_id) do update
            set keywords = excluded.keywords, tags = excluded.tags, context = excluded.context
            where (memory_note.keywords, memory_note.tags, memory_note.context)
                is distinct from (excluded.keywords, excluded.tags, excluded.context);
            if found then
                v_ordinal := v_ordinal + 1;
                insert into memos_private.evolution_change (
                    user_id, evolution_id, ordinal, target, memory_id, before, after
                )
                select p_user_id, v_evolution_id, v_ordinal, 'note', v_id, v_before, to_jsonb(n)
                from memos_private.memory_note as n
                where n.user_id = p_user_id and n.memory_id = v_id;
            end if;
        end if;
    end loop;
    for v_link in
        select l from jsonb_array_elements(p_changes -> 'links') as l order by l ->> 'to', l ->> 'type'
    loop
        v_from := p_memory_id;
        v_to := v_link ->> 'to';
        if memos_private.is_symmetric(v_link ->> 'type') then
            select least(v_from, v_to), greatest(v_from, v_to) into v_from, v_to;
        end if;
        v_before := (
            select to_jsonb(l) from memos_private.memory_link as l
            where l.user_id = p_user_id and l.from_id = v_from and l.to_id = v_to
                and l.type = v_link ->> 'type'
        );
        -- What a caller said about a link holds.
        insert into memos_private.memory_link as l (user_id, from_id, to_id, type, weight, origin)
        values (p_user_id, v_from, v_to, v_link ->> 'type', (v_link ->> 'weight')::real, 'evolution')
        on conflict (user_id, from_id, to_id, type) do update
        set weight = excluded.weight, origin = excluded.origin
        where l.origin <> 'caller' and (l.weight, l.origin) is distinct from (excluded.weight, excluded.origin)
        returning to_jsonb(l) into v_after;
        if found then
            v_ordinal := v_ordinal + 1;
            insert into memos_private.evolution_change (
                user_id, evolution_id, ordinal, target, memory_id, before, after
            )
            values (
                p_user_id, v_evolution_id, v_ordinal, 'link',
                case when v_from = p_memory_id then v_to else v_from end, v_before, v_after
            );
        end if;
    end loop;
    if v_ordinal = 0 then
        delete from memos_private.memory_evolution as e
        where e.user_id = p_user_id and e.evolution_id = v_evolution_id;
        return null;
    end if;
    return v_evolution_id;
end
$body$;
comment on function memos.apply_evolution is
    'Lets a memory change its neighbours (A-MEM), all or nothing. p_changes: {"reason": ..., '
    '"neighbours": [{"memory_id", "version" (refused when it is another one), "content", "tags", '
    '"metadata" (a new version of the memory), "note": {"keywords", "tags", "context"}, "why"}], '
    '"links": [{"to", "type", "weight"}]}, every key optional but memory_id, to, type and weight. '
    'Memories are named by id. Links that a caller made stay as they are, a pinned memory is not '
    'rewritten (MO409). New content is embedded through the queue. Returns the id to undo it with, '
    'null when nothing changed. Errors: MO001, MO400, MO403, MO404, MO409, MO451.';

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
            using errcode = memos_private.audit_failure('MO404'), detail = format('the user has no evolution %s', p_evolution_id),
                hint = 'memos.list_evolutions shows them';
    end if;
    if v_evolution.undone_at is not null then
        raise exception 'the evolution is undone already'
            using errcode = memos_private.audit_failure('MO409'), detail = format('since %s', v_evolution.undone_at),
                hint = 'nothing is left to undo';
    end if;
    perform memos_private.share_embedding_models();
    perform memos_private.lock_postings(p_user_id);
    perform memos_private.recall_memories(p_user_id, array(
        select c.memory_id from memos_private.evolution_change as c
        where c.user_id = p_user_id and c.evolution_id = p_evolution_id
    ));
    perform from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id in (
        select c.memory_id from memos_private.evolution_change as c
        where c.user_id = p_user_id and c.evolution_id = p_evolution_id
        union
        select v_evolution.memory_id
    )
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
    perform memos_private.audit_read(p_user_id, 'list_evolutions', array_remove(array[p_memory_id], null));
end
$body$;
comment on function memos.list_evolutions is
    'What new memories changed about others, newest first, with each row before and after; those that a '
    'memory caused or was changed by. Errors: MO001, MO400, MO403.';
