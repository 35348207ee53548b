set local role memos_owner;

create table if not exists memos_private.consent_type (
    type        text not null,
    operation   text not null,
    audience    text,
    kinds       text[],
    required    boolean not null,
    valid_for   interval not null default '6 months',
    description text not null,
    constraint consent_type_pkey primary key (type),
    constraint consent_type_is_a_word check (type ~ '^[a-z][a-z0-9_]{0,63}$'),
    constraint operation_is_known
        check (operation in ('storing', 'recalling', 'deriving', 'sharing', 'none')),
    constraint only_sharing_has_an_audience check ((operation = 'sharing') = (audience is not null)),
    constraint audience_is_known check (audience in ('care_team', 'family', 'system')),
    constraint kinds_are_some check (kinds <> '{}' and array_position(kinds, null) is null),
    constraint consent_lasts check (valid_for > interval '0')
);
comment on table memos_private.consent_type is
    'What users are asked for, and what memOS does only with it. memos_admin.set_consent_type changes it.';
comment on column memos_private.consent_type.operation is
    'What is refused without it; none: memOS keeps the record, the application acts on it.';
comment on column memos_private.consent_type.audience is 'With whom it allows to share.';
comment on column memos_private.consent_type.kinds is 'Kinds of memories it is about; null: all.';
comment on column memos_private.consent_type.required is
    'Whether nothing recorded means no. A recorded no, a withdrawal and an expired yes always mean no.';

insert into memos_private.consent_type (type, operation, audience, kinds, required, description) values
    ('memory_collection', 'storing', null, null, false, 'remember what the user says'),
    ('memory_recall', 'recalling', null, null, false, 'use memories to answer'),
    ('derived_memories', 'deriving', null, null, false, 'draw links, summaries and notes from memories'),
    ('clinical_data', 'storing', null, '{clinical}', false, 'remember clinical facts (kind clinical)'),
    ('crisis_detection', 'none', null, null, false, 'look for signs of a crisis in what the user says'),
    ('care_team_sharing', 'sharing', 'care_team', null, true, 'show memories to the care team'),
    ('family_sharing', 'sharing', 'family', null, true, 'show memories to family'),
    ('system_sharing', 'sharing', 'system', null, true, 'give memories to other systems')
on conflict (type) do nothing;

create table if not exists memos_private.consent (
    user_id          uuid not null,
    type             text not null references memos_private.consent_type (type),
    recorded_at      timestamptz not null,
    state            text not null,
    document_version text,
    expires_at       timestamptz,
    recorded_by      name not null,
    constraint consent_pkey primary key (user_id, type, recorded_at),
    constraint consent_state_is_known check (state in ('granted', 'refused', 'withdrawn')),
    constraint granted_for_a_document_and_a_time check (
        state <> 'granted' or num_nulls(document_version, expires_at) = 0
    )
);
comment on table memos_private.consent is
    'Every consent that a user gave, refused or withdrew. Rows are only added: the last one counts.';

create table if not exists memos_private.permission (
    user_id       uuid not null,
    operation     text not null,
    audience      text not null,
    allowed_until timestamptz not null,
    decided_by    text not null,
    constraint permission_pkey primary key (user_id, operation, audience)
);
comment on table memos_private.permission is
    'What follows from a user''s consents and from memory_enabled, for one look before every operation. '
    'Derived: refresh_permissions. Users who never decided anything have no rows.';
comment on column memos_private.permission.decided_by is
    'The type of consent that ends first, or memory_enabled.';

create table if not exists memos_private.user_setting (
    user_id               uuid not null,
    settings_version      int not null default 1,
    memory_enabled        boolean not null default true,
    max_memories          int,
    retention_days        int,
    default_privacy_level text not null default 'balanced',
    on_identifier         text not null default 'refuse',
    preferences           jsonb not null default '{}',
    updated_at            timestamptz not null,
    constraint user_setting_pkey primary key (user_id),
    constraint max_memories_is_positive check (max_memories > 0),
    constraint retention_is_a_number_of_days check (retention_days between 1 and 36500),
    constraint default_privacy_level_is_known
        check (default_privacy_level in ('minimal', 'balanced', 'comprehensive', 'restricted')),
    constraint on_identifier_is_known check (on_identifier in ('refuse', 'mask')),
    constraint preferences_are_an_object check (jsonb_typeof(preferences) = 'object')
);
create index if not exists user_setting_retention_idx
    on memos_private.user_setting (user_id) where retention_days is not null;
comment on table memos_private.user_setting is
    'What users decided about their memory. Without a row the defaults hold.';
comment on column memos_private.user_setting.preferences is
    'What the bot keeps about the user''s wishes (therapy_goals, crisis_contacts, ...); memOS does not look.';

