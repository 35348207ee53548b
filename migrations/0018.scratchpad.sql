-- Say which package is missing instead of "could not open extension control file".
do $$
declare
    v_major constant text := current_setting('server_version_num')::int / 10000;
    v_schema text;
begin
    if not exists (select from pg_catalog.pg_available_extensions as a where a.name = 'pg_trgm') then
        raise exception 'a required extension is not available on this server'
            using errcode = 'feature_not_supported',
                detail = 'extension "pg_trgm" has no control file',
                hint = format('Debian and Ubuntu: install the package postgresql-%s (contrib)', v_major);
    end if;
    create extension if not exists pg_trgm with schema public;
    select n.nspname into v_schema
    from pg_catalog.pg_extension as e
    join pg_catalog.pg_namespace as n on n.oid = e.extnamespace
    where e.extname = 'pg_trgm';
    if v_schema <> 'public' then
        raise exception 'an extension is in the wrong schema'
            using errcode = 'invalid_schema_name',
                detail = format('extension "pg_trgm" is in schema %s, not in public', v_schema),
                hint = 'move it with alter extension ... set schema, or drop it when nothing uses it';
    end if;
end
$$;

set local role memos_owner;

create table if not exists memos_private.scratchpad (
    user_id       uuid not null,
    scratchpad_id uuid not null,
    goal          text not null,
    session_id    text,
    project       text,
    metadata      jsonb not null,
    status        text not null default 'open',
    reason        text,
    opened_at     timestamptz not null default clock_timestamp(),
    closed_at     timestamptz,
    promoted_at   timestamptz,
    constraint scratchpad_pkey primary key (user_id, scratchpad_id),
    constraint scratchpad_status_is_known check (status in ('open', 'completed', 'abandoned')),
    constraint only_closed_scratchpads_have_an_end check ((status = 'open') = (closed_at is null)),
    constraint only_closed_scratchpads_are_promoted
        check (promoted_at is null or closed_at is not null),
    constraint scratchpad_metadata_is_an_object check (jsonb_typeof(metadata) = 'object')
);
comment on table memos_private.scratchpad is
    'The working memory of agents on one goal: a RAISE scratchpad and a blackboard in one. Everything on '
    'it goes with its row.';
comment on column memos_private.scratchpad.project is
    'Which of the user''s scratchpad_weights count; null: those for all projects.';

create table if not exists memos_private.scratchpad_entry (
    user_id       uuid not null,
    scratchpad_id uuid not null,
    entry_id      uuid not null,
    kind          text not null,
    type          text,
    content       text not null,
    agent         text,
    source        text,
    quality       real,
    status        text,
    uncertainty   text,
    basis         uuid[] not null default '{}',
    question_id   uuid,
    for_agent     text,
    criteria      text,
    gaps          text[] not null default '{}',
    input         jsonb,
    output        jsonb,
    error         text,
    duration      interval,
    uses          int not null default 0,
    metadata      jsonb not null default '{}',
    added_at      timestamptz not null default clock_timestamp(),
    constraint scratchpad_entry_pkey primary key (user_id, scratchpad_id, entry_id),
    constraint scratchpad_entry_scratchpad_fkey foreign key (user_id, scratchpad_id)
        references memos_private.scratchpad (user_id, scratchpad_id) on delete cascade,
    constraint scratchpad_entry_question_fkey foreign key (user_id, scratchpad_id, question_id)
        references memos_private.scratchpad_entry (user_id, scratchpad_id, entry_id) on delete cascade,
    constraint entry_type_fits_its_kind check (coalesce(case kind
        when 'observation' then type in (
            'tool_output', 'document', 'search_result', 'user_input', 'system_data', 'scraped_content'
        )
        when 'reasoning' then type in (
            'deduction', 'induction', 'abduction', 'comparison', 'synthesis', 'critique', 'hypothesis'
        )
        when 'finding' then type in (
            'fact', 'statistic', 'definition', 'procedure', 'contact', 'contradiction'
        )
        when 'example' then true
        when 'step' then type is null
        when 'question' then type is null
        when 'note' then type is null
    end, false)),
    constraint entry_status_fits_its_kind check (coalesce(case kind
        when 'observation' then status in ('relevant', 'irrelevant')
        when 'finding' then status in ('unverified', 'verified', 'retracted')
        when 'step' then status in ('succeeded', 'failed')
        when 'question' then status in ('unanswered', 'searching', 'partial', 'answered')
        else status is null
    end, false)),
    constraint entry_quality_is_a_fraction check (coalesce(case
        when kind in ('step', 'note') then quality is null
        when kind = 'question' then quality is null or quality between 0 and 1
        else quality between 0 and 1
    end, false)),
    constraint only_reasoning_is_uncertain check (
        uncertainty is null or kind = 'reasoning'
        and uncertainty in ('conflicting_evidence', 'missing_information', 'unverified')
    ),
    constraint only_conclusions_have_a_basis check (basis = '{}' or kind in ('reasoning', 'finding')),
    constraint only_findings_answer check (question_id is null or kind = 'finding'),
    constraint only_notes_are_addressed check (for_agent is null or kind = 'note'),
    constraint only_questions_have_criteria check (kind = 'question' or criteria is null and gaps = '{}'),
    constraint only_steps_have_input check (kind = 'step' or input is null and duration is null),
    constraint only_steps_and_examples_have_output check (kind in ('step', 'example') or output is null),
    constraint only_failed_steps_have_an_error check (error is null or kind = 'step' and status = 'failed'),
    constraint entry_metadata_is_an_object check (jsonb_typeof(metadata) = 'object')
);
create index if not exists scratchpad_example_idx
    on memos_private.scratchpad_entry (user_id) where kind = 'example';
