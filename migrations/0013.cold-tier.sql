set local role memos_owner;

-- Nothing could make a memory cold so far. What an operator has marked by hand is warm until the tiers
-- are looked at: from now on a cold memory is a row of memory_cold and no row of memory.
set local role memos_maintenance;
update memos_private.memory set tier = 'warm' where tier = 'cold';
set local role memos_owner;
alter table memos_private.memory
    drop constraint tier_is_known,
    add constraint tier_is_known check (tier in ('hot', 'warm'));
drop index if exists memos_private.memory_out_of_season_idx;
create index memory_out_of_season_idx on memos_private.memory (user_id) where valid_until is not null;

create table if not exists memos_private.cold_place (
    user_id      uuid not null,
    memory_id    uuid not null,
    content_hash bytea not null,
    moved_at     timestamptz not null,
    language     regconfig not null,
    length       int not null,
    constraint one_cold_memory_per_content unique (user_id, content_hash)
);
do $$
begin
    if not exists (
        select from pg_catalog.pg_constraint
        where conname = 'cold_place_pkey' and conrelid = 'memos_private.cold_place'::regclass
    ) then
        -- After the other index, as in memory.
        alter table memos_private.cold_place
            add constraint cold_place_pkey primary key (user_id, memory_id);
    end if;
end
$$;
comment on table memos_private.cold_place is
    'Where each cold memory lies, and what must be known of it without going there: that its content is '
    'taken, and what it adds to the statistics of a search.';
comment on column memos_private.cold_place.moved_at is 'Names the partitions of memory_cold and embedding_cold.';
comment on column memos_private.cold_place.length is 'Number of its lexemes, repeated ones counted.';

create table if not exists memos_private.memory_cold (
    like memos_private.memory,
    lexemes     text[] not null,
    frequencies int[] not null,
    pending     jsonb,
    links_due   boolean not null,
    moved_at    timestamptz not null,
    constraint memory_cold_pkey primary key (user_id, memory_id, moved_at),
    constraint memory_is_cold check (tier = 'cold')
) partition by range (moved_at);
create index if not exists memory_cold_out_of_season_idx
    on memos_private.memory_cold (user_id) where valid_until is not null;
create index if not exists memory_cold_session_idx
    on memos_private.memory_cold (user_id, session_id, position, memory_id) where session_id is not null;
comment on table memos_private.memory_cold is
    'Memories that have not been needed for long: the columns of memory, and what it takes to search '
    'them and to put everything back as it was.';
comment on column memos_private.memory_cold.frequencies is
    'How often each of lexemes occurs: what a search counts, without taking texts apart.';
comment on column memos_private.memory_cold.pending is
    'Its rows of embedding_queue; null: none. Nobody embeds it while it is cold.';
comment on column memos_private.memory_cold.links_due is 'It stood in link_queue.';

create table if not exists memos_private.embedding_cold (
    user_id   uuid not null,
    model_id  smallint not null,
    memory_id uuid not null,
    passage   int not null,
    embedding public.halfvec not null,
    moved_at  timestamptz not null,
    constraint embedding_cold_pkey primary key (user_id, model_id, memory_id, passage, moved_at)
) partition by range (moved_at);
-- In line, as in embedding: a search that includes the cold compares all of a user's.
alter table memos_private.embedding_cold alter column embedding set storage plain;
comment on table memos_private.embedding_cold is 'Vectors of the memories in memory_cold, of every model.';

create table if not exists memos_private.memory_link_cold (
    like memos_private.memory_link,
    moved_at timestamptz not null,
    constraint memory_link_cold_pkey primary key (user_id, from_id, to_id, type)
);
create index if not exists memory_link_cold_to_idx
    on memos_private.memory_link_cold (user_id, to_id, from_id);
comment on table memos_private.memory_link_cold is
    'Links with an end that is cold: memory_link''s foreign keys need both in memory.';

select memos_private.protect_user_table('memos_private.cold_place');
select memos_private.protect_user_table('memos_private.memory_cold');
select memos_private.protect_user_table('memos_private.embedding_cold');
select memos_private.protect_user_table('memos_private.memory_link_cold');
grant select on memos_private.cold_place, memos_private.memory_cold, memos_private.embedding_cold,
    memos_private.memory_link_cold to memos_maintenance;
grant delete on memos_private.embedding_cold to memos_maintenance;
grant update (lexemes, frequencies) on memos_private.memory_cold to memos_maintenance;
grant update (length) on memos_private.cold_place to memos_maintenance;

-- Other arguments and results from here on.
drop function if exists memos.list_memories(uuid, text[], text[], int, uuid);
drop function if exists memos.memory_stats(uuid);
drop function if exists memos_private.query_terms(uuid, text);
drop function if exists memos_private.prefix_lexemes(uuid, regconfig[], double precision, text);
drop function if exists memos_private.query_conditions(uuid, text, memos_private.version_key[], boolean);
drop function if exists memos_private.surroundings(
    uuid, memos_private.candidate[], double precision, memos_private.version_key[], boolean
);
drop function if exists memos_private.follow_links(
    uuid, memos_private.candidate[], double precision, double precision, double precision,
    memos_private.version_key[], int
);
drop function if exists memos_private.fuse_calibrated(
    uuid, memos_private.lane, memos_private.lane, memos_private.search_weights,
    memos_private.version_key[], boolean, tstzrange, timestamptz, int, int
);
