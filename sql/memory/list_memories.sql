create or replace function memos_private.require_limit(p_limit int)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_most constant int := memos_private.setting('max_search_limit');
begin
    if p_limit is null or p_limit < 1 or p_limit > v_most then
        perform memos_private.refuse_argument(
            'p_limit', memos_private.it_is(p_limit),
            format('a whole number from 1 to %s (setting max_search_limit)', v_most)
        );
    end if;
end
$body$;
comment on function memos_private.require_limit is 'Raises MO400 for a number of rows out of range.';

create or replace function memos.list_memories(
    p_user_id      uuid,
    p_kinds        text[] default null,
    p_tags         text[] default null,
    p_limit        int default 50,
    p_after        uuid default null,
    p_include_cold boolean default false
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
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_ids uuid[] := '{}';
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_limit(p_limit);
    if p_include_cold is null then
        perform memos_private.refuse_argument('p_include_cold', 'it is null', 'true or false');
    elsif p_include_cold then
        for memory_id, version, content, kind, tags, metadata, importance, confidence, privacy_level,
            provenance, session_id, "position", occurred_at, valid_from, valid_until, recorded_at, pinned,
            tier in
            select m.memory_id, m.version,
                memos_private.revealed_content(
                    p_user_id, m.memory_id, m.content, (select memos_private.opened_key(p_user_id))
                ),
                m.kind, m.tags,
                memos_private.revealed_metadata(
                    p_user_id, m.memory_id, m.content, m.metadata,
                    (select memos_private.opened_key(p_user_id))
                ),
                m.importance, m.confidence, m.privacy_level, m.provenance, m.session_id, m.position,
                m.occurred_at, m.valid_from, m.valid_until, m.recorded_at, m.pinned, m.tier
            from memos_private.memory_of_any_tier as m
            where m.user_id = p_user_id
                and m.memory_id < coalesce(p_after, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                and (p_kinds is null or m.kind = any (p_kinds))
                and (p_tags is null or m.tags @> p_tags)
            order by m.memory_id desc
            limit p_limit
        loop
            v_ids := v_ids || memory_id;
            return next;
        end loop;
    else
        for memory_id, version, content, kind, tags, metadata, importance, confidence, privacy_level,
            provenance, session_id, "position", occurred_at, valid_from, valid_until, recorded_at, pinned,
            tier in
            select m.memory_id, m.version,
                memos_private.revealed_content(
                    p_user_id, m.memory_id, m.content, (select memos_private.opened_key(p_user_id))
                ),
                m.kind, m.tags,
                memos_private.revealed_metadata(
                    p_user_id, m.memory_id, m.content, m.metadata,
                    (select memos_private.opened_key(p_user_id))
                ),
                m.importance, m.confidence, m.privacy_level, m.provenance, m.session_id, m.position,
                m.occurred_at, m.valid_from, m.valid_until, m.recorded_at, m.pinned, m.tier
            from memos_private.memory as m
            where m.user_id = p_user_id
                and m.memory_id < coalesce(p_after, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                and (p_kinds is null or m.kind = any (p_kinds))
                and (p_tags is null or m.tags @> p_tags)
            order by m.memory_id desc
            limit p_limit
        loop
            v_ids := v_ids || memory_id;
            return next;
        end loop;
    end if;
    perform memos_private.audit_read(p_user_id, 'list_memories', v_ids);
end
$body$;
comment on function memos.list_memories is
    'A user''s memories, newest first. p_kinds: any of these kinds; p_tags: all of these tags; p_after: '
    'the last memory_id of the page before; p_include_cold: those of tier cold too. What is encrypted and '
    'has no key at hand says so instead of its content. Errors: MO001, MO400, MO403, MO500.';
