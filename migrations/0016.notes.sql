set local role memos_owner;

create table if not exists memos_private.note_provider (
    only_one boolean primary key default true,
    provider text not null,
    options  jsonb not null,
    evolves  boolean not null,
    constraint there_is_one_provider check (only_one),
    constraint note_provider_is_known check (provider in ('rules', 'http', 'off'))
);
comment on table memos_private.note_provider is
    'Who makes the notes of memories: one row, changed with memos_admin.configure_note_provider.';

create table if not exists memos_private.memory_note (
    user_id   uuid not null,
    memory_id uuid not null,
    version   int not null,
    keywords  text[] not null,
    tags      text[] not null,
    context   text not null,
    made_by   text not null,
    made_at   timestamptz not null default clock_timestamp(),
    evolved   boolean not null default false,
    constraint memory_note_pkey primary key (user_id, memory_id)
);
create index if not exists memory_note_to_evolve_idx
    on memos_private.memory_note (user_id, memory_id) where not evolved;
comment on table memos_private.memory_note is
    'Notes of current memories (A-MEM), cold ones included: what a memory is about, beside what it says. '
    'No foreign key: a memory that becomes cold leaves its table and keeps its note.';
comment on column memos_private.memory_note.version is 'The version of the memory that was read for it.';
comment on column memos_private.memory_note.made_by is 'rules, caller, or the name of a language model.';
comment on column memos_private.memory_note.evolved is
    'Whether the neighbours of this memory have been looked at in the light of it.';

create table if not exists memos_private.note_queue (
    user_id      uuid not null,
    memory_id    uuid not null,
    available_at timestamptz not null default '-infinity',
    attempts     smallint not null default 0,
    last_error   text,
    constraint note_queue_pkey primary key (user_id, memory_id)
);
comment on table memos_private.note_queue is
    'Memories whose note is to be made. No foreign key, which would cost a write more than the row '
    'itself: whoever works through the queue drops what is no longer there.';
comment on column memos_private.note_queue.available_at is
    'Not to be claimed before: the end of a lease, or of the wait after a failure; infinity: given up.';

create table if not exists memos_private.note_block (
    user_id    uuid not null,
    block_id   uuid not null,
    memory_ids uuid[] not null,
    constraint note_block_pkey primary key (user_id, block_id)
);
comment on table memos_private.note_block is
    'New memories on their way to note_queue, many in a row: a bulk write does not wait for a row each.';

create table if not exists memos_private.memory_evolution (
    user_id      uuid not null,
    evolution_id uuid not null,
    memory_id    uuid not null,
    made_by      text not null,
    reason       text,
    created_at   timestamptz not null default clock_timestamp(),
    undone_at    timestamptz,
    constraint memory_evolution_pkey primary key (user_id, evolution_id)
);
comment on table memos_private.memory_evolution is
    'What a new memory changed about its neighbours: one row a decision, its parts in evolution_change.';

create table if not exists memos_private.evolution_change (
    user_id      uuid not null,
    evolution_id uuid not null,
    ordinal      int not null,
    target       text not null,
    memory_id    uuid not null,
    before       jsonb,
    after        jsonb,
    constraint evolution_change_pkey primary key (user_id, evolution_id, ordinal),
    constraint evolution_change_evolution_fkey foreign key (user_id, evolution_id)
        references memos_private.memory_evolution (user_id, evolution_id) on delete cascade,
    constraint evolution_target_is_known check (target in ('memory', 'note', 'link'))
);
comment on table memos_private.evolution_change is
    'Rows that an evolution changed, as they were before (null: not there) and after; what a memory said '
    'is in memory_history only.';

select memos_private.protect_user_table('memos_private.memory_note');
select memos_private.protect_user_table('memos_private.note_queue');
select memos_private.protect_user_table('memos_private.note_block');
select memos_private.protect_user_table('memos_private.memory_evolution');
select memos_private.protect_user_table('memos_private.evolution_change');
alter table memos_private.note_provider enable row level security;
alter table memos_private.note_provider force row level security;
drop policy if exists owner_reads_all on memos_private.note_provider;
create policy owner_reads_all on memos_private.note_provider to memos_owner using (true);
drop policy if exists maintenance_configures on memos_private.note_provider;
create policy maintenance_configures on memos_private.note_provider to memos_maintenance using (true);
grant select, insert, update, delete
    on memos_private.memory_note, memos_private.note_queue, memos_private.note_block
    to memos_maintenance;
grant select, update on memos_private.note_provider to memos_maintenance;
grant select on memos_private.memory_evolution, memos_private.evolution_change to memos_maintenance;

-- Without plpython3u nobody could make them, and the queue would only grow.
insert into memos_private.note_provider (provider, options, evolves)
select case when exists (
        select from pg_catalog.pg_available_extensions as e where e.name = 'plpython3u'
    ) then 'rules' else 'off' end, '{}', false
on conflict (only_one) do nothing;

insert into memos_private.setting (name, value, description) values
    ('note_max_attempts', '5', 'attempts at one note before it is given up'),
    ('evolution_neighbours', '5', 'nearest neighbours that a new memory may change')
on conflict (name) do nothing;

-- What is there already.
set local role memos_maintenance;
insert into memos_private.note_queue (user_id, memory_id)
select m.user_id, m.memory_id
from memos_private.memory as m
where exists (select from memos_private.note_provider as p where p.provider <> 'off')
on conflict do nothing;
