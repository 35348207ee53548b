set local role memos_owner;

create table if not exists memos_private.cache_namespace (
    name             text not null,
    description      text not null,
    lifetime         interval not null,
    failure_lifetime interval not null,
    stale_lifetime   interval not null default '0',
    jitter           real not null default 0.1,
    max_entries      int not null,
    max_bytes        bigint not null,
    max_total_bytes  bigint not null default 1073741824,
    scope            text not null default 'both',
    key_form         text not null default 'exact',
    key_settings     text[] not null default '{}',
    keep             text not null default 'newest',
    constraint cache_namespace_pkey primary key (name),
    constraint namespace_is_a_word check (name ~ '^[a-z][a-z0-9_]{0,31}$'),
    constraint lifetimes_are_positive check (
        lifetime > '0' and lifetime <= '366 days' and failure_lifetime > '0'
        and failure_lifetime <= '366 days' and stale_lifetime >= '0' and stale_lifetime <= '366 days'
    ),
    constraint jitter_is_at_most_half check (jitter between 0 and 0.5),
    constraint bounds_are_positive check (max_entries > 0 and max_bytes > 0 and max_total_bytes > 0),
    constraint cache_scope_is_known check (scope in ('user', 'shared', 'both')),
    constraint key_form_is_known check (key_form in ('exact', 'text', 'url')),
    constraint keep_is_known check (keep in ('newest', 'confident'))
);
comment on table memos_private.cache_namespace is
    'What the caches hold, and by which rules. For a DBA to change: the next write goes by the new rules.';
comment on column memos_private.cache_namespace.failure_lifetime is 'Of entries put with p_success => false.';
comment on column memos_private.cache_namespace.stale_lifetime is
    'How long an expired entry is kept for callers who rather take it than wait for a new one.';
comment on column memos_private.cache_namespace.jitter is
    'Lifetimes are shortened by up to this fraction, so that what was put at once does not expire at once.';
comment on column memos_private.cache_namespace.max_entries is
    'Of one user, and of the shared entries; above it the least recently used go. So does max_bytes.';
comment on column memos_private.cache_namespace.max_total_bytes is
    'Of all users together; maintenance sees to it.';
comment on column memos_private.cache_namespace.scope is
    'Whose entries it takes: each user''s own (user), those that all users share (shared), or both.';
comment on column memos_private.cache_namespace.key_form is
    'What makes two keys the same: every byte (exact), words whatever their case and spacing (text), or '
    'the resource they name (url).';
comment on column memos_private.cache_namespace.key_settings is
    'Names of settings that enter the key: the same question to another model is another entry.';
comment on column memos_private.cache_namespace.keep is
    'confident: an entry gives way only to one with as much confidence, or when it has expired.';

insert into memos_private.cache_namespace (
    name, description, lifetime, failure_lifetime, stale_lifetime, max_entries, max_bytes, key_form,
    key_settings, keep
) values
    ('content', 'Pages and documents by URL.', '1 hour', '5 minutes', '1 hour', 10000, 268435456, 'url',
        '{}', 'newest'),
    ('query', 'Answers to questions, found again by the same words or by meaning.', '15 minutes',
        '1 minute', '15 minutes', 1000, 67108864, 'text', '{model,preset,language}', 'newest'),
    ('finding', 'What was found out, by its words.', '1 day', '5 minutes', '0', 1000, 33554432, 'text',
        '{}', 'confident'),
    ('subquery', 'Answers to parts of questions.', '1 day', '5 minutes', '0', 500, 33554432, 'text',
        '{model}', 'confident'),
    ('mission', 'How a task was taken apart, and how often that went well.', '7 days', '1 hour', '0', 500,
        16777216, 'text', '{}', 'newest'),
    ('expansion', 'Other wordings of a query.', '7 days', '5 minutes', '0', 10000, 16777216, 'text',
        '{model,language}', 'newest')
on conflict (name) do nothing;

alter table memos_private.cache_namespace enable row level security;
alter table memos_private.cache_namespace force row level security;
drop policy if exists owner_reads_all on memos_private.cache_namespace;
create policy owner_reads_all on memos_private.cache_namespace to memos_owner using (true);
drop policy if exists maintenance_configures on memos_private.cache_namespace;
create policy maintenance_configures on memos_private.cache_namespace to memos_maintenance using (true);
grant select, insert, update, delete on memos_private.cache_namespace to memos_maintenance;

-- Unlogged: a cache writes no WAL, is empty after a crash, and is not there on a standby.
create unlogged table if not exists memos_private.cache_entry (
    user_id      uuid not null,
    key_hash     bytea not null,
    namespace    text not null,
    key          text not null,
    settings     text not null,
    value        jsonb not null,
    stamp        uuid not null,
    seen         pg_snapshot,
    tags         text[] not null,
    success      boolean not null,
    confidence   real,
    success_rate real,
    outcomes     int not null default 0,
    bytes        int not null,
    stored_at    timestamptz not null,
    used_at      timestamptz not null,
    expires_at   timestamptz not null,
    constraint cache_entry_pkey primary key (user_id, key_hash)
);
-- Compressing and decompressing 20 kB takes longer than reading it.
alter table memos_private.cache_entry alter column value set storage external;
create index if not exists cache_entry_used_idx on memos_private.cache_entry (user_id, namespace, used_at);
create index if not exists cache_entry_expires_idx on memos_private.cache_entry (expires_at);
comment on table memos_private.cache_entry is
    'What is cached. Entries of the user 00000000-0000-0000-0000-000000000000 are shared by all users.';
