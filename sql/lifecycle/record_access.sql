create or replace function memos_private.record_access(
    p_user_id uuid, p_memory_ids uuid[], p_accessed_at timestamptz
)
returns int
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_count int;
begin
    insert into memos_private.memory_access (user_id, memory_id, accessed_at)
    select p_user_id, m.memory_id, p_accessed_at
    from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = any (p_memory_ids)
    union all
    select p_user_id, c.memory_id, p_accessed_at
    from memos_private.cold_place as c
    where c.user_id = p_user_id and c.memory_id = any (p_memory_ids);
    get diagnostics v_count = row_count;
    return v_count;
end
$body$;
comment on function memos_private.record_access is
    'Notes one use of each of these memories that is still there; returns how many are. Waits for nobody.';

create or replace function memos.record_access(
    p_user_id uuid, p_memory_ids uuid[], p_accessed_at timestamptz default now()
)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_most constant int := memos_private.setting('max_batch');
begin
    perform memos_private.enter_user_context(p_user_id);
    if p_memory_ids is null or array_ndims(p_memory_ids) > 1
        or array_position(p_memory_ids, null) is not null
    then
        perform memos_private.refuse_argument(
            'p_memory_ids', 'it is null, has a null, or more than one dimension',
            'the ids of the memories that were used'
        );
    elsif cardinality(p_memory_ids) > v_most then
        perform memos_private.refuse_argument(
            'p_memory_ids', format('it has %s ids', cardinality(p_memory_ids)),
            format('at most %s in one call (setting max_batch)', v_most)
        );
    elsif p_accessed_at is null
        or p_accessed_at not between '1970-01-01 UTC' and clock_timestamp() + interval '1 day'
    then
        perform memos_private.refuse_argument(
            'p_accessed_at', memos_private.it_is(p_accessed_at),
            'when they were used: from 1970 to now (a day of grace for clocks that differ)'
        );
    end if;
    return memos_private.record_access(p_user_id, p_memory_ids, p_accessed_at);
end
$body$;
comment on function memos.record_access is
    'Says that these memories were used (went into a prompt), once each; returns how many of them exist, '
    'and what was deleted meanwhile is passed over. Uses make a memory last longer, rank a little higher '
    'and become hot. A recorded search (p_record) does it for its rows. Errors: MO001, MO400, MO403.';
