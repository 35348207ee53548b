create or replace function memos_private.consolidate_for(p_user_id uuid, p_max_clusters int)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
set memos.context = ''
as $body$
begin
    perform memos_private.act_for(p_user_id);
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.lock_consolidation(p_user_id);
    return memos_private.consolidate(
        p_user_id, memos_private.new_memory_id(clock_timestamp()), true, false, 1, 2, p_max_clusters,
        false, false
    );
end
$body$;
comment on function memos_private.consolidate_for is
    'The merges of memos.consolidate_memories, for the job.';

create or replace function memos_private.consolidation_marks(p_user_id uuid)
returns table (user_id uuid, newest_memory_id uuid, memories bigint)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return query
    select c.user_id, n.memory_id, c.memories
    from (
        select p.user_id, sum(p.documents)::bigint as memories
        from memos_private.corpus as p
        where p_user_id is null or p.user_id = p_user_id
        group by p.user_id
    ) as c
    cross join lateral (
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = c.user_id
        order by m.memory_id desc
        limit 1
    ) as n;
end
$body$;
comment on function memos_private.consolidation_marks is
    'By what the job sees that a user has something new: the newest memory, and how many there are.';

create or replace function memos_admin.users_to_consolidate(p_user_id uuid default null)
returns table (user_id uuid)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select m.user_id
    from memos_private.consolidation_marks(p_user_id) as m
    left join memos_private.consolidation_state as s using (user_id)
    where (s.newest_memory_id, s.memories) is distinct from (m.newest_memory_id, m.memories)
        and memos_private.has_consent(m.user_id, 'deriving')
    order by m.user_id
$body$;
comment on function memos_admin.users_to_consolidate is
    'Users (or whether that one) with new memories since the job was there the last time.';

create or replace function memos_admin.consolidate_batch(p_user_id uuid, p_max_clusters int default 100)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_actions jsonb;
    v_newest_memory_id uuid;
    v_memories bigint;
begin
    perform memos_private.require_user(p_user_id);
    if p_max_clusters is null or p_max_clusters not between 1 and 1000 then
        perform memos_private.refuse_argument(
            'p_max_clusters', memos_private.it_is(p_max_clusters), '1 to 1000'
        );
    end if;
    if not memos_private.has_consent(p_user_id, 'deriving') then
        return 0;  -- users_to_consolidate names them again when the user consents
    end if;
    perform memos_private.audit(p_user_id, 'memos_admin.consolidate_batch');
    perform memos_private.lock_consolidation(p_user_id);
    -- Before it looks, less what it sets aside: what is written meanwhile counts as new the next time.
    select m.newest_memory_id, m.memories into v_newest_memory_id, v_memories
    from memos_private.consolidation_marks(p_user_id) as m;
    v_actions := memos_private.consolidate_for(p_user_id, p_max_clusters);
    v_memories := v_memories - coalesce((
        select sum(jsonb_array_length(a -> 'source_ids')) from jsonb_array_elements(v_actions) as a
    ), 0);
    v_newest_memory_id := (
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id <= v_newest_memory_id
        order by m.memory_id desc
        limit 1
    );
    if jsonb_array_length(v_actions) < p_max_clusters and v_newest_memory_id is not null then
        insert into memos_private.consolidation_state as s (user_id, newest_memory_id, memories)
        values (p_user_id, v_newest_memory_id, v_memories)
        on conflict (user_id) do update
        set newest_memory_id = excluded.newest_memory_id, memories = excluded.memories;
    end if;
    return jsonb_array_length(v_actions);
end
$body$;
comment on function memos_admin.consolidate_batch is
    'Merges at most p_max_clusters groups of one user''s memories that say the same: one transaction of '
    'memos_admin.consolidate_memories. Does nothing for users who do not consent to deriving. '
    'Errors: MO400.';

-- Commits as it goes, so it can neither be a definer nor pin its search_path in a clause: it pins it
-- itself in each transaction and does nothing but call functions that are definers.
create or replace procedure memos_admin.consolidate_memories(
    p_user_id uuid default null,
    p_at_most interval default null
)
language plpgsql
as $body$
declare
    v_user_id pg_catalog.uuid;
    v_end constant pg_catalog.timestamptz :=
        coalesce(pg_catalog.clock_timestamp() operator(pg_catalog.+) p_at_most, 'infinity');
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    for v_user_id in select u.user_id from memos_admin.users_to_consolidate(p_user_id) as u loop
        loop
            perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
            exit when memos_admin.consolidate_batch(v_user_id) operator(pg_catalog.<) 100;
            commit;
        end loop;
        commit;
        exit when pg_catalog.clock_timestamp() operator(pg_catalog.>) v_end;
    end loop;
end
$body$;
comment on procedure memos_admin.consolidate_memories is
    'Merges memories that say the same word for word, of one user or of all who have something new. Not '
    'part of memos_admin.run_maintenance: whether memories may be set aside unasked is a decision.';
