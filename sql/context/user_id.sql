-- UUID version 5 (RFC 9562, 5.5): the same outside id is the same user on every server.
create or replace function memos.user_id(p_external_id text)
returns uuid
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_namespace constant uuid := '6b1f2f0e-3d0c-5c53-9d0e-6d656d4f5301';
    v_hash bytea;
begin
    if p_external_id is null or p_external_id !~ '\S' then
        raise exception 'bad argument: p_external_id'
            using errcode = 'MO400',
                detail = 'it is null or blank',
                hint = 'pass the id by which your application knows the user';
    end if;
    if octet_length(p_external_id) > 1024 then
        raise exception 'bad argument: p_external_id'
            using errcode = 'MO400',
                detail = format('it has %s bytes', octet_length(p_external_id)),
                hint = 'pass at most 1024 bytes';
    end if;
    v_hash := substr(digest(uuid_send(v_namespace) || convert_to(p_external_id, 'UTF8'), 'sha1'), 1, 16);
    v_hash := set_byte(v_hash, 6, get_byte(v_hash, 6) & 15 | 80);
    v_hash := set_byte(v_hash, 8, get_byte(v_hash, 8) & 63 | 128);
    return encode(v_hash, 'hex')::uuid;
end
$body$;
comment on function memos.user_id is
    'The uuid of a user from any outside id (1 to 1024 bytes, not blank). Errors: MO400.';
