create or replace function memos.set_scratchpad_weights(
    p_user_id      uuid,
    p_observations real default 0.4,
    p_reasoning    real default 0.4,
    p_coverage     real default 0.2,
    p_project      text default null
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'set_scratchpad_weights');
    perform memos_private.require_fraction('p_observations', p_observations);
    perform memos_private.require_fraction('p_reasoning', p_reasoning);
    perform memos_private.require_fraction('p_coverage', p_coverage);
    perform memos_private.require_note_text('p_project', p_project, 256, true);
    if p_observations + p_reasoning + p_coverage = 0 then
        perform memos_private.refuse_argument(
            'p_observations', 'all three weights are 0', 'at least one weight above 0'
        );
    end if;
    insert into memos_private.scratchpad_weights (user_id, project, observations, reasoning, coverage)
    values (p_user_id, coalesce(p_project, ''), p_observations, p_reasoning, p_coverage)
    on conflict (user_id, project) do update
    set observations = excluded.observations, reasoning = excluded.reasoning,
        coverage = excluded.coverage;
end
$body$;
comment on function memos.set_scratchpad_weights is
    'What observations, reasoning and coverage count in the quality of the user''s scratchpads: of one '
    'project, or of all that have none of their own. Only their proportions matter. '
    'Errors: MO001, MO400, MO403.';

create or replace function memos_private.scratchpad_weights(p_user_id uuid, p_scratchpad_id uuid)
returns memos_private.scratchpad_weights
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_weights memos_private.scratchpad_weights := row(p_user_id, '', 0.4, 0.4, 0.2);
begin
    return coalesce(
        (
            select w
            from memos_private.scratchpad as s
            join memos_private.scratchpad_weights as w
                on w.user_id = p_user_id and w.project in (s.project, '')
            where s.user_id = p_user_id and s.scratchpad_id = p_scratchpad_id
            order by w.project desc
            limit 1
        ),
        v_weights
    );
end
$body$;
comment on function memos_private.scratchpad_weights is
    'The weights that count for a scratchpad: its project''s, else its user''s, else .4, .4 and .2.';

create or replace function memos_private.uncertainties(p_user_id uuid, p_scratchpad_id uuid)
returns table (uncertainty text, id uuid, text text)
language sql
stable
begin atomic
    select memos_private.reasoning_certainty(e.uncertainty, e.quality), e.entry_id, e.content
    from memos_private.scratchpad_entry as e
    where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id and e.kind = 'reasoning'
        and (e.uncertainty is not null or e.quality < 0.5)
    union all
    select 'conflicting_evidence', c.contradiction_id, c.description
    from memos_private.scratchpad_contradiction as c
    where c.user_id = p_user_id and c.scratchpad_id = p_scratchpad_id and c.resolved_at is null
    union all
    select 'missing_information', q.question_id, g.gap
    from memos_private.questions(p_user_id, p_scratchpad_id) as q
    cross join lateral unnest(
        case when q.status in ('unanswered', 'searching') then array[q.question] else q.gaps end
    ) as g (gap)
    union all
    select 'unverified', f.entry_id, f.content
    from memos_private.scratchpad_entry as f
    where f.user_id = p_user_id and f.scratchpad_id = p_scratchpad_id and f.kind = 'finding'
        and f.status = 'unverified' and f.quality < 0.5
    order by 1, 2;
end;
comment on function memos_private.uncertainties is
    'What a scratchpad is not sure of: doubtful reasoning, open contradictions, what is unanswered or '
    'missing, and findings of low confidence that nobody has verified.';

create or replace function memos.scratchpad_quality(p_user_id uuid, p_scratchpad_id uuid)
returns table (
    quality double precision, observation_quality double precision,
    reasoning_confidence double precision, coverage double precision, weights jsonb, observations bigint,
    reasoning_steps bigint, failed_steps bigint, questions bigint, answered bigint,
    open_contradictions bigint, confidence double precision, complete boolean, uncertainties jsonb,
    recommendations text[]
)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_weights memos_private.scratchpad_weights;
    v_settled bigint;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    select avg(e.quality) filter (where e.kind = 'observation' and e.status = 'relevant'),
        avg(e.quality) filter (where e.kind = 'reasoning'),
        count(*) filter (where e.kind = 'observation' and e.status = 'relevant'),
        count(*) filter (where e.kind = 'reasoning'),
        count(*) filter (where e.kind = 'step' and e.status = 'failed')
    into observation_quality, reasoning_confidence, observations, reasoning_steps, failed_steps
    from memos_private.scratchpad_entry as e
    where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id;
    select count(*), count(*) filter (where q.status = 'answered'),
        count(*) filter (where q.status in ('answered', 'partial')),
        avg(case q.status when 'answered' then 1.0 when 'partial' then 0.5 else 0 end),
        avg(coalesce(q.confidence, 0))
    into questions, answered, v_settled, coverage, confidence
    from memos_private.questions(p_user_id, p_scratchpad_id) as q;
    open_contradictions := (
        select count(*)
        from memos_private.scratchpad_contradiction as c
        where c.user_id = p_user_id and c.scratchpad_id = p_scratchpad_id and c.resolved_at is null
    );
    complete := questions > 0 and v_settled = questions and confidence >= 0.7;

    v_weights := memos_private.scratchpad_weights(p_user_id, p_scratchpad_id);
    weights := jsonb_build_object('observations', v_weights.observations::numeric,
        'reasoning', v_weights.reasoning::numeric, 'coverage', v_weights.coverage::numeric);
    -- Where no question was asked there is nothing to cover: the other two count for it.
    quality := coalesce((
        v_weights.observations * coalesce(observation_quality, 0)
        + v_weights.reasoning * coalesce(reasoning_confidence, 0)
        + v_weights.coverage * coalesce(coverage, 0)
    ) / nullif(
        v_weights.observations + v_weights.reasoning
        + case when questions > 0 then v_weights.coverage else 0 end, 0
    ), 0);

    uncertainties := coalesce((
        select jsonb_agg(jsonb_build_object('uncertainty', u.uncertainty, 'id', u.id, 'text', u.text))
        from memos_private.uncertainties(p_user_id, p_scratchpad_id) as u
    ), '[]');
    recommendations := array_remove(array[
        case when open_contradictions > 0 then 'resolve the open contradictions' end,
        case when answered < questions then 'answer the questions that are open or partial' end,
        case when observations = 0 then 'observe something: there is nothing to go by' end,
        case when observation_quality < 0.5 then 'look for better sources' end,
        case when observations > 0 and reasoning_steps = 0 then 'draw conclusions from what was observed' end,
        case when reasoning_confidence < 0.5 then 'verify the conclusions: most are doubtful' end,
        case when failed_steps > 0 then 'try another way where steps have failed' end
    ], null);
    return next;
    perform memos_private.audit_read(p_user_id, 'scratchpad_quality', array[p_scratchpad_id]);
end
$body$;
comment on function memos.scratchpad_quality is
    'How good a scratchpad is, from 0 to 1, and why: the weighted mean of the quality of its relevant '
    'observations, the confidence of its reasoning (0 where there is none) and its coverage, the share '
    'of its questions that are answered, partial ones half (null where none was asked, and then not '
    'counted). complete: every question is answered or partial, with a mean confidence of at least 0.7. '
    'uncertainties: what it is not sure of; recommendations: what would make it better. '
    'Errors: MO001, MO400, MO403, MO404.';
