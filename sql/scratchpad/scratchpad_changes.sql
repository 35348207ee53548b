-- Writers only log: they neither count nor, once it is known that there is something new, announce.
-- Whoever reads the changes numbers those that have none yet. So a number says in which order changes
-- could be seen, there is no gap, and whoever has read up to one misses none before it; and sixteen
-- writers do not wait for each other.
-- The lock that committing writers share and a reader takes alone is why no announcement is lost: a change
-- is either seen by the reader who ends the announcement, or finds that it has ended. At commit, so that
-- the lock is held no longer than that takes. Deferred triggers run as whoever commits, hence definer.
create or replace function memos_private.tg_scratchpad_changed()
returns trigger
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_new constant jsonb := to_jsonb(new);
    v_now timestamptz;
    v_sequence bigint;
begin
    perform set_config('memos.user_id', new.user_id::text, true);
    perform pg_advisory_xact_lock_shared(uuid_hash_extended(new.scratchpad_id, 18));
    v_now := clock_timestamp();
    insert into memos_private.scratchpad_change (
        user_id, scratchpad_id, change_id, changed_at, subject, subject_id, operation, status, agent
    )
    values (
        new.user_id, new.scratchpad_id, memos_private.new_memory_id(v_now), v_now,
        coalesce(v_new ->> 'kind', tg_argv[0]), v_new ->> tg_argv[1], lower(tg_op), v_new ->> 'status',
        -- An entry that changes still says who put it down, not who changed it.
        case when tg_op = 'INSERT' or tg_argv[0] in ('action', 'value') then v_new ->> 'agent' end
    );
    update memos_private.scratchpad_sequence as s
    set announced = true
    where s.user_id = new.user_id and s.scratchpad_id = new.scratchpad_id and not s.announced
    returning s.sequence into v_sequence;
    if found then
        perform pg_notify('memos_scratchpad', new.scratchpad_id || ' ' || v_sequence);
    end if;
    return null;
end
$body$;
comment on function memos_private.tg_scratchpad_changed is
    'Logs a change without content, and announces it unless that has been done since the last reader.';

do $$
declare
    v_watched record;
begin
    for v_watched in
        select *
        from (values
            ('scratchpad', 'update', 'scratchpad', 'scratchpad_id'),
            ('scratchpad_entry', 'insert or update', '', 'entry_id'),
            ('scratchpad_contradiction', 'insert or update', 'contradiction', 'contradiction_id'),
            ('scratchpad_action', 'insert or update', 'action', 'action_id'),
            ('scratchpad_public_value', 'insert or update', 'value', 'key'),
            ('scratchpad_reference', 'insert or update', '', 'key')
        ) as w (name, events, subject, id)
        where not exists (
            select from pg_catalog.pg_trigger as t
            where t.tgrelid = format('memos_private.%I', w.name)::regclass
                and t.tgname = 't50_log_change'
        )
    loop
        execute format(
            'create constraint trigger t50_log_change after %s on memos_private.%I '
            'deferrable initially deferred for each row '
            'execute function memos_private.tg_scratchpad_changed(%L, %L)',
            v_watched.events, v_watched.name, v_watched.subject, v_watched.id
        );
    end loop;
end
$$;

create or replace function memos_private.number_changes(p_user_id uuid, p_scratchpad_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_last bigint;
    v_count bigint;
begin
    -- Those who are committing are let through first, and who comes after waits for this to be over.
    perform pg_advisory_xact_lock(uuid_hash_extended(p_scratchpad_id, 18));
    select s.sequence into v_last
    from memos_private.scratchpad_sequence as s
    where s.user_id = p_user_id and s.scratchpad_id = p_scratchpad_id;
    update memos_private.scratchpad_change as c
    set sequence = v_last + n.place
    from (
        select u.change_id, row_number() over (order by u.change_id) as place
        from memos_private.scratchpad_change as u
        where u.user_id = p_user_id and u.scratchpad_id = p_scratchpad_id and u.sequence is null
    ) as n
    where c.user_id = p_user_id and c.scratchpad_id = p_scratchpad_id and c.change_id = n.change_id;
    get diagnostics v_count = row_count;
    update memos_private.scratchpad_sequence as s
    set sequence = v_last + v_count, announced = false
    where s.user_id = p_user_id and s.scratchpad_id = p_scratchpad_id;
end
$body$;
comment on function memos_private.number_changes is
    'Numbers the changes that have been committed since the last time, and has the next one announced.';

create or replace function memos.scratchpad_changes(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_after         bigint default 0,
    p_limit         int default 1000
)
returns table (
    sequence bigint, changed_at timestamptz, subject text, subject_id text, operation text,
    status text, agent text
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    perform memos_private.require_limit(p_limit);
    if p_after is null then
        perform memos_private.refuse_argument('p_after', 'it is null', 'the last sequence seen, or 0');
    end if;
    -- A standby shows what was numbered before.
    if current_setting('transaction_read_only') = 'off' and exists (
        select from memos_private.scratchpad_change as c
        where c.user_id = p_user_id and c.scratchpad_id = p_scratchpad_id and c.sequence is null
    ) then
        perform memos_private.number_changes(p_user_id, p_scratchpad_id);
    end if;
    return query
    select c.sequence, c.changed_at, c.subject, c.subject_id, c.operation, c.status, c.agent
    from memos_private.scratchpad_change as c
    where c.user_id = p_user_id and c.scratchpad_id = p_scratchpad_id and c.sequence > p_after
    order by c.sequence
    limit p_limit;
    perform memos_private.audit_read(p_user_id, 'scratchpad_changes', array[p_scratchpad_id]);
end
$body$;
comment on function memos.scratchpad_changes is
    'What changed after the change p_after, in order: numbered 1, 2, 3, ... without gaps in the order in '
    'which it could be seen, so that none turns up later under a number already passed. subject: '
    'observation, reasoning, example, step, question, finding, note, action, contradiction, value, '
    'scratchpad, or a kind of reference; subject_id: its id or key; agent: who did it, where that is known. '
    'LISTEN memos_scratchpad hears '
    '"<scratchpad id> <last number>" when there are changes after that number, once until somebody calls '
    'this function: listen, call it, wait, call it again with the last number seen. In a transaction of '
    'its own: until it ends, writers wait to commit. Private values leave no trace here. '
    'Errors: MO001, MO400, MO403, MO404.';
