create or replace function memos_private.queue_action(
    p_user_id uuid, p_scratchpad_id uuid, p_type text, p_description text, p_priority smallint,
    p_subject_id uuid
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    insert into memos_private.scratchpad_action (
        user_id, scratchpad_id, action_id, type, description, priority, details, subject_id, max_attempts
    )
    select p_user_id, p_scratchpad_id, memos_private.new_memory_id(clock_timestamp()), p_type,
        p_description, p_priority, '{}', p_subject_id, 3
    where not exists (
        select from memos_private.scratchpad_action as a
        where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id and a.type = p_type
            and a.subject_id = p_subject_id and a.description = p_description
            and a.status in ('pending', 'in_progress', 'blocked')
    );
end
$body$;
comment on function memos_private.queue_action is
    'Queues what follows from a gap or a contradiction, unless the same waits already.';

create or replace function memos.add_action(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_type          text,
    p_description   text,
    p_priority      int default 5,
    p_details       jsonb default '{}',
    p_parent_id     uuid default null,
    p_for_agent     text default null,
    p_max_attempts  int default 3,
    p_subject_id    uuid default null
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_now constant timestamptz := clock_timestamp();
    v_id constant uuid := memos_private.new_memory_id(v_now);
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'add_action', array[p_scratchpad_id, v_id]);
    if p_type is null or p_type !~ '^[a-z][a-z0-9_]{0,63}$' then
        perform memos_private.refuse_argument(
            'p_type', coalesce(format('it is "%s"', left(p_type, 200)), 'it is null'),
            'a lower-case word such as search, at most 64 characters'
        );
    end if;
    perform memos_private.require_note_text('p_description', p_description, 65536, false);
    if p_priority is null or p_priority not between 0 and 1000 then
        perform memos_private.refuse_argument(
            'p_priority', coalesce(format('it is %s', p_priority), 'it is null'),
            '0 (the most urgent) to 1000'
        );
    end if;
    if p_max_attempts is null or p_max_attempts not between 1 and 1000 then
        perform memos_private.refuse_argument(
            'p_max_attempts', coalesce(format('it is %s', p_max_attempts), 'it is null'), '1 to 1000'
        );
    end if;
    perform memos_private.require_note_json('p_details', p_details, true, false);
    perform memos_private.require_note_text('p_for_agent', p_for_agent, 256, true);
    perform memos_private.lock_open_scratchpad(p_user_id, p_scratchpad_id);
    if p_parent_id is not null then
        -- Locked, so that nobody takes it without having seen its new part.
        perform from memos_private.scratchpad_action as a
        where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id and a.action_id = p_parent_id
            and a.status in ('pending', 'blocked', 'in_progress')
        for no key update;
        if not found then
            perform memos_private.refuse_missing_entry('p_parent_id', 'open action', p_parent_id);
        end if;
    end if;
    if p_subject_id is not null and not exists (
        select from memos_private.scratchpad_entry as e
        where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id and e.entry_id = p_subject_id
    ) then
        perform memos_private.refuse_missing_entry('p_subject_id', 'entry', p_subject_id);
    end if;
    insert into memos_private.scratchpad_action (
        user_id, scratchpad_id, action_id, type, description, priority, details, parent_id, subject_id,
        for_agent, max_attempts, added_at
    )
    values (
        p_user_id, p_scratchpad_id, v_id, p_type, p_description, p_priority, p_details, p_parent_id,
        p_subject_id, p_for_agent, p_max_attempts, v_now
    );
    return v_id;
end
$body$;
comment on function memos.add_action is
    'Queues something to do. p_priority: 0 is taken first. p_parent_id: the action that this is a part '
    'of, which is not handed out before its parts are finished. p_for_agent: only that agent may take it. '
    'p_subject_id: the entry that it is about. Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.claim_action(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_agent         text,
    p_types         text[] default null,
    p_lease         interval default '5 minutes'
)
returns table (
    action_id uuid, type text, description text, priority int, details jsonb, parent_id uuid,
    subject_id uuid, attempt int, lease_until timestamptz
)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_now timestamptz;
    v_action memos_private.scratchpad_action;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_lasting('p_lease', p_lease, false);
    perform memos_private.lock_open_scratchpad(p_user_id, p_scratchpad_id);
    perform memos_private.require_agent(p_user_id, p_scratchpad_id, p_agent);
    loop
        v_now := clock_timestamp();
        select * into v_action
        from memos_private.scratchpad_action as a
        where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id
            and a.status in ('pending', 'in_progress')
            and (a.status = 'pending' or a.lease_until < v_now)
            and (p_types is null or a.type = any (p_types))
            and (a.for_agent is null or a.for_agent = p_agent)
            and not exists (
                select from memos_private.scratchpad_action as part
                where part.user_id = p_user_id and part.scratchpad_id = p_scratchpad_id
                    and part.parent_id = a.action_id
                    and part.status in ('pending', 'in_progress', 'blocked')
            )
        order by a.priority, a.action_id
        limit 1
        for no key update skip locked;
        if not found then
            return;
        end if;
        exit when v_action.attempts < v_action.max_attempts;
        -- Whoever had it last is gone, as all before: it is no use to try it again.
        update memos_private.scratchpad_action as a
        set status = 'failed', lease_until = null, finished_at = v_now,
            error = format('its lease ran out %s times', a.attempts)
        where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id
            and a.action_id = v_action.action_id;
    end loop;
    update memos_private.scratchpad_action as a
    set status = 'in_progress', agent = p_agent, attempts = a.attempts + 1, lease_until = v_now + p_lease
    where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id
        and a.action_id = v_action.action_id;
    perform memos_private.audit(p_user_id, 'claim_action', array[p_scratchpad_id, v_action.action_id]);
    return query
    select v_action.action_id, v_action.type, v_action.description, v_action.priority::int,
        v_action.details, v_action.parent_id, v_action.subject_id, v_action.attempts + 1,
        v_now + p_lease;
