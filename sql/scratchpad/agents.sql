-- Who an agent is. A name that was registered takes the token that came with it: whoever cannot show it
-- neither acts under that name nor reads its private values. A session that shows a token is that agent
-- and no other. A name that nobody registered is for every session of the user to give, as the bot is
-- trusted to name the user; nothing under it is private between agents.
create or replace function memos_private.require_agent(
    p_user_id uuid, p_scratchpad_id uuid, p_agent text, p_argument text default 'p_agent'
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_token constant text := nullif(current_setting('memos.agent', true), '');
    v_registered bytea;
begin
    perform memos_private.require_note_text(p_argument, p_agent, 256, false);
    select a.token_hash into v_registered
    from memos_private.scratchpad_agent as a
    where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id and a.agent = p_agent;
    if v_token is null and v_registered is null
        or sha256(convert_to(v_token, 'UTF8')) = v_registered
    then
        return;
    end if;
    raise exception 'this session is not that agent'
        using errcode = memos_private.audit_failure('MO403'),
            detail = case when v_token is null
                then format('agent "%s" is registered, and the session shows no token', p_agent)
                else format('the session shows a token that is not that of agent "%s"', p_agent) end,
            hint = 'show the token that memos.register_agent returned: memos.use_agent';
end
$body$;
comment on function memos_private.require_agent is
    'Raises MO403 unless the session may act as that agent of that scratchpad, MO400 for no name.';

create or replace function memos.register_agent(p_user_id uuid, p_scratchpad_id uuid, p_agent text)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    -- 244 bits from the server's strong random source.
    v_token constant text := replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'register_agent', array[p_scratchpad_id]);
    perform memos_private.require_note_text('p_agent', p_agent, 256, false);
    perform memos_private.lock_open_scratchpad(p_user_id, p_scratchpad_id);
    insert into memos_private.scratchpad_agent (user_id, scratchpad_id, agent, token_hash)
    values (p_user_id, p_scratchpad_id, p_agent, sha256(convert_to(v_token, 'UTF8')))
    on conflict (user_id, scratchpad_id, agent) do nothing;
    if not found then
        raise exception 'the agent is registered'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('agent "%s" has its token already', p_agent),
                hint = 'whoever registered it hands the token on; it is stored as a hash only';
    end if;
    return v_token;
end
$body$;
comment on function memos.register_agent is
    'Keeps the name for whoever shows the returned token (memos.use_agent): nobody else acts under it '
    'on this scratchpad or reads its private values. Register names before agents work: what was '
    'written under a name before stays where it is. The token is not stored; keep it to hand it to the '
    'process that replaces one. Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.use_agent(
    p_user_id uuid, p_token text, p_local boolean default true
)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_agent text;
begin
    perform memos_private.enter_user_context(p_user_id);
    if p_token is null or p_local is null then
        perform memos_private.refuse_argument(
            case when p_token is null then 'p_token' else 'p_local' end,
            'it is null', 'a token that memos.register_agent returned'
        );
    end if;
    select a.agent into v_agent
    from memos_private.scratchpad_agent as a
    where a.user_id = p_user_id and a.token_hash = sha256(convert_to(p_token, 'UTF8'));
    if not found then
        raise exception 'the token of the agent is not valid'
            using errcode = memos_private.audit_failure('MO403'),
                detail = 'no agent of the user has it, or its scratchpad is gone',
                hint = 'memos.register_agent returns one';
    end if;
    perform set_config('memos.agent', p_token, p_local);
    return v_agent;
end
$body$;
comment on function memos.use_agent is
    'Binds the transaction (p_local) or the session to a registered agent and returns its name. Naming '
    'another agent is then MO403. Errors: MO001, MO400, MO403.';
