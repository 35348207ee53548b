-- Deleting, for whoever may: the user, and the clock of the user's settings.
create or replace function memos_private.remove_memory(
    p_user_id uuid, p_memory_id uuid, p_reason text
)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_old memos_private.memory;
    v_now timestamptz;
begin
    perform memos_private.share_embedding_models();
    perform memos_private.lock_postings(p_user_id);
    loop
        select * into v_old
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = p_memory_id
        for update;
        exit when found;
        -- So that a cold memory goes to the history like any other.
        if not memos_private.recall_memories(p_user_id, array[p_memory_id]) then
            return false;
        end if;
    end loop;
    v_now := greatest(clock_timestamp(), v_old.recorded_at + interval '1 microsecond');
    perform memos_private.archive_memory(v_old, v_now, 'delete', p_reason, null);
    update memos_private.memory_history as h
    set retracted_at = v_now
    where h.user_id = p_user_id and h.memory_id = p_memory_id
        and h.retracted_at is null and h.remains_until is not null;
    delete from memos_private.memory_usage as u where u.user_id = p_user_id and u.memory_id = p_memory_id;
    delete from memos_private.memory as m where m.user_id = p_user_id and m.memory_id = p_memory_id;
    return true;
end
$body$;
comment on function memos_private.remove_memory is
    'Moves a memory to the history, in the entered user''s context; false when there is none.';

create or replace function memos.delete_memory(
    p_user_id   uuid,
    p_memory_id uuid,
    p_reason    text default 'user_request'
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'delete_memory', array[p_memory_id]);
    if p_memory_id is null then
        perform memos_private.refuse_argument('p_memory_id', 'it is null', 'pass the id of a memory');
    end if;
    perform memos_private.share_embedding_models();
    perform memos_private.require_no_hold(p_user_id);
    return memos_private.remove_memory(p_user_id, p_memory_id, p_reason);
end
$body$;
comment on function memos.delete_memory is
    'Takes a memory, no longer true or wanted, out of everything that is known now; it stays on record '
    '(memory_history, p_recorded_at). False when the user has no such memory. To remove it from the '
    'record too, erase it (memos.erase_memory). Errors: MO001, MO400, MO403, MO451 (legal hold).';
