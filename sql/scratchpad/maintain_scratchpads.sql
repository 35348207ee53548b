create or replace function memos_private.abandoned_before()
returns timestamptz
language sql
volatile
return clock_timestamp()
    - memos_private.setting('scratchpad_abandoned_hours')::int * interval '1 hour';
comment on function memos_private.abandoned_before is
    'An open scratchpad on which nothing has changed since then is abandoned.';

create or replace function memos_admin.abandoned_scratchpads()
returns table (user_id uuid, scratchpad_id uuid, changed_at timestamptz)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
declare
    v_before constant timestamptz := memos_private.abandoned_before();
begin
    return query
    select s.user_id, s.scratchpad_id, c.changed_at
    from memos_private.scratchpad as s
    cross join lateral memos_private.scratchpad_changed_at(s.user_id, s.scratchpad_id, s.opened_at)
        as c (changed_at)
    where s.status = 'open' and s.opened_at < v_before and c.changed_at < v_before
    order by c.changed_at;
end
$body$;
comment on function memos_admin.abandoned_scratchpads is
    'Open scratchpads on which nothing has changed for longer than scratchpad_abandoned_hours.';

create or replace function memos_admin.close_abandoned_scratchpad(p_user_id uuid, p_scratchpad_id uuid)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    -- Locked first and looked at afterwards: somebody may have come back to it since the list was made.
    perform from memos_private.scratchpad as s
    where s.user_id = p_user_id and s.scratchpad_id = p_scratchpad_id and s.status = 'open'
    for update skip locked;
    if not found or exists (
        select from memos_private.scratchpad as s
        where s.user_id = p_user_id and s.scratchpad_id = p_scratchpad_id
            and memos_private.scratchpad_changed_at(s.user_id, s.scratchpad_id, s.opened_at)
                >= memos_private.abandoned_before()
    ) then
        return false;
    end if;
    perform memos_private.audit(
        p_user_id, 'memos_admin.close_abandoned_scratchpad', array[p_scratchpad_id]
    );
    begin
        perform memos_private.end_scratchpad(
            p_user_id, p_scratchpad_id, 'abandoned', true, 'nothing has changed for too long'
        );
    exception when sqlstate 'MO400' or sqlstate 'MO429' or sqlstate 'MO451' then
        -- The user does not want it remembered, or has no room; or a limit was lowered since something was
        -- put down. That must not stop the maintenance of others.
        perform memos_private.end_scratchpad(
            p_user_id, p_scratchpad_id, 'abandoned', false, 'abandoned, not promoted: ' || sqlerrm
        );
    end;
    return true;
end
$body$;
comment on function memos_admin.close_abandoned_scratchpad is
    'Closes and promotes a scratchpad, if it is abandoned: one transaction of '
    'memos_admin.close_abandoned_scratchpads. False: it is not, or somebody is at it.';

create or replace function memos_admin.expire_scratchpads(p_limit int default 20)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_held uuid[];
    v_user_ids uuid[];
    v_ids uuid[];
begin
    perform memos_private.require_batch(p_limit);
    perform memos_private.lock_legal_holds();
    v_held := memos_private.held_users();
    with gone as (
        delete from memos_private.scratchpad as s
        where s.ctid = any (array(
            select e.ctid
            from memos_private.scratchpad as e
            where e.closed_at < clock_timestamp()
                - memos_private.setting('scratchpad_keep_days')::int * interval '1 day'
                and e.user_id <> all (v_held)
            order by e.user_id, e.scratchpad_id
            limit p_limit
            for update skip locked
        ))
        returning s.user_id, s.scratchpad_id
    )
    select array_agg(g.user_id), array_agg(g.scratchpad_id) into v_user_ids, v_ids from gone as g;
    perform memos_private.audit_each('memos_admin.expire_scratchpads', false, v_user_ids, v_ids);
    delete from memos_private.scratchpad_public_value as v
    where v.ctid = any (array(
        select e.ctid
        from memos_private.scratchpad_public_value as e
        where e.expires_at < clock_timestamp() and e.user_id <> all (v_held)
        limit 10000
        for update skip locked
    ));
    return coalesce(cardinality(v_ids), 0);
end
$body$;
comment on function memos_admin.expire_scratchpads is
    'Removes at most p_limit scratchpads that were closed longer than scratchpad_keep_days ago, with all '
    'that is on them, and public values whose lifetime is over; returns how many scratchpads. What was '
    'promoted are memories by now, and stays; so does all of users under a legal hold. Errors: MO400, MO409.';

-- Commits as it goes, so it can neither be a definer nor pin its search_path in a clause: it pins it
-- itself in each transaction and does nothing but call functions that are definers.
create or replace procedure memos_admin.close_abandoned_scratchpads()
language plpgsql
as $body$
declare
    v_abandoned pg_catalog.record;
    v_count pg_catalog.int4;
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    for v_abandoned in select a.user_id, a.scratchpad_id from memos_admin.abandoned_scratchpads() as a loop
        perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        perform memos_admin.close_abandoned_scratchpad(v_abandoned.user_id, v_abandoned.scratchpad_id);
        commit;
    end loop;
    loop
        perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        v_count := memos_admin.expire_scratchpads();
        commit;
        exit when v_count operator(pg_catalog.=) 0;
    end loop;
end
$body$;
comment on procedure memos_admin.close_abandoned_scratchpads is
    'Closes scratchpads that were left alone, each in a transaction of its own, promoting what is good on '
    'them, and removes those whose time has come.';
