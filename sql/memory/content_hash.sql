create or replace function memos_private.content_hash(p_content text)
returns bytea
language sql
stable
return sha256(convert_to(
    -- As many bytes as characters is ASCII, which is normalised as it is.
    case when octet_length(p_content) = char_length(p_content) then p_content
        else normalize(p_content, nfc) end,
    'UTF8'
));
comment on function memos_private.content_hash is
    'SHA-256 of the NFC-normalised content: the identity of a memory within its user.';
