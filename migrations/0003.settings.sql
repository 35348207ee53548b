-- Code in this table runs as the server's operating system user: it belongs to whoever installs, and
-- nothing that an API function does can write it.
create table if not exists memos_private.python_module (
    name   text primary key,
    source text not null,
    sha256 text not null
);
comment on table memos_private.python_module is
    'The Python package behind the PL/Python functions; sessions import it from here.';
alter table memos_private.python_module enable row level security;
alter table memos_private.python_module force row level security;
drop policy if exists owner_reads on memos_private.python_module;
create policy owner_reads on memos_private.python_module for select to memos_owner using (true);
grant select on memos_private.python_module to memos_owner;

set local role memos_owner;

-- For migrations: every table with user rows is guarded in the same way.
create or replace function memos_private.protect_user_table(p_table regclass)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    execute format('alter table %s enable row level security', p_table);
    execute format('alter table %s force row level security', p_table);
    execute format('drop policy if exists own_rows on %s', p_table);
    execute format('drop policy if exists maintenance_sees_all on %s', p_table);
    execute format(
        'create policy own_rows on %s to memos_owner using '
        || '(user_id = (select nullif(current_setting(''memos.user_id'', true), '''')::uuid))',
        p_table
    );
    execute format('create policy maintenance_sees_all on %s to memos_maintenance using (true)', p_table);
end
$body$;
comment on function memos_private.protect_user_table is
    'For migrations: force row-level security on a table with user_id; API functions see the rows of '
    'the user whose context they entered, maintenance functions see all.';

create table if not exists memos_private.setting (
    name        text primary key,
    value       text not null,
    description text not null
);
comment on table memos_private.setting is
    'Limits and constants that a DBA can change with memos_admin.set_setting.';

insert into memos_private.setting (name, value, description) values
    ('max_content_bytes', '1048576', 'largest content of one memory, in bytes of UTF-8'),
    ('max_metadata_bytes', '65536', 'largest metadata of one memory, in bytes of JSON text'),
    ('max_batch', '10000', 'most memories in one add_memories call'),
    ('max_search_limit', '1000', 'largest p_limit of a search or a list'),
    ('max_query_bytes', '131072', 'longest search query, in bytes of UTF-8'),
    ('embedding_models', '0', 'models registered so far; changed by register_embedding_model only'),
    ('embedding_max_attempts', '5', 'claims of one embedding before it counts as failed'),
    ('bm25_k1', '1.2', 'BM25 term frequency saturation (Robertson and Zaragoza 2009, 3.4)'),
    ('bm25_b', '0.75', 'BM25 length normalisation (Robertson and Zaragoza 2009, 3.4)')
on conflict (name) do nothing;

create table if not exists memos_private.context_key (
    key_id     int primary key,
    secret     bytea not null,
    created_at timestamptz not null default now()
);
comment on table memos_private.context_key is 'Secrets that sign user contexts; the newest one signs.';

-- Four random UUIDs are 488 bits from the server's strong random source.
insert into memos_private.context_key (key_id, secret)
select 1, sha256(
    uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
    || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
)
on conflict (key_id) do nothing;

create table if not exists memos_private.repeatable (
    path       text primary key,
    sha256     text not null,
    applied_at timestamptz not null default now()
);
comment on table memos_private.repeatable is 'Checksums of the repeatable files that are loaded.';

do $$
declare
    v_table text;
begin
    foreach v_table in array array['setting', 'context_key', 'repeatable'] loop
        execute format('alter table memos_private.%I enable row level security', v_table);
        execute format('alter table memos_private.%I force row level security', v_table);
        execute format('drop policy if exists owner_reads_all on memos_private.%I', v_table);
        execute format(
            'create policy owner_reads_all on memos_private.%I to memos_owner using (true)', v_table
        );
    end loop;
end
$$;

drop policy if exists maintenance_configures on memos_private.setting;
create policy maintenance_configures on memos_private.setting to memos_maintenance using (true);
grant select, update on memos_private.setting to memos_maintenance;
grant usage on schema memos_private to memos_maintenance;
