-- A statement of its own: opening the partitions of cold memories takes longer than most searches' look at
-- the others.
create or replace function memos_private.has_ending_cold_memories(p_user_id uuid)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return exists (
        select from memos_private.memory_cold as m
        where m.user_id = p_user_id and m.valid_until is not null
    );
end
$body$;
comment on function memos_private.has_ending_cold_memories is
    'Whether some cold memory of the user stops, or stopped, being true.';

create or replace function memos_private.eligible_versions(
    p_user_id      uuid,
    p_kinds        text[],
    p_tags         text[],
    p_metadata     jsonb,
    p_session_id   text,
    p_from         timestamptz,
    p_until        timestamptz,
    p_valid_at     timestamptz,
    p_recorded_at  timestamptz,
    p_include_cold boolean,
    p_excluded     uuid[]
)
returns memos_private.version_key[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
-- A user's rows are found by the key, whatever a plan from before there were others says.
set enable_seqscan = off
as $body$
declare
    v_as_of constant boolean := p_valid_at is not null or p_recorded_at is not null;
    v_versions memos_private.version_key[];
begin
    if not v_as_of
        and num_nonnulls(p_kinds, p_tags, p_metadata, p_session_id, p_from, p_until, p_excluded) = 0
        and not exists (
            select from memos_private.memory as m
            where m.user_id = p_user_id and m.valid_until is not null
        )
        and not (p_include_cold and memos_private.has_ending_cold_memories(p_user_id))
    then
        return null;
    end if;
    if not v_as_of then
        -- Now is one table: no look at the history for each row.
        v_versions := array(
            select row(m.memory_id, m.version, null)::memos_private.version_key
            from memos_private.memory as m
            where m.user_id = p_user_id
                and (m.valid_until is null or m.valid_until > statement_timestamp())
                and (p_kinds is null or m.kind = any (p_kinds))
                and (p_tags is null or m.tags @> p_tags)
                and (p_metadata is null or m.metadata @> p_metadata)
                and (p_session_id is null or m.session_id = p_session_id)
                and (p_from is null or coalesce(m.occurred_at, m.recorded_at) >= p_from)
                and (p_until is null or coalesce(m.occurred_at, m.recorded_at) < p_until)
                and (p_excluded is null or m.memory_id <> all (p_excluded))
        );
        if p_include_cold then
            v_versions := v_versions || array(
                select row(m.memory_id, m.version, null)::memos_private.version_key
                from memos_private.memory_cold as m
                where m.user_id = p_user_id
                    and (m.valid_until is null or m.valid_until > now())
                    and (p_kinds is null or m.kind = any (p_kinds))
                    and (p_tags is null or m.tags @> p_tags)
                    and (p_metadata is null or m.metadata @> p_metadata)
                    and (p_session_id is null or m.session_id = p_session_id)
                    and (p_from is null or coalesce(m.occurred_at, m.recorded_at) >= p_from)
                    and (p_until is null or coalesce(m.occurred_at, m.recorded_at) < p_until)
                    and (p_excluded is null or m.memory_id <> all (p_excluded))
            );
        end if;
        return v_versions;
    end if;
    -- The past knows no tiers: what was warm then is found, wherever it lies today.
    v_versions := array(
        select row(v.memory_id, v.version, v.superseded_at)::memos_private.version_key
        from memos_private.versions_as_of(p_user_id, p_valid_at, p_recorded_at) as v
        where p_valid_at is not null or v.valid_until is null or v.valid_until > p_recorded_at
    );
    if num_nonnulls(p_kinds, p_tags, p_metadata, p_session_id, p_from, p_until, p_excluded) = 0 then
        return v_versions;
    end if;
    return array(
        select row(m.memory_id, m.version, m.superseded_at)::memos_private.version_key
        from memos_private.memory_version as m
        where m.user_id = p_user_id
            and (v_versions is null or (m.memory_id, m.version, coalesce(m.superseded_at, 'infinity')) in (
                select v.memory_id, v.version, coalesce(v.superseded_at, 'infinity')
                from unnest(v_versions) as v
            ))
            and (p_kinds is null or m.kind = any (p_kinds))
            and (p_tags is null or m.tags @> p_tags)
            and (p_metadata is null or m.metadata @> p_metadata)
            and (p_session_id is null or m.session_id = p_session_id)
            and (p_from is null or coalesce(m.occurred_at, m.recorded_at) >= p_from)
            and (p_until is null or coalesce(m.occurred_at, m.recorded_at) < p_until)
            and (p_excluded is null or m.memory_id <> all (p_excluded))
    );
end
$body$;
comment on function memos_private.eligible_versions is
    'The versions that pass a search''s filters and times and are not p_excluded, with the cold ones of '
    'today when p_include_cold; null when every current memory does.';
