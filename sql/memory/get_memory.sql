create or replace function memos_private.refuse_missing_memory(p_memory_id uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_memory_id is null then
        perform memos_private.refuse_argument('p_memory_id', 'it is null', 'pass the id of a memory');
    end if;
    raise exception 'memory not found'
        using errcode = memos_private.audit_failure('MO404', array[p_memory_id]),
            detail = format('the user has no memory %s at that time', p_memory_id),
            hint = 'memos.list_memories shows the ids; memos.memory_history shows deleted ones';
end
$body$;
comment on function memos_private.refuse_missing_memory is 'Raises MO404 (MO400 for a null id).';

create or replace function memos.get_memory(
    p_user_id     uuid,
    p_memory_id   uuid,
    p_valid_at    timestamptz default null,
    p_recorded_at timestamptz default null
)
returns table (
    memory_id uuid, version int, content text, kind text, tags text[], metadata jsonb, importance real,
    confidence real, privacy_level text, provenance text, session_id text, "position" int,
    occurred_at timestamptz, valid_from timestamptz, valid_until timestamptz, recorded_at timestamptz,
    pinned boolean, tier text
)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
-- Planning for every partition takes ten times as long as looking.
set plan_cache_mode = force_generic_plan
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    return query
    select a.memory_id, a.version, v.content, v.kind, v.tags, v.metadata, v.importance, v.confidence,
        v.privacy_level, v.provenance, v.session_id, v.position, v.occurred_at, v.valid_from,
        a.valid_until, v.recorded_at, v.pinned, v.tier
    from memos_private.versions_as_of(p_user_id, p_valid_at, p_recorded_at, p_memory_id) as a
    join memos_private.memory_version as v
        on v.user_id = p_user_id and v.memory_id = a.memory_id and v.version = a.version
    where p_memory_id is not null;
    if not found then
        perform memos_private.refuse_missing_memory(p_memory_id);
    end if;
    perform memos_private.audit_read(p_user_id, 'get_memory', array[p_memory_id]);
end
$body$;
comment on function memos.get_memory is
    'One memory: now, or as it was true at p_valid_at and known at p_recorded_at. '
    'Errors: MO001, MO400, MO403, MO404.';
