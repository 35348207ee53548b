-- The parts in the order in which they are shown; within each the best or newest first. One way to cut:
-- all parts take turns, so that findings that go on and on do not crowd out the one note that matters.
create or replace function memos_private.context_lines(
    p_user_id uuid, p_scratchpad_id uuid, p_agent text
)
returns table (part int, place bigint, section text, id uuid, content text, at timestamptz)
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select 1, 1::bigint, 'goal', s.scratchpad_id, s.goal, s.opened_at
    from memos_private.scratchpad as s
    where s.user_id = p_user_id and s.scratchpad_id = p_scratchpad_id
    union all
    select 2, row_number() over (order by a.priority, a.action_id), 'your actions', a.action_id,
        concat_ws(': ', a.type, a.description), a.added_at
    from memos_private.scratchpad_action as a
    where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id and a.status = 'in_progress'
        and a.agent = p_agent and a.lease_until > clock_timestamp()
    union all
    select 3, row_number() over (order by q.question_id), 'questions', q.question_id,
        q.question || ' (' || q.status || coalesce('; answered when: ' || q.criteria, '')
        || coalesce('; missing: ' || nullif(array_to_string(q.gaps, ', '), ''), '') || ')', q.added_at
    from memos_private.questions(p_user_id, p_scratchpad_id) as q
    where q.status <> 'answered'
    union all
    select 4, row_number() over (order by c.contradiction_id), 'contradictions', c.contradiction_id,
        c.description, c.added_at
    from memos_private.scratchpad_contradiction as c
    where c.user_id = p_user_id and c.scratchpad_id = p_scratchpad_id and c.resolved_at is null
    union all
    select 5, row_number() over (order by n.entry_id desc), 'notes', n.entry_id,
        n.agent || ': ' || n.content, n.added_at
    from memos_private.scratchpad_entry as n
    where n.user_id = p_user_id and n.scratchpad_id = p_scratchpad_id and n.kind = 'note'
        and coalesce(n.for_agent, p_agent) = p_agent and n.agent <> p_agent
    union all
    select 6, row_number() over (
            order by f.status = 'verified' desc, f.quality desc, f.entry_id desc
        ), 'findings', f.entry_id,
        f.content || ' (' || f.status || ', ' || round(f.quality::numeric, 2)
        || coalesce(', ' || f.source, '') || ')', f.added_at
    from memos_private.scratchpad_entry as f
    where f.user_id = p_user_id and f.scratchpad_id = p_scratchpad_id and f.kind = 'finding'
        and f.status <> 'retracted'
    union all
    select 7, row_number() over (order by r.quality desc, r.entry_id desc), 'reasoning', r.entry_id,
        r.content || ' (' || memos_private.reasoning_certainty(r.uncertainty, r.quality) || ')',
        r.added_at
    from memos_private.scratchpad_entry as r
    where r.user_id = p_user_id and r.scratchpad_id = p_scratchpad_id and r.kind = 'reasoning'
    union all
    select 8, row_number() over (order by o.quality desc, o.entry_id desc), 'observations', o.entry_id,
        o.content || coalesce(' (' || o.source || ')', ''), o.added_at
    from memos_private.scratchpad_entry as o
    where o.user_id = p_user_id and o.scratchpad_id = p_scratchpad_id and o.kind = 'observation'
        and o.status = 'relevant' and o.quality >= 0.5
    union all
    select 9, row_number() over (order by v.written_at desc, v.key), 'private values', null,
        v.key || ' = ' || v.value, v.written_at
    from memos_private.scratchpad_private_value as v
    where v.user_id = p_user_id and v.scratchpad_id = p_scratchpad_id and v.agent = p_agent
    union all
    select 10, row_number() over (order by v.written_at desc, v.key), 'public values', null,
        v.key || ' = ' || v.value || ' (' || v.agent || ')', v.written_at
    from memos_private.scratchpad_public_value as v
    where v.user_id = p_user_id and v.scratchpad_id = p_scratchpad_id
        and (v.expires_at is null or v.expires_at > clock_timestamp())
    union all
    select 11, row_number() over (order by a.priority, a.action_id), 'next actions', a.action_id,
        concat_ws(': ', a.type, a.description), a.added_at
    from memos_private.scratchpad_action as a
    where a.user_id = p_user_id and a.scratchpad_id = p_scratchpad_id and a.status = 'pending'
        and coalesce(a.for_agent, p_agent) = p_agent
    union all
    select 12, row_number() over (order by r.added_at desc, r.key),
        case r.kind when 'search' then 'searches made' else 'sources read' end, null, r.key, r.added_at
    from memos_private.scratchpad_reference as r
    where r.user_id = p_user_id and r.scratchpad_id = p_scratchpad_id and r.kind in ('search', 'source')
    union all
    select 13, row_number() over (order by e.entry_id desc), 'failed steps', e.entry_id,
        e.content || coalesce(': ' || e.error, ''), e.added_at
    from memos_private.scratchpad_entry as e
    where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id and e.kind = 'step'
        and e.status = 'failed'
$body$;
comment on function memos_private.context_lines is
    'Everything that an agent may want to see, each as a line of text, with its place in its part.';

create or replace function memos.agent_context(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_agent         text,
    p_token_budget  int default 2000
)
returns table (section text, id uuid, content text, tokens int, at timestamptz)
language plpgsql
volatile
security definer
rows 50
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    if p_token_budget is null or p_token_budget < 1 then
        perform memos_private.refuse_argument(
            'p_token_budget', coalesce(format('it is %s', p_token_budget), 'it is null'),
            'a whole number from 1'
        );
    end if;
    perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    perform memos_private.require_agent(p_user_id, p_scratchpad_id, p_agent);
    return query
    with recursive lines as materialized (
        select l.part, l.place, l.section, l.id, l.content, l.at,
            memos_private.estimate_tokens(l.content) as tokens,
            row_number() over (order by l.part > 1, l.place, l.part) as turn
        from memos_private.context_lines(p_user_id, p_scratchpad_id, p_agent) as l
        where l.place <= 20
    ),
    packed as (
        -- A line that is too long is passed over, and shorter ones after it may still fit.
        select 0::bigint as turn, p_token_budget as tokens_left, false as taken
        union all
        select n.turn, p.tokens_left - case when n.tokens <= p.tokens_left then n.tokens else 0 end,
            n.tokens <= p.tokens_left
        from packed as p
        join lines as n on n.turn = p.turn + 1
    )
    select l.section, l.id, l.content, l.tokens, l.at
    from packed as p
    join lines as l on l.turn = p.turn
    where p.taken
    order by l.part, l.place;
    perform memos_private.audit_read(p_user_id, 'agent_context', array[p_scratchpad_id]);
end
$body$;
comment on function memos.agent_context is
    'What an agent should see now, in lines of text that fit p_token_budget together (a token is four '
    'bytes): the goal, its own actions, open questions, contradictions, notes of others to it or to all, '
    'findings, reasoning, observations, its private values, public values that have not expired, next '
    'actions, searches and sources tried, failed steps; at most 20 of each, the best or newest, taken in '
    'turns, so that nothing crowds out the rest. The agent''s own view: of a registered one it takes the '
    'token. Rows, so that a caller counts and leaves out as it likes. Errors: MO001, MO400, MO403, MO404.';
