-- Every belief about a fact that ends is kept, however it ends.
create or replace function memos_private.tg_fact_superseded()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_now constant timestamptz := greatest(clock_timestamp(), old.recorded_at + interval '1 microsecond');
begin
    insert into memos_private.fact_history (
        user_id, fact_id, entity, attribute, value, entity_key, attribute_key, value_key, valid,
        memory_id, confidence, provenance, recorded_at, superseded_at, change
    )
    values (
        old.user_id, old.fact_id, old.entity, old.attribute, old.value, old.entity_key,
        old.attribute_key, old.value_key, old.valid, old.memory_id, old.confidence, old.provenance,
        old.recorded_at, v_now, lower(tg_op)
    );
    if tg_op = 'DELETE' then
        return old;
    end if;
    new.recorded_at := v_now;
    return new;
end
$body$;
comment on function memos_private.tg_fact_superseded is 'Copies a fact into fact_history before it changes.';

create or replace trigger t50_fact_superseded
    before update or delete on memos_private.fact
    for each row execute function memos_private.tg_fact_superseded();

create or replace function memos_private.tg_memory_of_fact_updated()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    -- assert_fact changes the fact first.
    if exists (
        select from memos_private.fact as f
        where f.user_id = new.user_id and f.memory_id = new.memory_id and (
            new.content <> old.content or f.valid <> tstzrange(new.valid_from, new.valid_until)
        )
    ) then
        raise exception 'this memory is a fact'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('content and validity of memory %s say what the fact says', new.memory_id),
                hint = 'memos.assert_fact with the same p_valid_from corrects the value, '
                    || 'memos.end_fact ends it, memos.retract_fact withdraws it';
    end if;
    update memos_private.fact as f
    set confidence = new.confidence, provenance = new.provenance
    where f.user_id = new.user_id and f.memory_id = new.memory_id
        and (f.confidence, f.provenance) <> (new.confidence, new.provenance);
    return null;
end
$body$;
comment on function memos_private.tg_memory_of_fact_updated is
    'Keeps a fact and its memory the same. Errors: MO409.';

create or replace trigger t70_memory_of_fact_updated
    after update on memos_private.memory
    for each row
    when ((old.content, old.valid_from, old.confidence, old.provenance)
            <> (new.content, new.valid_from, new.confidence, new.provenance)
        or old.valid_until is distinct from new.valid_until)
    execute function memos_private.tg_memory_of_fact_updated();

create or replace function memos_private.store_fact(
    p_user_id   uuid,
    p_entity    text,
    p_attribute text,
    p_value     text,
    p_memory    memos_private.memory_input,
    p_model     text
)
returns memos_private.fact
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_memory memos_private.memory_input := p_memory;
    v_base constant text := format('%s: %s is %s', p_entity, p_attribute, p_value);
    v_since constant timestamp := p_memory.valid_from at time zone 'UTC';
    v_content text;
    v_stored record;
    v_fact memos_private.fact;
begin
    -- In whatever words the memory says it.
    if memos_private.has_tombstones(p_user_id) then
        perform memos_private.refuse_erased(p_user_id, jsonb_build_array(v_base), 'the fact');
    end if;
    if v_memory.content is null then
        -- One content is one memory: a value that comes back says from when. One that lies ahead, too.
        foreach v_content in array array[
            case when v_memory.valid_from <= clock_timestamp() then v_base end,
            format('%s (from %s)', v_base, to_char(v_since, 'YYYY-MM-DD')),
            format('%s (from %s UTC)', v_base, to_char(v_since, 'YYYY-MM-DD HH24:MI:SS.US'))
        ]
        loop
            v_memory.content := v_content;
            v_memory.content_hash := memos_private.content_hash(v_content);
            exit when v_content is not null and not exists (
                select from memos_private.memory as m
                where m.user_id = p_user_id and m.content_hash = v_memory.content_hash
            ) and not exists (
                select from memos_private.cold_place as p
                where p.user_id = p_user_id and p.content_hash = v_memory.content_hash
            );
        end loop;
    end if;
    v_memory.ordinal := 1;
    v_memory.memory_id := memos_private.new_memory_id(clock_timestamp());
    v_memory.content_hash := memos_private.content_hash(v_memory.content);
    v_memory.kind := 'fact';
    v_memory.metadata :=
        jsonb_build_object('entity', p_entity, 'attribute', p_attribute, 'value', p_value);
    select s.memory_id, s.created into v_stored
    from memos_private.store_memories(p_user_id, array[v_memory], p_model) as s;
    if not v_stored.created then
        raise exception 'another memory already has this content'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('memory %s', v_stored.memory_id),
                hint = 'leave p_content out, or say it in other words; a memory that the fact was taken '
                    || 'from is p_memory_id';
    elsif exists (
        select from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = v_stored.memory_id
            and memos_private.is_sealed(m.content)
    ) then
        perform memos_private.refuse_argument(
            'p_privacy_level', 'it is restricted, and restricted memories of the user are encrypted',
            'memos.add_memory: a fact is compared by its value, which therefore lies in clear'
        );
    end if;
    insert into memos_private.fact as f (
        user_id, fact_id, entity, attribute, value, entity_key, attribute_key, value_key, valid,
        memory_id, confidence, provenance, recorded_at
    )
    select p_user_id, gen_random_uuid(), p_entity, p_attribute, p_value, memos_private.fact_key(p_entity),
        memos_private.fact_key(p_attribute), memos_private.fact_key(p_value),
        tstzrange(m.valid_from, m.valid_until), m.memory_id, m.confidence, m.provenance, m.recorded_at
    from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = v_stored.memory_id
    returning f.* into v_fact;
    return v_fact;
exception when exclusion_violation then
    -- Repeatable read: there, but not visible.
    raise exception 'another session asserted a value of this attribute meanwhile'
        using errcode = 'serialization_failure', hint = 'repeat the transaction';
end
$body$;
comment on function memos_private.store_fact is
    'A new fact and its memory; the content, unless given, is "entity: attribute is value". '
    'Errors: MO400, MO409.';

create or replace function memos_private.change_fact(
    p_fact       memos_private.fact,
    p_valid      tstzrange,
    p_confidence real,
    p_provenance text,
    p_reason     text
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if (p_fact.valid, p_fact.confidence, p_fact.provenance) = (p_valid, p_confidence, p_provenance) then
        return false;
    end if;
    update memos_private.fact as f
    set valid = p_valid, confidence = p_confidence, provenance = p_provenance
    where f.user_id = p_fact.user_id and f.fact_id = p_fact.fact_id;
    perform memos.update_memory(
        p_fact.user_id, p_fact.memory_id,
        jsonb_build_object(
            'valid_from', lower(p_valid), 'valid_until', upper(p_valid), 'confidence', p_confidence,
            'provenance', p_provenance
        ),
        p_reason => p_reason
    );
    return true;
end
$body$;
comment on function memos_private.change_fact is
    'Gives a fact and its memory another period or more trust; false when they have it already.';
