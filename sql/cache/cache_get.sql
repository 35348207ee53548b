create or replace function memos_private.touch_cache_entry(p_owner uuid, p_key_hash bytea, p_copy uuid default null)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    -- Whoever replaces or removes this entry waits for the end of the transaction that touched it, so one
    -- that goes on for long touches none. (A change to a memory waits for nobody: see invalidate_tags.)
    if current_setting('transaction_read_only')::boolean or not memos_private.is_read_committed()
        or clock_timestamp() - transaction_timestamp() > interval '1 second'
    then
        return false;
    end if;
    update memos_private.cache_entry as e
    set used_at = clock_timestamp(), copied = e.copied or p_copy is not null
    where e.ctid = (
        select s.ctid
        from memos_private.cache_entry as s
        where s.user_id = p_owner and s.key_hash = p_key_hash and (p_copy is null or s.stamp = p_copy)
        for update skip locked
    );
    return found;
end
$body$;
comment on function memos_private.touch_cache_entry is
    'Says that an entry was used, for the eviction of the least recently used, and where a stamp is given that '
    'there is a copy of that value; waits for nobody. False when it could not say so.';

-- The one function that everything waits for. What a hit can do without it does without: a write, a
-- call of another function, a statement where an expression will do (perform is one, an assignment is
-- not). Measured, that was two thirds of the time.
create or replace function memos.cache_get(
    p_user_id   uuid,
    p_namespace text,
    p_key       text,
    p_settings  jsonb default null,
    out value      jsonb,
    out hit        boolean,
    out expires_at timestamptz
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_owner uuid := case
        when p_user_id <> memos_private.shared_cache() and memos_private.is_trusted_call()
            and not pg_is_in_recovery()
            and set_config('memos.user_id', p_user_id::text, true) is not null then p_user_id
        else memos_private.enter_cache_context(p_user_id, false)
    end;
    -- A key that is in its normal form already is found without asking for the rules.
    v_hash bytea := case when p_settings is null
        then memos_private.cache_key_hash(p_namespace, '', p_key) end;
    v_normal bytea;
    v_seen pg_snapshot;
    v_key text;
    v_tags text[];
    v_is_due boolean;
    v_hits int;
begin
    loop
        select e.value, e.expires_at, e.seen, e.key, e.tags,
            e.used_at = e.stored_at or clock_timestamp() - e.used_at > (e.expires_at - e.stored_at) / 16
        into value, expires_at, v_seen, v_key, v_tags, v_is_due
        from memos_private.cache_entry as e
        where e.user_id = v_owner and e.key_hash = v_hash;
        hit := found and expires_at > clock_timestamp() and (
            v_seen is null
            or not memos_private.is_invalidated(v_owner, p_namespace, v_hash, v_key, v_tags, v_seen)
        );
        exit when hit;
        if v_normal is null then
            v_normal := (memos_private.cache_target(p_namespace, p_key, p_settings)).key_hash;
            if v_normal is distinct from v_hash then
                v_hash := v_normal;
                continue;
            end if;
        end if;
        -- What a user has not, all users may share.
        exit when v_owner = memos_private.shared_cache();
        v_owner := memos_private.shared_cache();
        perform set_config('memos.user_id', v_owner::text, true);
    end loop;
    if not hit then
        value := null;
        expires_at := null;
        perform memos_private.count_cache_event('misses', p_namespace);
        return;
    end if;
    if v_is_due then
        perform memos_private.touch_cache_entry(v_owner, v_hash);
    end if;
    v_hits := memos_private.next_cache_event('hits', p_namespace);
    if v_hits <= 16 or v_hits % 64 = 0 then
        perform memos_private.write_cache_events('hits', p_namespace, v_hits);
    end if;
end
$body$;
comment on function memos.cache_get is
    'The value of a key, if it is there and fresh: one row, with hit false when it is not. A user''s own '
    'entry comes before the one that all users share; null: only those. Of p_settings, those that the '
    'namespace names are part of the key. Errors: MO001, MO400, MO403, MO503 on a standby.';
