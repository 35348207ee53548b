create or replace function memos_admin.mint_context(
    p_user_id uuid,
    p_ttl     interval default '1 hour',
    p_purpose text default null
)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_key_id constant int := (select max(k.key_id) from memos_private.context_key as k);
    v_payload text;
begin
    perform memos_private.require_user(p_user_id);
    if p_ttl is null or p_ttl <= interval '0' or p_ttl > interval '30 days' then
        perform memos_private.refuse_argument(
            'p_ttl', memos_private.it_is(p_ttl), 'more than 0, at most 30 days'
        );
    end if;
    if p_purpose !~ '\S' or length(p_purpose) > 256 then
        perform memos_private.refuse_argument(
            'p_purpose', format('it has %s characters, or is blank', length(p_purpose)),
            'null, or 1 to 256 characters'
        );
    end if;
    perform memos_private.audit(p_user_id, 'memos_admin.mint_context');
    v_payload := format(
        '2.%s.%s.%s.%s', v_key_id, p_user_id,
        ceil(extract(epoch from clock_timestamp() + p_ttl))::bigint,
        encode(convert_to(p_purpose, 'UTF8'), 'hex')
    );
    return v_payload || '.' || memos_private.sign_context(v_payload, v_key_id);
end
$body$;
comment on function memos_admin.mint_context is
    'A signed context for memos.use_context: binds a session to that user, for that purpose, until p_ttl '
    'has passed. Hand it to the user''s own connection; whoever holds it is the user. Errors: MO400.';
