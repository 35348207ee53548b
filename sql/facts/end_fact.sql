create or replace function memos.end_fact(
    p_user_id     uuid,
    p_fact_id     uuid,
    p_valid_until timestamptz default null,
    p_reason      text default 'user_request'
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_fact memos_private.fact;
    v_until timestamptz;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'end_fact', array[p_fact_id]);
    if p_fact_id is null then
        perform memos_private.refuse_argument('p_fact_id', 'it is null', 'memos.get_facts shows the ids');
    end if;
    perform memos_private.share_embedding_models();
    select f.* into v_fact
    from memos_private.fact as f
    where f.user_id = p_user_id and f.fact_id = p_fact_id;
    perform memos_private.lock_attribute(p_user_id, v_fact.entity_key, v_fact.attribute_key);
    perform from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = v_fact.memory_id
    for update;
    -- As it is now that nobody else changes it.
    select f.* into v_fact
    from memos_private.fact as f
    where f.user_id = p_user_id and f.fact_id = p_fact_id;
    if not found then
        return false;
    end if;
    v_until := coalesce(p_valid_until, clock_timestamp());
    if not isfinite(v_until) or v_until <= lower(v_fact.valid) then
        perform memos_private.refuse_argument(
            'p_valid_until',
            format('it is %s; the fact holds from %s', v_until, lower(v_fact.valid)),
            'a finite time after its beginning; memos.retract_fact withdraws a fact altogether'
        );
    end if;
    return not coalesce(upper(v_fact.valid) <= v_until, false) and memos_private.change_fact(
        v_fact, tstzrange(lower(v_fact.valid), v_until), v_fact.confidence, v_fact.provenance, p_reason
    );
end
$body$;
comment on function memos.end_fact is
    'A fact holds until p_valid_until (default: now) only, and what follows is not known; a new value is '
    'memos.assert_fact. False when the user has no such fact, or it had ended by then. '
    'Errors: MO001, MO400, MO403.';
