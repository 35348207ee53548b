-- The two time axes in one place. A version was on record in [recorded_at, superseded_at). Afterwards
-- a changed (not corrected) statement is still held to have been true until remains_until, unless the
-- whole memory was deleted. Where validities overlap, what was recorded last counts. One memory or all is
-- a range of ids, which the key serves under one plan.
create or replace function memos_private.versions_as_of(
    p_user_id     uuid,
    p_valid_at    timestamptz,
    p_recorded_at timestamptz,
    p_memory_id   uuid default null
)
returns table (memory_id uuid, version int, superseded_at timestamptz, valid_until timestamptz)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $body$
#variable_conflict use_column
declare
    v_first constant uuid := coalesce(p_memory_id, '00000000-0000-0000-0000-000000000000');
    v_last constant uuid := coalesce(p_memory_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
begin
    return query
    select distinct on (v.memory_id) v.memory_id, v.version, v.superseded_at, v.valid_until
    from (
        select m.memory_id, m.version, null::timestamptz as superseded_at, m.valid_from, m.valid_until
        from memos_private.memory as m
        where m.user_id = p_user_id
            and m.memory_id between v_first and v_last
            and m.recorded_at <= coalesce(p_recorded_at, 'infinity')
        union all
        select c.memory_id, c.version, null, c.valid_from, c.valid_until
        from memos_private.memory_cold as c
        where c.user_id = p_user_id
            and c.memory_id between v_first and v_last
            and c.recorded_at <= coalesce(p_recorded_at, 'infinity')
        union all
        select h.memory_id, h.version, h.superseded_at, h.valid_from, h.valid_until
        from memos_private.memory_history as h
        where h.user_id = p_user_id
            and h.memory_id between v_first and v_last
            and h.recorded_at <= p_recorded_at and p_recorded_at < h.superseded_at
        union all
        select h.memory_id, h.version, h.superseded_at, h.valid_from, h.remains_until
        from memos_private.memory_history as h
        where h.user_id = p_user_id
            and h.memory_id between v_first and v_last
            and p_valid_at is not null
            and h.remains_until is not null
            and coalesce(p_recorded_at, 'infinity') >= h.superseded_at
            and (h.retracted_at is null or p_recorded_at < h.retracted_at)
    ) as v
    where p_valid_at is null
        or (v.valid_from <= p_valid_at and (v.valid_until is null or p_valid_at < v.valid_until))
    order by v.memory_id, v.version desc;
end
$body$;
comment on function memos_private.versions_as_of is
    'Which version of each of a user''s memories (or of one) answers for a time in the world '
    '(p_valid_at) and a time of knowledge (p_recorded_at; null: now). superseded_at is null for the '
    'version that is current (in memory or memory_cold), else it stands in memory_history. valid_until is the end as known then.';
