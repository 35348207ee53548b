create or replace function memos_private.store_entry(p_entry memos_private.scratchpad_entry)
returns uuid
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_entry memos_private.scratchpad_entry := p_entry;
    v_argument text;
    v_missing uuid;
begin
    v_argument := case v_entry.kind when 'reasoning' then 'p_conclusion' when 'example' then 'p_input'
        when 'step' then 'p_action' when 'question' then 'p_question' else 'p_content' end;
    perform memos_private.require_note_text(
        v_argument, v_entry.content, memos_private.setting('max_content_bytes')::int, false
    );
    if v_entry.kind not in ('step', 'note')
        and not (v_entry.kind = 'question' and v_entry.quality is null)
    then
        perform memos_private.require_fraction(
            case v_entry.kind when 'observation' then 'p_quality' when 'example' then 'p_success'
                else 'p_confidence' end,
            v_entry.quality
        );
    end if;
    perform memos_private.require_note_text('p_source', v_entry.source, 8192, true);
    perform memos_private.require_note_json('p_metadata', v_entry.metadata, true, false);
    perform memos_private.lock_open_scratchpad(v_entry.user_id, v_entry.scratchpad_id);
    if v_entry.agent is not null then
        perform memos_private.require_agent(v_entry.user_id, v_entry.scratchpad_id, v_entry.agent);
    end if;

    v_entry.basis := coalesce(v_entry.basis, '{}');
    if v_entry.basis <> '{}' then
        select b.id into v_missing
        from unnest(v_entry.basis) as b (id)
        where not exists (
            select from memos_private.scratchpad_entry as e
            where e.user_id = v_entry.user_id and e.scratchpad_id = v_entry.scratchpad_id
                and e.entry_id = b.id
        )
        limit 1;
        if found then
            perform memos_private.refuse_missing_entry(
                case v_entry.kind when 'reasoning' then 'p_premises' else 'p_evidence' end,
                'entry', v_missing
            );
        end if;
    end if;
    v_entry.added_at := clock_timestamp();
    v_entry.entry_id := memos_private.new_memory_id(v_entry.added_at);
    v_entry.gaps := coalesce(v_entry.gaps, '{}');
    v_entry.uses := 0;
    insert into memos_private.scratchpad_entry select v_entry.*;
    return v_entry.entry_id;
end
$body$;
comment on function memos_private.store_entry is
    'Checks and stores an entry with a new id; type and status are checked by whoever made it. '
    'Raises MO400, MO403, MO404, MO409.';

