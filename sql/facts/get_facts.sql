create or replace function memos.get_facts(
    p_user_id     uuid,
    p_entity      text default null,
    p_attribute   text default null,
    p_valid_at    timestamptz default null,
    p_recorded_at timestamptz default null
)
returns table (
    fact_id uuid, entity text, attribute text, value text, valid_from timestamptz,
    valid_until timestamptz, confidence real, provenance text, memory_id uuid, recorded_at timestamptz
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
set plan_cache_mode = force_custom_plan
as $body$
#variable_conflict use_column
declare
    v_entity_key constant text := memos_private.fact_key(p_entity);
    v_attribute_key constant text := memos_private.fact_key(p_attribute);
    v_valid_at constant timestamptz := coalesce(p_valid_at, p_recorded_at, clock_timestamp());
    v_ids uuid[] := '{}';
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_consent(p_user_id, 'recalling');
    for fact_id, entity, attribute, value, valid_from, valid_until, confidence, provenance, memory_id,
        recorded_at in
        select f.fact_id, f.entity, f.attribute, f.value, lower(f.valid), upper(f.valid), f.confidence,
            f.provenance, f.memory_id, f.recorded_at
        from (
            select c.fact_id, c.entity, c.attribute, c.value, c.entity_key, c.attribute_key, c.valid,
                c.confidence, c.provenance, c.memory_id, c.recorded_at
            from memos_private.fact as c
            where c.user_id = p_user_id and (p_recorded_at is null or c.recorded_at <= p_recorded_at)
            union all
            select h.fact_id, h.entity, h.attribute, h.value, h.entity_key, h.attribute_key, h.valid,
                h.confidence, h.provenance, h.memory_id, h.recorded_at
            from memos_private.fact_history as h
            where h.user_id = p_user_id and p_recorded_at is not null
                and h.recorded_at <= p_recorded_at and p_recorded_at < h.superseded_at
        ) as f
        where f.valid @> v_valid_at
            and (p_entity is null or f.entity_key = v_entity_key)
            and (p_attribute is null or f.attribute_key = v_attribute_key)
        order by f.entity_key, f.attribute_key
    loop
        v_ids := v_ids || fact_id;
        return next;
    end loop;
    perform memos_private.audit_read(p_user_id, 'get_facts', v_ids);
end
$body$;
comment on function memos.get_facts is
    'The value of each attribute of each entity, or of one: now, or at p_valid_at, as known now, or at '
    'p_recorded_at. Errors: MO001, MO400, MO403, MO451.';
