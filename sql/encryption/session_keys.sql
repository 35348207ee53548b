-- The key of a user at hand stands in a setting of the session, which every statement of the session can
-- read. So what stands there is encrypted once more, with a key derived from that of signed contexts, and
-- bound to the user, to this process and to this transaction (or a day): elsewhere it opens nothing.
create or replace function memos_private.session_secret(p_key_id int)
returns bytea
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select public.hmac('memos session key'::bytea, k.secret, 'sha256')
    from memos_private.context_key as k
    where k.key_id = p_key_id and (k.retires_at is null or k.retires_at > clock_timestamp())
$body$;
comment on function memos_private.session_secret is
    'What the keys at hand are encrypted with; null when that key of signed contexts has retired.';

create or replace function memos_private.session_context(p_user_id uuid, p_ends text)
returns text
language sql
stable
return 'session 1 ' || p_user_id || ' ' || pg_backend_pid() || ' '
    || extract(epoch from pg_postmaster_start_time()) || ' ' || p_ends;
comment on function memos_private.session_context is
    'Binds a key at hand to its user and to this process of this server.';

create or replace function memos_private.transaction_mark()
returns text
language sql
stable
return 'T' || (extract(epoch from now()) * 1000000)::bigint;
comment on function memos_private.transaction_mark is
    'When this transaction began, in microseconds: no other one of this session began then.';

create or replace function memos_private.open_key(p_user_id uuid, p_key bytea, p_local boolean)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_key_id constant int := (select max(k.key_id) from memos_private.context_key as k);
    v_ends constant text := case when p_local then memos_private.transaction_mark()
        else 'S' || extract(epoch from clock_timestamp() + interval '1 day')::bigint end;
begin
    perform set_config(
        'memos.user_key',
        concat_ws('.', p_user_id, v_key_id, v_ends, encode(
            memos_private.encrypt(
                memos_private.session_secret(v_key_id), p_key,
                memos_private.session_context(p_user_id, v_ends)
            ), 'hex'
        )),
        p_local
    );
end
$body$;
comment on function memos_private.open_key is
    'Puts an opened key at hand until the transaction (p_local) or the session ends, or for a day.';

create or replace function memos_private.opened_key(p_user_id uuid)
returns bytea
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_session constant text := current_setting('memos.user_key', true);
    v_parts constant text[] := string_to_array(v_session, '.');
    v_key bytea;
begin
    if v_parts[1] is distinct from p_user_id::text then
        return memos_private.commanded_key(p_user_id);
    end if;
    if v_session ~ '^[0-9a-f-]{36}\.[0-9]{1,9}\.(T|S)[0-9]{1,18}\.([0-9a-f]{2})+$' then
        v_key := memos_private.decrypt(
            memos_private.session_secret(v_parts[2]::int), decode(v_parts[4], 'hex'),
            memos_private.session_context(p_user_id, v_parts[3])
        );
    end if;
    if v_key is null
        or v_parts[3] like 'T%' and v_parts[3] <> memos_private.transaction_mark()
        or v_parts[3] like 'S%' and substr(v_parts[3], 2)::bigint <= extract(epoch from clock_timestamp())
    then
        raise exception 'the key at hand is of another session or transaction'
            using errcode = memos_private.audit_failure('MO403'), detail = format('user %s', p_user_id),
                hint = 'call memos.use_key in this transaction, or: reset memos.user_key';
    end if;
    if exists (
        select from memos_private.user_key as k
        where k.user_id = p_user_id and k.key_id = memos_private.key_number(v_key)
            and k.destroyed_at is null
    ) then
        return v_key;
    end if;
    return null;
end
$body$;
comment on function memos_private.opened_key is
    'The number (4 bytes) and the 32 bytes of the key of the user, from memos.use_key or the key command; '
    'null when it is not at hand, or destroyed. Errors: MO403, MO500.';

create or replace function memos_private.refuse_without_key(p_detail text, p_destroyed_at timestamptz default null)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    raise exception 'the key of the user is not at hand'
        using errcode = memos_private.audit_failure('MO403'),
            detail = p_detail || coalesce(format('; its key was destroyed at %s', p_destroyed_at), ''),
            hint = case when p_destroyed_at is null then 'call memos.use_key in this transaction first'
                else 'nobody can read it any more: delete or erase it' end;
end
$body$;
comment on function memos_private.refuse_without_key is
    'Raises MO403 for what takes the key of a user that is not at hand.';

-- A statement that is logged shows its arguments. Who has asked for a mask sends a key in a form that
-- tells nothing to who has not seen the mask, and results are never logged:
-- salt (16 bytes) || key xor HMAC(mask, 'key' || salt) || the first 16 bytes of HMAC(mask, 'check' || salt || key)
create or replace function memos.key_mask(p_user_id uuid)
returns bytea
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_mask constant bytea := public.gen_random_bytes(32);
begin
    perform memos_private.enter_user_context(p_user_id);
    perform set_config('memos.key_mask', encode(v_mask, 'hex'), true);
    return v_mask;
end
$body$;
comment on function memos.key_mask is
    'A mask for the keys that this transaction is going to be given, so that they stand in no log of '
    'statements: key k of 32 bytes is sent as 64, s || (k xor hmac(''key'' || s)) || the first 16 bytes of '
    'hmac(''check'' || s || k), with 16 random bytes s and HMAC-SHA-256 under the mask. '
    'Errors: MO001, MO400, MO403.';

create or replace function memos_private.given_key(p_argument text, p_key bytea)
returns bytea
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_mask bytea;
    v_salt bytea;
    v_stream bytea;
    v_key bytea;
begin
    if length(p_key) = 32 then
        return p_key;
    elsif length(p_key) = 64 then
        v_mask := decode(current_setting('memos.key_mask', true), 'hex');
        v_salt := substr(p_key, 1, 16);
        v_key := substr(p_key, 17, 32);
        v_stream := public.hmac('key'::bytea || v_salt, v_mask, 'sha256');
        for i in 0 .. 31 loop
            v_key := set_byte(v_key, i, get_byte(v_key, i) # get_byte(v_stream, i));
        end loop;
        if sha256(substr(p_key, 49)) = sha256(substr(
            public.hmac('check'::bytea || v_salt || v_key, v_mask, 'sha256'), 1, 16
        )) then
            return v_key;
        end if;
    end if;
    perform memos_private.refuse_argument(
        p_argument,
        case when p_key is null then 'it is null'
            when length(p_key) = 64 then 'it does not fit the mask of this transaction'
            else format('it has %s bytes', length(p_key)) end,
        '32 bytes, or these as memos.key_mask of this transaction has them masked'
    );
end
$body$;
comment on function memos_private.given_key is
    'The 32 bytes of a key that a caller gave, plain or masked. Errors: MO400.';
