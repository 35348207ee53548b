create or replace function memos.pin_memory(
    p_user_id   uuid,
    p_memory_id uuid,
    p_pinned    boolean default true
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'pin_memory', array[p_memory_id]);
    if p_pinned is null then
        perform memos_private.refuse_argument('p_pinned', 'it is null', 'true or false');
    end if;
    loop
        update memos_private.memory as m
        set pinned = p_pinned
        where m.user_id = p_user_id and m.memory_id = p_memory_id;
        exit when found;
        if not memos_private.recall_memories(p_user_id, array[p_memory_id]) then
            perform memos_private.refuse_missing_memory(p_memory_id);
        end if;
    end loop;
end
$body$;
comment on function memos.pin_memory is
    'Pins a memory (a relapse plan, an allergy), or unpins it. Says nothing about the world, so it makes '
    'no version. Errors: MO001, MO400, MO403, MO404.';