end
$body$;
comment on function memos.claim_action is
    'Takes the most urgent action of those types (null: any) that nobody has, whose parts are finished; '
    'no row when there is none. It is the agent''s until the lease ends, and then anybody''s again. attempt: '
    'pass it to complete_action, so that a worker that was given up for dead does not finish what '
    'another one has taken. Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos_private.lock_claimed_action(
    p_user_id uuid, p_scratchpad_id uuid, p_action_id uuid, p_agent text, p_attempt int
)
returns memos_private.scratchpad_action
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_action memos_private.scratchpad_action;
begin
    perform memos_private.lock_open_scratchpad(p_user_id, p_scratchpad_id);
    perform memos_private.require_agent(p_user_id, p_scratchpad_id, p_agent);
    select * into v_action
    from memos_private.scratchpad_action as a
    where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id and a.action_id = p_action_id
    for no key update;
    if not found then
        perform memos_private.refuse_missing_entry('p_action_id', 'action', p_action_id);
    end if;
    if v_action.status <> 'in_progress' or v_action.agent <> p_agent or v_action.attempts <> p_attempt then
        raise exception 'the action is not this agent''s to finish'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('action %s is %s, attempt %s, agent %s', p_action_id, v_action.status,
                    v_action.attempts, coalesce(v_action.agent, 'none')),
                hint = 'its lease ran out, or it is finished: drop the work and claim another one';
    end if;
    return v_action;
end
$body$;
comment on function memos_private.lock_claimed_action is
    'The action, locked, if that agent has it (in that attempt, when one is given). Raises MO404, MO409.';

create or replace function memos.complete_action(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_action_id     uuid,
    p_agent         text,
    p_result        jsonb default null,
    p_attempt       int default null
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
    perform memos_private.audit(p_user_id, 'complete_action', array[p_scratchpad_id, p_action_id]);
    perform memos_private.require_note_json('p_result', p_result, false, true);
    perform memos_private.lock_claimed_action(
        p_user_id, p_scratchpad_id, p_action_id, p_agent, p_attempt
    );
    update memos_private.scratchpad_action as a
    set status = 'completed', result = p_result, error = null, lease_until = null,
        finished_at = clock_timestamp()
    where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id and a.action_id = p_action_id;
end
$body$;
comment on function memos.complete_action is
    'Finishes an action that the agent has taken; once. In one transaction with what it led to, either '
    'both are there or neither. p_attempt: as claim_action said. '
    'Errors: MO001, MO400, MO403, MO404, MO409 (finished, or taken by another one meanwhile).';

create or replace function memos.fail_action(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_action_id     uuid,
    p_agent         text,
    p_error         text,
    p_retry         boolean default true,
    p_attempt       int default null
)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_action memos_private.scratchpad_action;
    v_again boolean;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'fail_action', array[p_scratchpad_id, p_action_id]);
    perform memos_private.require_note_text('p_error', p_error, 65536, false);
    if p_retry is null then
        perform memos_private.refuse_argument('p_retry', 'it is null', 'true or false');
    end if;
    v_action := memos_private.lock_claimed_action(
        p_user_id, p_scratchpad_id, p_action_id, p_agent, p_attempt
    );
    v_again := p_retry and v_action.attempts < v_action.max_attempts;
    update memos_private.scratchpad_action as a
    set status = case when v_again then 'pending' else 'failed' end, error = p_error, lease_until = null,
        finished_at = case when not v_again then clock_timestamp() end
    where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id and a.action_id = p_action_id;
    return case when v_again then 'pending' else 'failed' end;
