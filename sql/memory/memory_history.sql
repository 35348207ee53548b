create or replace function memos.memory_history(p_user_id uuid, p_memory_id uuid)
returns table (
    version int, content text, kind text, tags text[], metadata jsonb, importance real, confidence real,
    privacy_level text, provenance text, session_id text, "position" int, occurred_at timestamptz,
    valid_from timestamptz, valid_until timestamptz, recorded_at timestamptz,
    recorded_until timestamptz, change text, reason text
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
-- Planning for every partition takes ten times as long as looking.
set plan_cache_mode = force_generic_plan
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    return query
    select v.version, v.content, v.kind, v.tags, v.metadata, v.importance, v.confidence,
        v.privacy_level, v.provenance, v.session_id, v.position, v.occurred_at, v.valid_from,
        v.valid_until, v.recorded_at, v.superseded_at, v.change, v.reason
    from memos_private.memory_version as v
    where v.user_id = p_user_id and v.memory_id = p_memory_id
    order by v.version;
    if not found then
        perform memos_private.refuse_missing_memory(p_memory_id);
    end if;
    perform memos_private.audit_read(p_user_id, 'memory_history', array[p_memory_id]);
end
$body$;
comment on function memos.memory_history is
    'Every version of a memory, oldest first, with the period it was valid and the period it was on '
    'record. change says how the version ended: update, delete, or current. '
    'Errors: MO001, MO400, MO403, MO404.';
