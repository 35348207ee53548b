-- For operators: owned by memos_maintenance, whose policies let it see every user's rows.
create or replace view memos_admin.cache_statistics with (security_barrier) as
select n.name as namespace, coalesce(e.entries, 0) as entries, coalesce(e.shared_entries, 0) as shared_entries,
    coalesce(e.owners, 0) as owners, coalesce(e.bytes, 0) as bytes, e.oldest, e.newest,
    coalesce(c.hits, 0) as hits, coalesce(c.local_hits, 0) as local_hits, coalesce(c.misses, 0) as misses,
    round((c.hits + c.local_hits) / nullif(c.hits + c.local_hits + c.misses, 0), 4) as hit_rate,
    coalesce(c.fills, 0) as fills, coalesce(c.waits, 0) as waits, coalesce(c.evictions, 0) as evictions
from memos_private.cache_namespace as n
left join (
    select namespace, count(*) as entries,
        count(*) filter (where user_id = '00000000-0000-0000-0000-000000000000') as shared_entries,
        count(distinct user_id) as owners, sum(bytes)::bigint as bytes, min(stored_at) as oldest,
        max(stored_at) as newest
    from memos_private.cache_entry
    where expires_at > clock_timestamp()
    group by namespace
) as e on e.namespace = n.name
left join (
    select namespace, sum(hits) as hits, sum(local_hits) as local_hits, sum(misses) as misses,
        sum(fills) as fills, sum(waits) as waits, sum(evictions) as evictions
    from memos_private.cache_counter
    group by namespace
) as c on c.namespace = n.name;
comment on view memos_admin.cache_statistics is
    'Every namespace: what it holds for all users, and what happened in it in the last days (setting '
    'cache_statistics_days). local_hits were served from the memory of clients. A session that has had 16 '
    'hits, misses or fills reports up to 64 of them late.';

create or replace view memos_admin.cache_hit_rate with (security_barrier) as
select bucket, namespace, sum(hits)::bigint as hits, sum(local_hits)::bigint as local_hits,
    sum(misses)::bigint as misses,
    round(sum(hits + local_hits) / nullif(sum(hits + local_hits + misses), 0), 4) as hit_rate,
    sum(fills)::bigint as fills, sum(waits)::bigint as waits, sum(evictions)::bigint as evictions
from memos_private.cache_counter
group by bucket, namespace;
comment on view memos_admin.cache_hit_rate is 'Hits and misses of each namespace over time, by five minutes.';

alter view memos_admin.cache_statistics owner to memos_maintenance;
alter view memos_admin.cache_hit_rate owner to memos_maintenance;
revoke all on memos_admin.cache_statistics, memos_admin.cache_hit_rate from public;
grant select on memos_admin.cache_statistics, memos_admin.cache_hit_rate to memos_admin;
