-- Every version in one shape; current ones have no superseded_at.
create or replace view memos_private.memory_version as
select user_id, memory_id, version, content, language, kind, tags, metadata, importance, confidence,
    privacy_level, provenance, session_id, position, occurred_at, valid_from, valid_until, recorded_at,
    pinned, tier, null::timestamptz as superseded_at, 'current'::text as change, null::text as reason
from memos_private.memory_of_any_tier
union all
select user_id, memory_id, version, content, language, kind, tags, metadata, importance, confidence,
    privacy_level, provenance, session_id, position, occurred_at, valid_from, valid_until, recorded_at,
    pinned, tier, superseded_at, change, reason
from memos_private.memory_history;
comment on view memos_private.memory_version is 'Current, superseded and deleted versions.';
