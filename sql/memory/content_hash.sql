create or replace function memos_private.content_hash(p_content text)
returns bytea
language sql
stable
return sha256(convert_to(normalize(p_content, nfc), 'UTF8'));
comment on function memos_private.content_hash is
    'SHA-256 of the NFC-normalised content: the identity of a memory within its user.';