create index if not exists scratchpad_answer_idx
    on memos_private.scratchpad_entry (user_id, scratchpad_id, question_id) where question_id is not null;
comment on table memos_private.scratchpad_entry is
    'What was put down on a scratchpad: observations, reasoning, examples, steps, questions, findings, '
    'notes. One table, because all of them are read together, listed together, and promoted together; '
    'what each may have is a constraint.';
comment on column memos_private.scratchpad_entry.quality is
    'Quality of an observation, confidence of reasoning, findings and questions, success of an example.';
comment on column memos_private.scratchpad_entry.basis is
    'Entries that it follows from. Entries go with their scratchpad only, so that no id can dangle.';
comment on column memos_private.scratchpad_entry.uncertainty is
    'Why it is uncertain, where the confidence does not say so.';
comment on column memos_private.scratchpad_entry.output is
    'What a step gave back; of an example, the answer (a JSON string) to its content.';

create table if not exists memos_private.scratchpad_contradiction (
    user_id          uuid not null,
    scratchpad_id    uuid not null,
    contradiction_id uuid not null,
    finding_1        uuid not null,
    finding_2        uuid not null,
    description      text not null,
    agent            text,
    kept             uuid,
    resolution       text,
    resolved_by      text,
    resolved_at      timestamptz,
    added_at         timestamptz not null default clock_timestamp(),
    constraint scratchpad_contradiction_pkey primary key (user_id, scratchpad_id, contradiction_id),
    constraint one_contradiction_a_pair unique (user_id, scratchpad_id, finding_1, finding_2),
    constraint contradiction_finding_1_fkey foreign key (user_id, scratchpad_id, finding_1)
        references memos_private.scratchpad_entry (user_id, scratchpad_id, entry_id) on delete cascade,
    constraint contradiction_finding_2_fkey foreign key (user_id, scratchpad_id, finding_2)
        references memos_private.scratchpad_entry (user_id, scratchpad_id, entry_id) on delete cascade,
    constraint contradiction_is_stored_once check (finding_1 < finding_2),
    constraint one_of_the_two_is_kept check (kept in (finding_1, finding_2)),
    constraint a_resolution_says_why check ((resolved_at is null) = (resolution is null)),
    constraint only_a_resolution_keeps check (kept is null or resolved_at is not null)
);
comment on table memos_private.scratchpad_contradiction is
    'Two findings that cannot both be true; while it is open, the question that they answer is in conflict.';

create table if not exists memos_private.scratchpad_action (
    user_id       uuid not null,
    scratchpad_id uuid not null,
    action_id     uuid not null,
    type          text not null,
    description   text not null,
    priority      smallint not null,
    status        text not null default 'pending',
    details       jsonb not null,
    parent_id     uuid,
    subject_id    uuid,
    for_agent     text,
    agent         text,
    attempts      int not null default 0,
    max_attempts  int not null,
    lease_until   timestamptz,
    result        jsonb,
    error         text,
    added_at      timestamptz not null default clock_timestamp(),
    finished_at   timestamptz,
    constraint scratchpad_action_pkey primary key (user_id, scratchpad_id, action_id),
    constraint scratchpad_action_scratchpad_fkey foreign key (user_id, scratchpad_id)
        references memos_private.scratchpad (user_id, scratchpad_id) on delete cascade,
    constraint scratchpad_action_parent_fkey foreign key (user_id, scratchpad_id, parent_id)
        references memos_private.scratchpad_action (user_id, scratchpad_id, action_id) on delete cascade,
    constraint action_is_no_part_of_itself check (parent_id <> action_id),
    constraint action_type_is_a_word check (type ~ '^[a-z][a-z0-9_]{0,63}$'),
    constraint action_status_is_known check (
        status in ('pending', 'in_progress', 'completed', 'failed', 'blocked', 'skipped')
    ),
    constraint action_priority_is_small check (priority between 0 and 1000),
    constraint action_attempts_are_counted check (attempts between 0 and max_attempts),
    constraint only_taken_actions_have_a_lease check (
        (status = 'in_progress') = (lease_until is not null)
        and (status <> 'in_progress' or agent is not null)
    ),
    constraint only_finished_actions_have_an_end check (
        (status in ('completed', 'failed', 'skipped')) = (finished_at is not null)
    ),
    constraint action_details_are_an_object check (jsonb_typeof(details) = 'object')
);
create index if not exists scratchpad_queue_idx
    on memos_private.scratchpad_action (user_id, scratchpad_id, priority, action_id)
    where status in ('pending', 'in_progress');
