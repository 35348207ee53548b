create or replace function memos.cache_lease(
    p_user_id   uuid,
    p_namespace text,
    p_key       text,
    p_lease     interval default '30 seconds',
    p_settings  jsonb default null,
    p_stamp     uuid default null
)
returns table (
    value      jsonb,
    hit        boolean,
    expires_at timestamptz,
    stamp      uuid,
    lifetime   double precision,
    ident      text,
    owner      text,
    lease      uuid,
    stale      jsonb
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_owner uuid := memos_private.enter_cache_context(p_user_id, false);
    v_own constant uuid := v_owner;
    v_target constant record := memos_private.cache_target(p_namespace, p_key, p_settings);
    v_hash constant bytea := v_target.key_hash;
    v_now constant timestamptz := clock_timestamp();
    v_entry record;
    v_stale jsonb;
    v_lease uuid;
    v_may_copy boolean;
begin
    if p_lease is null or p_lease < interval '0' or p_lease > interval '10 minutes' then
        perform memos_private.refuse_argument(
            'p_lease', memos_private.it_is(p_lease),
            'at most 10 minutes; 0 to read and ask for none'
        );
    end if;
    <<look>>
    loop
        select e.stamp, e.expires_at, e.tags, e.seen, e.used_at, e.stored_at, e.copied,
            case when e.stamp = p_stamp and e.expires_at > v_now then null else e.value end as value
        into v_entry
        from memos_private.cache_entry as e
        where e.user_id = v_owner and e.key_hash = v_hash and e.expires_at > v_now - (v_target.policy).stale_lifetime;
        if found and (
            v_entry.seen is null
            or not memos_private.is_invalidated(
                v_owner, p_namespace, v_hash, v_target.key, v_entry.tags, v_entry.seen
            )
        ) then
            if v_entry.expires_at > v_now then
                -- It was put between the first look and the lease.
                delete from memos_private.cache_lease as l
                where v_lease is not null and l.user_id = v_own and l.key_hash = v_hash and l.lease = v_lease;
                v_may_copy := v_entry.copied;
                if not v_entry.copied or v_now - v_entry.used_at > (v_entry.expires_at - v_entry.stored_at) / 16 then
                    v_may_copy := memos_private.touch_cache_entry(v_owner, v_hash, v_entry.stamp) or v_may_copy;
                end if;
                perform memos_private.count_cache_event('hits', p_namespace);
                return query select v_entry.value, true, v_entry.expires_at, v_entry.stamp,
                    case when v_may_copy then extract(epoch from v_entry.expires_at - v_now) else 0 end::double precision,
                    memos_private.cache_ident(v_owner, v_hash), memos_private.cache_ident(v_owner),
                    null::uuid, null::jsonb;
                return;
            end if;
            v_stale := coalesce(v_stale, v_entry.value);
        end if;
        if v_lease is null and v_owner <> memos_private.shared_cache() then
            v_owner := memos_private.shared_cache();
            perform set_config('memos.user_id', v_owner::text, true);
            continue look;
        end if;
        exit look when v_lease is not null or p_lease = interval '0';
        -- What is filled becomes the caller's own entry; the shared ones a bound session does not fill.
        v_owner := memos_private.enter_cache_context(p_user_id, true);
        insert into memos_private.cache_lease as l (
            user_id, key_hash, namespace, lease, seen, leased_at, expires_at
        ) values (
            v_own, v_hash, p_namespace, gen_random_uuid(), pg_current_snapshot(), v_now, v_now + p_lease
        )
        on conflict (user_id, key_hash) do update
        set lease = excluded.lease, seen = excluded.seen, leased_at = excluded.leased_at,
            expires_at = excluded.expires_at
        where l.expires_at <= v_now
        returning l.lease into v_lease;
        exit look when v_lease is null;
        -- Another one may have put it since the look, and given its lease back: look again.
    end loop;
    if p_lease = interval '0' or v_lease is not null then
        perform memos_private.count_cache_event('misses', p_namespace);
    end if;
    return query select null::jsonb, false, null::timestamptz, null::uuid, null::double precision,
        memos_private.cache_ident(v_own, v_hash), memos_private.cache_ident(v_own), v_lease, v_stale;
end
$body$;
comment on function memos.cache_lease is
    'Reads a key like cache_get; where it is missing, one caller gets a lease to fill it (cache_put with '
    'p_lease) and the others get none while it lasts: they ask again, or take the stale value. A lease that '
    'ends without a value goes to the next who asks; p_lease 0 only reads. To be called in a '
    'transaction of its own, before reading what the value is made from: a value made from what changed '
    'meanwhile is not served. p_stamp: the stamp of the caller''s copy; where it is still good, value is null '
    'and stamp the same. lifetime: for how many seconds a copy may be kept, 0 when nobody would tell of its '
    'end. ident, owner: what notifications on the channel '
    'memos_cache call the entry and its owner. Errors: MO001, MO400, MO403, MO503 on a standby.';

create or replace function memos.cache_release(
    p_user_id uuid, p_namespace text, p_key text, p_lease uuid, p_settings jsonb default null
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_owner constant uuid := memos_private.enter_cache_context(p_user_id, true);
    v_hash constant bytea := (memos_private.cache_target(p_namespace, p_key, p_settings)).key_hash;
begin
    if p_lease is null then
        perform memos_private.refuse_argument('p_lease', 'it is null', 'a lease from cache_lease');
    end if;
    delete from memos_private.cache_lease as l
    where l.user_id = v_owner and l.key_hash = v_hash and l.lease = p_lease;
    return found;
end
$body$;
comment on function memos.cache_release is
    'Gives a lease back unfilled, so that another may try at once. False when it is no longer held. '
    'Errors: MO001, MO400, MO403, MO503 on a standby.';

create or replace function memos.cache_report(
    p_user_id uuid, p_namespace text, p_local_hits int default 0, p_waits int default 0
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_cache_context(p_user_id, false);
    perform memos_private.cache_policy(p_namespace);
    if p_local_hits is null or p_local_hits not between 0 and 1000000000
        or p_waits is null or p_waits not between 0 and 1000000000
    then
        perform memos_private.refuse_argument(
            case when p_local_hits between 0 and 1000000000 then 'p_waits' else 'p_local_hits' end,
            format('they are %s and %s', coalesce(p_local_hits::text, 'null'), coalesce(p_waits::text, 'null')),
            'counts from 0 to 1000000000'
        );
    end if;
    perform memos_private.count_cache(p_namespace, p_local_hits => p_local_hits, p_waits => p_waits);
end
$body$;
comment on function memos.cache_report is
    'Adds to the numbers of a namespace what a client knows alone: hits in its own memory, and waits for '
    'another''s filling. Errors: MO001, MO400, MO403, MO503 on a standby.';
