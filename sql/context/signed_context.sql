-- A signed context is "version.key.user.expiry.purpose.signature": everything before the last dot is
-- signed with HMAC-SHA-256. The purpose is hexadecimal UTF-8, empty for none.
create or replace function memos_private.context_signature(p_payload text, p_secret bytea)
returns text
language sql
stable
return encode(public.hmac(convert_to(p_payload, 'UTF8'), p_secret, 'sha256'), 'hex');
comment on function memos_private.context_signature is 'HMAC-SHA-256 of a context.';

create or replace function memos_private.sign_context(p_payload text, p_key_id int)
returns text
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select memos_private.context_signature(p_payload, k.secret)
    from memos_private.context_key as k
    where k.key_id = p_key_id
$body$;
comment on function memos_private.sign_context is
    'For mint_context, whose owner reads no secret: signs with a key that it names.';

create or replace function memos_private.verify_context(p_token text)
returns uuid
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_parts constant text[] := string_to_array(p_token, '.');
    v_secret bytea;
    v_expires_at timestamptz;
begin
    select k.secret
    into v_secret
    from memos_private.context_key as k
    where k.key_id::text = v_parts[2] and (k.retires_at is null or k.retires_at > clock_timestamp());
    -- Digests are compared, so that the time it takes says nothing about the right signature. What is
    -- signed was made by mint_context: its parts need no other check.
    if cardinality(v_parts) <> 6 or v_parts[1] <> '2' or v_secret is null
        or sha256(convert_to(v_parts[6], 'UTF8')) <> sha256(convert_to(
            memos_private.context_signature(left(p_token, -1 - length(v_parts[6])), v_secret), 'UTF8'
        ))
    then
        raise exception 'the signed context is not valid'
            using errcode = memos_private.audit_refusal('MO403', null),
                detail = 'its form or its signature is wrong, or its key is gone',
                hint = 'ask for a new one: memos_admin.mint_context';
    end if;
    v_expires_at := to_timestamp(v_parts[4]::bigint);
    if clock_timestamp() >= v_expires_at then
        raise exception 'the signed context has expired'
            using errcode = memos_private.audit_refusal('MO403', null),
                detail = format('it was valid until %s', v_expires_at),
                hint = 'ask for a new one: memos_admin.mint_context';
    end if;
    return v_parts[3]::uuid;
end
$body$;
comment on function memos_private.verify_context is
    'The user that a signed context is for. Errors: MO403 when it is forged, damaged or expired, or its '
    'key has retired.';

create or replace function memos_private.current_purpose()
returns text
language sql
stable
return convert_from(
    decode(nullif(split_part(current_setting('memos.context', true), '.', 5), ''), 'hex'), 'UTF8'
);
comment on function memos_private.current_purpose is
    'The purpose that the signed context names, or null. Only after enter_user_context, which verified it.';