create or replace function memos.add_observation(
    p_user_id          uuid,
    p_scratchpad_id    uuid,
    p_content          text,
    p_observation_type text default 'tool_output',
    p_source           text default null,
    p_quality          real default 0.5,
    p_metadata         jsonb default '{}',
    p_agent            text default null
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_entry memos_private.scratchpad_entry;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_word('p_observation_type', p_observation_type, array[
        'tool_output', 'document', 'search_result', 'user_input', 'system_data', 'scraped_content'
    ]);
    v_entry.user_id := p_user_id;
    v_entry.scratchpad_id := p_scratchpad_id;
    v_entry.kind := 'observation';
    v_entry.type := p_observation_type;
    v_entry.status := 'relevant';
    v_entry.content := p_content;
    v_entry.source := p_source;
    v_entry.quality := p_quality;
    v_entry.metadata := p_metadata;
    v_entry.agent := p_agent;
    v_entry.entry_id := memos_private.store_entry(v_entry);
    perform memos_private.audit(p_user_id, 'add_observation', array[p_scratchpad_id, v_entry.entry_id]);
    return v_entry.entry_id;
end
$body$;
comment on function memos.add_observation is
    'Puts down what was seen: tool_output, document, search_result, user_input, system_data or '
    'scraped_content, from p_source, of a quality from 0 to 1. Relevant until memos.update_entry says '
    'otherwise. Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.add_reasoning(
    p_user_id        uuid,
    p_scratchpad_id  uuid,
    p_conclusion     text,
    p_reasoning_type text default 'deduction',
    p_premises       uuid[] default '{}',
    p_confidence     real default 0.5,
    p_agent          text default null,
    p_uncertainty    text default null,
    p_metadata       jsonb default '{}'
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_entry memos_private.scratchpad_entry;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_word('p_reasoning_type', p_reasoning_type, array[
        'deduction', 'induction', 'abduction', 'comparison', 'synthesis', 'critique', 'hypothesis'
    ]);
    if p_uncertainty is not null then
        perform memos_private.require_word('p_uncertainty', p_uncertainty, array[
            'conflicting_evidence', 'missing_information', 'unverified'
        ]);
    end if;
    v_entry.user_id := p_user_id;
    v_entry.scratchpad_id := p_scratchpad_id;
    v_entry.kind := 'reasoning';
    v_entry.type := p_reasoning_type;
    v_entry.content := p_conclusion;
    v_entry.basis := p_premises;
    v_entry.quality := p_confidence;
    v_entry.uncertainty := p_uncertainty;
    v_entry.metadata := p_metadata;
    v_entry.agent := p_agent;
    v_entry.entry_id := memos_private.store_entry(v_entry);
    perform memos_private.audit(p_user_id, 'add_reasoning', array[p_scratchpad_id, v_entry.entry_id]);
    return v_entry.entry_id;
end
$body$;
comment on function memos.add_reasoning is
    'Puts down a conclusion (deduction, induction, abduction, comparison, synthesis, critique, '
    'hypothesis) with the entries it follows from. p_uncertainty: conflicting_evidence, '
    'missing_information or unverified, where the confidence does not say it. '
    'Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.add_example(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_input         text,
    p_output        text,
    p_pattern       text default null,
    p_success       real default 0.8,
    p_metadata      jsonb default '{}'
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_entry memos_private.scratchpad_entry;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_note_text(
        'p_output', p_output, memos_private.setting('max_content_bytes')::int, false
    );
    perform memos_private.require_note_text('p_pattern', p_pattern, 256, true);
    v_entry.user_id := p_user_id;
    v_entry.scratchpad_id := p_scratchpad_id;
    v_entry.kind := 'example';
    v_entry.type := p_pattern;
    v_entry.content := p_input;
    v_entry.output := to_jsonb(p_output);
    v_entry.quality := p_success;
    v_entry.metadata := p_metadata;
    v_entry.entry_id := memos_private.store_entry(v_entry);
    perform memos_private.audit(p_user_id, 'add_example', array[p_scratchpad_id, v_entry.entry_id]);
    return v_entry.entry_id;
end
$body$;
comment on function memos.add_example is
    'Puts down how something was done well: an input, the output that went with it, the pattern they are '
    'an example of, and how successful it was. memos.find_examples finds it, from other scratchpads too. '
    'Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.add_step(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_action        text,
    p_agent         text,
    p_input         jsonb default null,
    p_output        jsonb default null,
    p_success       boolean default true,
    p_error         text default null,
    p_duration      interval default null
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_entry memos_private.scratchpad_entry;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_note_text('p_agent', p_agent, 256, false);
    perform memos_private.require_note_json('p_input', p_input, false, true);
    perform memos_private.require_note_json('p_output', p_output, false, true);
    perform memos_private.require_note_text(
        'p_error', p_error, memos_private.setting('max_content_bytes')::int, true
    );
    if p_success is null or p_success and p_error is not null then
        perform memos_private.refuse_argument(
            'p_success', case when p_success is null then 'it is null' else 'it is true with an error' end,
            'true, or false with or without an error'
        );
    end if;
    if p_duration <> interval '0' then
        perform memos_private.require_lasting('p_duration', p_duration, true);
    end if;
    v_entry.user_id := p_user_id;
    v_entry.scratchpad_id := p_scratchpad_id;
    v_entry.kind := 'step';
    v_entry.status := case when p_success then 'succeeded' else 'failed' end;
    v_entry.content := p_action;
    v_entry.agent := p_agent;
    v_entry.input := p_input;
    v_entry.output := p_output;
    v_entry.error := p_error;
    v_entry.duration := p_duration;
    v_entry.metadata := '{}';
    v_entry.entry_id := memos_private.store_entry(v_entry);
    perform memos_private.audit(p_user_id, 'add_step', array[p_scratchpad_id, v_entry.entry_id]);
    return v_entry.entry_id;
end
$body$;
comment on function memos.add_step is
    'Puts down what an agent did, with what it went in with and came out with: a step of the trajectory. '
    'Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.add_note(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_agent         text,
    p_content       text,
    p_for_agent     text default null,
    p_metadata      jsonb default '{}'
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_entry memos_private.scratchpad_entry;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_note_text('p_agent', p_agent, 256, false);
    perform memos_private.require_note_text('p_for_agent', p_for_agent, 256, true);
    v_entry.user_id := p_user_id;
    v_entry.scratchpad_id := p_scratchpad_id;
    v_entry.kind := 'note';
    v_entry.content := p_content;
    v_entry.agent := p_agent;
    v_entry.for_agent := p_for_agent;
    v_entry.metadata := p_metadata;
    v_entry.entry_id := memos_private.store_entry(v_entry);
    perform memos_private.audit(p_user_id, 'add_note', array[p_scratchpad_id, v_entry.entry_id]);
    return v_entry.entry_id;
end
$body$;
comment on function memos.add_note is
    'Leaves a note for one agent, or for all (null). Put what was done and what is recommended into the '
    'text or the metadata. Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.update_entry(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_entry_id      uuid,
    p_changes       jsonb
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_keys constant text[] := array['quality', 'status', 'uncertainty', 'metadata'];
    v_entry memos_private.scratchpad_entry;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'update_entry', array[p_scratchpad_id, p_entry_id]);
    if p_changes is null or jsonb_typeof(p_changes) <> 'object' or p_changes = '{}'
        or p_changes - v_keys <> '{}'
    then
        perform memos_private.refuse_argument(
            'p_changes', coalesce('it is ' || left(p_changes::text, 200), 'it is null'),
            'a JSON object with the keys to change: ' || array_to_string(v_keys, ', ')
        );
    end if;
    perform memos_private.require_note_json('p_changes', p_changes -> 'metadata', true, true);
    perform memos_private.lock_open_scratchpad(p_user_id, p_scratchpad_id);
    select * into v_entry
    from memos_private.scratchpad_entry as e
    where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id and e.entry_id = p_entry_id
    for no key update;
    if not found then
        perform memos_private.refuse_missing_entry('p_entry_id', 'entry', p_entry_id);
    end if;
    begin
        v_entry := jsonb_populate_record(v_entry, p_changes);
        update memos_private.scratchpad_entry as e
        set quality = v_entry.quality, status = v_entry.status, uncertainty = v_entry.uncertainty,
            metadata = v_entry.metadata
        where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id and e.entry_id = p_entry_id;
    exception when data_exception or check_violation or not_null_violation then
        perform memos_private.refuse_argument(
            'p_changes', sqlerrm,
            'quality: 0 to 1. status: relevant, irrelevant (observation); unverified, verified, retracted '
            '(finding). uncertainty (reasoning): null, conflicting_evidence, missing_information, '
            'unverified. metadata: an object'
        );
    end;
