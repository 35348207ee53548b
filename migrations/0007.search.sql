set local role memos_owner;

create table if not exists memos_private.search_record (
    user_id     uuid not null,
    search_id   uuid not null,
    searched_at timestamptz not null,
    purpose     text,
    settings    jsonb not null,
    constraint search_record_pkey primary key (user_id, search_id)
);
comment on table memos_private.search_record is
    'Searches that a caller asked to record: settings and purpose, neither query nor content.';

create table if not exists memos_private.search_hit (
    user_id     uuid not null,
    search_id   uuid not null,
    rank        int not null,
    memory_id   uuid not null,
    version     int not null,
    score       double precision not null,
    explanation jsonb,
    constraint search_hit_pkey primary key (user_id, search_id, rank),
    constraint search_hit_record_fkey foreign key (user_id, search_id)
        references memos_private.search_record (user_id, search_id) on delete cascade
);
comment on table memos_private.search_hit is
    'What a recorded search answered: ids and versions, whose text is in memory or memory_history.';

select memos_private.protect_user_table('memos_private.search_record');
select memos_private.protect_user_table('memos_private.search_hit');

drop type if exists memos_private.ranked;
create type memos_private.ranked as (
    memory_id uuid,
    score     double precision
);
comment on type memos_private.ranked is 'A memory with its fused score; arrays of it are in order.';
