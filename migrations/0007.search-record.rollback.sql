drop table if exists memos_private.search_hit cascade;
drop table if exists memos_private.search_record cascade;
