set local role memos_owner;

-- The audit speaks about subjects, not for users: its column is no user_id, since what refused or failed
-- may have none, and since nothing is looked up by the key of a user alone.
create table if not exists memos_private.audit_key (
    key_id     int not null,
    secret     bytea not null default public.gen_random_bytes(32),
    created_at timestamptz not null default now(),
    constraint audit_key_pkey primary key (key_id)
);
comment on table memos_private.audit_key is
    'Secrets of the audit''s chains and digests; the newest one is used, the others stay for '
    'verification. Only a superuser, the owners and a backup can tell them.';
insert into memos_private.audit_key (key_id) values (1) on conflict (key_id) do nothing;

create table if not exists memos_private.audit_log (
    recorded_at  timestamptz not null,
    era          int not null,
    pid          int not null,
    number       bigint not null,
    action       text not null,
    is_read      boolean not null,
    outcome      text not null,
    error        text,
    subject      uuid,
    recipient    uuid,
    object_ids   uuid[],
    digest       bytea,
    actor        text not null,
    role         text not null,
    purpose      text,
    client       inet,
    backend      int not null,
    statement_at timestamptz not null,
    key_id       int not null,
    hash         bytea not null,
    constraint audit_log_pkey primary key (era, pid, number, recorded_at),
    constraint audit_outcome_is_known check (outcome in ('done', 'refused', 'failed'))
) partition by range (recorded_at);
create index if not exists audit_log_subject_idx on memos_private.audit_log (subject, recorded_at);
comment on table memos_private.audit_log is
    'Who did what with whose data: ids and keyed digests, never content. Only added to. A chain is what '
    'one process wrote in one month: rows numbered from 1, each hash over the one before and the row.';
comment on column memos_private.audit_log.era is
    '0: written here by the process itself. Else it was written to audit_buffer, in that era of it.';
comment on column memos_private.audit_log.pid is 'Of the process that wrote the row: the chain.';
comment on column memos_private.audit_log.error is 'SQLSTATE of what refused or failed.';
comment on column memos_private.audit_log.subject is 'The user whose data it is; null where it is nobody''s.';
comment on column memos_private.audit_log.recipient is 'Another user, to whom the content was disclosed.';
comment on column memos_private.audit_log.object_ids is
    'What was written, or returned: memories, scratchpads, facts, by the action.';
comment on column memos_private.audit_log.digest is
    'HMAC of what was asked or said: whoever has the text and the key can tell that it was this one.';
comment on column memos_private.audit_log.actor is 'Who logged in (session_user).';
comment on column memos_private.audit_log.role is 'The role that called: the login, or what it has set.';
comment on column memos_private.audit_log.backend is
    'With statement_at the statement: %p in log_line_prefix, pid in pg_stat_activity.';
comment on column memos_private.audit_log.statement_at is 'When the statement started that did it.';
comment on column memos_private.audit_log.hash is
    'HMAC-SHA-256 of the hash before and the row, by the key key_id.';

-- Reads wait for no flush at commit: without a logged change a transaction commits asynchronously.
create unlogged table if not exists memos_private.audit_buffer (
    like memos_private.audit_log,
    constraint audit_buffer_pkey primary key (era, pid, number, recorded_at)
);
comment on table memos_private.audit_buffer is
    'Reads that have not been moved to audit_log yet. A crash empties it, and memos_private.audit_era '
    'counts the crashes.';

create table if not exists memos_private.audit_chain (
    month  timestamptz not null,
    era    int not null,
    pid    int not null,
    number bigint not null,
    hash   bytea not null,
    constraint audit_chain_pkey primary key (month, era, pid, number)
);
comment on table memos_private.audit_chain is
    'Number and hash of the last row of every chain in audit_log. number is in the key so that the last '
    'state is found at once while an old snapshot keeps a thousand earlier ones.';
create unlogged table if not exists memos_private.audit_buffer_chain (
    like memos_private.audit_chain,
    constraint audit_buffer_chain_pkey primary key (month, era, pid, number)
);
comment on table memos_private.audit_buffer_chain is 'The same for every chain that began in audit_buffer.';

create table if not exists memos_private.audit_era (
    era        int not null,
    started_at timestamptz not null,
    constraint audit_era_pkey primary key (era)
);
comment on table memos_private.audit_era is
    'Times since which audit_buffer has kept everything, from the second on after a crash.';
create unlogged table if not exists memos_private.audit_buffer_era (
    era int not null,
    constraint audit_buffer_era_pkey primary key (era)
);
comment on table memos_private.audit_buffer_era is 'The era of audit_buffer, emptied by the same crash.';

