drop type if exists memos_private.version_key cascade;
drop type if exists memos_private.memory_input cascade;
drop table if exists memos_private.request cascade;
drop table if exists memos_private.memory_history cascade;
drop table if exists memos_private.memory cascade;
delete from partman.part_config where parent_table = 'memos_private.memory_history';
