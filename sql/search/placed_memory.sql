-- Where memories stand: in which session, where in it, and when. Plain SQL, to become part of the
-- fusion's own plan; the past stays a function, which inlined would open every partition for nothing.
create or replace function memos_private.placed_versions(
    p_user_id uuid, p_scope memos_private.version_key[]
)
returns table (
    memory_id uuid, session_id text, "position" int, happened_at timestamptz, importance real
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    return query
    select v.memory_id, v.session_id, v.position, coalesce(v.occurred_at, v.recorded_at), v.importance
    from unnest(p_scope) as s
    join memos_private.memory_version as v
        on v.user_id = p_user_id and v.memory_id = s.memory_id and v.version = s.version
            and v.superseded_at is not distinct from s.superseded_at;
end
$body$;
comment on function memos_private.placed_versions is 'Session, place and time of those versions.';

create or replace function memos_private.placed_memory(
    p_user_id uuid, p_memory_id uuid, p_scope memos_private.version_key[], p_as_of boolean
)
returns table (session_id text, "position" int, happened_at timestamptz, importance real)
language sql
stable
begin atomic
    select m.session_id, m.position, coalesce(m.occurred_at, m.recorded_at), m.importance
    from memos_private.memory as m
    where not p_as_of and m.user_id = p_user_id and m.memory_id = p_memory_id
    union all
    select v.session_id, v.position, v.happened_at, v.importance
    from memos_private.placed_versions(p_user_id, p_scope) as v
    where p_as_of and v.memory_id = p_memory_id;
end;
comment on function memos_private.placed_memory is
    'Session, place and time of a memory: as it is now, or (p_as_of) of its version in p_scope.';

-- Bounds, not a position and a distance: under row-level security a subtraction is not leakproof, and
-- the index would be read for the whole session.
create or replace function memos_private.session_memories(
    p_user_id uuid, p_session_id text, p_first int, p_last int, p_scope memos_private.version_key[],
    p_as_of boolean
)
returns table (memory_id uuid, "position" int, happened_at timestamptz, importance real)
language sql
stable
begin atomic
    select m.memory_id, m.position, coalesce(m.occurred_at, m.recorded_at), m.importance
    from memos_private.memory as m
    where not p_as_of and m.user_id = p_user_id and m.session_id = p_session_id
        and m.position >= p_first and m.position <= p_last
        and (p_scope is null or m.memory_id in (select s.memory_id from unnest(p_scope) as s))
    union all
    select v.memory_id, v.position, v.happened_at, v.importance
    from memos_private.placed_versions(p_user_id, p_scope) as v
    where p_as_of and v.session_id = p_session_id and v.position between p_first and p_last;
end;
comment on function memos_private.session_memories is
    'The memories at the positions from p_first to p_last of a session: those of p_scope, or all current.';
