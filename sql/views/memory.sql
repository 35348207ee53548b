-- Owned by memos_owner, whose row-level security reads the setting memos.user_id, which anybody can
-- write; the predicate on the verified user closes that, and the barrier keeps a caller's own
-- functions behind it. "offset 0" keeps every condition of the caller behind it: comparisons of text
-- and of uuids count as leakproof and would be evaluated on everybody's rows first, where EXPLAIN
-- ANALYZE tells whether one of them was true, and EXPLAIN for how many it is likely to be. A view's
-- functions are called by whoever reads it: those of schema memos only.
create or replace view memos.memory with (security_barrier) as
select user_id, memory_id, version,
    case when starts_with(content, 'memos:sealed:')
        then memos.reveal_memory(user_id, memory_id, content) ->> 'content' else content end as content,
    kind, tags,
    case when starts_with(content, 'memos:sealed:')
        then memos.reveal_memory(user_id, memory_id, content) -> 'metadata' else metadata end as metadata,
    importance, confidence, privacy_level, provenance, session_id, position, occurred_at, valid_from,
    valid_until, recorded_at, pinned, tier
from memos_private.memory_of_any_tier
where user_id = (select memos.reading_user_id('memory'))
offset 0;
comment on view memos.memory is
    'The current user''s memories of every tier as they are now. Set the user with memos.use_context, or '
    'as memos_app with set_config(''memos.user_id'', ..., true). Without one there are no rows. A query '
    'reads all of the user''s memories: memos.get_memory finds one.';

create or replace view memos.memory_version with (security_barrier) as
select user_id, memory_id, version,
    case when starts_with(content, 'memos:sealed:')
        then memos.reveal_memory(user_id, memory_id, content) ->> 'content' else content end as content,
    kind, tags,
    case when starts_with(content, 'memos:sealed:')
        then memos.reveal_memory(user_id, memory_id, content) -> 'metadata' else metadata end as metadata,
    importance, confidence, privacy_level, provenance, session_id, position, occurred_at, valid_from,
    valid_until, recorded_at, superseded_at as recorded_until, change, reason
from memos_private.memory_version
where user_id = (select memos.reading_user_id('memory_version'))
offset 0;
comment on view memos.memory_version is
    'Every version of the current user''s memories, superseded and deleted ones included.';
