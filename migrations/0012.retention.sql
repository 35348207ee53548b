set local role memos_owner;

create table if not exists memos_private.retention_parameter (
    kind           text not null,
    stability_days double precision not null,
    reason         text not null,
    constraint retention_parameter_pkey primary key (kind),
    constraint stability_is_positive check (stability_days between 0.01 and 36500)
);
comment on table memos_private.retention_parameter is
    'Days after which retention of a memory that was never used is 0.9, by kind; "default" for all others.';
insert into memos_private.retention_parameter (kind, stability_days, reason)
values
    ('default', 30, 'statements about the world: a month, the half-life of the recency factor'),
    ('conversational', 7, 'small talk is seldom needed after the week in which it was said'),
    ('episodic', 21, 'what happened fades faster than what it meant'),
    ('resource', 60, 'links and documents are looked up again over weeks'),
    ('procedural', 90, 'how to do something is needed seldom, and then just as it was'),
    ('preference', 180, 'tastes change over seasons'),
    ('recovery', 90, 'plans and progress are looked back at over months'),
    ('clinical', 365, 'a diagnosis or a medication holds for a year and more'),
    ('milestone', 365, 'anniversaries come once a year'),
    ('crisis', 365, 'what helped in a crisis must be there in the next one')
on conflict (kind) do nothing;
alter table memos_private.retention_parameter enable row level security;
alter table memos_private.retention_parameter force row level security;
drop policy if exists owner_reads_all on memos_private.retention_parameter;
create policy owner_reads_all on memos_private.retention_parameter to memos_owner using (true);
drop policy if exists maintenance_configures on memos_private.retention_parameter;
create policy maintenance_configures on memos_private.retention_parameter to memos_maintenance using (true);
grant select, insert, update, delete on memos_private.retention_parameter to memos_maintenance;

create table if not exists memos_private.memory_access (
    user_id     uuid not null,
    memory_id   uuid not null,
    access_id   uuid not null default gen_random_uuid(),
    accessed_at timestamptz not null,
    constraint memory_access_pkey primary key (user_id, memory_id, access_id)
);
comment on table memos_private.memory_access is
    'Uses of memories that are not yet counted in memory_usage. Only ever appended to, so that whoever '
    'uses a memory waits for nobody.';

create table if not exists memos_private.memory_usage (
    user_id      uuid not null,
    memory_id    uuid not null,
    uses         int not null,
    used_at      timestamptz[] not null,
    last_used_at timestamptz not null,
    stability    double precision,
    constraint memory_usage_pkey primary key (user_id, memory_id),
    constraint uses_are_counted_from_one check (uses >= 1)
) with (fillfactor = 70);
comment on table memos_private.memory_usage is
    'How often and when memories were used. Memories that never were have no row. No index but the key: '
    'counting is then an update in place.';
comment on column memos_private.memory_usage.used_at is
    'The last use of each day (UTC), ascending, of the latest 100 days with one: a set, so that it does '
    'not matter in which order and in which portions uses are counted.';
comment on column memos_private.memory_usage.stability is
    'Days from the last use until retention is 0.9; follows from used_at and the memory. Null while '
    'being derived.';

create table if not exists memos_private.tier_schedule (
    user_id     uuid not null,
    hot_due_at  timestamptz not null,
    cold_due_at timestamptz not null,
    constraint tier_schedule_pkey primary key (user_id)
);
comment on table memos_private.tier_schedule is
    'When the tiers of a user''s memories have to be looked at next. Users without a counted use have no row.';
-- Membership is decided by memory.pinned and memory.tier; this spares the wide table an index.
create unlogged table if not exists memos_private.hot_memory (
    user_id   uuid not null,
    memory_id uuid not null,
    constraint hot_memory_pkey primary key (user_id, memory_id)
);
comment on table memos_private.hot_memory is
    'The memories that are pinned or hot. Emptied by a crash and not there on a standby: hot_complete '
    'says whether to trust it.';
create unlogged table if not exists memos_private.hot_complete (
    complete boolean not null default true,
    constraint hot_complete_pkey primary key (complete),
    constraint row_says_that_it_is check (complete)
);
comment on table memos_private.hot_complete is
    'A row while hot_memory has every pinned and hot memory; emptied by the same crash.';
alter table memos_private.hot_complete enable row level security;
alter table memos_private.hot_complete force row level security;
drop policy if exists owner_reads_all on memos_private.hot_complete;
create policy owner_reads_all on memos_private.hot_complete to memos_owner using (true);
drop policy if exists maintenance_fills on memos_private.hot_complete;
create policy maintenance_fills on memos_private.hot_complete to memos_maintenance using (true);
grant select, insert, delete on memos_private.hot_complete to memos_maintenance;

create table if not exists memos_private.warm_prefix (
    user_id      uuid not null,
    name         text not null,
    model        text not null,
    backend      text not null,
    kind         text not null,
    content_hash bytea not null,
    tokens       int,
    state        text not null,
    warm_ms      int,
    warm_until   timestamptz,
    pinned_until timestamptz,
    uses         bigint not null default 0,
    last_used_at timestamptz,
    created_at   timestamptz not null default now(),
    constraint warm_prefix_pkey primary key (user_id, backend, model, name),
    constraint prefix_kind_is_known check (kind in ('prefix', 'adapter')),
    constraint prefix_state_is_known check (state in ('cold', 'warming', 'warm', 'evicted')),
    constraint only_what_is_warm_ends check (state in ('warming', 'warm') or warm_until is null)
);
comment on table memos_private.warm_prefix is
    'KV-cache prefixes and adapters that the bot keeps warm in its inference servers: what it told us '
    'about them. The tensors are there, not here.';

create table if not exists memos_private.tool_latency (
    user_id      uuid not null,
    tool         text not null,
    latencies_ms int[] not null,
    constraint tool_latency_pkey primary key (user_id, tool)
);
comment on table memos_private.tool_latency is
    'The latest 100 latencies of each tool: how long to keep a prefix while its agent waits.';

select memos_private.protect_user_table('memos_private.memory_access');
select memos_private.protect_user_table('memos_private.memory_usage');
select memos_private.protect_user_table('memos_private.tier_schedule');
select memos_private.protect_user_table('memos_private.hot_memory');
select memos_private.protect_user_table('memos_private.warm_prefix');
select memos_private.protect_user_table('memos_private.tool_latency');
grant select, insert, update, delete on memos_private.memory_access, memos_private.memory_usage,
    memos_private.tier_schedule, memos_private.hot_memory to memos_maintenance;

insert into memos_private.setting (name, value, description) values
    ('hot_uses', '3', 'uses from which a memory becomes hot'),
    ('hot_idle_hours', '24', 'hours without use after which a memory is no longer hot'),
    ('hot_max_memories', '100', 'most hot memories of a user, pinned ones not counted'),
    ('cold_idle_days', '180', 'days without use after which a memory may become cold'),
    ('cold_max_retention', '0.5', 'retention below which an idle memory becomes cold'),
    ('warm_max_memories', '1000000',
        'most memories of a user that are not cold; of more, the least retained become cold')
on conflict (name) do nothing;

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
    recency    double precision,
    retention  double precision
);
comment on type memos_private.candidate is
    'A memory that may answer a search: its score, the parts that add up to it, and the factors on them.';

drop type if exists memos_private.search_weights cascade;
create type memos_private.search_weights as (
    dense      double precision,
    lexical    double precision,
    context    double precision,
    graph      double precision,
    time       double precision,
    importance double precision,
    recency    double precision,
    retention  double precision
);
comment on type memos_private.search_weights is
    'How much each lane and factor of a search counts.';
