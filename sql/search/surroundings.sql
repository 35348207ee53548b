-- A statement each for the past, for now with the cold memories and for now: one that could do all costs
-- more to open than it finds. The window is computed before the neighbours are asked for: under row-level
-- security a subtraction is not leakproof, and the index would be read for the whole session.
create or replace function memos_private.surroundings_as_of(
    p_user_id uuid,
    p_leaders memos_private.candidate[],
    p_spread  double precision,
    p_scope   memos_private.version_key[]
)
returns table (
    memory_id uuid, session_id text, happened_at timestamptz, importance real, context double precision
)
language plpgsql
stable
rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $body$
#variable_conflict use_column
declare
    v_versions memos_private.version_key[];
begin
    -- Hashed, as in dense_as_of: then forty versions are looked up and not all of the past.
    v_versions := array(
        select s
        from unnest(p_scope) as s
        where p_leaders is null or s.memory_id in (select c.memory_id from unnest(p_leaders) as c)
    );
    return query
    with leaders as materialized (
        select c.memory_id, c.score, v.session_id, v.position, v.position - 2 as first,
            v.position + 2 as last, coalesce(v.occurred_at, v.recorded_at) as happened_at, v.importance
        from unnest(p_leaders) as c
        join unnest(v_versions) as s using (memory_id)
        cross join lateral (
            -- At most one: so that it is looked up by its key.
            select m.session_id, m.position, m.occurred_at, m.recorded_at, m.importance
            from memos_private.memory_version as m
            where m.user_id = p_user_id and m.memory_id = s.memory_id and m.version = s.version
                and m.superseded_at is not distinct from s.superseded_at
            limit 1
        ) as v
    ),
    superseded as materialized (
        select h.memory_id, h.session_id, h.position, h.occurred_at, h.recorded_at, h.importance
        from memos_private.memory_history as h
        where h.user_id = p_user_id and h.session_id is not null
            and (p_scope is null or (h.memory_id, h.version, h.superseded_at) in (
                select s.memory_id, s.version, s.superseded_at from unnest(p_scope) as s
            ))
    )
    select l.memory_id, l.session_id, l.happened_at, l.importance, 0::double precision
    from leaders as l
    union all
    select n.memory_id, n.session_id, coalesce(n.occurred_at, n.recorded_at), n.importance,
        l.score * case when abs(n.position - l.position) = 2 then p_spread * 0.3 else p_spread end
    from leaders as l
    cross join lateral (
        (
            select m.memory_id, m.session_id, m.position, m.occurred_at, m.recorded_at, m.importance
            from memos_private.memory_of_any_tier as m
            where m.user_id = p_user_id and m.session_id = l.session_id
                and m.position >= l.first and m.position <= l.last
                and (p_scope is null or m.memory_id in (
                    select s.memory_id from unnest(p_scope) as s where s.superseded_at is null
                ))
            order by m.position, m.memory_id
            limit 32
        )
        union all
        select h.memory_id, h.session_id, h.position, h.occurred_at, h.recorded_at, h.importance
        from superseded as h
        where h.session_id = l.session_id and h.position >= l.first and h.position <= l.last
    ) as n
    where l.score > 0 and p_spread > 0 and n.memory_id <> l.memory_id;
end
$body$;
comment on function memos_private.surroundings_as_of is
    'The surroundings among the versions in p_scope.';

create or replace function memos_private.surroundings(
    p_user_id      uuid,
    p_leaders      memos_private.candidate[],
    p_spread       double precision,
    p_scope        memos_private.version_key[],
    p_as_of        boolean,
    p_include_cold boolean
)
returns table (
    memory_id uuid, session_id text, happened_at timestamptz, importance real, context double precision
)
language plpgsql
stable
rows 100
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    if p_as_of then
        return query
        select s.memory_id, s.session_id, s.happened_at, s.importance, s.context
        from memos_private.surroundings_as_of(p_user_id, p_leaders, p_spread, p_scope) as s;
        return;
    end if;
    if p_include_cold then
        return query
        with leaders as materialized (
            select c.memory_id, c.score, m.session_id, m.position, m.position - 2 as first,
                m.position + 2 as last, coalesce(m.occurred_at, m.recorded_at) as happened_at, m.importance
            from unnest(p_leaders) as c
            join memos_private.memory_of_any_tier as m on m.user_id = p_user_id and m.memory_id = c.memory_id
        )
        select l.memory_id, l.session_id, l.happened_at, l.importance, 0::double precision
        from leaders as l
        union all
        select n.memory_id, n.session_id, coalesce(n.occurred_at, n.recorded_at), n.importance,
            l.score * case when abs(n.position - l.position) = 2 then p_spread * 0.3 else p_spread end
        from leaders as l
        cross join lateral (
            select m.memory_id, m.session_id, m.position, m.occurred_at, m.recorded_at, m.importance
            from memos_private.memory_of_any_tier as m
            where m.user_id = p_user_id and m.session_id = l.session_id
                and m.position >= l.first and m.position <= l.last
            order by m.position, m.memory_id
            limit 32
        ) as n
        where l.score > 0 and p_spread > 0 and n.memory_id <> l.memory_id;
        return;
    end if;
    return query
    with leaders as materialized (
        select c.memory_id, c.score, m.session_id, m.position, m.position - 2 as first,
            m.position + 2 as last, coalesce(m.occurred_at, m.recorded_at) as happened_at, m.importance
        from unnest(p_leaders) as c
        join memos_private.memory as m on m.user_id = p_user_id and m.memory_id = c.memory_id
    )
    select l.memory_id, l.session_id, l.happened_at, l.importance, 0::double precision
    from leaders as l
    union all
    select n.memory_id, n.session_id, coalesce(n.occurred_at, n.recorded_at), n.importance,
        l.score * case when abs(n.position - l.position) = 2 then p_spread * 0.3 else p_spread end
    from leaders as l
    cross join lateral (
        -- Where positions are not told apart, a session is one place: not all of it is near.
        select m.memory_id, m.session_id, m.position, m.occurred_at, m.recorded_at, m.importance
        from memos_private.memory as m
        where m.user_id = p_user_id and m.session_id = l.session_id
            and m.position >= l.first and m.position <= l.last
        order by m.position, m.memory_id
        limit 32
    ) as n
    where l.score > 0 and p_spread > 0 and n.memory_id <> l.memory_id;
end
$body$;
comment on function memos_private.surroundings is
    'Session, time and importance of the leading candidates, and of the memories up to two positions before '
    'and after them in their sessions, which get p_spread of the leader''s score, at two positions 0.3 of '
    'that; at most 32 for each leader. One row for each reason that a memory is here. p_as_of: of the '
    'versions in p_scope.';