end
$body$;
comment on function memos.update_entry is
    'Judges an entry: its quality (confidence, success), status, uncertainty, or metadata. Any agent may '
    'judge what another one put down. The state of a question: memos.set_question_status. '
    'Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.list_entries(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_kinds         text[] default null,
    p_types         text[] default null,
    p_statuses      text[] default null,
    p_min_quality   real default null,
    p_max_quality   real default null,
    p_agent         text default null,
    p_for_agent     text default null,
    p_question_id   uuid default null,
    p_limit         int default 50,
    p_after         uuid default null
)
returns table (
    entry_id uuid, kind text, type text, content text, agent text, source text, quality real,
    status text, uncertainty text, basis uuid[], question_id uuid, for_agent text, input jsonb,
    output jsonb, error text, duration interval, uses int, metadata jsonb, added_at timestamptz
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    perform memos_private.require_limit(p_limit);
    return query
    select e.entry_id, e.kind, e.type, e.content, e.agent, e.source, e.quality, e.status,
        case when e.kind = 'reasoning' then memos_private.reasoning_certainty(e.uncertainty, e.quality) end,
        e.basis, e.question_id, e.for_agent, e.input, e.output, e.error, e.duration, e.uses, e.metadata,
        e.added_at
    from memos_private.scratchpad_entry as e
    where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id
        and e.entry_id < coalesce(p_after, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        and (p_kinds is null or e.kind = any (p_kinds))
        and (p_types is null or e.type = any (p_types))
        and (p_statuses is null or e.status = any (p_statuses))
        and (p_min_quality is null or e.quality >= p_min_quality)
        and (p_max_quality is null or e.quality <= p_max_quality)
        and (p_agent is null or e.agent = p_agent)
        and (p_for_agent is null or e.kind = 'note' and coalesce(e.for_agent, p_for_agent) = p_for_agent)
        and (p_question_id is null or e.question_id = p_question_id)
    order by e.entry_id desc
    limit p_limit;
    perform memos_private.audit_read(p_user_id, 'list_entries', array[p_scratchpad_id]);
end
$body$;
comment on function memos.list_entries is
    'What is on a scratchpad, newest first, by kind, type, status, quality, who put it down, whom a note '
    'is for (those for all included) and the question that a finding answers. p_after: entries older '
    'than that one. Kind reasoning read from its end is the chain of reasoning, status failed are the '
    'failed steps. Errors: MO001, MO400, MO403, MO404.';

create or replace function memos_private.reasoning_certainty(p_uncertainty text, p_confidence real)
returns text
language sql
immutable
return coalesce(p_uncertainty, case when p_confidence >= 0.8 then 'high_confidence'
    when p_confidence >= 0.5 then 'medium_confidence' else 'low_confidence' end);
comment on function memos_private.reasoning_certainty is
    'How certain reasoning is: what was said about it, else a band of its confidence.';
