create or replace function memos.write_public(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_agent         text,
    p_key           text,
    p_value         jsonb,
    p_ttl           interval default '30 minutes'
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_now constant timestamptz := clock_timestamp();
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'write_public', array[p_scratchpad_id]);
    perform memos_private.require_note_text('p_key', p_key, 1024, false);
    perform memos_private.require_note_json('p_value', p_value, false, false);
    perform memos_private.require_lasting('p_ttl', p_ttl, true);
    perform memos_private.lock_open_scratchpad(p_user_id, p_scratchpad_id);
    perform memos_private.require_agent(p_user_id, p_scratchpad_id, p_agent);
    insert into memos_private.scratchpad_public_value (
        user_id, scratchpad_id, key, value, agent, written_at, expires_at
    )
    values (p_user_id, p_scratchpad_id, p_key, p_value, p_agent, v_now, v_now + p_ttl)
    on conflict (user_id, scratchpad_id, key) do update
    set value = excluded.value, agent = excluded.agent, written_at = excluded.written_at,
        expires_at = excluded.expires_at;
end
$body$;
comment on function memos.write_public is
    'Sets a value that every agent reads until p_ttl has passed (null: as long as the scratchpad lives). '
    'The last writer wins. Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.read_public(p_user_id uuid, p_scratchpad_id uuid, p_key text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit_read(p_user_id, 'read_public', array[p_scratchpad_id]);
    perform memos_private.require_note_text('p_key', p_key, 1024, false);
    perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    return (
        select v.value
        from memos_private.scratchpad_public_value as v
        where v.user_id = p_user_id and v.scratchpad_id = p_scratchpad_id and v.key = p_key
            and (v.expires_at is null or v.expires_at > clock_timestamp())
    );
end
$body$;
comment on function memos.read_public is
    'The value under a key; null when there is none or its lifetime is over. '
    'Errors: MO001, MO400, MO403, MO404.';

create or replace function memos.write_private(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_agent         text,
    p_key           text,
    p_value         jsonb
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'write_private', array[p_scratchpad_id]);
    perform memos_private.require_note_text('p_key', p_key, 1024, false);
    perform memos_private.require_note_json('p_value', p_value, false, false);
    perform memos_private.lock_open_scratchpad(p_user_id, p_scratchpad_id);
    perform memos_private.require_agent(p_user_id, p_scratchpad_id, p_agent);
    insert into memos_private.scratchpad_private_value (
        user_id, scratchpad_id, agent, key, value, written_at
    )
    values (p_user_id, p_scratchpad_id, p_agent, p_key, p_value, clock_timestamp())
    on conflict (user_id, scratchpad_id, agent, key) do update
    set value = excluded.value, written_at = excluded.written_at;
end
$body$;
comment on function memos.write_private is
    'Sets a value that only this agent reads. Kept from other agents by the database once the agent is '
    'registered (memos.register_agent): then it takes the agent''s token. Under a name that is not '
    'registered it is apart from the values of others, but open to every session of the user that '
    'gives that name. Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.read_private(
    p_user_id uuid, p_scratchpad_id uuid, p_agent text, p_key text
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit_read(p_user_id, 'read_private', array[p_scratchpad_id]);
    perform memos_private.require_note_text('p_key', p_key, 1024, false);
    perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    perform memos_private.require_agent(p_user_id, p_scratchpad_id, p_agent);
    return (
        select v.value
        from memos_private.scratchpad_private_value as v
        where v.user_id = p_user_id and v.scratchpad_id = p_scratchpad_id and v.agent = p_agent
            and v.key = p_key
    );
end
$body$;
comment on function memos.read_private is
    'The agent''s own value under a key; null when there is none. Of a registered agent, only a session '
    'that shows its token reads anything (memos.use_agent). Errors: MO001, MO400, MO403, MO404.';

create or replace function memos.list_values(
    p_user_id uuid, p_scratchpad_id uuid, p_agent text default null
)
returns table (
    key text, value jsonb, agent text, is_private boolean, written_at timestamptz, expires_at timestamptz
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    if p_agent is not null then
        perform memos_private.require_agent(p_user_id, p_scratchpad_id, p_agent);
    end if;
    return query
    select v.key, v.value, v.agent, false, v.written_at, v.expires_at
    from memos_private.scratchpad_public_value as v
    where v.user_id = p_user_id and v.scratchpad_id = p_scratchpad_id
        and (v.expires_at is null or v.expires_at > clock_timestamp())
    union all
    select v.key, v.value, v.agent, true, v.written_at, null
    from memos_private.scratchpad_private_value as v
    where v.user_id = p_user_id and v.scratchpad_id = p_scratchpad_id and v.agent = p_agent
    order by 4, 1;
    perform memos_private.audit_read(p_user_id, 'list_values', array[p_scratchpad_id]);
end
$body$;
comment on function memos.list_values is
    'The public values that have not expired, and with p_agent that agent''s private ones (on the terms of '
    'read_private). Errors: MO001, MO400, MO403, MO404.';