create index if not exists scratchpad_open_parts_idx
    on memos_private.scratchpad_action (user_id, scratchpad_id, parent_id)
    where parent_id is not null and status in ('pending', 'in_progress', 'blocked');
comment on table memos_private.scratchpad_action is
    'What is to be done: a queue by priority (0 is the most urgent), and a hierarchy, in which an action '
    'waits for its parts.';
comment on column memos_private.scratchpad_action.subject_id is
    'The question or contradiction that it is about.';
comment on column memos_private.scratchpad_action.for_agent is 'The only agent that may take it; null: any.';
comment on column memos_private.scratchpad_action.attempts is
    'How often it was taken: what a worker was given with it, so that one that comes too late is told.';

create table if not exists memos_private.scratchpad_agent (
    user_id       uuid not null,
    scratchpad_id uuid not null,
    agent         text not null,
    token_hash    bytea not null,
    registered_at timestamptz not null default clock_timestamp(),
    constraint scratchpad_agent_pkey primary key (user_id, scratchpad_id, agent),
    constraint one_agent_a_token unique (user_id, token_hash),
    constraint scratchpad_agent_scratchpad_fkey foreign key (user_id, scratchpad_id)
        references memos_private.scratchpad (user_id, scratchpad_id) on delete cascade
);
comment on table memos_private.scratchpad_agent is
    'Agents whose name takes a token. The token itself is known to them alone.';

create table if not exists memos_private.scratchpad_public_value (
    user_id       uuid not null,
    scratchpad_id uuid not null,
    key           text not null,
    value         jsonb not null,
    agent         text not null,
    written_at    timestamptz not null,
    expires_at    timestamptz,
    constraint scratchpad_public_value_pkey primary key (user_id, scratchpad_id, key),
    constraint scratchpad_public_value_scratchpad_fkey foreign key (user_id, scratchpad_id)
        references memos_private.scratchpad (user_id, scratchpad_id) on delete cascade
);
comment on table memos_private.scratchpad_public_value is
    'Values for all agents of a scratchpad. Expired ones are never shown, and removed by maintenance.';

create table if not exists memos_private.scratchpad_private_value (
    user_id       uuid not null,
    scratchpad_id uuid not null,
    agent         text not null,
    key           text not null,
    value         jsonb not null,
    written_at    timestamptz not null,
    constraint scratchpad_private_value_pkey primary key (user_id, scratchpad_id, agent, key),
    constraint scratchpad_private_value_scratchpad_fkey foreign key (user_id, scratchpad_id)
        references memos_private.scratchpad (user_id, scratchpad_id) on delete cascade
);
comment on table memos_private.scratchpad_private_value is
    'Values of one agent. Not in the change log, and in no answer to any other agent.';

create table if not exists memos_private.scratchpad_reference (
    user_id       uuid not null,
    scratchpad_id uuid not null,
    kind          text not null,
    key_hash      bytea not null,
    key           text not null,
    value         text,
    agent         text,
    metadata      jsonb not null,
    added_at      timestamptz not null default clock_timestamp(),
    constraint scratchpad_reference_pkey primary key (user_id, scratchpad_id, kind, key_hash),
    constraint scratchpad_reference_scratchpad_fkey foreign key (user_id, scratchpad_id)
        references memos_private.scratchpad (user_id, scratchpad_id) on delete cascade,
    constraint reference_kind_is_known
        check (kind in ('search', 'source', 'content', 'kv_cache', 'artifact')),
    constraint reference_metadata_is_an_object check (jsonb_typeof(metadata) = 'object')
);
comment on table memos_private.scratchpad_reference is
    'What a scratchpad has met once: searches and sources tried, contents by their hash (value: where it '
    'was), KV caches by content hash (value: the cache''s id), artifacts (value: what they are).';
comment on column memos_private.scratchpad_reference.key_hash is
    'SHA-256 of the key; of a search, of its words in lower case.';

