-- Samples of free text in lists and JSON, taken before memos_private.withhold_statistics forbade it.
do $$
begin
    if (select rolsuper from pg_roles where rolname = current_user) then
        delete from pg_statistic as s
        using pg_attribute as a
        where a.attrelid = s.starelid and a.attnum = s.staattnum
            and s.starelid in (select oid from pg_class where relnamespace = 'memos_private'::regnamespace)
            and a.atttypid in ('text[]'::regtype, 'jsonb'::regtype);
    end if;
end
$$;

set local role memos_owner;

create table if not exists memos_private.erasure_key (
    key_id     int not null,
    secret     bytea not null default public.gen_random_bytes(32),
    created_at timestamptz not null default now(),
    constraint erasure_key_pkey primary key (key_id)
);
comment on table memos_private.erasure_key is
    'Secrets of the digests in erasure_tombstone. The newest one makes new digests, all of them are checked '
    'for ever. Only a superuser, memos_owner and a backup can tell them.';
insert into memos_private.erasure_key (key_id) values (1) on conflict (key_id) do nothing;
alter table memos_private.erasure_key enable row level security;
alter table memos_private.erasure_key force row level security;
drop policy if exists owner_reads_all on memos_private.erasure_key;
create policy owner_reads_all on memos_private.erasure_key to memos_owner using (true);
-- Whoever rotates keys makes them without ever reading a secret.
grant select (key_id, created_at), insert (key_id) on memos_private.erasure_key to memos_maintenance;
drop policy if exists maintenance_rotates on memos_private.erasure_key;
create policy maintenance_rotates on memos_private.erasure_key to memos_maintenance using (true);

create table if not exists memos_private.erasure_receipt (
    user_id       uuid not null,
    receipt_id    uuid not null,
    scope         text not null,
    reason        text not null,
    requested_by  name not null,
    erased_at     timestamptz not null,
    memory_ids    uuid[] not null,
    counts        jsonb not null,
    tombstones    int not null,
    backups_until timestamptz not null,
    audit         jsonb,
    constraint erasure_receipt_pkey primary key (user_id, receipt_id),
    constraint erasure_scope_is_known check (scope in ('memory', 'user'))
);
create index if not exists erasure_receipt_id_idx on memos_private.erasure_receipt (receipt_id);
comment on table memos_private.erasure_receipt is
    'What was erased, when and why: numbers and ids, no content. Kept for ever, the user''s erasure included.';
comment on column memos_private.erasure_receipt.memory_ids is
    'The memories that went: the one that was named, those that said the same, those derived from them. '
    'Empty when all of the user went.';
comment on column memos_private.erasure_receipt.counts is 'Rows that went, by table.';
comment on column memos_private.erasure_receipt.backups_until is
    'By then backups and the archive of the WAL hold nothing of it, if they are kept for '
    'backup_retention_days.';
comment on column memos_private.erasure_receipt.audit is 'Its place in the audit.';

create table if not exists memos_private.erasure_tombstone (
    user_id    uuid not null,
    key_id     int not null references memos_private.erasure_key (key_id),
    digest     bytea not null,
    receipt_id uuid not null,
    erased_at  timestamptz not null,
    constraint erasure_tombstone_pkey primary key (user_id, key_id, digest)
);
comment on table memos_private.erasure_tombstone is
    'Keyed digests of what was erased, so that no queue, import or model writes it again. They say nothing '
    'to who has not the key, and the same words of two users have nothing in common.';

select memos_private.protect_user_table('memos_private.erasure_receipt');
select memos_private.protect_user_table('memos_private.erasure_tombstone');
grant select on memos_private.erasure_receipt to memos_maintenance;
grant select, delete on memos_private.erasure_tombstone to memos_maintenance;

insert into memos_private.setting (name, value, description) values
    ('backup_retention_days', '35',
        'days for which your backups and the archive of the WAL are kept: until then they hold what was erased')
on conflict (name) do nothing;
