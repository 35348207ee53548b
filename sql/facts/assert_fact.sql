create or replace function memos_private.refuse_less_trusted(p_held memos_private.fact)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    raise exception 'a more trusted statement says otherwise'
        using errcode = memos_private.audit_failure('MO409'),
            detail = format(
                'fact %s: the value is "%s", said by %s with confidence %s, from %s until %s',
                p_held.fact_id, p_held.value, p_held.provenance, p_held.confidence, lower(p_held.valid),
                coalesce(upper(p_held.valid)::text, 'now and on')
            ),
            hint = 'ask the user, and assert what is confirmed with p_provenance ''user''; or keep the '
                || 'statement as a memory beside it (memos.add_memory)';
end
$body$;
comment on function memos_private.refuse_less_trusted is 'Raises MO409 for a fact that does not give way.';

create or replace function memos_private.make_way(
    p_user_id uuid, p_entity_key text, p_attribute_key text, p_value_key text, p_value text,
    p_asserted tstzrange
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_from constant timestamptz := lower(p_asserted);
    v_until constant timestamptz := upper(p_asserted);
    v_held memos_private.fact;
    v_rest memos_private.memory_input;
    v_fact memos_private.fact;
begin
    for v_held in
        select f.*
        from memos_private.fact as f
        where f.user_id = p_user_id and f.entity_key = p_entity_key
            and f.attribute_key = p_attribute_key and f.value_key <> p_value_key and f.valid && p_asserted
        order by f.valid
    loop
        if lower(v_held.valid) >= v_from and v_held.valid &< p_asserted then
            perform memos_private.remove_memory(
                p_user_id, v_held.memory_id, format('corrected: %s', left(p_value, 500))
            );
        elsif lower(v_held.valid) >= v_from then
            perform memos_private.change_fact(
                v_held, tstzrange(v_until, upper(v_held.valid)), v_held.confidence, v_held.provenance,
                format('before: %s', left(p_value, 500))
            );
        else
            perform memos_private.change_fact(
                v_held, tstzrange(lower(v_held.valid), v_from), v_held.confidence, v_held.provenance,
                format('afterwards: %s', left(p_value, 500))
            );
            if not v_held.valid &< p_asserted then
                -- What comes back afterwards is as it was.
                select 1, null::uuid, null::text, null::bytea, m.language, m.kind, m.tags, m.metadata,
                    m.importance, m.confidence, m.privacy_level, m.provenance, m.session_id, m.position,
                    m.occurred_at, v_until, upper(v_held.valid), null::text, null::public.halfvec
                into v_rest
                from memos_private.memory as m
                where m.user_id = p_user_id and m.memory_id = v_held.memory_id;
                v_fact := memos_private.store_fact(
                    p_user_id, v_held.entity, v_held.attribute, v_held.value, v_rest, null
                );
                update memos_private.memory as m
                set pinned = true
                where m.user_id = p_user_id and m.memory_id = v_fact.memory_id and (
                    select o.pinned from memos_private.memory as o
                    where o.user_id = p_user_id and o.memory_id = v_held.memory_id
                );
            end if;
        end if;
    end loop;
end
$body$;
comment on function memos_private.make_way is
    'Ends, begins later, divides or withdraws what else was held for that time, with its memories locked.';

-- Writes over the timeline of one attribute. Two at once take turns by a lock on the attribute; then
-- every memory that this may change is locked, in order, before anything is written, as deletions do it.
create or replace function memos.assert_fact(
    p_user_id       uuid,
    p_entity        text,
    p_attribute     text,
    p_value         text,
    p_valid_from    timestamptz default null,
    p_valid_until   timestamptz default null,
    p_memory_id     uuid default null,
    p_confidence    real default 1.0,
    p_provenance    text default 'user',
    p_content       text default null,
    p_embedding     public.halfvec default null,
    p_model         text default null,
    p_tags          text[] default '{}',
    p_importance    real default 0.5,
    p_privacy_level text default 'balanced',
    p_session_id    text default null,
    p_language      text default null
)
returns table (
    fact_id uuid, memory_id uuid, valid_from timestamptz, valid_until timestamptz, change text
)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, public, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_entity text;
    v_attribute text;
    v_value text;
    v_entity_key constant text := memos_private.fact_key(p_entity);
    v_attribute_key constant text := memos_private.fact_key(p_attribute);
    v_value_key constant text := memos_private.fact_key(p_value);
    v_memory memos_private.memory_input;
    v_reach tstzrange;
    v_locked uuid;
    v_from timestamptz;
    v_until timestamptz;
    v_asserted tstzrange;
    v_held memos_private.fact;
    v_fact memos_private.fact;
    v_same uuid[];
    v_valid tstzrange;
    v_change text := 'asserted';
begin
    perform memos_private.enter_user_context(p_user_id);
    v_entity := memos_private.require_fact_text('p_entity', p_entity, 256);
    v_attribute := replace(memos_private.require_fact_text('p_attribute', p_attribute, 256), '_', ' ');
    v_value := memos_private.require_fact_text('p_value', p_value, 1000);
    -- Before rows, as all writers do.
    perform memos_private.share_embedding_models();
    perform memos_private.lock_attribute(p_user_id, v_entity_key, v_attribute_key);
    perform memos_private.lock_postings(p_user_id);
    v_from := coalesce(p_valid_from, clock_timestamp());
    v_memory := row(
        1, null, coalesce(p_content, v_value), null, memos_private.text_search_language(p_language),
        'fact', p_tags, '{}', p_importance, p_confidence, p_privacy_level, p_provenance, p_session_id,
        null, null, v_from, p_valid_until, null, p_embedding
    );
    perform memos_private.require_valid_memories(array[v_memory]);
    -- As far as the same value reaches, and what adjoins that.
    v_reach := tstzrange(v_from, p_valid_until);
    select tstzrange(
        least(v_from, min(lower(f.valid))),
        case when not upper_inf(v_reach) and bool_or(upper_inf(f.valid)) is not true
            then greatest(p_valid_until, max(upper(f.valid))) end
    )
    into v_reach
    from memos_private.fact as f
    where f.user_id = p_user_id and f.entity_key = v_entity_key and f.attribute_key = v_attribute_key
        and f.value_key = v_value_key and (f.valid && v_reach or f.valid -|- v_reach);
    -- One by one: sorted by the planner, it would read all of the user's memories instead.
    for v_locked in
        select f.memory_id
        from memos_private.fact as f
        where f.user_id = p_user_id and f.entity_key = v_entity_key
            and f.attribute_key = v_attribute_key and (f.valid && v_reach or f.valid -|- v_reach)
        union
        select p_memory_id
        order by 1
    loop
        perform from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = v_locked
        for update;
    end loop;
    if p_memory_id is not null and not exists (
        select from memos_private.memory as m where m.user_id = p_user_id and m.memory_id = p_memory_id
    ) then
        perform memos_private.refuse_missing_memory(p_memory_id);
    end if;
    if exists (
        select from memos_private.fact as f
        where f.user_id = p_user_id and f.memory_id = p_memory_id
            and f.entity_key = v_entity_key and f.attribute_key = v_attribute_key
    ) then
        perform memos_private.refuse_argument(
            'p_memory_id', format('memory %s is itself a value of this attribute', p_memory_id),
            'the memory that the value was taken from, or null'
        );
    end if;

    v_until := coalesce(p_valid_until, (
        select min(lower(f.valid))
        from memos_private.fact as f
        where f.user_id = p_user_id and f.entity_key = v_entity_key
            and f.attribute_key = v_attribute_key and lower(f.valid) > v_from
    ));
    v_asserted := tstzrange(v_from, v_until);
    select f.* into v_held
    from memos_private.fact as f
    where f.user_id = p_user_id and f.entity_key = v_entity_key and f.attribute_key = v_attribute_key
        and case when f.value_key = v_value_key
            then (f.valid && v_asserted or f.valid -|- v_asserted) and not f.valid @> v_asserted
            else f.valid && v_asserted end
        and p_provenance <> 'user'
        and (f.provenance = 'user' or f.confidence > p_confidence
            or (select m.pinned from memos_private.memory as m
                where m.user_id = p_user_id and m.memory_id = f.memory_id))
    order by f.valid
    limit 1;
    if found then
        perform memos_private.refuse_less_trusted(v_held);
    end if;

    perform memos_private.make_way(
        p_user_id, v_entity_key, v_attribute_key, v_value_key, v_value, v_asserted
    );

    -- The same value, said again or for a period that adjoins: one fact.
    select array_agg(f.fact_id order by (
            select m.pinned from memos_private.memory as m
            where m.user_id = p_user_id and m.memory_id = f.memory_id
        ) desc, f.valid),
        tstzrange(
            least(v_from, min(lower(f.valid))),
            case when not upper_inf(v_asserted) and not bool_or(upper_inf(f.valid))
                then greatest(v_until, max(upper(f.valid))) end
        )
    into v_same, v_valid
    from memos_private.fact as f
    where f.user_id = p_user_id and f.entity_key = v_entity_key and f.attribute_key = v_attribute_key
        and f.value_key = v_value_key and (f.valid && v_asserted or f.valid -|- v_asserted);
    if v_same is null then
        v_memory.content := p_content;
        v_memory.valid_until := v_until;
        v_fact := memos_private.store_fact(
            p_user_id, v_entity, v_attribute, v_value, v_memory, p_model
        );
    else
        perform memos_private.remove_memory(p_user_id, f.memory_id, format('one with fact %s', v_same[1]))
        from memos_private.fact as f
        where f.user_id = p_user_id and f.fact_id = any (v_same[2:])
        order by f.memory_id;
        select f.* into v_fact
        from memos_private.fact as f
        where f.user_id = p_user_id and f.fact_id = v_same[1];
        v_change := case when memos_private.change_fact(
            v_fact, v_valid, greatest(v_fact.confidence, p_confidence),
            case when p_provenance = 'user' then 'user' else v_fact.provenance end, 'said again'
        ) then 'extended' else 'unchanged' end;
    end if;

    select f.* into v_fact
    from memos_private.fact as f
    where f.user_id = p_user_id and f.fact_id = v_fact.fact_id;
    if v_change <> 'unchanged' then
        -- What adjoins, before and after.
        perform memos.link_memories(
            p_user_id, case when f.valid << v_fact.valid then v_fact.memory_id else f.memory_id end,
            case when f.valid << v_fact.valid then f.memory_id else v_fact.memory_id end, 'supersedes'
        )
        from memos_private.fact as f
        where f.user_id = p_user_id and f.entity_key = v_entity_key
            and f.attribute_key = v_attribute_key and f.valid -|- v_fact.valid;
    end if;
    if p_memory_id is not null then
        perform memos.link_memories(p_user_id, v_fact.memory_id, p_memory_id, 'derived_from');
    end if;
    perform memos_private.audit(p_user_id, 'assert_fact', array[v_fact.fact_id, v_fact.memory_id]);
    return query
    select v_fact.fact_id, v_fact.memory_id, lower(v_fact.valid), upper(v_fact.valid), v_change;
end
$body$;
comment on function memos.assert_fact is
    'An attribute of an entity ("Alice", "home town") has this value from p_valid_from (default: now) '
    'until p_valid_until (default: until the next known value begins, else on and on), and no other: what '
    'was held for that time ends where it begins, goes on where it ends, or, if it began no earlier, is '
    'corrected: no longer held to be true, but on record. The same value for a period that overlaps or '
    'adjoins is the same fact. Names and values are the same without case, accents and spelling of '
    'blanks. A fact is also a memory of kind fact, embedded and found like others; p_content (default: '
    '"entity: attribute is value"), p_embedding and the other arguments of add_memory are for a new one. '
    'It is linked to what adjoins it (supersedes) and to p_memory_id (derived_from). What the user said, '
    'and what is pinned, gives way to p_provenance user only; what else was said, to at least its '
    'confidence. change: asserted, extended (the same value: longer, or trusted more) or unchanged. '
    'Attributes with several values at a time are memories, not facts. '
    'Errors: MO001, MO400, MO403, MO404, MO409.';
