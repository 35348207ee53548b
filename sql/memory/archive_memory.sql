create or replace function memos_private.archive_memory(
    p_old           memos_private.memory,
    p_at            timestamptz,
    p_change        text,
    p_reason        text,
    p_remains_until timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
as $body$
begin
    if length(p_reason) > 1000 then
        perform memos_private.refuse_argument(
            'p_reason', format('it has %s characters', length(p_reason)), 'at most 1000 characters'
        );
    end if;
    perform memos_private.require_partitions(
        array['memos_private.memory_history', 'memos_private.embedding_history'], p_at
    );
    insert into memos_private.memory_history (
        user_id, memory_id, version, content, content_hash, language, lexemes, frequencies, kind, tags,
        metadata, importance, confidence, privacy_level, provenance, session_id, position, occurred_at,
        valid_from, valid_until, recorded_at, superseded_at, pinned, tier, change, reason, remains_until
    )
    select p_old.user_id, p_old.memory_id, p_old.version, p_old.content, p_old.content_hash,
        p_old.language, coalesce(array_agg(l.lexeme), '{}'), coalesce(array_agg(l.frequency), '{}'),
        p_old.kind, p_old.tags, p_old.metadata, p_old.importance, p_old.confidence,
        p_old.privacy_level, p_old.provenance, p_old.session_id, p_old.position, p_old.occurred_at,
        p_old.valid_from, p_old.valid_until, p_old.recorded_at, p_at, p_old.pinned, p_old.tier,
        p_change, p_reason, p_remains_until
    from memos_private.lexemes(p_old.language, p_old.content) as l;
    insert into memos_private.embedding_history (
        user_id, memory_id, version, model_id, passage, embedding, superseded_at
    )
    select e.user_id, e.memory_id, p_old.version, e.model_id, e.passage, e.embedding, p_at
    from memos_private.embedding_model as m
    join memos_private.embedding as e
        on e.user_id = p_old.user_id and e.model_id = m.model_id and e.memory_id = p_old.memory_id;
end
$body$;
comment on function memos_private.archive_memory is
    'Copies a version with its vectors into the history. p_remains_until: until when the statement is '
    'still held to have been true, null when it is withdrawn.';
