-- Who stores restricted contents holds this lock shared until the end of the transaction, and who makes a
-- key holds it alone: no content slips by in clear. Taken after the lock on the user's postings and before
-- any row of a memory.
create or replace function memos_private.lock_user_key(p_user_id uuid, p_alone boolean default false)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_alone then
        perform pg_advisory_xact_lock(hashtextextended('memos.user_key ' || p_user_id, 0));
    else
        perform pg_advisory_xact_lock_shared(hashtextextended('memos.user_key ' || p_user_id, 0));
    end if;
end
$body$;
comment on function memos_private.lock_user_key is
    'Until the transaction ends, the user gets no key, or (p_alone) stores no restricted contents.';

create or replace function memos_private.has_user_key(p_user_id uuid)
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    return exists (
        select from memos_private.user_key as k where k.user_id = p_user_id and k.destroyed_at is null
    );
end
$body$;
comment on function memos_private.has_user_key is 'Whether the user has a key that is not destroyed.';

create or replace function memos_private.wrap_context(p_user_id uuid, p_key_id int)
returns text
language sql
immutable
return 'user key 1 ' || p_user_id || ' ' || p_key_id;
comment on function memos_private.wrap_context is 'Binds a wrapped key to its user and number.';

create or replace function memos_private.unwrap(p_user_id uuid, p_argument text, p_key bytea)
returns bytea
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_row memos_private.user_key;
    v_secret bytea;
begin
    select * into v_row
    from memos_private.user_key as k
    where k.user_id = p_user_id
    order by k.destroyed_at is null desc, k.key_id desc
    limit 1;
    if v_row.wrapped is null then
        raise exception 'the user has no key'
            using errcode = memos_private.audit_failure('MO404'),
                detail = coalesce(
                    format('the last one was destroyed at %s', v_row.destroyed_at),
                    'none was ever made'
                ),
                hint = 'memos.create_user_key makes one';
    end if;
    v_secret := memos_private.decrypt(
        p_key, v_row.wrapped, memos_private.wrap_context(p_user_id, v_row.key_id)
    );
    if v_secret is null then
        raise exception 'this is not the key of the user'
            using errcode = memos_private.audit_failure('MO403'),
                detail = format('%s does not open key %s of user %s', p_argument, v_row.key_id, p_user_id),
                hint = 'give the key that it was made or last rotated with';
    end if;
    return int4send(v_row.key_id) || v_secret;
end
$body$;
comment on function memos_private.unwrap is
    'Opens a user''s key with the one it was wrapped with. Errors: MO403, MO404.';

create or replace function memos.use_key(p_user_id uuid, p_key bytea, p_local boolean default true)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit_read(p_user_id, 'use_key');
    if p_local is null then
        perform memos_private.refuse_argument('p_local', 'it is null', 'true or false');
    end if;
    perform memos_private.open_key(
        p_user_id,
        memos_private.unwrap(p_user_id, 'p_key', memos_private.given_key('p_key', p_key)), p_local
    );
end
$body$;
comment on function memos.use_key is
    'Opens the user''s restricted memories until the transaction ends (p_local), or until the session '
    'does, at most a day, or: reset memos.user_key. p_key: 32 bytes, or masked (memos.key_mask). Another '
    'user''s key takes its place. Errors: MO001, MO400, MO403, MO404.';

create or replace function memos.create_user_key(p_user_id uuid, p_key bytea)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_key bytea;
    v_key_id int;
    v_secret constant bytea := public.gen_random_bytes(32);
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'create_user_key');
    v_key := memos_private.given_key('p_key', p_key);
    perform memos_private.lock_for_sealing(p_user_id);
    if memos_private.has_user_key(p_user_id) then
        raise exception 'the user has a key already'
            using errcode = memos_private.audit_failure('MO409'), detail = format('user %s', p_user_id),
                hint = 'memos.rotate_user_key wraps it anew; memos_admin.destroy_user_key makes what it '
                    'encrypts unreadable for ever';
    end if;
    select coalesce(max(k.key_id), 0) + 1 into v_key_id
    from memos_private.user_key as k
    where k.user_id = p_user_id;
    insert into memos_private.user_key (user_id, key_id, wrapped)
    values (
        p_user_id, v_key_id,
        memos_private.encrypt(v_key, v_secret, memos_private.wrap_context(p_user_id, v_key_id))
    );
    perform memos_private.open_key(p_user_id, int4send(v_key_id) || v_secret, true);
    return memos_private.seal_existing(p_user_id, int4send(v_key_id) || v_secret);
end
$body$;
comment on function memos.create_user_key is
    'Makes the key of a user, encrypts what is restricted already (see memos.encrypt_restricted) and '
    'returns how many versions that were. p_key: 32 random bytes, or masked (memos.key_mask), that are '
    'kept outside of the database, where the server''s backups do not go: without them nobody reads these '
    'memories again. Opens them for the transaction. Errors: MO001, MO400, MO403, MO409.';