create table if not exists memos_private.audit_anchor (
    number        bigint not null,
    taken_at      timestamptz not null,
    dropped_month timestamptz,
    months        timestamptz[] not null,
    eras          int[] not null,
    pids          int[] not null,
    numbers       bigint[] not null,
    hashes        bytea[] not null,
    key_id        int not null,
    hash          bytea not null,
    constraint audit_anchor_pkey primary key (number)
);
comment on table memos_private.audit_anchor is
    'The ends of all chains that grew since the anchor before, each anchor''s hash over the one before. '
    'Kept for ever: vouches for chains that are gone.';
comment on column memos_private.audit_anchor.dropped_month is
    'The month whose rows were dropped for their age with this anchor.';
create table if not exists memos_private.audit_anchored (
    month  timestamptz not null,
    era    int not null,
    pid    int not null,
    number bigint not null,
    constraint audit_anchored_pkey primary key (month, era, pid)
);
comment on table memos_private.audit_anchored is 'Up to where each chain is anchored.';

create table if not exists memos_private.audit_collected (
    file text not null,
    constraint audit_collected_pkey primary key (file)
);
comment on table memos_private.audit_collected is
    'Files of refused and failed calls that are in audit_log and have to be removed.';

do $$
declare
    v_table text;
begin
    foreach v_table in array array[
        'audit_key', 'audit_log', 'audit_buffer', 'audit_chain', 'audit_buffer_chain', 'audit_era',
        'audit_buffer_era', 'audit_anchor', 'audit_anchored', 'audit_collected'
    ] loop
        execute format('alter table memos_private.%I enable row level security', v_table);
        execute format('alter table memos_private.%I force row level security', v_table);
        execute format('drop policy if exists maintenance_sees_all on memos_private.%I', v_table);
        execute format(
            'create policy maintenance_sees_all on memos_private.%I to memos_maintenance using (true)', v_table
        );
    end loop;
    foreach v_table in array array[
        'audit_key', 'audit_chain', 'audit_buffer_chain', 'audit_era', 'audit_buffer_era'
    ] loop
        execute format('drop policy if exists owner_writes on memos_private.%I', v_table);
        execute format('create policy owner_writes on memos_private.%I to memos_owner using (true)', v_table);
    end loop;
    -- The owner writes for everybody, and reads for the user whose context it has entered. What a process
    -- has buffered it may move.
    foreach v_table in array array['audit_log', 'audit_buffer'] loop
        execute format('drop policy if exists owner_appends on memos_private.%I', v_table);
        execute format(
            'create policy owner_appends on memos_private.%I for insert to memos_owner with check (true)', v_table
        );
        execute format('drop policy if exists own_rows on memos_private.%I', v_table);
        execute format(
            'create policy own_rows on memos_private.%I for select to memos_owner using '
            || '(subject = (select nullif(current_setting(''memos.user_id'', true), '''')::uuid))',
            v_table
        );
    end loop;
end
$$;
drop policy if exists own_process on memos_private.audit_buffer;
create policy own_process on memos_private.audit_buffer to memos_owner using (pid = pg_backend_pid());

-- Append-only for the owner too, which would have to grant itself more first; audit_log as soon as
-- pg_partman, which locks it, has adopted it: memos_private.protect_audit.
revoke update, delete, truncate on memos_private.audit_anchor from memos_owner;
revoke update, truncate on memos_private.audit_buffer from memos_owner;
grant select, insert on memos_private.audit_log, memos_private.audit_anchor, memos_private.audit_key
    to memos_maintenance;
grant select, delete on memos_private.audit_buffer, memos_private.audit_buffer_chain to memos_maintenance;
grant select, insert, update, delete on memos_private.audit_chain, memos_private.audit_anchored
    to memos_maintenance;
grant select on memos_private.audit_era, memos_private.audit_buffer_era to memos_maintenance;
grant select, insert, delete on memos_private.audit_collected to memos_maintenance;

drop type if exists memos_private.audit_place cascade;
create type memos_private.audit_place as (
    month  timestamptz,
    era    int,
    pid    int,
    number bigint,
    hash   bytea
);
comment on type memos_private.audit_place is 'A row of the audit: its chain, its number there, and its hash.';

insert into memos_private.setting (name, value, description) values
    ('audit_reads', 'buffered',
        'where reads are audited: buffered (a crash loses what was not moved yet), durable (at the cost '
        'of a flush each), logged (buffered, and in the server''s log, which a rollback does not undo)'),
    ('audit_retention_days', '2555', 'days after which the audit is dropped, by whole months')
on conflict (name) do nothing;
