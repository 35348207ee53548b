delete from memos_private.setting
where name in ('dense_exact_memories', 'dense_rescored', 'dense_hnsw_memories');
drop type if exists memos_private.lane cascade;
alter table memos_private.embedding
    reset (autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_scale_factor),
    drop constraint if exists embedding_pkey,
    drop column if exists code,
    add constraint embedding_pkey primary key (user_id, model_id, memory_id, passage);
alter table memos_private.embedding_model drop column if exists retired_at;
revoke select, delete on memos_private.embedding_history from memos_maintenance;
