drop table if exists memos_private.embedding_queue cascade;
drop table if exists memos_private.embedding_history cascade;
drop table if exists memos_private.embedding cascade;
drop table if exists memos_private.embedding_model cascade;
delete from partman.part_config where parent_table = 'memos_private.embedding_history';
