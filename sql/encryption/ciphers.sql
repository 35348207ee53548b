-- AES-256 in CBC mode with a random IV, then HMAC-SHA-256 over context, IV and ciphertext (encrypt then
-- MAC). Both keys are derived from one of 32 bytes. The context is not stored: whoever decrypts says where
-- the ciphertext has to come from, so that none can be put in the place of another.
create or replace function memos_private.encrypt(p_key bytea, p_plain bytea, p_context text)
returns bytea
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_iv constant bytea := public.gen_random_bytes(16);
    v_body constant bytea := v_iv || public.encrypt_iv(
        p_plain, public.hmac('memos encryption'::bytea, p_key, 'sha256'), v_iv, 'aes-cbc/pad:pkcs'
    );
begin
    return v_body || memos_private.ciphertext_tag(p_key, v_body, p_context);
end
$body$;
comment on function memos_private.encrypt is
    'IV (16 bytes), AES-256-CBC ciphertext (PKCS#7) and HMAC-SHA-256 tag (32 bytes).';

create or replace function memos_private.ciphertext_tag(p_key bytea, p_body bytea, p_context text)
returns bytea
language sql
immutable
return public.hmac(
    convert_to(p_context, 'UTF8') || '\x00' || p_body,
    public.hmac('memos authentication'::bytea, p_key, 'sha256'), 'sha256'
);
comment on function memos_private.ciphertext_tag is 'The HMAC that goes with IV and ciphertext.';

create or replace function memos_private.decrypt(p_key bytea, p_sealed bytea, p_context text)
returns bytea
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_body constant bytea := substr(p_sealed, 1, greatest(length(p_sealed) - 32, 0));
begin
    -- Digests are compared, so that the time it takes says nothing about the right tag.
    if length(v_body) < 32
        or sha256(substr(p_sealed, length(v_body) + 1))
            <> sha256(memos_private.ciphertext_tag(p_key, v_body, p_context))
    then
        return null;
    end if;
    return public.decrypt_iv(
        substr(v_body, 17), public.hmac('memos encryption'::bytea, p_key, 'sha256'),
        substr(v_body, 1, 16), 'aes-cbc/pad:pkcs'
    );
end
$body$;
comment on function memos_private.decrypt is
    'What memos_private.encrypt got; null for another key, another context or a changed ciphertext.';
