create or replace function memos_private.is_read_committed()
returns boolean
language sql
stable
return current_setting('transaction_isolation') in ('read committed', 'read uncommitted');
comment on function memos_private.is_read_committed is
    'Else a row that another has written since the snapshot cannot be written: bookkeeping must not make the '
    'caller''s transaction fail for that, and takes a row of its own, or leaves it.';

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
        where s.namespace = p_namespace and s.bucket = v_bucket and memos_private.is_read_committed()
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

-- A write for each would cost as much as the hit: a setting of the session counts them. Of its first 16
-- each is written at once, so that small numbers are right, later 64 together.
create or replace function memos_private.next_cache_event(p_event text, p_namespace text)
returns int
language sql
volatile
return set_config(
    'memos.cache_' || p_event || '_' || p_namespace,
    (coalesce(nullif(current_setting('memos.cache_' || p_event || '_' || p_namespace, true), ''), '0')::int
        % 1000000000 + 1)::text,
    false
)::int;
comment on function memos_private.next_cache_event is
    'How many hits, misses or fills this session has had, with this one; up to 16 and at multiples of 64 the caller '
    'writes them down with write_cache_events.';

create or replace function memos_private.write_cache_events(p_event text, p_namespace text, p_number int)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_count constant int := case when p_number <= 16 then 1 else least(64, p_number - 16) end;
begin
    perform memos_private.count_cache(
        p_namespace, p_hits => case when p_event = 'hits' then v_count else 0 end,
        p_misses => case when p_event = 'misses' then v_count else 0 end,
        p_fills => case when p_event = 'fills' then v_count else 0 end
    );
end
$body$;
comment on function memos_private.write_cache_events is 'Writes down the hits, misses or fills since the last time.';

create or replace function memos_private.count_cache_event(p_event text, p_namespace text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_number constant int := memos_private.next_cache_event(p_event, p_namespace);
begin
    if v_number <= 16 or v_number % 64 = 0 then
        perform memos_private.write_cache_events(p_event, p_namespace, v_number);
    end if;
end
$body$;
comment on function memos_private.count_cache_event is 'Counts one of "hits", "misses", "fills".';

create or replace function memos_private.account_cache(
    p_owner uuid, p_namespace text, p_entries bigint, p_bytes bigint, out entries bigint, out bytes bigint
)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    with added as (
        update memos_private.cache_usage as u
        set entries = u.entries + p_entries, bytes = u.bytes + p_bytes
        where u.ctid = (
            select s.ctid
            from memos_private.cache_usage as s
            where s.user_id = p_owner and s.namespace = p_namespace and memos_private.is_read_committed()
            limit 1
            for update skip locked
        )
        returning u.slot
    ),
    made as (
        insert into memos_private.cache_usage (user_id, namespace, slot, entries, bytes)
        select p_owner, p_namespace, gen_random_uuid(), p_entries, p_bytes
        where not exists (select from added)
    )
    select coalesce(sum(u.entries), 0) + p_entries, coalesce(sum(u.bytes), 0) + p_bytes
    into entries, bytes
    from memos_private.cache_usage as u
    where u.user_id = p_owner and u.namespace = p_namespace;
end
$body$;
comment on function memos_private.account_cache is
    'Adds to what a user holds in a namespace, in a slot that nobody has locked, and returns what that is '
    'then.';
