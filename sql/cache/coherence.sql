create or replace function memos_private.cache_ident(p_owner uuid, p_key_hash bytea default '')
returns text
language sql
immutable
return left(encode(sha256(uuid_send(p_owner) || p_key_hash), 'hex'), 24);
comment on function memos_private.cache_ident is
    'What notifications call an entry, or without its hash an owner: everybody may listen to them, so '
    'they tell nothing.';

create or replace function memos_private.notify_cache(p_owner uuid, p_key_hashes bytea[] default null)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    -- A payload has less than 8000 bytes; where many entries went at once, copies of all go.
    if p_key_hashes is null or cardinality(p_key_hashes) > 100 then
        perform pg_notify('memos_cache', 'owner ' || memos_private.cache_ident(p_owner));
    elsif p_key_hashes <> '{}' then
        perform pg_notify('memos_cache', (
            select 'entry ' || string_agg(memos_private.cache_ident(p_owner, h.key_hash), ' ' order by h.key_hash)
            from unnest(p_key_hashes) as h (key_hash)
        ));
    end if;
end
$body$;
comment on function memos_private.notify_cache is
    'Tells other processes which of their copies are no longer good, when this transaction commits; null: '
    'all of that owner.';

create or replace function memos_private.mark_cache(p_owner uuid, p_marks text[], p_prefix text default '')
returns void
language sql
volatile
set search_path = pg_catalog, pg_temp
as $body$
    insert into memos_private.cache_mark (user_id, mark, prefix, xid)
    select distinct p_owner, m.mark, p_prefix, pg_current_xact_id()
    from unnest(p_marks) as m (mark)
    order by m.mark
    on conflict (user_id, mark, prefix) do update set xid = excluded.xid, noticed_at = null
$body$;
comment on function memos_private.mark_cache is
    'Remembers that this transaction invalidates these: tags, or what is_invalidated calls the rest.';

create or replace function memos_private.is_invalidated(
    p_owner uuid, p_namespace text, p_key_hash bytea, p_key text, p_tags text[], p_seen pg_snapshot
)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    return exists (
        select from memos_private.cache_mark as m
        where m.user_id = p_owner
            and m.mark = any (
                p_tags || array[E'\1*', E'\1n' || p_namespace, E'\1k' || encode(p_key_hash, 'hex')]
            )
            and case when starts_with(m.mark, E'\1') then starts_with(p_key, m.prefix)
                else m.prefix in ('', p_namespace) end
            and not pg_visible_in_snapshot(m.xid, p_seen)
    );
end
$body$;
comment on function memos_private.is_invalidated is
    'Whether a transaction that p_seen does not see has invalidated a value made from what p_seen sees.';

-- What is changed in this transaction, its own later values have seen.
create or replace function memos_private.current_cache_snapshot()
returns pg_snapshot
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_seen constant pg_snapshot := pg_current_snapshot();
    v_own constant bigint := pg_current_xact_id_if_assigned()::text::bigint;
    v_end constant bigint := pg_snapshot_xmax(v_seen)::text::bigint;
begin
    if v_own is null or v_own < v_end then
        return v_seen;
    end if;
    return format('%s:%s:%s', pg_snapshot_xmin(v_seen), v_own + 1, (
        select string_agg(x.xid::text, ',' order by x.xid)
        from (
            select xip::text::bigint as xid from pg_snapshot_xip(v_seen) as xip
            union all
            select between_them from generate_series(v_end, v_own - 1) as between_them
        ) as x
    ));
end
$body$;
comment on function memos_private.current_cache_snapshot is
    'The current snapshot, with this transaction among those that it sees.';

