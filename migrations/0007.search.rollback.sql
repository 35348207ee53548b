drop type if exists memos_private.ranked cascade;
drop table if exists memos_private.search_hit cascade;
drop table if exists memos_private.search_record cascade;
