set local role memos_owner;

create table if not exists memos_private.embedding_model (
    model_id      smallint primary key,
    name          text not null unique,
    dimensions    int not null,
    provider      text not null,
    options       jsonb not null,
    is_default    boolean not null,
    registered_at timestamptz not null default now(),
    constraint model_has_these_dimensions unique (model_id, dimensions),
    constraint provider_is_known check (provider in ('hash', 'http', 'external')),
    constraint vectors_fit_a_page check (dimensions between 1 and 4000)
);
create unique index if not exists one_default_model
    on memos_private.embedding_model (is_default) where is_default;
comment on table memos_private.embedding_model is 'Registry of embedding models.';

create table if not exists memos_private.embedding (
    user_id    uuid not null,
    model_id   smallint not null,
    memory_id  uuid not null,
    passage    int not null,
    dimensions int not null generated always as (public.vector_dims(embedding)) stored,
    embedding  public.halfvec not null,
    constraint embedding_pkey primary key (user_id, model_id, memory_id, passage),
    constraint embedding_memory_fkey foreign key (user_id, memory_id)
        references memos_private.memory (user_id, memory_id) on delete cascade,
    constraint embedding_has_the_models_dimensions foreign key (model_id, dimensions)
        references memos_private.embedding_model (model_id, dimensions),
    constraint embedding_is_not_zero check (public.l2_norm(embedding) > 0)
);
-- Out of line (TOAST), a scan over a user's vectors is five times slower.
alter table memos_private.embedding alter column embedding set storage plain;
comment on table memos_private.embedding is
    'Vectors of current memories, one a passage. A missing one is a row in embedding_queue.';

create table if not exists memos_private.embedding_history (
    user_id       uuid not null,
    memory_id     uuid not null,
    version       int not null,
    model_id      smallint not null,
    passage       int not null,
    embedding     public.halfvec not null,
    superseded_at timestamptz not null,
    constraint embedding_history_pkey
        primary key (user_id, model_id, memory_id, version, passage, superseded_at)
) partition by range (superseded_at);
comment on table memos_private.embedding_history is 'Vectors of the versions in memory_history.';

create table if not exists memos_private.embedding_queue (
    user_id      uuid not null,
    memory_id    uuid not null,
    model_id     smallint not null references memos_private.embedding_model (model_id),
    version      int not null,
    enqueued_at  timestamptz not null,
    available_at timestamptz not null,
    attempts     smallint not null default 0,
    passages     int,
    worker       text,
    last_error   text,
    failed_at    timestamptz,
    constraint embedding_queue_pkey primary key (user_id, memory_id, model_id),
    constraint embedding_queue_memory_fkey foreign key (user_id, memory_id)
        references memos_private.memory (user_id, memory_id) on delete cascade
);
create index if not exists embedding_queue_due_idx
    on memos_private.embedding_queue (available_at, user_id, memory_id) where failed_at is null;
comment on table memos_private.embedding_queue is 'Embeddings that are missing: pending or failed.';
comment on column memos_private.embedding_queue.available_at is
    'Not to be claimed before: the end of a worker''s lease, or of the wait after a failure.';
comment on column memos_private.embedding_queue.passages is
    'How many vectors the claimed content needs; the row goes when all are stored.';
comment on column memos_private.embedding_queue.failed_at is
    'Given up after too many attempts; memos_admin.retry_embeddings starts again.';

select memos_private.protect_user_table('memos_private.embedding');
select memos_private.protect_user_table('memos_private.embedding_history');
select memos_private.protect_user_table('memos_private.embedding_queue');
alter table memos_private.embedding_model enable row level security;
alter table memos_private.embedding_model force row level security;
drop policy if exists owner_reads_all on memos_private.embedding_model;
create policy owner_reads_all on memos_private.embedding_model to memos_owner using (true);
drop policy if exists maintenance_configures on memos_private.embedding_model;
create policy maintenance_configures on memos_private.embedding_model to memos_maintenance using (true);
grant select, insert, update, delete
    on memos_private.embedding_model, memos_private.embedding, memos_private.embedding_queue
    to memos_maintenance;