create or replace function memos_private.tg_cache_entry_deleted()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_gone record;
begin
    for v_gone in
        select o.user_id, o.namespace, count(*) as entries, sum(o.bytes)::bigint as bytes,
            bool_or(o.has_question) as have_questions, bool_or(o.tags <> '{}') as have_tags,
            array_agg(o.key_hash) filter (where o.copied and o.expires_at > clock_timestamp()) as copied
        from old_rows as o
        group by o.user_id, o.namespace
        order by o.user_id, o.namespace
    loop
        perform memos_private.account_cache(
            v_gone.user_id, v_gone.namespace, -v_gone.entries, -v_gone.bytes
        );
        if v_gone.have_questions then
            delete from memos_private.cache_question as q
            using old_rows as o
            where q.user_id = v_gone.user_id and q.namespace = v_gone.namespace and o.user_id = v_gone.user_id
                and q.key_hash = o.key_hash;
        end if;
        if v_gone.have_tags then
            delete from memos_private.cache_tag as t
            using old_rows as o
            where t.user_id = v_gone.user_id and o.user_id = v_gone.user_id
                and o.namespace = v_gone.namespace and t.tag = any (o.tags) and t.key_hash = o.key_hash;
        end if;
        if v_gone.copied is not null then
            perform memos_private.notify_cache(v_gone.user_id, v_gone.copied);
        end if;
    end loop;
    return null;
end
$body$;
comment on function memos_private.tg_cache_entry_deleted is
    'With an entry go its tags, its question, and other processes'' copies of it: once it is gone, nothing '
    'tells that a change concerns them.';

create or replace trigger t60_cache_entry_deleted
    after delete on memos_private.cache_entry
    referencing old table as old_rows
    for each statement execute function memos_private.tg_cache_entry_deleted();

create or replace function memos_private.invalidate_tags(
    p_owner uuid, p_tags text[], p_namespace text default null
)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_hashes bytea[];
    v_left bytea[] := '{}';
    v_count bigint := 0;
begin
    perform memos_private.mark_cache(p_owner, p_tags, coalesce(p_namespace, ''));
    v_hashes := array(
        select distinct t.key_hash
        from memos_private.cache_tag as t
        where t.user_id = p_owner and t.tag = any (p_tags)
    );
    -- A change to a memory waits for nobody's cache, and fails for none. What another is replacing or
    -- touching stays: the mark outlaws both the old value and the new one.
    if v_hashes <> '{}' and memos_private.is_read_committed() then
        delete from memos_private.cache_entry as e
        where e.ctid = any (array(
            select s.ctid
            from memos_private.cache_entry as s
            where s.user_id = p_owner and s.key_hash = any (v_hashes) and s.tags && p_tags
                and s.namespace = coalesce(p_namespace, s.namespace)
            for update skip locked
        ));
        get diagnostics v_count = row_count;
    end if;
    if v_count < cardinality(v_hashes) then
        v_left := array(
            select e.key_hash
            from memos_private.cache_entry as e
            where e.user_id = p_owner and e.key_hash = any (v_hashes) and e.tags && p_tags
                and e.namespace = coalesce(p_namespace, e.namespace)
        );
        perform memos_private.notify_cache(p_owner, v_left);
    end if;
    return v_count + cardinality(v_left);
end
$body$;
comment on function memos_private.invalidate_tags is
    'Removes the entries that have one of these tags, and marks the tags for values that are being made.';

create or replace function memos_private.tg_memory_updated_for_cache()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_changed record;
begin
    -- Pins and tiers are no new version: what is remembered stays the same.
    for v_changed in
        select o.user_id, array_agg(o.memory_id::text) as tags
        from old_rows as o
        join new_rows as n on n.user_id = o.user_id and n.memory_id = o.memory_id
        where n.version <> o.version
        group by o.user_id
    loop
        perform memos_private.invalidate_tags(v_changed.user_id, v_changed.tags);
    end loop;
    return null;
end
$body$;
comment on function memos_private.tg_memory_updated_for_cache is
    'With a new version of a memory go the cached results that have its id as a tag.';

create or replace function memos_private.tg_memory_deleted_for_cache()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_gone record;
begin
    for v_gone in
        select o.user_id, array_agg(o.memory_id::text) as tags from old_rows as o group by o.user_id
    loop
        perform memos_private.invalidate_tags(v_gone.user_id, v_gone.tags);
    end loop;
    return null;
end
$body$;
comment on function memos_private.tg_memory_deleted_for_cache is
    'With a memory go the cached results that have its id as a tag.';

create or replace trigger t70_cache_updated
    after update on memos_private.memory
    referencing old table as old_rows new table as new_rows
    for each statement execute function memos_private.tg_memory_updated_for_cache();
create or replace trigger t70_cache_deleted
    after delete on memos_private.memory
    referencing old table as old_rows
    for each statement execute function memos_private.tg_memory_deleted_for_cache();
