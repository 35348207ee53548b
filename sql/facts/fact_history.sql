create or replace function memos.fact_history(p_user_id uuid, p_entity text, p_attribute text)
returns table (
    fact_id uuid, value text, valid_from timestamptz, valid_until timestamptz, confidence real,
    provenance text, memory_id uuid, recorded_at timestamptz, recorded_until timestamptz, change text
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_entity_key constant text := memos_private.fact_key(p_entity);
    v_attribute_key constant text := memos_private.fact_key(p_attribute);
    v_ids uuid[] := '{}';
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_fact_text('p_entity', p_entity, 256);
    perform memos_private.require_fact_text('p_attribute', p_attribute, 256);
    for fact_id, value, valid_from, valid_until, confidence, provenance, memory_id, recorded_at,
        recorded_until, change in
        select f.fact_id, f.value, lower(f.valid), upper(f.valid), f.confidence, f.provenance, f.memory_id,
            f.recorded_at, f.superseded_at, f.change
        from (
            select c.fact_id, c.value, c.valid, c.confidence, c.provenance, c.memory_id, c.recorded_at,
                null::timestamptz as superseded_at, 'current' as change
            from memos_private.fact as c
            where c.user_id = p_user_id and c.entity_key = v_entity_key
                and c.attribute_key = v_attribute_key
            union all
            select h.fact_id, h.value, h.valid, h.confidence, h.provenance, h.memory_id, h.recorded_at,
                h.superseded_at, h.change
            from memos_private.fact_history as h
            where h.user_id = p_user_id and h.entity_key = v_entity_key
                and h.attribute_key = v_attribute_key
        ) as f
        order by f.recorded_at, f.valid
    loop
        v_ids := v_ids || fact_id;
        return next;
    end loop;
    perform memos_private.audit_read(p_user_id, 'fact_history', v_ids);
end
$body$;
comment on function memos.fact_history is
    'Every value an attribute was ever held to have, in the order in which they were recorded, with the '
    'period for which it was held and the time for which it was on record. change says how that ended: '
    'update (another period, more trust), delete (corrected or retracted), or current. The reasons are in '
    'memos.memory_history of memory_id. Errors: MO001, MO400, MO403.';
