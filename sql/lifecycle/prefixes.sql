-- The tensors are in the inference servers; here is what the bot told us about them, so that every worker
-- knows what is warm, and what to let go first.
create or replace function memos_private.require_prefix_key(p_name text, p_model text, p_backend text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_argument constant text := case
        when p_name is null or p_name !~ '\S' or length(p_name) > 256 then 'p_name'
        when p_model is null or p_model !~ '\S' or length(p_model) > 256 then 'p_model'
        when p_backend is null or p_backend !~ '\S' or length(p_backend) > 256 then 'p_backend'
    end;
begin
    if v_argument is not null then
        perform memos_private.refuse_argument(
            v_argument, 'it is null, blank or too long', 'a text of 1 to 256 characters'
        );
    end if;
end
$body$;
comment on function memos_private.require_prefix_key is 'Raises MO400 for what cannot name a prefix.';

create or replace function memos_private.refuse_missing_prefix(p_name text, p_model text, p_backend text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    raise exception 'prefix not found'
        using errcode = memos_private.audit_failure('MO404'),
            detail = format('the user has registered no prefix "%s" of model "%s" at "%s"', p_name, p_model, p_backend),
            hint = 'memos.register_prefix first; memos.list_prefixes shows what there is';
end
$body$;
comment on function memos_private.refuse_missing_prefix is 'Raises MO404.';

create or replace function memos_private.prefix_state(p_state text, p_warm_until timestamptz)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return case when p_warm_until <= clock_timestamp() then 'evicted' else p_state end;
end
$body$;
comment on function memos_private.prefix_state is
    'A server lets a prefix go when its time is over, and nobody has to tell us.';

create or replace function memos.register_prefix(
    p_user_id uuid,
    p_name    text,
    p_model   text,
    p_content text,
    p_backend text default 'ollama',
    p_kind    text default 'prefix',
    p_tokens  int default null
)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_hash bytea;
    v_state text;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_prefix_key(p_name, p_model, p_backend);
    if p_content is null or p_content = '' then
        perform memos_private.refuse_argument(
            'p_content', 'it is null or empty', 'the text of the prefix, or the name and version of the adapter'
        );
    elsif p_kind is null or p_kind not in ('prefix', 'adapter') then
        perform memos_private.refuse_argument(
            'p_kind', memos_private.it_is(p_kind), 'prefix or adapter'
        );
    elsif p_tokens < 0 then
        perform memos_private.refuse_argument('p_tokens', format('it is %s', p_tokens), 'null, or from 0');
    end if;
    v_hash := sha256(convert_to(p_content, 'UTF8'));
    insert into memos_private.warm_prefix as w (
        user_id, name, model, backend, kind, content_hash, tokens, state
    )
    values (
        p_user_id, p_name, p_model, p_backend, p_kind, v_hash,
        coalesce(p_tokens, case when p_kind = 'prefix' then memos_private.estimate_tokens(p_content) end), 'cold'
    )
    on conflict (user_id, backend, model, name) do update
    set kind = excluded.kind, content_hash = excluded.content_hash, tokens = excluded.tokens,
        -- What is warm is the old content.
        state = case when w.content_hash = excluded.content_hash then w.state else 'cold' end,
        warm_until = case when w.content_hash = excluded.content_hash then w.warm_until end
    returning memos_private.prefix_state(w.state, w.warm_until) into v_state;
    return v_state;
end
$body$;
comment on function memos.register_prefix is
    'Makes a KV-cache prefix or an adapter known under a name; the same name with other content is cold '
    'again. Keeps a hash of p_content, and p_tokens (null: estimated). Returns its state: cold, warming, '
    'warm or evicted. Errors: MO001, MO400, MO403.';

create or replace function memos.report_prefix(
    p_user_id uuid,
    p_name    text,
    p_model   text,
    p_state   text,
    p_warm_ms int default null,
    p_ttl     interval default '30 minutes',
    p_backend text default 'ollama'
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
    perform memos_private.require_prefix_key(p_name, p_model, p_backend);
    if p_state is null or p_state not in ('cold', 'warming', 'warm', 'evicted') then
        perform memos_private.refuse_argument(
            'p_state', memos_private.it_is(p_state), 'cold, warming, warm or evicted'
        );
    elsif p_warm_ms < 0 then
        perform memos_private.refuse_argument('p_warm_ms', format('it is %s', p_warm_ms), 'null, or from 0');
    elsif p_ttl is null or p_ttl <= interval '0' or p_ttl > interval '30 days' then
        perform memos_private.refuse_argument(
            'p_ttl', memos_private.it_is(p_ttl), 'more than 0, at most 30 days'
        );
    end if;
    update memos_private.warm_prefix as w
    set state = p_state,
        warm_until = case when p_state in ('warming', 'warm') then clock_timestamp() + p_ttl end,
        warm_ms = coalesce(p_warm_ms, w.warm_ms),
        uses = w.uses + case when p_state = 'warm' then 1 else 0 end,
        last_used_at = case when p_state = 'warm' then clock_timestamp() else w.last_used_at end
    where w.user_id = p_user_id and w.backend = p_backend and w.model = p_model and w.name = p_name;
    if not found then
        perform memos_private.refuse_missing_prefix(p_name, p_model, p_backend);
    end if;
end
$body$;
comment on function memos.report_prefix is
    'What became of a prefix in its server. warm, also after every use of it: it stays for p_ttl (the '
    'server''s keep_alive) and counts as used; p_warm_ms: how long it took to get warm. '
    'Errors: MO001, MO400, MO403, MO404.';

create or replace function memos.list_prefixes(
    p_user_id uuid, p_name text default null, p_model text default null, p_content text default null
)
returns table (
    name text, model text, backend text, kind text, state text, tokens int, warm_ms int,
    warm_until timestamptz, pinned_until timestamptz, uses bigint, last_used_at timestamptz
)
language plpgsql
stable
security definer
rows 20
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    return query
    select w.name, w.model, w.backend, w.kind, memos_private.prefix_state(w.state, w.warm_until), w.tokens,
        w.warm_ms, w.warm_until, case when w.pinned_until > clock_timestamp() then w.pinned_until end, w.uses,
        w.last_used_at
    from memos_private.warm_prefix as w
    where w.user_id = p_user_id and (p_name is null or w.name = p_name)
        and (p_model is null or w.model = p_model)
        and (p_content is null or w.content_hash = sha256(convert_to(p_content, 'UTF8')))
    order by w.last_used_at desc nulls last, w.backend, w.model, w.name;
end
$body$;
comment on function memos.list_prefixes is
    'The prefixes and adapters of a user with their state now, last used first. p_name, p_model: only '
    'those; p_content: only those of exactly this content, such as the prompt that is about to be sent. '
    'pinned_until is null when it is not pinned. Errors: MO001, MO400, MO403.';

create or replace function memos.evict_prefixes(
    p_user_id uuid, p_max_warm int, p_backend text default 'ollama', p_model text default null
)
returns table (name text, model text, kind text, tokens int)
language plpgsql
volatile
security definer
rows 20
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    if p_max_warm is null or p_max_warm < 0 then
        perform memos_private.refuse_argument(
            'p_max_warm', memos_private.it_is(p_max_warm), 'how many may stay warm, from 0'
        );
    end if;
    perform memos_private.require_prefix_key('-', coalesce(p_model, '-'), p_backend);
    return query
    with warm as materialized (
        select w.model, w.name, w.last_used_at, w.pinned_until
        from memos_private.warm_prefix as w
        where w.user_id = p_user_id and w.backend = p_backend and (p_model is null or w.model = p_model)
            and w.state in ('warming', 'warm') and w.warm_until > clock_timestamp()
        order by w.model, w.name
        for update
    ),
    gone as (
        select w.model, w.name
        from warm as w
        order by (w.pinned_until > clock_timestamp()) is true desc, w.last_used_at desc nulls last, w.model, w.name
        offset p_max_warm
    )
    update memos_private.warm_prefix as w
    set state = 'evicted', warm_until = null
    from gone as g
    where w.user_id = p_user_id and w.backend = p_backend and w.model = g.model and w.name = g.name
        and (w.pinned_until <= clock_timestamp()) is not false
    returning w.name, w.model, w.kind, w.tokens;
end
$body$;
comment on function memos.evict_prefixes is
    'Marks all but p_max_warm of a user''s warm prefixes of a server (and a model) as evicted, the least recently '
    'used first, and returns them, so that the caller lets them go there. Pinned ones stay. '
    'Errors: MO001, MO400, MO403.';
