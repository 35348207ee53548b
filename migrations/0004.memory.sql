set local role memos_owner;

create table if not exists memos_private.memory (
    user_id       uuid not null,
    memory_id     uuid not null,
    version       int not null default 1,
    content       text not null,
    content_hash  bytea not null,
    language      regconfig not null,
    kind          text not null,
    tags          text[] not null,
    metadata      jsonb not null,
    importance    real not null,
    confidence    real not null,
    privacy_level text not null,
    provenance    text not null,
    session_id    text,
    position      int,
    occurred_at   timestamptz,
    valid_from    timestamptz not null,
    valid_until   timestamptz,
    recorded_at   timestamptz not null,
    pinned        boolean not null default false,
    tier          text not null default 'warm',
    constraint one_memory_per_content unique (user_id, content_hash),
    constraint version_counts_from_one check (version >= 1),
    constraint importance_is_a_fraction check (importance between 0 and 1),
    constraint confidence_is_a_fraction check (confidence between 0 and 1),
    constraint privacy_level_is_known
        check (privacy_level in ('minimal', 'balanced', 'comprehensive', 'restricted')),
    constraint provenance_is_known
        check (provenance in ('user', 'model', 'tool', 'imported', 'system')),
    constraint tier_is_known check (tier in ('hot', 'warm', 'cold')),
    constraint metadata_is_an_object check (jsonb_typeof(metadata) = 'object'),
    constraint validity_is_not_empty check (valid_until > valid_from)
);
do $$
begin
    if not exists (
        select from pg_catalog.pg_constraint
        where conname = 'memory_pkey' and conrelid = 'memos_private.memory'::regclass
    ) then
        -- After the other index: without statistics the planner takes the newer of two that look alike,
        -- and look-ups by id have to be look-ups by key from the first row on.
        alter table memos_private.memory add constraint memory_pkey primary key (user_id, memory_id);
    end if;
end
$$;
comment on table memos_private.memory is
    'What is remembered now, one row a memory. Earlier versions are in memory_history.';
comment on column memos_private.memory.memory_id is
    'Time-ordered (UUID version 7), so that the primary key lists newest first.';
comment on column memos_private.memory.content_hash is
    'SHA-256 of the NFC-normalised content: the same words are the same memory.';
comment on column memos_private.memory.language is
    'Text search configuration that turned the content into lexemes.';
comment on column memos_private.memory.valid_from is 'When the statement became true.';
comment on column memos_private.memory.valid_until is 'When it stopped being true; null: it still is.';
comment on column memos_private.memory.recorded_at is 'When this version was written.';

create table if not exists memos_private.memory_history (
    user_id       uuid not null,
    memory_id     uuid not null,
    version       int not null,
    content       text not null,
    content_hash  bytea not null,
    language      regconfig not null,
    lexemes       text[] not null,
    frequencies   int[] not null,
    kind          text not null,
    tags          text[] not null,
    metadata      jsonb not null,
    importance    real not null,
    confidence    real not null,
    privacy_level text not null,
    provenance    text not null,
    session_id    text,
    position      int,
    occurred_at   timestamptz,
    valid_from    timestamptz not null,
    valid_until   timestamptz,
    recorded_at   timestamptz not null,
    superseded_at timestamptz not null,
    pinned        boolean not null,
    tier          text not null,
    change        text not null,
    reason        text,
    remains_until timestamptz,
    retracted_at  timestamptz,
    constraint memory_history_pkey primary key (user_id, memory_id, version, superseded_at),
    constraint change_is_known check (change in ('update', 'delete')),
    constraint recorded_before_superseded check (recorded_at < superseded_at),
    constraint what_remains_is_not_empty check (remains_until > valid_from)
) partition by range (superseded_at);
comment on table memos_private.memory_history is
    'Superseded and deleted versions, with the period in which they were on record.';
comment on column memos_private.memory_history.frequencies is
    'How often each of lexemes occurs: what a search of the past counts, without taking texts apart.';
comment on column memos_private.memory_history.valid_until is
    'End of validity as believed while this version was on record.';
comment on column memos_private.memory_history.superseded_at is
    'When the next version, or the deletion, was recorded.';
comment on column memos_private.memory_history.remains_until is
    'The statement is still held to have been true from valid_from until then (a change in the '
    'world); null when it was corrected or deleted.';
comment on column memos_private.memory_history.retracted_at is
    'When the whole memory was deleted, which ended what remained.';

create table if not exists memos_private.request (
    user_id     uuid not null,
    request_id  text not null,
    memory_id   uuid not null,
    recorded_at timestamptz not null,
    constraint request_pkey primary key (user_id, request_id)
);
comment on table memos_private.request is
    'First answer to each write that carried a request id: a retry gets the same one.';

select memos_private.protect_user_table('memos_private.memory');
select memos_private.protect_user_table('memos_private.memory_history');
select memos_private.protect_user_table('memos_private.request');
grant select on memos_private.memory, memos_private.memory_history to memos_maintenance;
-- Locking a memory's row while its vectors are stored takes the right to update something of it.
grant update (tier) on memos_private.memory to memos_maintenance;

drop type if exists memos_private.memory_input;
create type memos_private.memory_input as (
    ordinal       int,
    memory_id     uuid,
    content       text,
    content_hash  bytea,
    language      regconfig,
    kind          text,
    tags          text[],
    metadata      jsonb,
    importance    real,
    confidence    real,
    privacy_level text,
    provenance    text,
    session_id    text,
    position      int,
    occurred_at   timestamptz,
    valid_from    timestamptz,
    valid_until   timestamptz,
    request_id    text,
    embedding     public.halfvec
);
comment on type memos_private.memory_input is 'A memory on its way in: what a caller said, with its new id.';

drop type if exists memos_private.version_key;
create type memos_private.version_key as (
    memory_id     uuid,
    version       int,
    superseded_at timestamptz
);
comment on type memos_private.version_key is
    'One version of a memory: in memory when superseded_at is null, else in memory_history.';

-- Empty for almost every user: tells a search that it may take all current memories as they are.
create index if not exists memory_out_of_season_idx
    on memos_private.memory (user_id) where valid_until is not null or tier = 'cold';
