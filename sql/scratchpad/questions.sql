create or replace function memos.ask_question(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_question      text,
    p_criteria      text default null,
    p_agent         text default null,
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
    perform memos_private.require_note_text('p_criteria', p_criteria, 65536, true);
    v_entry.user_id := p_user_id;
    v_entry.scratchpad_id := p_scratchpad_id;
    v_entry.kind := 'question';
    v_entry.status := 'unanswered';
    v_entry.content := p_question;
    v_entry.criteria := p_criteria;
    v_entry.agent := p_agent;
    v_entry.metadata := p_metadata;
    v_entry.entry_id := memos_private.store_entry(v_entry);
    perform memos_private.audit(p_user_id, 'ask_question', array[p_scratchpad_id, v_entry.entry_id]);
    return v_entry.entry_id;
end
$body$;
comment on function memos.ask_question is
    'Asks a question that has to be answered to reach the goal. p_criteria: when it counts as answered. '
    'Errors: MO001, MO400, MO403, MO404, MO409.';

-- What is said about a question, and whether it is contested: derived, so that no resolved
-- contradiction leaves a question behind in conflict.
create or replace function memos_private.questions(p_user_id uuid, p_scratchpad_id uuid)
returns table (
    question_id uuid, question text, criteria text, status text, confidence real, gaps text[],
    findings bigint, agent text, added_at timestamptz
)
language sql
stable
begin atomic
    select q.entry_id, q.content, q.criteria,
        case when exists (
            select from memos_private.scratchpad_contradiction as c
            join memos_private.scratchpad_entry as f
                on f.user_id = c.user_id and f.scratchpad_id = c.scratchpad_id
                    and f.entry_id in (c.finding_1, c.finding_2)
            where c.user_id = p_user_id and c.scratchpad_id = p_scratchpad_id
                and c.resolved_at is null and f.question_id = q.entry_id
        ) then 'conflict' else q.status end,
        q.quality, q.gaps,
        (
            select count(*)
            from memos_private.scratchpad_entry as f
            where f.user_id = p_user_id and f.scratchpad_id = p_scratchpad_id
                and f.question_id = q.entry_id and f.status <> 'retracted'
        ),
        q.agent, q.added_at
    from memos_private.scratchpad_entry as q
    where q.user_id = p_user_id and q.scratchpad_id = p_scratchpad_id and q.kind = 'question';
end;
comment on function memos_private.questions is
    'The questions of a scratchpad; conflict is the status while a contradiction between findings is open.';

create or replace function memos.list_questions(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_statuses      text[] default null
)
returns table (
    question_id uuid, question text, criteria text, status text, confidence real, gaps text[],
    findings bigint, agent text, added_at timestamptz
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    return query
    select q.question_id, q.question, q.criteria, q.status, q.confidence, q.gaps, q.findings, q.agent,
        q.added_at
    from memos_private.questions(p_user_id, p_scratchpad_id) as q
    where p_statuses is null or q.status = any (p_statuses)
    order by q.question_id;
    perform memos_private.audit_read(p_user_id, 'list_questions', array[p_scratchpad_id]);
end
$body$;
comment on function memos.list_questions is
    'The questions of a scratchpad in the order in which they were asked: unanswered, searching, partial, '
    'answered, or conflict while a contradiction between their findings is open. confidence: that of the '
    'best finding, or what set_question_status said. Errors: MO001, MO400, MO403, MO404.';

create or replace function memos.set_question_status(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_question_id   uuid,
    p_status        text,
    p_confidence    real default null,
    p_gaps          text[] default null,
    p_agent         text default null
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_gap text;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'set_question_status', array[p_scratchpad_id, p_question_id]);
    perform memos_private.require_word(
        'p_status', p_status, array['unanswered', 'searching', 'partial', 'answered']
    );
    if p_confidence is not null then
        perform memos_private.require_fraction('p_confidence', p_confidence);
    end if;
    if p_gaps <> '{}' and p_status <> 'partial' or cardinality(p_gaps) > 64 then
        perform memos_private.refuse_argument(
            'p_gaps', format('%s gaps for status %s', cardinality(p_gaps), p_status),
            'what is still missing for status partial, at most 64 gaps'
        );
    end if;
    foreach v_gap in array coalesce(p_gaps, '{}') loop
        perform memos_private.require_note_text('p_gaps', v_gap, 65536, false);
    end loop;
    perform memos_private.lock_open_scratchpad(p_user_id, p_scratchpad_id);
    if p_agent is not null then
        perform memos_private.require_agent(p_user_id, p_scratchpad_id, p_agent);
    end if;
    update memos_private.scratchpad_entry as e
    set status = p_status, gaps = coalesce(p_gaps, '{}'),
        quality = coalesce(p_confidence, e.quality, case when p_status = 'answered' then 0.8 end)
    where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id and e.entry_id = p_question_id
        and e.kind = 'question';
    if not found then
        perform memos_private.refuse_missing_entry('p_question_id', 'question', p_question_id);
    end if;
    foreach v_gap in array coalesce(p_gaps, '{}') loop
        perform memos_private.queue_action(
            p_user_id, p_scratchpad_id, 'fill_gap', v_gap, 2::smallint, p_question_id
        );
    end loop;
end
$body$;
comment on function memos.set_question_status is
    'Says how far a question is: unanswered, searching, partial, answered. Each gap of a partial answer '
    'becomes an action fill_gap of priority 2, unless it is waiting already. '
    'Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.add_finding(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_content       text,
    p_question_id   uuid default null,
    p_finding_type  text default 'fact',
    p_source        text default null,
    p_confidence    real default 0.5,
    p_agent         text default null,
    p_evidence      uuid[] default '{}',
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
    perform memos_private.require_word('p_finding_type', p_finding_type, array[
        'fact', 'statistic', 'definition', 'procedure', 'contact', 'contradiction'
    ]);
    if p_question_id is not null and not exists (
        select from memos_private.scratchpad_entry as e
        where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id and e.entry_id = p_question_id
            and e.kind = 'question'
    ) then
        perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
        perform memos_private.refuse_missing_entry('p_question_id', 'question', p_question_id);
    end if;
    v_entry.user_id := p_user_id;
    v_entry.scratchpad_id := p_scratchpad_id;
    v_entry.kind := 'finding';
    v_entry.type := p_finding_type;
    v_entry.status := 'unverified';
    v_entry.content := p_content;
    v_entry.question_id := p_question_id;
    v_entry.source := p_source;
    v_entry.quality := p_confidence;
    v_entry.basis := p_evidence;
    v_entry.agent := p_agent;
    v_entry.metadata := p_metadata;
    v_entry.entry_id := memos_private.store_entry(v_entry);
    update memos_private.scratchpad_entry as e
    set status = case when e.status in ('unanswered', 'searching') then 'partial' else e.status end,
        quality = greatest(e.quality, p_confidence)
    where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id and e.entry_id = p_question_id
        and (e.status in ('unanswered', 'searching') or e.quality is null or e.quality < p_confidence);
    perform memos_private.audit(p_user_id, 'add_finding', array[p_scratchpad_id, v_entry.entry_id]);
    return v_entry.entry_id;
end
$body$;
comment on function memos.add_finding is
    'Puts down what was found out (fact, statistic, definition, procedure, contact, contradiction), with '
    'its source and the entries it rests on. An open question that it answers becomes partial; one that '
    'counts as answered stays so. Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.add_contradiction(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_finding_1     uuid,
    p_finding_2     uuid,
    p_description   text,
    p_agent         text default null
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_finding uuid;
    v_id uuid := memos_private.new_memory_id(clock_timestamp());
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'add_contradiction', array[p_scratchpad_id, p_finding_1, p_finding_2]);
    perform memos_private.require_note_text('p_description', p_description, 65536, false);
    if p_finding_1 = p_finding_2 then
        perform memos_private.refuse_argument(
            'p_finding_2', 'it is the same finding as p_finding_1', 'the id of another finding'
        );
    end if;
    perform memos_private.lock_open_scratchpad(p_user_id, p_scratchpad_id);
    if p_agent is not null then
        perform memos_private.require_agent(p_user_id, p_scratchpad_id, p_agent);
    end if;
    foreach v_finding in array array[p_finding_1, p_finding_2] loop
        if not exists (
            select from memos_private.scratchpad_entry as e
            where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id and e.entry_id = v_finding
                and e.kind = 'finding'
        ) then
            perform memos_private.refuse_missing_entry(
                case v_finding when p_finding_2 then 'p_finding_2' else 'p_finding_1' end,
                'finding', v_finding
            );
        end if;
    end loop;
    insert into memos_private.scratchpad_contradiction as c (
        user_id, scratchpad_id, contradiction_id, finding_1, finding_2, description, agent
    )
    values (
        p_user_id, p_scratchpad_id, v_id, least(p_finding_1, p_finding_2),
        greatest(p_finding_1, p_finding_2), p_description, p_agent
    )
    on conflict (user_id, scratchpad_id, finding_1, finding_2) do update
    set description = excluded.description, agent = excluded.agent, kept = null, resolution = null,
        resolved_by = null, resolved_at = null
    returning c.contradiction_id into v_id;
    perform memos_private.queue_action(
        p_user_id, p_scratchpad_id, 'resolve_contradiction', p_description, 1::smallint, v_id
    );
    return v_id;
end
$body$;
comment on function memos.add_contradiction is
    'Says that two findings cannot both be true, and queues an action resolve_contradiction of priority '
    '1. The same pair is one contradiction, open again when it was resolved. '
    'Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.resolve_contradiction(
    p_user_id          uuid,
    p_scratchpad_id    uuid,
    p_contradiction_id uuid,
    p_resolution       text,
    p_kept             uuid default null,
    p_agent            text default null
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_contradiction memos_private.scratchpad_contradiction;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'resolve_contradiction', array[p_scratchpad_id, p_contradiction_id]);
    perform memos_private.require_note_text('p_resolution', p_resolution, 65536, false);
    perform memos_private.lock_open_scratchpad(p_user_id, p_scratchpad_id);
    if p_agent is not null then
        perform memos_private.require_agent(p_user_id, p_scratchpad_id, p_agent);
    end if;
    select * into v_contradiction
    from memos_private.scratchpad_contradiction as c
    where c.user_id = p_user_id and c.scratchpad_id = p_scratchpad_id
        and c.contradiction_id = p_contradiction_id
    for no key update;
    if not found then
        perform memos_private.refuse_missing_entry(
            'p_contradiction_id', 'contradiction', p_contradiction_id
        );
    end if;
    if v_contradiction.resolved_at is not null then
        raise exception 'the contradiction is resolved'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('resolved at %s by %s', v_contradiction.resolved_at,
                    coalesce(v_contradiction.resolved_by, 'nobody named')),
                hint = 'memos.add_contradiction with the same findings opens it again';
    end if;
    if p_kept not in (v_contradiction.finding_1, v_contradiction.finding_2) then
        perform memos_private.refuse_argument(
            'p_kept', format('%s is none of the two findings', p_kept),
            'the finding that is right, or null when both stay'
        );
    end if;
    update memos_private.scratchpad_contradiction as c
    set kept = p_kept, resolution = p_resolution, resolved_by = p_agent, resolved_at = clock_timestamp()
    where c.user_id = p_user_id and c.scratchpad_id = p_scratchpad_id
        and c.contradiction_id = p_contradiction_id;
    update memos_private.scratchpad_entry as e
    set status = 'retracted'
    where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id
        and e.entry_id in (v_contradiction.finding_1, v_contradiction.finding_2)
        and e.entry_id <> p_kept;
    update memos_private.scratchpad_action as a
    set status = 'skipped', finished_at = clock_timestamp()
    where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id
        and a.subject_id = p_contradiction_id and a.status in ('pending', 'blocked');