comment on column memos_private.cache_entry.key_hash is 'SHA-256 of namespace, settings and normalised key.';
comment on column memos_private.cache_entry.settings is 'Those settings of the caller that enter the key.';
comment on column memos_private.cache_entry.stamp is
    'The generation: another one for each value. A copy elsewhere is good while the stamp is the same.';
comment on column memos_private.cache_entry.seen is
    'What the value was made from saw the transactions that this snapshot sees: an invalidation by any '
    'other one makes it stale. Null when no lease and no tag says what it was made from.';
comment on column memos_private.cache_entry.used_at is
    'Last use, give or take a sixteenth of the lifetime: reading writes no more often than that.';
comment on column memos_private.cache_entry.success_rate is
    'Exponential moving average of the outcomes reported by cache_record_outcome.';

create unlogged table if not exists memos_private.cache_tag (
    user_id  uuid not null,
    tag      text not null,
    key_hash bytea not null,
    constraint cache_tag_pkey primary key (user_id, tag, key_hash)
);
comment on table memos_private.cache_tag is
    'Which entries go when something changes; the id of a memory is a tag.';

create unlogged table if not exists memos_private.cache_question (
    user_id   uuid not null,
    namespace text not null,
    key_hash  bytea not null,
    settings  text not null,
    model     text not null,
    question  text not null,
    embedding public.halfvec not null,
    constraint cache_question_pkey primary key (user_id, namespace, key_hash),
    constraint question_vector_is_not_zero check (public.l2_norm(embedding) > 0)
);
alter table memos_private.cache_question alter column embedding set storage plain;
comment on table memos_private.cache_question is
    'The questions behind entries, to be found by meaning: those of one user are compared one by one.';
comment on column memos_private.cache_question.model is
    'Embedding model of the vector; empty where none is registered.';

create unlogged table if not exists memos_private.cache_lease (
    user_id    uuid not null,
    key_hash   bytea not null,
    namespace  text not null,
    lease      uuid not null,
    seen       pg_snapshot not null,
    leased_at  timestamptz not null,
    expires_at timestamptz not null,
    constraint cache_lease_pkey primary key (user_id, key_hash)
);
comment on table memos_private.cache_lease is
    'Who is filling a missing entry: one worker at a time, until it puts the entry or its time is up.';
comment on column memos_private.cache_lease.seen is
    'What was committed before the filling began, so that a value made from older data is told apart.';

create unlogged table if not exists memos_private.cache_mark (
    user_id    uuid not null,
    mark       text not null,
    prefix     text not null default '',
    xid        xid8 not null,
    noticed_at timestamptz,
    constraint cache_mark_pkey primary key (user_id, mark, prefix)
);
comment on table memos_private.cache_mark is
    'Recent invalidations. The transaction that invalidates removes the entries that it sees; a value '
    'made from data of before, and put while it had not committed, is told by its mark.';
comment on column memos_private.cache_mark.noticed_at is
    'When maintenance first saw it committed; it goes when no filling can be as old as that.';

create unlogged table if not exists memos_private.cache_usage (
    user_id   uuid not null,
    namespace text not null,
    slot      uuid not null,
    entries   bigint not null,
    bytes     bigint not null,
    constraint cache_usage_pkey primary key (user_id, namespace, slot)
);
comment on table memos_private.cache_usage is
    'How much a user holds in a namespace: the sum of its slots. A writer takes a slot that nobody has '
    'locked, or a new one, so that none waits for another.';

create unlogged table if not exists memos_private.cache_counter (
    namespace  text not null,
    bucket     timestamptz not null,
    slot       uuid not null,
    hits       bigint not null default 0,
    local_hits bigint not null default 0,
    misses     bigint not null default 0,
    fills      bigint not null default 0,
    waits      bigint not null default 0,
    evictions  bigint not null default 0,
    constraint cache_counter_pkey primary key (namespace, bucket, slot)
);
comment on table memos_private.cache_counter is
    'What happened in each five minutes, summed over slots that nobody waits for.';
alter table memos_private.cache_counter enable row level security;
alter table memos_private.cache_counter force row level security;
drop policy if exists owner_reads_all on memos_private.cache_counter;
create policy owner_reads_all on memos_private.cache_counter to memos_owner using (true);
drop policy if exists maintenance_sees_all on memos_private.cache_counter;
create policy maintenance_sees_all on memos_private.cache_counter to memos_maintenance using (true);

select memos_private.protect_user_table('memos_private.cache_entry');
select memos_private.protect_user_table('memos_private.cache_tag');
select memos_private.protect_user_table('memos_private.cache_question');
select memos_private.protect_user_table('memos_private.cache_lease');
select memos_private.protect_user_table('memos_private.cache_mark');
select memos_private.protect_user_table('memos_private.cache_usage');
grant select, insert, update, delete
    on memos_private.cache_entry, memos_private.cache_tag, memos_private.cache_question,
        memos_private.cache_lease, memos_private.cache_mark, memos_private.cache_usage,
        memos_private.cache_counter
    to memos_maintenance;

insert into memos_private.setting (name, value, description) values
    ('cache_max_key_bytes', '8192', 'longest key of a cache entry, in bytes of UTF-8'),
    ('cache_max_value_bytes', '4194304', 'largest value of a cache entry, in bytes of jsonb'),
    ('cache_max_tags', '1000', 'most tags of one cache entry'),
    ('cache_statistics_days', '30', 'how long the numbers of the caches are kept')
on conflict (name) do nothing;
