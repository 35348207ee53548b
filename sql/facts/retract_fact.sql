create or replace function memos.retract_fact(
    p_user_id uuid,
    p_fact_id uuid,
    p_reason  text default 'user_request'
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_memory_id uuid;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'retract_fact', array[p_fact_id]);
    if p_fact_id is null then
        perform memos_private.refuse_argument('p_fact_id', 'it is null', 'memos.get_facts shows the ids');
    end if;
    select f.memory_id into v_memory_id
    from memos_private.fact as f
    where f.user_id = p_user_id and f.fact_id = p_fact_id;
    return found and memos.delete_memory(p_user_id, v_memory_id, p_reason);
end
$body$;
comment on function memos.retract_fact is
    'Withdraws a fact with its memory: for its period nothing is held any more, what was held before or '
    'after stays as it is. It stays on record (memos.fact_history). The same as deleting its memory. '
    'False when the user has no such fact. '
    'Errors: MO001, MO400, MO403, MO451 (legal hold).';
