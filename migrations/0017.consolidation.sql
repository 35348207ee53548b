do $$
declare
    v_major constant text := current_setting('server_version_num')::int / 10000;
begin
    if not exists (select from pg_catalog.pg_available_extensions where name = 'pg_trgm') then
        raise exception 'a required extension is not available on this server'
            using errcode = 'feature_not_supported',
                detail = 'extension "pg_trgm" has no control file',
                hint = format(
                    'Debian and Ubuntu: install the package postgresql-%s (contrib)', v_major
                );
    end if;
end
$$;
create extension if not exists pg_trgm with schema public;
do $$
begin
    if exists (
        select from pg_catalog.pg_extension
        where extname = 'pg_trgm' and extnamespace <> 'public'::regnamespace
    ) then
        raise exception 'an extension is in the wrong schema'
            using errcode = 'invalid_schema_name',
                detail = 'extension "pg_trgm" has to be in schema public',
                hint = 'move it with alter extension ... set schema, or drop it when nothing uses it';
    end if;
end
$$;

set local role memos_owner;

alter table memos_private.memory_link
    drop constraint if exists link_origin_is_known,
    add constraint link_origin_is_known
        check (origin in ('caller', 'automatic', 'evolution', 'consolidation'));

create table if not exists memos_private.consolidation_run (
    user_id    uuid not null,
    run_id     uuid not null,
    parameters jsonb not null,
    created_at timestamptz not null default clock_timestamp(),
    undone_at  timestamptz,
    constraint consolidation_run_pkey primary key (user_id, run_id)
);
comment on table memos_private.consolidation_run is
    'Consolidations that changed something; what they did is in consolidation_action.';

create table if not exists memos_private.consolidation_action (
    user_id    uuid not null,
    run_id     uuid not null,
    ordinal    int not null,
    action     text not null,
    memory_id  uuid not null,
    source_ids uuid[] not null,
    reason     text not null,
    set_aside  boolean not null,
    before     jsonb not null,
    version    int not null,
    constraint consolidation_action_pkey primary key (user_id, run_id, ordinal),
    constraint consolidation_action_run_fkey foreign key (user_id, run_id)
        references memos_private.consolidation_run (user_id, run_id) on delete cascade,
    constraint consolidation_action_is_known check (action in ('merge', 'summarize'))
);
comment on table memos_private.consolidation_action is
    'One merge or summary of a consolidation, with what it takes to undo it.';
comment on column memos_private.consolidation_action.memory_id is 'The memory that stays, or the summary.';
comment on column memos_private.consolidation_action.before is
    'By id, the rows of the memories before it, without content.';
comment on column memos_private.consolidation_action.version is 'Of memory_id, after it.';

create table if not exists memos_private.consolidation_state (
    user_id          uuid not null primary key,
    newest_memory_id uuid not null,
    memories         bigint not null
);
comment on table memos_private.consolidation_state is
    'What the job saw of each user the last time: it goes only where something is new.';

select memos_private.protect_user_table('memos_private.consolidation_run');
select memos_private.protect_user_table('memos_private.consolidation_action');
select memos_private.protect_user_table('memos_private.consolidation_state');
grant select, insert, update, delete on memos_private.consolidation_state to memos_maintenance;
grant select on memos_private.consolidation_run, memos_private.consolidation_action
    to memos_maintenance;
