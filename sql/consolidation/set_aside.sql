-- Out of the default search, complete, and found with p_include_cold: what a merged memory said is said
-- by the one that stays. Nothing is deleted.
create or replace function memos_private.set_aside(p_user_id uuid, p_memory_ids uuid[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if memos_private.move_to_tier(p_user_id, p_memory_ids, 'cold') < cardinality(p_memory_ids) then
        raise exception 'a memory is being changed by another session'
            using errcode = 'lock_not_available',
                detail = 'it, or what it is linked with, could not be moved to the cold tier',
                hint = 'repeat the call';
    end if;
end
$body$;
comment on function memos_private.set_aside is
    'Moves memories to the cold tier, all or (55P03) none.';
