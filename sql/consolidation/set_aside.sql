-- Out of the default search, complete, and found with p_include_cold: what a merged memory said is said
-- by the one that stays. Nothing is deleted.
create or replace function memos_private.set_aside(p_user_id uuid, p_memory_ids uuid[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    update memos_private.memory as m
    set tier = 'cold'
    where m.user_id = p_user_id and m.memory_id = any (p_memory_ids);
end
$body$;
comment on function memos_private.set_aside is 'Moves memories to the cold tier.';

create or replace function memos_private.bring_back(p_user_id uuid, p_memory_ids uuid[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    update memos_private.memory as m
    set tier = 'warm'
    where m.user_id = p_user_id and m.memory_id = any (p_memory_ids) and m.tier = 'cold';
end
$body$;
comment on function memos_private.bring_back is 'Moves memories out of the cold tier.';