create table if not exists memos_private.scratchpad_weights (
    user_id      uuid not null,
    project      text not null,
    observations real not null,
    reasoning    real not null,
    coverage     real not null,
    constraint scratchpad_weights_pkey primary key (user_id, project),
    constraint weights_are_fractions check (
        observations between 0 and 1 and reasoning between 0 and 1 and coverage between 0 and 1
        and observations + reasoning + coverage > 0
    )
);
comment on table memos_private.scratchpad_weights is
    'What the parts of a scratchpad''s quality count for a user; project '''': wherever the project has none.';

create table if not exists memos_private.scratchpad_promotion (
    user_id       uuid not null,
    scratchpad_id uuid not null,
    entry_id      uuid not null,
    memory_id     uuid not null,
    created       boolean not null,
    constraint scratchpad_promotion_pkey primary key (user_id, scratchpad_id, entry_id),
    constraint scratchpad_promotion_entry_fkey foreign key (user_id, scratchpad_id, entry_id)
        references memos_private.scratchpad_entry (user_id, scratchpad_id, entry_id) on delete cascade
);
comment on table memos_private.scratchpad_promotion is
    'Which memory an entry became. The first closing writes it, every later one answers with it.';
comment on column memos_private.scratchpad_promotion.created is
    'False: the memory was there, and the entry made it more certain.';

create table if not exists memos_private.scratchpad_change (
    user_id       uuid not null,
    scratchpad_id uuid not null,
    change_id     uuid not null,
    sequence      bigint,
    changed_at    timestamptz not null,
    subject       text not null,
    subject_id    text not null,
    operation     text not null,
    status        text,
    agent         text,
    constraint scratchpad_change_pkey primary key (user_id, scratchpad_id, change_id),
    constraint scratchpad_change_scratchpad_fkey foreign key (user_id, scratchpad_id)
        references memos_private.scratchpad (user_id, scratchpad_id) on delete cascade,
    constraint change_operation_is_known check (operation in ('insert', 'update'))
);
create unique index if not exists scratchpad_change_sequence_idx
    on memos_private.scratchpad_change (user_id, scratchpad_id, sequence) where sequence is not null;
create index if not exists scratchpad_change_new_idx
    on memos_private.scratchpad_change (user_id, scratchpad_id, change_id) where sequence is null;
comment on table memos_private.scratchpad_change is
    'What changed on a scratchpad, without content.';
comment on column memos_private.scratchpad_change.sequence is
    'Given by the first who reads it, not by the writer: a counter would make the writers of a scratchpad '
    'wait for each other''s commits (measured: a quarter of the throughput).';

create table if not exists memos_private.scratchpad_sequence (
    user_id       uuid not null,
    scratchpad_id uuid not null,
    sequence      bigint not null default 0,
    announced     boolean not null default false,
    constraint scratchpad_sequence_pkey primary key (user_id, scratchpad_id),
    constraint scratchpad_sequence_scratchpad_fkey foreign key (user_id, scratchpad_id)
        references memos_private.scratchpad (user_id, scratchpad_id) on delete cascade
);
comment on table memos_private.scratchpad_sequence is
    'The last number given to a change of a scratchpad, and whether it was announced that there are newer '
    'ones: a second NOTIFY would say nothing new, and each makes all committing writers wait.';

do $$
declare
    v_table text;
begin
    foreach v_table in array array[
        'scratchpad', 'scratchpad_entry', 'scratchpad_contradiction', 'scratchpad_action',
        'scratchpad_agent', 'scratchpad_public_value', 'scratchpad_private_value',
        'scratchpad_reference', 'scratchpad_weights', 'scratchpad_promotion', 'scratchpad_sequence',
        'scratchpad_change'
    ] loop
        perform memos_private.protect_user_table(format('memos_private.%I', v_table)::regclass);
    end loop;
end
$$;
grant select, delete on memos_private.scratchpad, memos_private.scratchpad_public_value
    to memos_maintenance;
grant select on memos_private.scratchpad_change to memos_maintenance;
-- Locking rows takes the right to update something of them.
grant update (status) on memos_private.scratchpad to memos_maintenance;
grant update (expires_at) on memos_private.scratchpad_public_value to memos_maintenance;

insert into memos_private.setting (name, value, description) values
    ('scratchpad_promotion_quality', '0.75',
        'quality or confidence from which an entry of a closed scratchpad becomes a memory'),
    ('scratchpad_duplicate_similarity', '0.8',
        'trigram similarity from which a finding may be a memory that is there already'),
    ('scratchpad_abandoned_hours', '24', 'idle time after which maintenance closes an open scratchpad'),
    ('scratchpad_keep_days', '30',
        'days for which a closed scratchpad is kept with what was not promoted')
on conflict (name) do nothing;
