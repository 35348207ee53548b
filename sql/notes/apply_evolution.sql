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
            p_argument, memos_private.it_is(p_object),
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

create or replace function memos_private.json_fraction(p_argument text, p_object jsonb, p_key text)
returns real
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if not coalesce(
        case when jsonb_typeof(p_object -> p_key) = 'number'
            then (p_object ->> p_key)::numeric between 0 and 1 end, false
    ) then
        perform memos_private.refuse_argument(
            p_argument, format('%s is %s', p_key, coalesce(left(p_object ->> p_key, 200), 'missing')),
            'a number from 0 to 1'
        );
    end if;
    -- JSON knows numbers that are too small for a real.
    return round((p_object ->> p_key)::numeric, 9);
end
$body$;
comment on function memos_private.json_fraction is 'A number from 0 to 1 in JSON. Errors: MO400.';

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

create or replace function memos_private.require_evolution(p_memory_id uuid, p_changes jsonb)
returns uuid[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_neighbour jsonb;
    v_link jsonb;
    v_neighbour_ids uuid[] := '{}';
    v_link_ids uuid[] := '{}';
begin
    perform memos_private.require_changes(
        'p_changes', p_changes, array['reason', 'neighbours', 'links'], array['neighbours', 'links']
    );
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
        v_neighbour_ids := v_neighbour_ids || memos_private.json_uuid('p_changes', v_neighbour, 'memory_id');
    end loop;
    if p_memory_id = any (v_neighbour_ids) or cardinality(v_neighbour_ids)
        <> (select count(distinct i) from unnest(v_neighbour_ids) as i)
    then
        perform memos_private.refuse_argument(
            'p_changes', 'a neighbour is the memory itself, or stands twice', 'each neighbour once'
        );
    end if;
    for v_link in select l from jsonb_array_elements(p_changes -> 'links') as l loop
        perform memos_private.require_changes('p_changes', v_link, array['to', 'type', 'weight'], '{}');
        v_link_ids := v_link_ids || memos_private.json_uuid('p_changes', v_link, 'to');
        perform memos_private.require_link(
            p_memory_id, v_link_ids[cardinality(v_link_ids)], v_link ->> 'type'
        );
        perform memos_private.json_fraction('p_changes', v_link, 'weight');
    end loop;
    return p_memory_id || v_neighbour_ids || v_link_ids;
end
$body$;
comment on function memos_private.require_evolution is
    'Raises MO400 for what memos.apply_evolution does not take; returns the memories that it is about.';

create or replace function memos_private.record_change(
    p_user_id uuid, p_evolution_id uuid, p_target text, p_memory_id uuid, p_before jsonb, p_after jsonb
)
returns void
language sql
volatile
begin atomic
    insert into memos_private.evolution_change (
        user_id, evolution_id, ordinal, target, memory_id, before, after
    )
    select p_user_id, p_evolution_id, 1 + count(*), p_target, p_memory_id, p_before, p_after
    from memos_private.evolution_change as c
    where c.user_id = p_user_id and c.evolution_id = p_evolution_id;
end;
comment on function memos_private.record_change is
    'Puts on record what an evolution has changed, for memos.undo_evolution.';

create or replace function memos_private.evolve_neighbour(
    p_user_id uuid, p_evolution_id uuid, p_neighbour jsonb, p_made_by text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_id constant uuid := p_neighbour ->> 'memory_id';
    v_memory memos_private.memory;
    v_note memos_private.memory_note;
    v_change jsonb;
    v_before jsonb;
begin
    select * into v_memory
    from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = v_id;
    if (p_neighbour ->> 'version')::numeric <> v_memory.version then
        perform memos_private.refuse_changed(format(
            'memory %s: expected version %s, found %s', v_id, p_neighbour ->> 'version', v_memory.version
        ));
    end if;
    v_change := (
        select jsonb_object_agg(c.key, c.value)
        from jsonb_each(p_neighbour) as c
        where c.key in ('content', 'tags', 'metadata') and to_jsonb(v_memory) -> c.key <> c.value
    );
    if v_change is not null then
        if v_memory.pinned then
            raise exception 'a pinned memory is not rewritten'
                using errcode = memos_private.audit_failure('MO409'), detail = format('memory %s', v_id),
                    hint = 'a human has to: unpin it, or update it directly';
        end if;
        perform memos.update_memory(
            p_user_id, v_id, v_change, v_memory.version, 'evolution ' || p_evolution_id
        );
        perform memos_private.record_change(
            p_user_id, p_evolution_id, 'memory', v_id, to_jsonb(v_memory) - 'content', to_jsonb(m) - 'content'
        )
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = v_id;
    end if;
    if not p_neighbour ? 'note' then
        return;
    end if;
    v_before := (
        select to_jsonb(n) from memos_private.memory_note as n
        where n.user_id = p_user_id and n.memory_id = v_id
    );
    v_note := jsonb_populate_record(
        jsonb_populate_record(
            null::memos_private.memory_note,
            coalesce(v_before, '{"keywords": [], "tags": [], "context": "", "evolved": true}')
        ),
        p_neighbour -> 'note'
    );
    perform memos_private.require_note(v_note.keywords, v_note.tags, v_note.context);
    insert into memos_private.memory_note as n (
        user_id, memory_id, version, keywords, tags, context, made_by, evolved
    )
    select p_user_id, v_id, m.version, v_note.keywords, v_note.tags, v_note.context,
        coalesce(v_note.made_by, p_made_by), v_note.evolved
    from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = v_id
    on conflict (user_id, memory_id) do update
    set keywords = excluded.keywords, tags = excluded.tags, context = excluded.context
    where (n.keywords, n.tags, n.context)
        is distinct from (excluded.keywords, excluded.tags, excluded.context)
    returning n.* into v_note;
    if found then
        perform memos_private.record_change(p_user_id, p_evolution_id, 'note', v_id, v_before, to_jsonb(v_note));
    end if;
end
$body$;
comment on function memos_private.evolve_neighbour is
    'Changes one neighbour and its note, in an evolution that is checked and has locked it. '
    'Errors: MO400, MO409, MO451.';

create or replace function memos_private.evolve_link(
    p_user_id uuid, p_evolution_id uuid, p_memory_id uuid, p_link jsonb
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_type constant text := p_link ->> 'type';
    v_other constant uuid := p_link ->> 'to';
    v_turned constant boolean := memos_private.is_symmetric(v_type) and v_other < p_memory_id;
    v_from constant uuid := case when v_turned then v_other else p_memory_id end;
    v_to constant uuid := case when v_turned then p_memory_id else v_other end;
    v_before constant jsonb := (
        select to_jsonb(l) from memos_private.memory_link as l
        where l.user_id = p_user_id and l.from_id = v_from and l.to_id = v_to and l.type = v_type
    );
    v_after jsonb;
begin
    -- What a caller said about a link holds.
    insert into memos_private.memory_link as l (user_id, from_id, to_id, type, weight, origin)
    values (
        p_user_id, v_from, v_to, v_type, memos_private.json_fraction('p_changes', p_link, 'weight'),
        'evolution'
    )
    on conflict (user_id, from_id, to_id, type) do update
    set weight = excluded.weight, origin = excluded.origin
    where l.origin <> 'caller' and (l.weight, l.origin) is distinct from (excluded.weight, excluded.origin)
    returning to_jsonb(l) into v_after;
    if found then
        perform memos_private.record_change(p_user_id, p_evolution_id, 'link', v_other, v_before, v_after);
    end if;
end
$body$;
comment on function memos_private.evolve_link is 'Makes or strengthens one link, in an evolution.';

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
    v_ids uuid[];
    v_known uuid[];
    v_id uuid;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'apply_evolution', array[p_memory_id]);
    perform memos_private.require_consent(p_user_id, 'deriving');
    v_ids := memos_private.require_evolution(p_memory_id, p_changes);
    if p_made_by is null or p_made_by !~ '\S' or length(p_made_by) > 128 then
        perform memos_private.refuse_argument(
            'p_made_by', 'it is null, blank or too long', 'who decided, in at most 128 characters'
        );
    end if;

    -- As update_memory does, and in the order of the ids, as everybody locks several memories.
    perform memos_private.share_embedding_models();
    perform memos_private.lock_postings(p_user_id);
    perform memos_private.recall_memories(p_user_id, v_ids);
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
    perform memos_private.evolve_neighbour(p_user_id, v_evolution_id, n.neighbour, p_made_by)
    from (
        select n from jsonb_array_elements(p_changes -> 'neighbours') as n order by n ->> 'memory_id'
    ) as n (neighbour);
    perform memos_private.evolve_link(p_user_id, v_evolution_id, p_memory_id, l.link)
    from (
        select l from jsonb_array_elements(p_changes -> 'links') as l order by l ->> 'to', l ->> 'type'
    ) as l (link);
    if exists (
        select from memos_private.evolution_change as c
        where c.user_id = p_user_id and c.evolution_id = v_evolution_id
    ) then
        return v_evolution_id;
    end if;
    delete from memos_private.memory_evolution as e
    where e.user_id = p_user_id and e.evolution_id = v_evolution_id;
    return null;
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
