create or replace function memos.link_memories(
    p_user_id uuid,
    p_from    uuid,
    p_to      uuid,
    p_type    text default 'related',
    p_weight  real default 0.9
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_turned constant boolean := memos_private.is_symmetric(p_type) and p_to < p_from;
    v_known uuid[];
    v_created boolean;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'link_memories', array[p_from, p_to]);
    perform memos_private.require_link(p_from, p_to, p_type);
    perform memos_private.require_fraction('p_weight', p_weight);
    perform memos_private.recall_memories(p_user_id, array[p_from, p_to]);
    loop
        -- Before the link, as a deletion does: neither waits for the other in a ring.
        v_known := array(
            select m.memory_id
            from memos_private.memory as m
            where m.user_id = p_user_id and m.memory_id in (p_from, p_to)
            order by m.memory_id
            for key share
        );
        exit when cardinality(v_known) = 2 or not memos_private.recall_memories(
            p_user_id, array(select unnest(array[p_from, p_to]) except select unnest(v_known))
        );
    end loop;
    if p_from <> all (v_known) then
        perform memos_private.refuse_missing_memory(p_from);
    end if;
    if p_to <> all (v_known) then
        perform memos_private.refuse_missing_memory(p_to);
    end if;
    insert into memos_private.memory_link as l (user_id, from_id, to_id, type, weight, origin)
    values (
        p_user_id, case when v_turned then p_to else p_from end,
        case when v_turned then p_from else p_to end, p_type, p_weight, 'caller'
    )
    on conflict (user_id, from_id, to_id, type) do update
    set weight = excluded.weight, origin = excluded.origin
    -- A row that was there carries the lock of its conflict.
    returning l.xmax = 0 into v_created;
    return v_created;
end
$body$;
comment on function memos.link_memories is
    'Links two memories; true when the link is new, false when it was there and has the new weight now. '
    'semantic, related and contradicts mean the same both ways: one link, whichever end is named first. '
    'reference, supports, derived_from, answers and types of your own lead from p_from to p_to. A weight '
    'of 0 keeps an automatic link from being followed and from coming back. '
    'Errors: MO001, MO400, MO403, MO404.';

create or replace function memos.unlink_memories(
    p_user_id uuid,
    p_from    uuid,
    p_to      uuid,
    p_type    text default 'related'
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_turned constant boolean := memos_private.is_symmetric(p_type) and p_to < p_from;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'unlink_memories', array[p_from, p_to]);
    perform memos_private.require_link(p_from, p_to, p_type);
    delete from memos_private.memory_link as l
    where l.user_id = p_user_id
        and l.from_id = case when v_turned then p_to else p_from end
        and l.to_id = case when v_turned then p_from else p_to end
        and l.type = p_type;
    if found then
        return true;
    end if;
    delete from memos_private.memory_link_cold as l
    where l.user_id = p_user_id
        and l.from_id = case when v_turned then p_to else p_from end
        and l.to_id = case when v_turned then p_from else p_to end
        and l.type = p_type;
    return found;
end
$body$;
comment on function memos.unlink_memories is
    'Removes the link of that type; false when there is none. Errors: MO001, MO400, MO403.';
