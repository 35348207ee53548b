drop type if exists memos_private.lane_spread cascade;
drop type if exists memos_private.ranked cascade;
drop type if exists memos_private.candidate cascade;
drop table if exists memos_private.search_hit cascade;
drop table if exists memos_private.search_record cascade;
