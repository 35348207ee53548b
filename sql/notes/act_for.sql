-- Jobs use the API, too: one way to write, with its checks and its history. They have a user's signed
-- context for the length of one call.
create or replace function memos_private.act_for(p_user_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_key_id constant int := (
        select max(k.key_id) from memos_private.context_key as k
        where k.retires_at is null or k.retires_at > clock_timestamp()
    );
    -- As memos_admin.mint_context makes it, without a purpose: a job has none of its own.
    v_payload constant text := format(
        '2.%s.%s.%s.', v_key_id, p_user_id, ceil(extract(epoch from clock_timestamp() + interval '1 day'))::bigint
    );
begin
    perform set_config(
        'memos.context', v_payload || '.' || memos_private.sign_context(v_payload, v_key_id), true
    );
end
$body$;
comment on function memos_private.act_for is
    'Lets the caller act for a user. Only for functions with a clause "set memos.context", which takes '
    'it back on every exit.';
