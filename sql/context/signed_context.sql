-- A signed context is "version.key.user.expiry.signature": everything before the last dot is signed
-- with HMAC-SHA-256. The secret never leaves memos_private.
create or replace function memos_private.sign_context(p_payload text, p_key_id int)
returns text
language sql
stable
security definer
set search_path = pg_catalog, public, pg_temp
as $body$
    select encode(hmac(convert_to(p_payload, 'UTF8'), secret, 'sha256'), 'hex')
    from memos_private.context_key
    where key_id = p_key_id
$body$;
comment on function memos_private.sign_context is 'HMAC-SHA-256 of a context; null for an unknown key.';

create or replace function memos_private.newest_context_key()
returns int
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select max(key_id) from memos_private.context_key
$body$;
comment on function memos_private.newest_context_key is 'The key that signs.';

create or replace function memos_private.verify_context(p_token text)
returns uuid
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    -- Compared as digests, so that the time it takes says nothing about the right signature.
    v_parts constant text[] := regexp_match(
        p_token, '^((1)\.(\d{1,9})\.([0-9a-f-]{36})\.(\d{1,12}))\.([0-9a-f]{64})$'
    );
begin
    if v_parts is null
        or sha256(convert_to(v_parts[6], 'UTF8')) is distinct from
            sha256(convert_to(memos_private.sign_context(v_parts[1], v_parts[3]::int), 'UTF8'))
    then
        raise exception 'the signed context is not valid'
            using errcode = 'MO403',
                detail = 'its form or its signature is wrong, or its key is gone',
                hint = 'ask for a new one: memos_admin.mint_context';
    end if;
    if clock_timestamp() >= to_timestamp(v_parts[5]::bigint) then
        raise exception 'the signed context has expired'
            using errcode = 'MO403',
                detail = format('it was valid until %s', to_timestamp(v_parts[5]::bigint)),
                hint = 'ask for a new one: memos_admin.mint_context';
    end if;
    return v_parts[4]::uuid;
end
$body$;
comment on function memos_private.verify_context is
    'The user that a signed context is for. Errors: MO403 when it is forged, damaged or expired.';