end
$body$;
comment on function memos.resolve_contradiction is
    'Closes a contradiction. p_kept: the finding that is right, which retracts the other one; null: both '
    'stay, because they do not contradict each other after all. The question is no longer in conflict, '
    'and an action to resolve it that nobody has taken is skipped. '
    'Errors: MO001, MO400, MO403, MO404, MO409.';

create or replace function memos.list_contradictions(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_resolved      boolean default null
)
returns table (
    contradiction_id uuid, finding_1 uuid, finding_2 uuid, description text, agent text, kept uuid,
    resolution text, resolved_by text, resolved_at timestamptz, added_at timestamptz
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    return query
    select c.contradiction_id, c.finding_1, c.finding_2, c.description, c.agent, c.kept, c.resolution,
        c.resolved_by, c.resolved_at, c.added_at
    from memos_private.scratchpad_contradiction as c
    where c.user_id = p_user_id and c.scratchpad_id = p_scratchpad_id
        and (p_resolved is null or p_resolved = (c.resolved_at is not null))
    order by c.contradiction_id;
    perform memos_private.audit_read(p_user_id, 'list_contradictions', array[p_scratchpad_id]);
end
$body$;
comment on function memos.list_contradictions is
    'The contradictions of a scratchpad, the oldest first; p_resolved: only those that are, or are not. '
    'Errors: MO001, MO400, MO403, MO404.';
