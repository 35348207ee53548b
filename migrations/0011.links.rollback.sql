drop function if exists memos_private.tg_embedding_inserted() cascade;
drop function if exists memos_private.tg_embedding_deleted() cascade;
drop type if exists memos_private.near_pair cascade;
drop type if exists memos_private.link_path cascade;
drop table if exists memos_private.link_queue cascade;
drop table if exists memos_private.memory_link cascade;
delete from memos_private.setting
where name in ('link_min_similarity', 'link_max_per_memory', 'link_min_content_bytes');
