drop function if exists memos_private.tg_memory_of_note_deleted() cascade;
drop function if exists memos_private.tg_memory_to_note() cascade;
drop function if exists memos_private.tg_memory_to_note_again() cascade;
drop table if exists memos_private.evolution_change cascade;
drop table if exists memos_private.memory_evolution cascade;
drop table if exists memos_private.note_queue cascade;
drop table if exists memos_private.memory_note cascade;
drop table if exists memos_private.note_provider cascade;
delete from memos_private.setting where name in ('note_max_attempts', 'evolution_neighbours');
