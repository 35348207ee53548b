create or replace function memos_private.count_cache(
    p_namespace text, p_hits bigint default 0, p_local_hits bigint default 0, p_misses bigint default 0,
    p_fills bigint default 0, p_waits bigint default 0, p_evictions bigint default 0
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_bucket constant timestamptz := date_bin('5 minutes', clock_timestamp(), 'epoch');
begin
    if current_setting('transaction_read_only')::boolean then
        return;
    end if;
    update memos_private.cache_counter as c
    set hits = c.hits + p_hits, local_hits = c.local_hits + p_local_hits, misses = c.misses + p_misses,
        fills = c.fills + p_fills, waits = c.waits + p_waits, evictions = c.evictions + p_evictions
    where c.ctid = (
        select s.ctid
        from memos_private.cache_counter as s
        where s.namespace = p_namespace and s.bucket = v_bucket
        limit 1
        for update skip locked
    );
    if not found then
        insert into memos_private.cache_counter (
            namespace, bucket, slot, hits, local_hits, misses, fills, waits, evictions
        ) values (
            p_namespace, v_bucket, gen_random_uuid(), p_hits, p_local_hits, p_misses, p_fills, p_waits, p_evictions
        );
    end if;
end
$body$;
comment on function memos_private.count_cache is
    'Adds to the numbers of a namespace, in a slot that nobody has locked: no one waits for it.';

-- A write for each hit would cost as much as the hit: a setting of the session counts them. Of its first
-- 16 each is written at once, so that small numbers are right, later 64 together.
create or replace function memos_private.next_cache_hit(p_namespace text)
returns int
language sql
volatile
return set_config(
    'memos.cache_hits_' || p_namespace,
    (coalesce(nullif(current_setting('memos.cache_hits_' || p_namespace, true), ''), '0')::int % 1000000000
        + 1)::text,
    false
)::int;
comment on function memos_private.next_cache_hit is
    'How many hits this session has had, with this one; up to 16 and at multiples of 64 the caller writes '
    'them down with write_cache_hits.';

create or replace function memos_private.write_cache_hits(p_namespace text, p_hits int)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.count_cache(
        p_namespace, p_hits => case when p_hits <= 16 then 1 else least(64, p_hits - 16) end
    );
end
$body$;
comment on function memos_private.write_cache_hits is 'Writes down the hits since the last time.';

create or replace function memos_private.account_cache(
    p_owner uuid, p_namespace text, p_entries bigint, p_bytes bigint
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    update memos_private.cache_usage as u
    set entries = u.entries + p_entries, bytes = u.bytes + p_bytes
    where u.ctid = (
        select s.ctid
        from memos_private.cache_usage as s
        where s.user_id = p_owner and s.namespace = p_namespace
        limit 1
        for update skip locked
    );
    if not found then
        insert into memos_private.cache_usage (user_id, namespace, slot, entries, bytes)
        values (p_owner, p_namespace, gen_random_uuid(), p_entries, p_bytes);
    end if;
end
$body$;
comment on function memos_private.account_cache is
    'Adds to what a user holds in a namespace, in a slot that nobody has locked.';
