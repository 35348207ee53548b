-- While an agent waits for a tool its prefix is not used, and least recently used is the wrong rule: it is
-- kept for as long as that tool usually takes.
create or replace function memos_private.tool_pin(p_tool text, p_latencies_ms int[])
returns interval
language sql
immutable
parallel safe
return least(greatest(1.3 * coalesce(
    (select percentile_disc(0.95) within group (order by l.ms) from unnest(p_latencies_ms) as l (ms)),
    case p_tool
        when 'web_search' then 1500
        when 'web_scrape' then 4000
        when 'vision' then 8000
        when 'generate' then 3000
        when 'embed' then 500
        when 'rag' then 800
        when 'memory_store' then 200
        when 'memory_retrieve' then 300
        else 3000
    end
), 1000), 60000) * interval '1 millisecond';
comment on function memos_private.tool_pin is
    'How long to keep a prefix during a call of a tool: 1.3 times the 95th percentile of its latencies (of a '
    'usual latency as long as none is known), from 1 to 60 seconds.';

create or replace function memos_private.require_tool(p_tool text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_tool is null or p_tool !~ '\S' or length(p_tool) > 256 then
        perform memos_private.refuse_argument(
            'p_tool', 'it is null, blank or too long', 'the name of a tool, of at most 256 characters'
        );
    end if;
end
$body$;
comment on function memos_private.require_tool is 'Raises MO400 for what cannot name a tool.';

create or replace function memos.tool_pin(p_user_id uuid, p_tool text)
returns interval
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_tool(p_tool);
    return memos_private.tool_pin(p_tool, (
        select t.latencies_ms from memos_private.tool_latency as t where t.user_id = p_user_id and t.tool = p_tool
    ));
end
$body$;
comment on function memos.tool_pin is
    'How long to keep a prefix during a call of this tool, by its latest 100 latencies. '
    'Errors: MO001, MO400, MO403.';

create or replace function memos.record_latency(p_user_id uuid, p_tool text, p_latency_ms int)
returns interval
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_latencies_ms int[];
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_tool(p_tool);
    if p_latency_ms is null or p_latency_ms < 0 then
        perform memos_private.refuse_argument(
            'p_latency_ms', memos_private.it_is(p_latency_ms), 'milliseconds from 0'
        );
    end if;
    insert into memos_private.tool_latency as t (user_id, tool, latencies_ms)
    values (p_user_id, p_tool, array[p_latency_ms])
    on conflict (user_id, tool) do update
    set latencies_ms = t.latencies_ms[greatest(cardinality(t.latencies_ms) - 98, 1):] || excluded.latencies_ms
    returning t.latencies_ms into v_latencies_ms;
    return memos_private.tool_pin(p_tool, v_latencies_ms);
end
$body$;
comment on function memos.record_latency is
    'Says how long a call of a tool took, and returns how long to pin for the next. '
    'Errors: MO001, MO400, MO403.';

create or replace function memos.pin_prefix(
    p_user_id uuid, p_name text, p_model text, p_tool text, p_backend text default 'ollama'
)
returns timestamptz
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_until timestamptz;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_prefix_key(p_name, p_model, p_backend);
    perform memos_private.require_tool(p_tool);
    v_until := clock_timestamp() + memos_private.tool_pin(p_tool, (
        select t.latencies_ms from memos_private.tool_latency as t where t.user_id = p_user_id and t.tool = p_tool
    ));
    update memos_private.warm_prefix as w
    set pinned_until = greatest(w.pinned_until, v_until)
    where w.user_id = p_user_id and w.backend = p_backend and w.model = p_model and w.name = p_name
    returning w.pinned_until into v_until;
    if not found then
        perform memos_private.refuse_missing_prefix(p_name, p_model, p_backend);
    end if;
    return v_until;
end
$body$;
comment on function memos.pin_prefix is
    'Keeps a prefix from being evicted while its agent waits for this tool; returns until when. Pinning '
    'again extends it. Errors: MO001, MO400, MO403, MO404.';
