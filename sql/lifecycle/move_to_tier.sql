create or replace function memos_private.move_to_tier(p_user_id uuid, p_memory_ids uuid[], p_tier text)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_ids uuid[];
    v_moved int;
begin
    if p_tier is null or p_tier not in ('hot', 'warm', 'cold') then
        perform memos_private.refuse_argument(
            'p_tier', memos_private.it_is(p_tier), 'hot, warm or cold'
        );
    end if;
    -- Jobs of other roles move memories too; only the owner makes partitions.
    perform set_config('memos.user_id', p_user_id::text, true);
    if p_tier = 'cold' then
        return memos_private.move_to_cold(p_user_id, p_memory_ids);
    end if;
    v_ids := array(
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (p_memory_ids) and m.tier <> p_tier
        order by m.memory_id
        for no key update skip locked
    );
    update memos_private.memory as m
    set tier = p_tier
    where m.user_id = p_user_id and m.memory_id = any (v_ids);
    get diagnostics v_moved = row_count;
    if exists (
        select from memos_private.cold_place as p
        where p.user_id = p_user_id and p.memory_id = any (p_memory_ids)
    ) then
        v_moved := v_moved + memos_private.move_from_cold(p_user_id, p_memory_ids, p_tier);
    end if;
    return v_moved;
end
$body$;
comment on function memos_private.move_to_tier is
    'Moves memories of a user and returns how many: not those that are gone, in that tier already, or '
    'being changed by another session. Checks no context: it is for functions that have done so, and for '
    'jobs. Errors: MO400.';

create or replace function memos.move_to_tier(p_user_id uuid, p_memory_id uuid, p_tier text)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_ids uuid[];
    v_tier text;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'move_to_tier', array[p_memory_id]);
    if p_tier = 'cold' and exists (
        select from memos_private.fact as f where f.user_id = p_user_id and f.memory_id = p_memory_id
    ) then
        raise exception 'this memory is a fact'
            using errcode = memos_private.audit_failure('MO409'), detail = format('memory %s is the value of an attribute', p_memory_id),
                hint = 'facts stay warm; memos.retract_fact withdraws one';
    end if;
    perform memos_private.share_embedding_models();
    perform memos_private.lock_postings(p_user_id);
    -- Unlike a job, a caller waits for whoever is changing it or the other end of a link.
    v_ids := array(
        select p_memory_id
        union
        select l.to_id from memos_private.memory_link as l
        where l.user_id = p_user_id and l.from_id = p_memory_id and p_tier = 'cold'
        union
        select l.from_id from memos_private.memory_link as l
        where l.user_id = p_user_id and l.to_id = p_memory_id and p_tier = 'cold'
    );
    perform from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = any (v_ids)
    order by m.memory_id
    for update;
    if memos_private.move_to_tier(p_user_id, array[p_memory_id], p_tier) > 0 then
        if p_tier = 'hot' then
            -- Whoever asks for it needs it: it is idle from now on, and not since it was used.
            perform memos_private.record_access(p_user_id, array[p_memory_id], now());
        end if;
        return true;
    end if;
    select m.tier into v_tier
    from memos_private.memory_of_any_tier as m
    where m.user_id = p_user_id and m.memory_id = p_memory_id;
    if not found then
        perform memos_private.refuse_missing_memory(p_memory_id);
    elsif v_tier <> p_tier then
        raise exception 'the memory is being changed by another session'
            using errcode = 'lock_not_available', detail = format('memory %s', p_memory_id),
                hint = 'repeat the call';
    end if;
    return false;
end
$body$;
comment on function memos.move_to_tier is
    'Moves a memory to tier hot (kept at hand for every prompt until it is idle for a day; counts as a '
    'use), warm (searched) or cold (out of every index, searched with p_include_cold only, and slower). '
    'Nothing is lost on the way: content, vectors, '
    'links, pin and what is pending come back as they were. A cold memory becomes warm by itself when '
    'it is updated, pinned, linked or remembered again; facts never become cold. False when it is there '
    'already. Errors: MO001, MO400, MO403, MO404, MO409, 55P03.';
