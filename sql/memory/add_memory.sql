create or replace function memos.add_memory(
    p_user_id       uuid,
    p_content       text,
    p_kind          text default 'semantic',
    p_tags          text[] default '{}',
    p_metadata      jsonb default '{}',
    p_embedding     public.halfvec default null,
    p_model         text default null,
    p_importance    real default 0.5,
    p_confidence    real default 1.0,
    p_privacy_level text default 'balanced',
    p_provenance    text default 'user',
    p_session_id    text default null,
    p_position      int default null,
    p_occurred_at   timestamptz default null,
    p_language      text default null,
    p_request_id    text default null
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, public, pg_temp
set memos.user_id = ''
as $body$
declare
    v_memory memos_private.memory_input;
begin
    perform memos_private.enter_user_context(p_user_id);
    v_memory := row(
        1, memos_private.new_memory_id(clock_timestamp()), p_content,
        memos_private.content_hash(p_content), memos_private.text_search_language(p_language),
        p_kind, p_tags, p_metadata, p_importance, p_confidence, p_privacy_level, p_provenance,
        p_session_id, p_position, p_occurred_at, null, null, p_request_id, p_embedding
    );
    v_memory.memory_id := (
        select s.memory_id from memos_private.store_memories(p_user_id, array[v_memory], p_model) as s
    );
    perform memos_private.audit(p_user_id, 'add_memory', array[v_memory.memory_id]);
    return v_memory.memory_id;
end
$body$;
comment on function memos.add_memory is
    'Remembers one text and returns its id; findable by words at once. The same content (by hash) is '
    'the same memory and keeps its id; the same p_request_id returns the first answer. p_embedding: a '
    'vector of p_model (default: the default model), stored as passage 0; without one the embedding is '
    'pending. p_importance, p_confidence: 0 to 1. p_occurred_at: when it happened, which is also from '
    'when it is true (default: now). p_language: text search configuration (default english). '
    'Errors: MO001, MO400, MO403, MO429, MO451.';