create or replace function memos.rotate_user_key(p_user_id uuid, p_old bytea, p_new bytea)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_old bytea;
    v_new bytea;
    v_key bytea;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'rotate_user_key');
    v_old := memos_private.given_key('p_old', p_old);
    v_new := memos_private.given_key('p_new', p_new);
    if v_old = v_new then
        perform memos_private.refuse_argument('p_new', 'it is the old key', '32 other random bytes');
    end if;
    perform from memos_private.user_key as k
    where k.user_id = p_user_id and k.destroyed_at is null
    for no key update;
    v_key := memos_private.unwrap(p_user_id, 'p_old', v_old);
    update memos_private.user_key as k
    set rotated_at = clock_timestamp(), wrapped = memos_private.encrypt(
        v_new, substr(v_key, 5), memos_private.wrap_context(p_user_id, k.key_id)
    )
    where k.user_id = p_user_id and k.destroyed_at is null;
end
$body$;
comment on function memos.rotate_user_key is
    'Wraps the user''s key anew: p_old opens nothing from now on, except in a backup, and no memory is '
    'written. p_old, p_new: 32 bytes each, or masked (memos.key_mask). '
    'Errors: MO001, MO400, MO403, MO404.';

create or replace function memos.key_status(p_user_id uuid)
returns table (
    key_id int, created_at timestamptz, rotated_at timestamptz, destroyed_at timestamptz, at_hand boolean,
    encrypted bigint, in_clear bigint
)
language plpgsql
stable
security definer
rows 1
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    return query
    select k.key_id, k.created_at, k.rotated_at, k.destroyed_at,
        k.destroyed_at is null and memos_private.opened_key(p_user_id) is not null,
        count(v.user_id) filter (where memos_private.is_sealed(v.content)),
        count(v.user_id) filter (where not memos_private.is_sealed(v.content))
    from (values (1)) as always
    left join (
        select k.* from memos_private.user_key as k where k.user_id = p_user_id order by k.key_id desc limit 1
    ) as k on true
    left join memos_private.memory_version as v
        on v.user_id = p_user_id
            and (v.privacy_level = 'restricted' or memos_private.is_sealed(v.content))
    group by k.key_id, k.created_at, k.rotated_at, k.destroyed_at;
end
$body$;
comment on function memos.key_status is
    'The user''s latest key (nulls: none was ever made), whether it is at hand, and how many versions of '
    'restricted memories are encrypted and in clear. Errors: MO001, MO400, MO403, MO500.';

create or replace function memos_private.destroy_key(p_user_id uuid)
returns timestamptz
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_at timestamptz;
begin
    -- Rotation waits for nobody; this does.
    perform from memos_private.user_key as k
    where k.user_id = p_user_id and k.destroyed_at is null
    for update;
    update memos_private.user_key as k
    set wrapped = null, destroyed_at = greatest(clock_timestamp(), k.created_at)
    where k.user_id = p_user_id and k.destroyed_at is null
    returning k.destroyed_at into v_at;
    return v_at;
end
$body$;
comment on function memos_private.destroy_key is
    'Forgets the user''s key, for ever; waits for who is storing with it. Null when there is none.';

create or replace function memos_admin.destroy_user_key(p_user_id uuid)
returns timestamptz
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.require_user(p_user_id);
    perform memos_private.audit(p_user_id, 'memos_admin.destroy_user_key');
    perform memos_private.lock_legal_holds();
    if p_user_id = any (memos_private.held_users()) then
        raise exception 'a legal hold keeps the key'
            using errcode = memos_private.audit_failure('MO451'), detail = format('user %s is under a legal hold', p_user_id),
                hint = 'memos_admin.legal_holds lists the holds';
    end if;
    return memos_private.destroy_key(p_user_id);
end
$body$;
comment on function memos_admin.destroy_user_key is
    'Makes everything that the user''s key encrypts unreadable in this database, for ever, and returns '
    'when; null when there was no key. Backups hold the wrapped key: they become unreadable when the '
    'user''s own key, outside of the database, is destroyed too. Errors: MO400, MO409, MO451.';

create or replace function memos_admin.encryption_status()
returns table (
    restricted_encryption text, key_command boolean, keys bigint, destroyed_keys bigint,
    encrypted bigint, in_clear bigint, in_clear_with_key bigint
)
language plpgsql
stable
security definer
rows 1
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    return query
    select memos_private.setting('restricted_encryption'), memos_private.has_key_command(),
        count(k.key_id) filter (where k.destroyed_at is null), count(k.destroyed_at),
        v.encrypted, v.in_clear, v.in_clear_with_key
    from (
        select count(*) filter (where memos_private.is_sealed(m.content)) as encrypted,
            count(*) filter (where not memos_private.is_sealed(m.content)) as in_clear,
            count(*) filter (where not memos_private.is_sealed(m.content) and exists (
                select from memos_private.user_key as u
                where u.user_id = m.user_id and u.destroyed_at is null
            )) as in_clear_with_key
        from (
            select user_id, privacy_level, content from memos_private.memory
            union all
            select user_id, privacy_level, content from memos_private.memory_cold
            union all
            select user_id, privacy_level, content from memos_private.memory_history
        ) as m
        where m.privacy_level = 'restricted' or memos_private.is_sealed(m.content)
    ) as v
    left join memos_private.user_key as k on true
    group by v.encrypted, v.in_clear, v.in_clear_with_key;
end
$body$;
comment on function memos_admin.encryption_status is
    'How many users have keys, and how many versions of restricted memories are encrypted and in clear; '
    'in_clear_with_key: of users who have a key, which should be none (memos.encrypt_restricted). Reads '
    'all memories.';