end
$body$;
comment on function memos.fail_action is
    'Gives an action back that did not work out: pending again (the answer says so), or failed without '
    'p_retry or after its last attempt. Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.extend_action(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_action_id     uuid,
    p_agent         text,
    p_lease         interval default '5 minutes',
    p_attempt       int default null
)
returns timestamptz
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_until timestamptz;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'extend_action', array[p_scratchpad_id, p_action_id]);
    perform memos_private.require_lasting('p_lease', p_lease, false);
    perform memos_private.lock_claimed_action(
        p_user_id, p_scratchpad_id, p_action_id, p_agent, p_attempt
    );
    v_until := clock_timestamp() + p_lease;
    update memos_private.scratchpad_action as a
    set lease_until = v_until
    where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id and a.action_id = p_action_id;
    return v_until;
end
$body$;
comment on function memos.extend_action is
    'Keeps an action that takes longer, from now for p_lease; returns until when. '
    'Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.set_action_status(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_action_id     uuid,
    p_status        text
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_status text;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'set_action_status', array[p_scratchpad_id, p_action_id]);
    perform memos_private.require_word('p_status', p_status, array['pending', 'blocked', 'skipped']);
    perform memos_private.lock_open_scratchpad(p_user_id, p_scratchpad_id);
    select a.status into v_status
    from memos_private.scratchpad_action as a
    where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id and a.action_id = p_action_id
    for no key update;
    if not found then
        perform memos_private.refuse_missing_entry('p_action_id', 'action', p_action_id);
    end if;
    if v_status not in ('pending', 'blocked') then
        raise exception 'the action is taken or finished'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('action %s is %s', p_action_id, v_status),
                hint = 'only actions that wait can be blocked, unblocked or skipped';
    end if;
    update memos_private.scratchpad_action as a
    set status = p_status, finished_at = case when p_status = 'skipped' then clock_timestamp() end
    where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id and a.action_id = p_action_id;
end
$body$;
comment on function memos.set_action_status is
    'Blocks an action that waits (it is not handed out), makes it pending again, or skips it for good. '
    'Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.list_actions(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_statuses      text[] default null,
    p_parent_id     uuid default null,
    p_limit         int default 100
)
returns table (
    action_id uuid, type text, description text, priority int, status text, details jsonb,
    parent_id uuid, subject_id uuid, for_agent text, agent text, attempts int, max_attempts int,
    lease_until timestamptz, result jsonb, error text, added_at timestamptz, finished_at timestamptz
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
    return query
    select a.action_id, a.type, a.description, a.priority::int, a.status, a.details, a.parent_id,
        a.subject_id, a.for_agent, a.agent, a.attempts, a.max_attempts, a.lease_until, a.result, a.error,
        a.added_at, a.finished_at
    from memos_private.scratchpad_action as a
    where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id
        and (p_statuses is null or a.status = any (p_statuses))
        and (p_parent_id is null or a.parent_id = p_parent_id)
    order by a.finished_at desc nulls first, a.priority, a.action_id
    limit p_limit;
    perform memos_private.audit_read(p_user_id, 'list_actions', array[p_scratchpad_id]);
end
$body$;
comment on function memos.list_actions is
    'The actions of a scratchpad, those that are open first, by priority: pending, in_progress, completed, '
    'failed, blocked, skipped. Takes nothing: it is how to look ahead in the queue. p_parent_id: the parts '
    'of that one. Errors: MO001, MO400, MO403, MO404.';
