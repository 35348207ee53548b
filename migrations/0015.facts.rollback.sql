drop function if exists memos_private.tg_memory_of_fact_updated() cascade;
drop table if exists memos_private.fact_history cascade;
drop table if exists memos_private.fact cascade;
