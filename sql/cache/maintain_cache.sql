create or replace function memos_admin.expire_cache_entries(p_limit int default 1000)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_policy memos_private.cache_namespace;
    v_count bigint;
    v_total bigint := 0;
begin
    if p_limit is null or p_limit < 1 then
        perform memos_private.refuse_argument(
            'p_limit', memos_private.it_is(p_limit), 'a whole number from 1'
        );
    end if;
    for v_policy in select * from memos_private.cache_namespace as n order by n.name loop
        delete from memos_private.cache_entry as e
        where e.ctid = any (array(
            select s.ctid
            from memos_private.cache_entry as s
            where s.expires_at < clock_timestamp() - v_policy.stale_lifetime and s.namespace = v_policy.name
            limit p_limit
            for update skip locked
        ));
        get diagnostics v_count = row_count;
        v_total := v_total + v_count;
        continue when (
            select coalesce(sum(u.bytes), 0) <= v_policy.max_total_bytes
            from memos_private.cache_usage as u
            where u.namespace = v_policy.name
        );
        delete from memos_private.cache_entry as e
        where e.ctid = any (array(
            select s.ctid
            from memos_private.cache_entry as s
            where s.namespace = v_policy.name
            order by s.used_at
            limit p_limit
            for update skip locked
        ));
        get diagnostics v_count = row_count;
        perform memos_private.count_cache(v_policy.name, p_evictions => v_count);
        v_total := v_total + v_count;
    end loop;
    return v_total;
end
$body$;
comment on function memos_admin.expire_cache_entries is
    'Removes entries that have expired, and the least recently used of namespaces whose users hold too much '
    'together: at most p_limit of each kind and namespace. Returns how many; 0 when nothing is left to do.';

create or replace function memos_admin.tidy_cache()
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    delete from memos_private.cache_lease as l where l.expires_at < clock_timestamp() - interval '10 minutes';
    -- A mark goes when no lease that began before it was seen can still be filled: leases last at most 10
    -- minutes, and 10 more here. What it outlawed goes first.
    delete from memos_private.cache_entry as e
    using memos_private.cache_mark as m
    where m.noticed_at < clock_timestamp() - interval '30 minutes' and e.user_id = m.user_id
        and e.seen is not null
        and memos_private.is_invalidated(e.user_id, e.namespace, e.key_hash, e.key, e.tags, e.seen);
    delete from memos_private.cache_mark as m where m.noticed_at < clock_timestamp() - interval '30 minutes';
    update memos_private.cache_mark as m set noticed_at = clock_timestamp() where m.noticed_at is null;

    delete from memos_private.cache_counter as c
    where c.bucket < clock_timestamp()
        - make_interval(days => memos_private.setting('cache_statistics_days')::int);
    with gone as (
        delete from memos_private.cache_counter as c
        where c.ctid = any (array(
            select s.ctid
            from memos_private.cache_counter as s
            where s.bucket < clock_timestamp() - interval '10 minutes' and exists (
                select from memos_private.cache_counter as o
                where o.namespace = s.namespace and o.bucket = s.bucket and o.slot <> s.slot
            )
            for update skip locked
        ))
        returning c.*
    )
    insert into memos_private.cache_counter (
        namespace, bucket, slot, hits, local_hits, misses, fills, waits, evictions
    )
    select g.namespace, g.bucket, gen_random_uuid(), sum(g.hits), sum(g.local_hits), sum(g.misses),
        sum(g.fills), sum(g.waits), sum(g.evictions)
    from gone as g
    group by g.namespace, g.bucket;
    with gone as (
        delete from memos_private.cache_usage as u
        where u.ctid = any (array(
            select s.ctid
            from memos_private.cache_usage as s
            where s.entries = 0 or exists (
                select from memos_private.cache_usage as o
                where o.user_id = s.user_id and o.namespace = s.namespace and o.slot <> s.slot
            )
            for update skip locked
        ))
        returning u.*
    )
    insert into memos_private.cache_usage (user_id, namespace, slot, entries, bytes)
    select g.user_id, g.namespace, gen_random_uuid(), sum(g.entries), sum(g.bytes)
    from gone as g
    group by g.user_id, g.namespace
    having sum(g.entries) <> 0 or sum(g.bytes) <> 0;
end
$body$;
comment on function memos_admin.tidy_cache is
    'Removes leases and marks that no filling needs any more, and packs the slots of the numbers together.';

-- Commits as it goes, so it can neither be a definer nor pin its search_path in a clause.
create or replace procedure memos_admin.maintain_cache(p_limit int default 1000)
language plpgsql
as $body$
declare
    v_done pg_catalog.int8;
begin
    loop
        perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        v_done := memos_admin.expire_cache_entries(p_limit);
        commit;
        exit when v_done operator(pg_catalog.=) 0;
    end loop;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform memos_admin.tidy_cache();
    commit;
end
$body$;
comment on procedure memos_admin.maintain_cache is
    'Removes expired entries, p_limit of a namespace in a transaction, and keeps the books of the caches.';
