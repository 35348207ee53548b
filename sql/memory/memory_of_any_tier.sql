create or replace view memos_private.memory_of_any_tier as
select user_id, memory_id, version, content, content_hash, language, kind, tags, metadata, importance,
    confidence, privacy_level, provenance, session_id, position, occurred_at, valid_from, valid_until,
    recorded_at, pinned, tier
from memos_private.memory
union all
select user_id, memory_id, version, content, content_hash, language, kind, tags, metadata, importance,
    confidence, privacy_level, provenance, session_id, position, occurred_at, valid_from, valid_until,
    recorded_at, pinned, tier
from memos_private.memory_cold;
comment on view memos_private.memory_of_any_tier is 'What is remembered now, cold memories included.';
