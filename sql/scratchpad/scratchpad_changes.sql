-- At commit, because the counter stays locked from here to the end of the transaction: the next number
-- is given when this one can be seen, so that numbers have the order of the commits and a listener that
-- has read up to one misses none before it; and a long transaction keeps nobody waiting. Deferred
-- triggers run as whoever commits, hence SECURITY DEFINER.
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
    v_sequence bigint;
    v_now timestamptz;
begin
    perform set_config('memos.user_id', new.user_id::text, true);
    update memos_private.scratchpad_sequence as s
    set sequence = s.sequence + 1, changed_at = clock_timestamp()
    where s.user_id = new.user_id and s.scratchpad_id = new.scratchpad_id
    returning s.sequence, s.changed_at into v_sequence, v_now;
    if not found then
        -- Written and removed in one transaction.
        return null;
    end if;
    insert into memos_private.scratchpad_change (
        user_id, scratchpad_id, sequence, changed_at, subject, subject_id, operation, status, agent
    )
    values (
        new.user_id, new.scratchpad_id, v_sequence, v_now, coalesce(v_new ->> 'kind', tg_argv[0]),
        v_new ->> tg_argv[1], lower(tg_op), v_new ->> 'status', v_new ->> 'agent'
    );
    if memos_private.setting('scratchpad_notify') = 'on' then
        perform pg_notify('memos_scratchpad', new.scratchpad_id || ' ' || v_sequence);
    end if;
    return null;
end
$body$;
comment on function memos_private.tg_scratchpad_changed is
    'Numbers a change, logs it without content, and announces it.';

do $$
declare
    v_watched record;
begin
    for v_watched in
        select *
        from (values
            ('scratchpad', 'scratchpad', 'scratchpad_id'),
            ('scratchpad_entry', '', 'entry_id'),
            ('scratchpad_contradiction', 'contradiction', 'contradiction_id'),
            ('scratchpad_action', 'action', 'action_id'),
            ('scratchpad_public_value', 'value', 'key'),
            ('scratchpad_reference', '', 'key')
        ) as w (name, subject, id)
        where not exists (
            select from pg_catalog.pg_trigger as t
            where t.tgrelid = format('memos_private.%I', w.name)::regclass
                and t.tgname = 't50_log_change'
        )
    loop
        execute format(
            'create constraint trigger t50_log_change after insert or update on memos_private.%I '
            'deferrable initially deferred for each row '
            'execute function memos_private.tg_scratchpad_changed(%L, %L)',
            v_watched.name, v_watched.subject, v_watched.id
        );
    end loop;
end
$$;

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
stable
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
    return query
    select c.sequence, c.changed_at, c.subject, c.subject_id, c.operation, c.status, c.agent
    from memos_private.scratchpad_change as c
    where c.user_id = p_user_id and c.scratchpad_id = p_scratchpad_id and c.sequence > p_after
    order by c.sequence
    limit p_limit;
end
$body$;
comment on function memos.scratchpad_changes is
    'What changed after the change p_after, in order: numbered 1, 2, 3, ... without gaps as the changes '
    'were committed, so that none turns up later under a number already passed. subject: observation, '
    'reasoning, example, step, question, finding, note, action, contradiction, value, scratchpad, or a '
    'kind of reference; subject_id: its id or key. Each is announced on the channel memos_scratchpad as '
    '"<scratchpad id> <sequence>" (setting scratchpad_notify). Private values leave no trace here. '
    'Errors: MO001, MO400, MO403, MO404.';
