drop function if exists memos_private.tg_hot_memory() cascade;
drop function if exists memos_private.tg_retention_changed() cascade;
drop type if exists memos_private.candidate cascade;
create type memos_private.candidate as (
    memory_id  uuid,
    score      double precision,
    dense      double precision,
    lexical    double precision,
    context    double precision,
    session    double precision,
    graph      double precision,
    time       double precision,
    importance double precision,
    recency    double precision
);
drop type if exists memos_private.search_weights cascade;
create type memos_private.search_weights as (
    dense      double precision,
    lexical    double precision,
    context    double precision,
    graph      double precision,
    time       double precision,
    importance double precision,
    recency    double precision
);
drop table if exists memos_private.tool_latency cascade;
drop table if exists memos_private.warm_prefix cascade;
drop table if exists memos_private.hot_complete cascade;
drop table if exists memos_private.hot_memory cascade;
drop table if exists memos_private.tier_schedule cascade;
drop table if exists memos_private.memory_usage cascade;
drop table if exists memos_private.memory_access cascade;
drop table if exists memos_private.retention_parameter cascade;
delete from memos_private.setting
where name in (
    'hot_uses', 'hot_idle_hours', 'hot_max_memories', 'cold_idle_days', 'cold_max_retention',
    'warm_max_memories'
);
