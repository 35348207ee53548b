-- move_to_tier waits for no memory: what somebody is just changing stays, until the next run.
create or replace function memos_private.hot_idle_since()
returns timestamptz
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return now() - make_interval(hours => memos_private.setting('hot_idle_hours')::int);
end
$body$;
comment on function memos_private.hot_idle_since is 'What was not used since then is not hot.';

create or replace function memos_private.idle_hot_memories(p_user_id uuid, p_limit int)
returns uuid[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_since constant timestamptz := memos_private.hot_idle_since();
    v_hot constant uuid[] := memos_private.hot_memory_ids(p_user_id);
begin
    return array(
        select m.memory_id
        from memos_private.memory as m
        left join memos_private.memory_usage as u on u.user_id = p_user_id and u.memory_id = m.memory_id
        where m.user_id = p_user_id and m.memory_id = any (v_hot) and m.tier = 'hot'
            and coalesce(u.last_used_at, '-infinity') <= v_since
        limit p_limit
    );
end
$body$;
comment on function memos_private.idle_hot_memories is 'Hot memories that were not used for hot_idle_hours.';

create or replace function memos_private.used_cold_memories(p_user_id uuid, p_limit int)
returns uuid[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return array(
        select c.memory_id
        from memos_private.cold_place as c
        join memos_private.memory_usage as u on u.user_id = p_user_id and u.memory_id = c.memory_id
        where c.user_id = p_user_id and u.last_used_at > c.moved_at
        limit p_limit
    );
end
$body$;
comment on function memos_private.used_cold_memories is 'Cold memories that were used since they became so.';

create or replace function memos_private.most_used_memories(p_user_id uuid, p_limit int)
returns uuid[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_since constant timestamptz := memos_private.hot_idle_since();
    v_uses constant int := memos_private.setting('hot_uses');
    v_hot constant uuid[] := memos_private.hot_memory_ids(p_user_id);
    v_places constant bigint := memos_private.setting('hot_max_memories')::bigint - (
        select count(*)
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (v_hot) and m.tier = 'hot'
    );
begin
    return array(
        select u.memory_id
        from memos_private.memory_usage as u
        join memos_private.memory as m on m.user_id = p_user_id and m.memory_id = u.memory_id
        where u.user_id = p_user_id and u.last_used_at > v_since and u.uses >= v_uses and m.tier = 'warm'
        order by u.uses desc, u.last_used_at desc, u.memory_id
        limit greatest(least(v_places, p_limit), 0)
    );
end
$body$;
comment on function memos_private.most_used_memories is
    'Warm memories that were used hot_uses times in all and within hot_idle_hours, as far as there are '
    'places among the hot ones, the most used first.';

create or replace function memos_private.cool(p_user_id uuid, p_memory_ids uuid[])
returns int
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_memory_ids = '{}' then
        return 0;
    end if;
    -- Before the memories, as move_to_tier does.
    perform memos_private.lock_postings(p_user_id);
    return memos_private.move_to_tier(p_user_id, array(
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (p_memory_ids) and m.tier = 'warm'
            -- Not what was pinned since it was chosen.
            and not m.pinned
        for update skip locked
    ), 'cold');
end
$body$;
comment on function memos_private.cool is 'Moves warm memories that are not pinned to tier cold.';

create or replace function memos_private.assign_cold(p_user_id uuid, p_limit int)
returns int
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_idle_since constant timestamptz :=
        now() - make_interval(days => memos_private.setting('cold_idle_days')::int);
    v_max_retention constant double precision := memos_private.setting('cold_max_retention');
begin
    return memos_private.cool(p_user_id, array(
        select t.memory_id
        from memos_private.memory_traits as t
        left join memos_private.memory_usage as u on u.user_id = p_user_id and u.memory_id = t.memory_id
        where t.user_id = p_user_id and t.tier = 'warm' and not t.pinned
            -- Facts stay, and must not take the places of what can go.
            and not exists (
                select from memos_private.fact as f
                where f.user_id = p_user_id and f.memory_id = t.memory_id
            )
            and greatest(t.recorded_at, u.last_used_at) <= v_idle_since
            and memos_private.retention_of(t, u, null, now()) < v_max_retention
        limit p_limit
    ));
end
$body$;
comment on function memos_private.assign_cold is
    'What was neither used nor written for cold_idle_days, is not pinned, no fact, and retained less than '
    'cold_max_retention becomes cold.';

create or replace function memos_private.assign_excess(p_user_id uuid, p_limit int)
returns int
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_excess constant bigint := (
        select count(*) from memos_private.memory as m where m.user_id = p_user_id
    ) - memos_private.setting('warm_max_memories')::bigint;
begin
    return memos_private.cool(p_user_id, array(
        select t.memory_id
        from memos_private.memory_traits as t
        left join memos_private.memory_usage as u on u.user_id = p_user_id and u.memory_id = t.memory_id
        where t.user_id = p_user_id and t.tier = 'warm' and not t.pinned
            -- Facts stay, and must not take the places of what can go.
            and not exists (
                select from memos_private.fact as f
                where f.user_id = p_user_id and f.memory_id = t.memory_id
            )
        order by memos_private.retention_of(t, u, null, now()), t.memory_id
        limit least(greatest(v_excess, 0), p_limit)
    ));
end
$body$;
comment on function memos_private.assign_excess is
    'Of more than warm_max_memories memories the least retained ones become cold.';

-- One visit to one user. When it is due again follows from what it leaves behind.
create or replace function memos_private.assign_tiers(p_user_id uuid, p_limit int)
returns int
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_cold_idle constant interval := make_interval(days => memos_private.setting('cold_idle_days')::int);
    v_schedule memos_private.tier_schedule;
    v_ids uuid[];
    v_hot int;
    v_missed boolean := false;
    v_moved int := 0;
begin
    if p_limit is null or p_limit not between 1 and 10000 then
        perform memos_private.refuse_argument(
            'p_limit', memos_private.it_is(p_limit), '1 to 10000 memories'
        );
    end if;
    if not pg_try_advisory_xact_lock(hashtextextended('memos.assign_tiers ' || p_user_id, 0)) then
        return 0;
    end if;
    select * into v_schedule from memos_private.tier_schedule as s where s.user_id = p_user_id for update;
    -- To and from the cold first: that waits for the user's postings, and whoever has them may wait for a
    -- memory that changing tiers among the warm locks.
    if v_schedule.hot_due_at <= now() then
        v_ids := memos_private.used_cold_memories(p_user_id, p_limit);
        if v_ids <> '{}' then
            v_moved := memos_private.move_to_tier(p_user_id, v_ids, 'warm');
        end if;
    end if;
    if v_moved < p_limit and v_schedule.cold_due_at <= now() then
        v_moved := v_moved + memos_private.assign_cold(p_user_id, p_limit - v_moved);
    end if;
    if v_moved < p_limit then
        v_moved := v_moved + memos_private.assign_excess(p_user_id, p_limit - v_moved);
    end if;
    if v_moved < p_limit and v_schedule.hot_due_at <= now() then
        v_moved := v_moved + memos_private.move_to_tier(
            p_user_id, memos_private.idle_hot_memories(p_user_id, p_limit - v_moved), 'warm'
        );
        v_ids := memos_private.most_used_memories(p_user_id, p_limit - v_moved);
        v_hot := memos_private.move_to_tier(p_user_id, v_ids, 'hot');
        v_missed := v_hot < cardinality(v_ids);
        v_moved := v_moved + v_hot;
    end if;
    if v_moved < p_limit then
        v_ids := memos_private.hot_memory_ids(p_user_id);
        update memos_private.tier_schedule as s
        set hot_due_at = case when v_missed then '-infinity' else coalesce((
                select min(u.last_used_at)
                    + make_interval(hours => memos_private.setting('hot_idle_hours')::int)
                from memos_private.memory_usage as u
                join memos_private.memory as m on m.user_id = p_user_id and m.memory_id = u.memory_id
                where u.user_id = p_user_id and u.memory_id = any (v_ids)
                    and m.tier = 'hot'
            ), 'infinity') end,
            -- Nothing gets idle sooner than a twelfth of the time in which it does, or not much.
            cold_due_at = case when s.cold_due_at > now() then s.cold_due_at else now() + v_cold_idle / 12 end
        where s.user_id = p_user_id;
    end if;
    return v_moved;
end
$body$;
comment on function memos_private.assign_tiers is
    'Moves at most p_limit of a user''s memories to the tier that they belong to; returns how many. 0: all '
    'are where they belong, or another session is at it. Errors: MO400.';

create or replace function memos_admin.assign_tiers_batch(p_user_id uuid, p_limit int default 100)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.require_user(p_user_id);
    return memos_private.assign_tiers(p_user_id, p_limit);
end
$body$;
comment on function memos_admin.assign_tiers_batch is
    'One transaction of memos_admin.assign_tiers for one user: returns how many memories it moved. '
    'Errors: MO400.';

create or replace function memos_admin.users_to_tier()
returns table (user_id uuid)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select s.user_id
    from memos_private.tier_schedule as s
    where least(s.hot_due_at, s.cold_due_at) <= now()
    union
    select c.user_id
    from memos_private.corpus as c
    group by c.user_id
    having sum(c.documents) > memos_private.setting('warm_max_memories')::bigint
    order by user_id
$body$;
comment on function memos_admin.users_to_tier is
    'Users whose memories are due to be looked at: some were used, some hot ones are idle, a twelfth of '
    'cold_idle_days has passed, or there are too many.';

-- Commits as it goes, so it can neither be a definer nor pin its search_path in a clause: it pins it
-- itself in each transaction and does nothing but call functions that are definers.
create or replace procedure memos_admin.assign_tiers(
    p_user_id uuid default null, p_limit int default 100, p_at_most interval default null
)
language plpgsql
as $body$
declare
    v_user_id pg_catalog.uuid;
    v_done pg_catalog.int4;
    v_end constant pg_catalog.timestamptz :=
        coalesce(pg_catalog.clock_timestamp() operator(pg_catalog.+) p_at_most, 'infinity');
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform memos_admin.fill_hot_set();
    commit;
    for v_user_id in
        select u.user_id
        from memos_admin.users_to_fold_access() as u
        where u.user_id = coalesce(p_user_id, u.user_id)
    loop
        loop
            perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
            v_done := memos_admin.fold_access_batch(v_user_id);
            commit;
            exit when v_done operator(pg_catalog.=) 0;
        end loop;
        if pg_catalog.clock_timestamp() operator(pg_catalog.>) v_end then
            return;
        end if;
    end loop;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    for v_user_id in
        select u.user_id
        from memos_admin.users_to_tier() as u
        where u.user_id = coalesce(p_user_id, u.user_id)
    loop
        loop
            perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
            v_done := memos_admin.assign_tiers_batch(v_user_id, p_limit);
            commit;
            if pg_catalog.clock_timestamp() operator(pg_catalog.>) v_end then
                return;
            end if;
            exit when v_done operator(pg_catalog.<) p_limit;
        end loop;
    end loop;
end
$body$;
comment on procedure memos_admin.assign_tiers is
    'Counts the uses that were recorded and moves memories to the tier where they belong, of one user or of '
    'all, p_limit in a transaction. Looks only at users for whom something is due. p_at_most: begins no '
    'other transaction after that long; the rest waits for the next call.';
