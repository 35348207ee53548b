-- The other extensions stay: tables of other applications may use them.
delete from partman.part_config where parent_table like 'memos\_%';
