set local role memos_owner;

drop type if exists memos_private.lane;
create type memos_private.lane as (
    memory_ids uuid[],
    scores     double precision[],
    mean       double precision,
    deviation  double precision,
    path       text
);
comment on type memos_private.lane is
    'What one lane of a search found: its best memories, best first, with their exact scores; mean and '
    'standard deviation of its score over all candidates; how they were found, in words.';

-- Part of the key's own index, so that a scan of a user's codes reads no vectors and a new vector pays
-- for no second index.
alter table memos_private.embedding
    add column if not exists code bit varying not null
        generated always as (public.binary_quantize(embedding)) stored,
    -- Beside a long vector an extended column would be moved out of line.
    alter column code set storage plain,
    drop constraint if exists embedding_pkey,
    add constraint embedding_pkey primary key (user_id, model_id, memory_id, passage) include (code);
comment on column memos_private.embedding.code is
    'The signs of the vector''s components: a 16th of its size, enough to find what to compare exactly.';

-- An index-only scan skips the table only where vacuum has been; a fifth of all users' vectors, the
-- default, would be too many to wait for.
alter table memos_private.embedding set (
    autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05
);

alter table memos_private.embedding_model add column if not exists retired_at timestamptz;
comment on column memos_private.embedding_model.retired_at is
    'Being dropped since then: takes no vectors any more and is found by nobody.';
grant select, delete on memos_private.embedding_history to memos_maintenance;

insert into memos_private.setting (name, value, description) values
    ('dense_exact_memories', '2000',
        'memories of one user up to which a search compares every vector; above, binary codes first'),
    ('dense_rescored', '200', 'fewest vectors compared exactly after a search by binary codes'),
    ('dense_hnsw_memories', '100000',
        'memories of one user from which a search takes the vector index, where there is one')
on conflict (name) do nothing;