create table if not exists memos_private.provenance_limit (
    role        name not null,
    provenances text[] not null,
    constraint provenance_limit_pkey primary key (role),
    constraint limited_to_known_provenances
        check (
            provenances <@ '{user,model,tool,imported,system}' and array_position(provenances, null) is null
        )
);
comment on table memos_private.provenance_limit is
    'Roles whose members may claim some provenances only, by login or by set role. Others may claim all.';
insert into memos_private.provenance_limit (role, provenances) values
    ('memos_user', '{user,model,tool,imported}')
on conflict (role) do nothing;

create table if not exists memos_private.quarantine (
    user_id       uuid not null,
    quarantine_id uuid not null,
    memory        jsonb not null,
    source        text not null,
    recorded_at   timestamptz not null,
    recorded_by   name not null,
    constraint quarantine_pkey primary key (user_id, quarantine_id),
    constraint quarantined_memory_has_a_text check (jsonb_typeof(memory -> 'content') = 'string')
);
comment on table memos_private.quarantine is
    'Texts that are no memories until somebody releases them: no search, link or summary looks here.';
comment on column memos_private.quarantine.memory is 'As add_memories takes it.';

create table if not exists memos_private.segment (
    segment     text not null,
    is_part2    boolean not null,
    is_default  boolean not null default false,
    description text not null,
    constraint segment_pkey primary key (segment),
    constraint segment_is_a_word check (segment ~ '^[a-z][a-z0-9_]{0,63}$')
);
create unique index if not exists one_default_segment on memos_private.segment (is_default) where is_default;
comment on table memos_private.segment is
    'How sensitive records are told apart. Memories without a label are of the default one.';
comment on column memos_private.segment.is_part2 is
    'Under 42 CFR part 2: handed on only with the notice of section 2.32.';
insert into memos_private.segment (segment, is_part2, is_default, description) values
    ('general', false, true, 'everything that is not labelled otherwise'),
    ('substance_use', true, false, 'substance use, its treatment and recovery'),
    ('psychotherapy', false, false, 'psychotherapy notes')
on conflict (segment) do nothing;

create table if not exists memos_private.memory_label (
    user_id     uuid not null,
    memory_id   uuid not null,
    segment     text not null references memos_private.segment (segment),
    legal_basis text,
    labelled_at timestamptz not null,
    labelled_by name not null,
    constraint memory_label_pkey primary key (user_id, memory_id)
);
comment on table memos_private.memory_label is
    'Segment of a memory and the legal basis of keeping it, where somebody said so.';

create table if not exists memos_private.access_grant (
    user_id    uuid not null,
    grant_id   uuid not null,
    grantee    uuid not null,
    role       text not null,
    segments   text[] not null,
    purposes   text[] not null,
    granted_at timestamptz not null,
    granted_by name not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    constraint access_grant_pkey primary key (user_id, grant_id),
    constraint access_role_is_known check (role in ('care_team', 'family', 'system')),
    constraint nobody_is_granted_access_to_oneself check (grantee <> user_id)
);
create index if not exists access_grant_grantee_idx on memos_private.access_grant (user_id, grantee);
comment on table memos_private.access_grant is
    'Who else may see which of a user''s memories, what for, and until when. Revoked ones stay on record.';

select memos_private.protect_user_table('memos_private.memory_label');
select memos_private.protect_user_table('memos_private.access_grant');
select memos_private.protect_user_table('memos_private.quarantine');
select memos_private.protect_user_table('memos_private.consent');
select memos_private.protect_user_table('memos_private.permission');
select memos_private.protect_user_table('memos_private.user_setting');
grant select on memos_private.consent, memos_private.user_setting to memos_maintenance;
grant select, insert, delete on memos_private.permission to memos_maintenance;

do $$
declare
    v_table text;
begin
    foreach v_table in array array['consent_type', 'provenance_limit', 'segment'] loop
        execute format('alter table memos_private.%I enable row level security', v_table);
        execute format('alter table memos_private.%I force row level security', v_table);
        execute format('drop policy if exists owner_reads_all on memos_private.%I', v_table);
        execute format(
            'create policy owner_reads_all on memos_private.%I to memos_owner using (true)', v_table
        );
        execute format('drop policy if exists maintenance_configures on memos_private.%I', v_table);
        execute format(
            'create policy maintenance_configures on memos_private.%I to memos_maintenance using (true)',
            v_table
        );
    end loop;
end
$$;
grant select, insert, update on memos_private.consent_type, memos_private.segment to memos_maintenance;
grant select, insert, update, delete on memos_private.provenance_limit to memos_maintenance;

insert into memos_private.setting (name, value, description) values
    ('max_memories_per_user', '999999999',
        'most memories of one user (999999999: no limit); users can set themselves a lower one')
on conflict (name) do nothing;
