set local role memos_owner;

create table if not exists memos_private.memory_link (
    user_id    uuid not null,
    from_id    uuid not null,
    to_id      uuid not null,
    type       text not null,
    weight     real not null,
    origin     text not null,
    created_at timestamptz not null default clock_timestamp(),
    constraint memory_link_pkey primary key (user_id, from_id, to_id, type),
    constraint memory_link_from_fkey foreign key (user_id, from_id)
        references memos_private.memory (user_id, memory_id) on delete cascade,
    constraint memory_link_to_fkey foreign key (user_id, to_id)
        references memos_private.memory (user_id, memory_id) on delete cascade,
    constraint link_joins_two_memories check (from_id <> to_id),
    constraint symmetric_link_is_stored_once
        check (type not in ('semantic', 'related', 'contradicts') or from_id < to_id),
    constraint link_type_is_a_word check (type ~ '^[a-z][a-z0-9_]{0,63}$'),
    constraint link_weight_is_a_fraction check (weight between 0 and 1),
    constraint link_origin_is_known check (origin in ('caller', 'automatic', 'evolution'))
);
create index if not exists memory_link_to_idx
    on memos_private.memory_link (user_id, to_id, from_id);
comment on table memos_private.memory_link is
    'Typed, weighted links between current memories of one user. They go with either memory: what was '
    'linked in the past is not on record, and searches of the past follow no links.';
comment on column memos_private.memory_link.origin is
    'Who made it; the job that makes the automatic ones changes and removes no others.';

create table if not exists memos_private.link_queue (
    user_id   uuid not null,
    memory_id uuid not null,
    constraint link_queue_pkey primary key (user_id, memory_id)
);
comment on table memos_private.link_queue is
    'Memories with a new vector of the default model, to be linked to their nearest neighbours. No '
    'foreign key, which would cost a write of vectors more than the row itself: whoever works through '
    'the queue drops what is no longer there.';

select memos_private.protect_user_table('memos_private.memory_link');
select memos_private.protect_user_table('memos_private.link_queue');
grant select, insert, update, delete on memos_private.memory_link, memos_private.link_queue
    to memos_maintenance;

drop type if exists memos_private.link_path cascade;
create type memos_private.link_path as (
    memory_id uuid,
    weight    double precision,
    path      uuid[],
    types     text[]
);
comment on type memos_private.link_path is
    'A way along links to a memory: product of the weights, memories from the first to the last, types.';

drop type if exists memos_private.near_pair cascade;
create type memos_private.near_pair as (
    memory_id    uuid,
    neighbour_id uuid,
    version      int,
    similarity   double precision
);
comment on type memos_private.near_pair is
    'A memory and one of its nearest neighbours, in the version whose vector was compared.';

insert into memos_private.setting (name, value, description) values
    ('link_min_similarity', '0.7', 'cosine similarity from which two memories are linked automatically'),
    ('link_max_per_memory', '10', 'most automatic links of one memory'),
    ('link_min_content_bytes', '24',
        'shortest content that is linked automatically, in bytes of UTF-8: a greeting is like every other')
on conflict (name) do nothing;

-- What has a vector already.
set local role memos_maintenance;
insert into memos_private.link_queue (user_id, memory_id)
select e.user_id, e.memory_id
from memos_private.embedding as e
join memos_private.embedding_model as m on m.model_id = e.model_id
where m.is_default and e.passage = 0
on conflict do nothing;
