create or replace function memos_private.retention_clock(p_user_id uuid)
returns table (privacy_level text, until timestamptz)
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select l.level, now() - make_interval(days => l.days)
    from (
        select left(s.name, -length('_retention_days')) as level,
            least(nullif(s.value::int, 99999), u.retention_days) as days
        from memos_private.setting as s
        left join memos_private.user_setting as u on u.user_id = p_user_id
        where s.name in (
            'minimal_retention_days', 'balanced_retention_days', 'comprehensive_retention_days',
            'restricted_retention_days'
        )
    ) as l
    where l.days is not null
$body$;
comment on function memos_private.retention_clock is
    'Until when a user''s memories must have been written to be due now, by privacy level: the user''s '
    'retention_days and the operator''s setting for the level, whichever is shorter. No row for a level '
    'that is kept.';

-- Ids are times, so that what may be due is a range of the key, and the rest is not looked at. A memory
-- that was updated since is as young as its last version.
create or replace function memos_private.due_memories(p_user_id uuid)
returns setof uuid
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    with clock as materialized (
        select c.privacy_level, c.until from memos_private.retention_clock(p_user_id) as c
    )
    select m.memory_id
    from (
        select w.user_id, w.memory_id, w.recorded_at, w.pinned, w.privacy_level
        from memos_private.memory as w
        union all
        select c.user_id, c.memory_id, c.recorded_at, c.pinned, c.privacy_level
        from memos_private.memory_cold as c
    ) as m
    join clock as c on c.privacy_level = m.privacy_level
    where m.user_id = p_user_id
        and m.memory_id < (select memos_private.new_memory_id(max(c.until)) from clock as c)
        and m.recorded_at < c.until
        -- A relapse plan, an allergy: nobody but the user lets go of them.
        and not m.pinned
    order by m.memory_id
$body$;
comment on function memos_private.due_memories is
    'Memories of a user whose time is over and that are not pinned, oldest first.';

-- Definer, so that maintenance deletes in the user's context and by the one way that there is.
create or replace function memos_private.expire_memories(p_user_id uuid, p_limit int)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_memory_id uuid;
    v_ids uuid[] := '{}';
begin
    perform set_config('memos.user_id', p_user_id::text, true);
    for v_memory_id in
        select d from memos_private.due_memories(p_user_id) as d limit p_limit
    loop
        if memos_private.remove_memory(p_user_id, v_memory_id, 'retention') then
            v_ids := v_ids || v_memory_id;
        end if;
    end loop;
    if v_ids <> '{}' then
        perform memos_private.audit(p_user_id, 'memos_admin.expire_memories_batch', v_ids);
    end if;
    return cardinality(v_ids);
end
$body$;
comment on function memos_private.expire_memories is
    'Deletes at most p_limit memories of a user whose time is over; returns how many.';

create or replace function memos_admin.users_to_expire()
returns table (user_id uuid)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select u.user_id
    from (
        select s.user_id from memos_private.user_setting as s where s.retention_days is not null
        union
        -- A limit of the operator's is one on everybody.
        select a.user_id
        from (
            select c.user_id from memos_private.corpus as c
            union all
            select p.user_id from memos_private.cold_place as p
        ) as a
        where exists (select from memos_private.retention_clock(null))
    ) as u
    where u.user_id <> all (memos_private.held_users())
        and exists (select from memos_private.due_memories(u.user_id))
    order by u.user_id
$body$;
comment on function memos_admin.users_to_expire is
    'Users with memories whose time is over, and without a legal hold.';

create or replace function memos_admin.expire_memories_batch(p_user_id uuid, p_limit int default 100)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_user_id is null or p_limit is null or p_limit not between 1 and 10000 then
        perform memos_private.refuse_argument(
            case when p_user_id is null then 'p_user_id' else 'p_limit' end,
            case when num_nulls(p_user_id, p_limit) > 0 then 'it is null'
                else format('it is %s', p_limit) end,
            case when p_user_id is null then 'the uuid of a user' else '1 to 10000 memories' end
        );
    end if;
    perform memos_private.lock_legal_holds();
    if p_user_id = any (memos_private.held_users()) then
        return 0;
    end if;
    return memos_private.expire_memories(p_user_id, p_limit);
end
$body$;
comment on function memos_admin.expire_memories_batch is
    'One transaction of memos_admin.expire_memories: returns how many memories it deleted, none of a user '
    'under a legal hold. Errors: MO400, MO409.';

-- Commits as it goes, so it can neither be a definer nor pin its search_path in a clause: it pins it
-- itself in each transaction and does nothing but call functions that are definers.
create or replace procedure memos_admin.expire_memories()
language plpgsql
as $body$
declare
    v_user_id pg_catalog.uuid;
    v_done pg_catalog.int4;
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    for v_user_id in select u.user_id from memos_admin.users_to_expire() as u loop
        loop
            perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
            v_done := memos_admin.expire_memories_batch(v_user_id);
            commit;
            exit when v_done operator(pg_catalog.=) 0;
        end loop;
    end loop;
end
$body$;
comment on procedure memos_admin.expire_memories is
    'Deletes the memories that users did not want to be kept so long (retention_days), or the operator does '
    'not keep at that privacy level (settings minimal_retention_days to restricted_retention_days), as '
    'delete_memory does, with the reason retention. Pinned ones stay, and all of users under a legal hold. '
    'A hundred in a transaction.';
