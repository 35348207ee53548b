-- Uses are added to a count and a set, which come out the same in whatever order and portions they are
-- taken, and however late their transactions commit. They are taken from the log in the transaction that
-- counts them: a crash leaves both or neither.
create or replace function memos_private.fold_access(p_user_id uuid, p_limit int)
returns int
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_done int;
    v_waiting uuid[];
    v_free uuid[];
begin
    if p_limit is null or p_limit not between 1 and 10000 then
        perform memos_private.refuse_argument(
            'p_limit', memos_private.it_is(p_limit), '1 to 10000 memories'
        );
    end if;
    if not pg_try_advisory_xact_lock(hashtextextended('memos.fold_access ' || p_user_id, 0)) then
        return 0;
    end if;
    lock table memos_private.retention_parameter in row share mode;
    v_waiting := array(
        select distinct a.memory_id from memos_private.memory_access as a where a.user_id = p_user_id limit p_limit
    );
    if v_waiting = '{}' then
        return 0;
    end if;
    -- Before the uses: whoever is just looking at the tiers is waited for with empty hands, and whoever
    -- comes next sees what is counted here.
    insert into memos_private.tier_schedule as s (user_id, hot_due_at, cold_due_at)
    -- Before uses were recorded nobody could know what was not used.
    values (
        p_user_id, '-infinity',
        now() + make_interval(days => memos_private.setting('cold_idle_days')::int)
    )
    on conflict (user_id) do update set hot_due_at = excluded.hot_due_at;
    -- What a writer is just changing is left for the next run: this waits for nobody.
    v_free := array(
        select u.memory_id
        from memos_private.memory_usage as u
        where u.user_id = p_user_id and u.memory_id = any (v_waiting)
        for update skip locked
    );
    v_free := v_free || array(
        select w.memory_id
        from unnest(v_waiting) as w (memory_id)
        where not exists (
            select from memos_private.memory_usage as u
            where u.user_id = p_user_id and u.memory_id = w.memory_id
        )
    );
    with taken as (
        delete from memos_private.memory_access as a
        where a.user_id = p_user_id and a.memory_id = any (v_free)
        returning a.memory_id, a.accessed_at
    ),
    counted as (
        insert into memos_private.memory_usage as u (user_id, memory_id, uses, used_at, last_used_at)
        select p_user_id, k.memory_id, count(*),
            memos_private.last_uses_of_days(array_agg(k.accessed_at)), max(k.accessed_at)
        from taken as k
        -- What was deleted since is passed over.
        where exists (
            select from memos_private.memory as m where m.user_id = p_user_id and m.memory_id = k.memory_id
        ) or exists (
            select from memos_private.cold_place as c where c.user_id = p_user_id and c.memory_id = k.memory_id
        )
        group by k.memory_id
        on conflict (user_id, memory_id) do update
        set uses = u.uses + excluded.uses,
            used_at = memos_private.last_uses_of_days(u.used_at || excluded.used_at),
            last_used_at = greatest(u.last_used_at, excluded.last_used_at)
    )
    select count(*) into v_done from taken as k;
    perform memos_private.derive_stability(p_user_id, v_free);
    return v_done;
end
$body$;
comment on function memos_private.fold_access is
    'Counts the waiting uses of at most p_limit of a user''s memories; returns how many. 0 when none waits, '
    'or another session is at it. Errors: MO400.';

-- Apart from the counting: the rows are locked by then, and this sees the memories as they are now.
create or replace function memos_private.derive_stability(p_user_id uuid, p_memory_ids uuid[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
-- Planning its way through the partitions of the cold memories costs more than all the rest.
set plan_cache_mode = force_generic_plan
as $body$
begin
    update memos_private.memory_usage as u
    set stability = memos_private.stability_from_uses(
        memos_private.initial_stability(t.kind, t.importance), t.anchor, u.used_at
    )
    from memos_private.memory_traits as t
    where u.user_id = p_user_id and u.memory_id = any (p_memory_ids)
        and t.user_id = p_user_id and t.memory_id = any (p_memory_ids) and t.memory_id = u.memory_id;
end
$body$;
comment on function memos_private.derive_stability is
    'Writes down the stability that follows from the uses of memories and from what these are.';

create or replace function memos_private.tg_retention_changed()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if exists (
        select from memos_private.memory_usage as u
        where u.user_id = new.user_id and u.memory_id = new.memory_id
    ) then
        perform memos_private.derive_stability(new.user_id, array[new.memory_id]);
    end if;
    return null;
end
$body$;
comment on function memos_private.tg_retention_changed is
    'A memory of another kind, importance or time is forgotten at another pace.';

create or replace trigger t70_retention_changed
    after update of kind, importance, occurred_at on memos_private.memory
    for each row
    when ((old.kind, old.importance, old.occurred_at)
        is distinct from (new.kind, new.importance, new.occurred_at))
    execute function memos_private.tg_retention_changed();

create or replace function memos_admin.fold_access_batch(p_user_id uuid, p_limit int default 1000)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.require_user(p_user_id);
    return memos_private.fold_access(p_user_id, p_limit);
end
$body$;
comment on function memos_admin.fold_access_batch is
    'Counts the waiting uses of at most p_limit of a user''s memories; returns how many. Errors: MO400.';

create or replace function memos_admin.users_to_fold_access()
returns table (user_id uuid)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select distinct a.user_id from memos_private.memory_access as a order by a.user_id
$body$;
comment on function memos_admin.users_to_fold_access is 'Users with uses that wait to be counted.';
