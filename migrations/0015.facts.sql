do $$
begin
    if not exists (select from pg_catalog.pg_available_extensions where name = 'btree_gist') then
        raise exception 'a required extension is not available on this server'
            using errcode = 'feature_not_supported',
                detail = format('extension "%s" has no control file', 'btree_gist'),
                hint = format(
                    'Debian and Ubuntu: install the package postgresql-%s (contrib)',
                    current_setting('server_version_num')::int / 10000
                );
    end if;
end
$$;
create extension if not exists btree_gist with schema public;

set local role memos_owner;

create table if not exists memos_private.fact (
    user_id       uuid not null,
    fact_id       uuid not null,
    entity        text not null,
    attribute     text not null,
    value         text not null,
    entity_key    text not null,
    attribute_key text not null,
    value_key     text not null,
    valid         tstzrange not null,
    memory_id     uuid not null,
    confidence    real not null,
    provenance    text not null,
    recorded_at   timestamptz not null,
    constraint fact_pkey primary key (user_id, fact_id),
    constraint one_fact_per_memory unique (user_id, memory_id),
    constraint fact_memory_fkey foreign key (user_id, memory_id)
        references memos_private.memory (user_id, memory_id) on delete cascade,
    constraint validity_has_a_beginning check (
        not isempty(valid) and not lower_inf(valid) and lower_inc(valid) and not upper_inc(valid)
    ),
    constraint one_value_at_a_time
        exclude using gist (user_id with =, entity_key with =, attribute_key with =, valid with &&)
);
comment on table memos_private.fact is
    'What is held to be the value of an attribute of an entity, now, earlier and later; each is a memory, '
    'too. Earlier beliefs are in fact_history.';
comment on column memos_private.fact.entity_key is
    'memos_private.fact_key: without case, accents and spelling of blanks; so are the other keys.';
comment on column memos_private.fact.valid is 'Its memory''s valid_from and valid_until.';

create table if not exists memos_private.fact_history (
    user_id       uuid not null,
    fact_id       uuid not null,
    entity        text not null,
    attribute     text not null,
    value         text not null,
    entity_key    text not null,
    attribute_key text not null,
    value_key     text not null,
    valid         tstzrange not null,
    memory_id     uuid not null,
    confidence    real not null,
    provenance    text not null,
    recorded_at   timestamptz not null,
    superseded_at timestamptz not null,
    change        text not null,
    constraint fact_history_pkey primary key (user_id, fact_id, recorded_at),
    constraint fact_change_is_known check (change in ('update', 'delete')),
    constraint fact_recorded_before_superseded check (recorded_at < superseded_at)
);
create index if not exists fact_history_attribute_idx
    on memos_private.fact_history (user_id, entity_key, attribute_key);
create index if not exists fact_history_superseded_at_idx on memos_private.fact_history (superseded_at);
comment on table memos_private.fact_history is
    'Facts as they were held before: with other periods, corrected, or retracted.';

select memos_private.protect_user_table('memos_private.fact');
select memos_private.protect_user_table('memos_private.fact_history');
grant select, insert, update, delete on memos_private.fact, memos_private.fact_history
    to memos_maintenance;
