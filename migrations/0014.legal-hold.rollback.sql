delete from memos_private.setting
where name in ('history_retention_days', 'search_retention_days', 'request_retention_days');
drop index if exists memos_private.search_record_searched_at_idx;
drop index if exists memos_private.request_recorded_at_idx;
revoke update (recorded_at) on memos_private.request from memos_maintenance;
revoke update (searched_at) on memos_private.search_record from memos_maintenance;
revoke select, delete on memos_private.request, memos_private.search_record,
    memos_private.embedding_history
    from memos_maintenance;
revoke delete on memos_private.memory_history from memos_maintenance;
drop table if exists memos_private.legal_hold;
