-- Two texts that say the same: alike in trigrams, and not different in any word but its form, or an
-- article. So "SRVO-062 on J1" and "SRVO-063 on J1", "Maya" and "Myra", "on" and "off", "is" and "is not"
-- stay apart, however alike they are.
create or replace function memos_private.plain_words(p_text text)
returns text[]
language sql
immutable
begin atomic
    select coalesce(array_agg(coalesce(nullif(ts_lexize('pg_catalog.english_stem', w.word), '{}'), array[w.word])
        order by w.place), '{}')
    from regexp_split_to_table(lower(p_text), '[^[:alnum:]]+') with ordinality as w (word, place)
    where w.word <> '' and w.word not in ('a', 'an', 'the');
end;
comment on function memos_private.plain_words is
    'The words of a text in order, as English stems them, without articles; stop words stay.';

create or replace function memos_private.known_memory(p_user_id uuid, p_content text)
returns uuid
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_words constant text[] := memos_private.plain_words(p_content);
    v_min constant real := memos_private.setting('scratchpad_duplicate_similarity');
    v_terms record;
    v_lane memos_private.lane;
begin
    select t.documents, t.length, t.lexemes, t.idf into v_terms
    from memos_private.query_terms(
        p_user_id, array_to_string(regexp_split_to_array(left(p_content, 10000), '[^[:alnum:]_/.+-]+'), ' ')
    ) as t;
    if v_terms.lexemes is null or v_terms.lexemes = '{}' then
        return null;
    end if;
    -- First, or the planner compares the text with all of the user's memories.
    v_lane := memos_private.lexical_candidates(
        p_user_id, v_terms.lexemes, v_terms.idf, v_terms.length, v_terms.documents, null, false, 20, null, null
    );
    return (
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (v_lane.memory_ids)
            and similarity(m.content, p_content) >= v_min
            and memos_private.plain_words(m.content) = v_words
            and (m.valid_until is null or m.valid_until > clock_timestamp())
        order by similarity(m.content, p_content) desc, m.memory_id
        limit 1
    );
end
$body$;
comment on function memos_private.known_memory is
    'The memory that says what p_content says in almost the same words, found among the 20 best by words; '
    'null when there is none. A cold memory is known only by its very words, when it is stored again.';

create or replace function memos_private.confirm_memory(
    p_user_id uuid, p_memory_id uuid, p_confidence real, p_reason text
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_old memos_private.memory;
    v_confidence real;
    v_now timestamptz;
begin
    perform memos_private.require_consent(p_user_id, 'storing');
    select * into v_old
    from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = p_memory_id
    for no key update;
    if not found then
        return;
    end if;
    -- As much of the doubt that was left goes as half of what the finding is sure of.
    v_confidence := 1 - (1 - v_old.confidence) * (1 - p_confidence / 2);
    if v_confidence <= v_old.confidence then
        return;
    end if;
    v_now := greatest(clock_timestamp(), v_old.recorded_at + interval '1 microsecond');
    perform memos_private.archive_memory(v_old, v_now, 'update', p_reason, null);
    update memos_private.memory as m
    set version = v_old.version + 1, confidence = v_confidence, recorded_at = v_now
    where m.user_id = p_user_id and m.memory_id = p_memory_id;
end
$body$;
comment on function memos_private.confirm_memory is
    'A new version of a memory that was found out again: more certain than before. Errors: MO451.';

create or replace function memos_private.promotable_entries(
    p_user_id uuid, p_scratchpad_id uuid, p_min_quality real
)
returns setof memos_private.scratchpad_entry
language sql
stable
begin atomic
    select e.user_id, e.scratchpad_id, e.entry_id, e.kind, e.type, e.content, e.agent, e.source,
        e.quality, e.status, e.uncertainty, e.basis, e.question_id, e.for_agent, e.criteria, e.gaps,
        e.input, e.output, e.error, e.duration, e.uses, e.metadata, e.added_at
    from memos_private.scratchpad_entry as e
    where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id
        and case e.kind
            when 'finding' then e.quality >= p_min_quality and e.status <> 'retracted'
                and not exists (
                    select from memos_private.scratchpad_contradiction as c
                    where c.user_id = p_user_id and c.scratchpad_id = p_scratchpad_id
                        and e.entry_id in (c.finding_1, c.finding_2) and c.resolved_at is null
                )
            when 'reasoning' then e.quality >= p_min_quality and e.uncertainty is null
            when 'observation' then e.quality >= p_min_quality and e.status = 'relevant'
            when 'example' then e.quality >= p_min_quality
            -- For the findings to point at; a question without an answer is not worth remembering.
            when 'question' then exists (
                select from memos_private.scratchpad_entry as f
                where f.user_id = p_user_id and f.scratchpad_id = p_scratchpad_id
                    and f.question_id = e.entry_id and f.quality >= p_min_quality
                    and f.status <> 'retracted'
            ) and e.status = 'answered'
            else false
        end
    order by e.entry_id;
end;
comment on function memos_private.promotable_entries is
    'The entries that become memories: findings that stand uncontested, reasoning without a doubt, '
    'relevant observations and examples, each from a quality on, and questions that they answer. Steps, '
    'notes, actions and values are about the work, not about the world.';

create or replace function memos_private.promote_scratchpad(p_scratchpad memos_private.scratchpad)
returns void
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_user_id constant uuid := p_scratchpad.user_id;
    v_scratchpad_id constant uuid := p_scratchpad.scratchpad_id;
    v_min_quality constant real := memos_private.setting('scratchpad_promotion_quality');
    v_now constant timestamptz := clock_timestamp();
    v_entry_ids uuid[];
    v_memories memos_private.memory_input[];
    v_confirmed record;
begin
    -- One after the other: the planner would search for every entry, twice, and then look at its quality.
    with good as materialized (
        select e.entry_id, e.content
        from memos_private.promotable_entries(v_user_id, v_scratchpad_id, v_min_quality) as e
        where e.kind in ('finding', 'reasoning')
    ),
    known as materialized (
        select g.entry_id, memos_private.known_memory(v_user_id, g.content) as memory_id from good as g
    )
    insert into memos_private.scratchpad_promotion (user_id, scratchpad_id, entry_id, memory_id, created)
    select v_user_id, v_scratchpad_id, k.entry_id, k.memory_id, false
    from known as k
    where k.memory_id is not null;

    select array_agg(e.entry_id order by e.place), array_agg(row(
            e.place, memos_private.new_memory_id(v_now + e.place * interval '1 microsecond'), e.text,
            memos_private.content_hash(e.text), memos_private.text_search_language(null),
            case when e.kind = 'question' then 'question' when e.kind = 'observation' then 'episodic'
                when e.kind = 'example' or e.type = 'procedure' then 'procedural' else 'semantic' end,
            array_remove(array['scratchpad', e.kind, case when e.kind <> 'example' then e.type end], null),
            jsonb_strip_nulls(jsonb_build_object(
                'scratchpad_id', v_scratchpad_id, 'entry_id', e.entry_id, 'agent', e.agent,
                'source', e.source, 'pattern', case when e.kind = 'example' then e.type end
            )),
            0.5, coalesce(e.quality, 1), 'balanced',
            case when e.type = 'user_input' then 'user'
                when e.kind = 'observation' or e.kind = 'finding' and e.source is not null then 'tool'
                else 'model' end,
            p_scratchpad.session_id, null, e.added_at, null, null, null, null
        )::memos_private.memory_input order by e.place)
    into v_entry_ids, v_memories
    from (
        select p.entry_id, p.kind, p.type, p.agent, p.source, p.quality, p.added_at,
            case when p.kind = 'example' then memos_private.example_text(p.content, p.output #>> '{}')
                else p.content end as text,
            (row_number() over (order by p.entry_id))::int as place
        from memos_private.promotable_entries(v_user_id, v_scratchpad_id, v_min_quality) as p
        where not exists (
            select from memos_private.scratchpad_promotion as k
            where k.user_id = v_user_id and k.scratchpad_id = v_scratchpad_id and k.entry_id = p.entry_id
        )
    ) as e;
    -- Some of these may still turn out to be there, word for word.
    insert into memos_private.scratchpad_promotion (user_id, scratchpad_id, entry_id, memory_id, created)
    select v_user_id, v_scratchpad_id, v_entry_ids[s.ordinal], s.memory_id, s.created
    from memos_private.store_memories(v_user_id, v_memories, null) as s
    where v_memories is not null;

    for v_confirmed in
        select p.memory_id, max(e.quality) as confidence
        from memos_private.scratchpad_promotion as p
        join memos_private.scratchpad_entry as e
            on e.user_id = p.user_id and e.scratchpad_id = p.scratchpad_id and e.entry_id = p.entry_id
        where p.user_id = v_user_id and p.scratchpad_id = v_scratchpad_id and e.kind <> 'question'
        group by p.memory_id
        having not bool_or(p.created)
        order by p.memory_id
    loop
        perform memos_private.confirm_memory(
            v_user_id, v_confirmed.memory_id, v_confirmed.confidence,
            'found out again: scratchpad ' || v_scratchpad_id
        );
    end loop;
    perform memos_private.link_promoted(v_user_id, v_scratchpad_id);
end
$body$;
comment on function memos_private.promote_scratchpad is
    'Makes memories of what is good enough on a scratchpad, confirms those that are there, links them, and '
    'notes down which entry became which. In the entered user''s context, with the scratchpad locked.';

-- offset 0, and by key only: what was promoted just now has no statistics yet, and the planner, who expects
-- one row, would go through all of it for each entry.
create or replace function memos_private.link_promoted(p_user_id uuid, p_scratchpad_id uuid)
returns void
language sql
volatile
set enable_seqscan = off
begin atomic
    with promoted as materialized (
        select p.memory_id, e.kind, e.quality, e.basis, e.question_id
        from memos_private.scratchpad_promotion as p
        cross join lateral (
            select k.kind, k.quality, k.basis, k.question_id
            from memos_private.scratchpad_entry as k
            where k.user_id = p_user_id and k.scratchpad_id = p_scratchpad_id and k.entry_id = p.entry_id
            offset 0
        ) as e
        where p.user_id = p_user_id and p.scratchpad_id = p_scratchpad_id
    )
    insert into memos_private.memory_link (user_id, from_id, to_id, type, weight, origin)
    select distinct on (l.from_id, l.to_id, l.type) p_user_id, l.from_id, l.to_id, l.type, l.weight,
        'caller'
    from (
        select case when b.kind = 'finding' then b.memory_id else e.memory_id end as from_id,
            case when b.kind = 'finding' then e.memory_id else b.memory_id end as to_id,
            case when b.kind = 'finding' then 'supports' else 'derived_from' end as type,
            least(e.quality, b.quality) as weight
        from promoted as e
        cross join lateral unnest(e.basis) as basis (entry_id)
        cross join lateral (
            select p.memory_id, k.kind, k.quality
            from memos_private.scratchpad_promotion as p
            join memos_private.scratchpad_entry as k
                on k.user_id = p_user_id and k.scratchpad_id = p_scratchpad_id and k.entry_id = p.entry_id
            where p.user_id = p_user_id and p.scratchpad_id = p_scratchpad_id
                and p.entry_id = basis.entry_id
            offset 0
        ) as b
        union all
        select f.memory_id, q.memory_id, 'answers', f.quality
        from promoted as f
        cross join lateral (
            select p.memory_id
            from memos_private.scratchpad_promotion as p
            where p.user_id = p_user_id and p.scratchpad_id = p_scratchpad_id
                and p.entry_id = f.question_id
            offset 0
        ) as q
    ) as l
    -- One that was deleted while it was being confirmed has no links.
    join memos_private.memory as f on f.user_id = p_user_id and f.memory_id = l.from_id
    join memos_private.memory as t on t.user_id = p_user_id and t.memory_id = l.to_id
    where l.from_id <> l.to_id
    order by l.from_id, l.to_id, l.type, l.weight desc
    on conflict (user_id, from_id, to_id, type) do nothing;
end;
comment on function memos_private.link_promoted is
    'Links the memories of a scratchpad: findings support the conclusions they are a premise of and answer '
    'their questions; other conclusions are derived from what they rest on.';

-- For whoever may act for the user already: the API, once it has checked, and maintenance.
create or replace function memos_private.end_scratchpad(
    p_user_id uuid, p_scratchpad_id uuid, p_status text, p_promote boolean, p_reason text
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_scratchpad memos_private.scratchpad;
begin
    perform set_config('memos.user_id', p_user_id::text, true);
    -- Before any row, as all writers do.
    perform memos_private.share_embedding_models();
    perform memos_private.share_contents(p_user_id);
    -- Writers hold a share of this lock until they commit, so what they wrote is seen below.
    select * into v_scratchpad
    from memos_private.scratchpad as s
    where s.user_id = p_user_id and s.scratchpad_id = p_scratchpad_id
    for update;
    if not found then
        perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    end if;
    if v_scratchpad.status <> 'open' and (v_scratchpad.promoted_at is not null or not p_promote) then
        return;
    end if;
    if p_promote then
        perform memos_private.promote_scratchpad(v_scratchpad);
    end if;
    update memos_private.scratchpad as s
    set status = case s.status when 'open' then p_status else s.status end,
        closed_at = coalesce(s.closed_at, clock_timestamp()),
        reason = coalesce(s.reason, p_reason),
        promoted_at = case when p_promote then clock_timestamp() end
    where s.user_id = p_user_id and s.scratchpad_id = p_scratchpad_id;
end
$body$;
comment on function memos_private.end_scratchpad is
    'Closes a scratchpad of any user, once, and promotes it, once. Raises MO404, MO400.';

create or replace function memos.close_scratchpad(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_promote       boolean default true,
    p_reason        text default null
)
returns table (memory_id uuid, entry_id uuid)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    if p_promote is null then
        perform memos_private.refuse_argument('p_promote', 'it is null', 'true or false');
    end if;
    perform memos_private.require_note_text('p_reason', p_reason, 65536, true);
    perform memos_private.end_scratchpad(p_user_id, p_scratchpad_id, 'completed', p_promote, p_reason);
    perform memos_private.audit(p_user_id, 'close_scratchpad', p_scratchpad_id || array(
        select p.memory_id
        from memos_private.scratchpad_promotion as p
        where p.user_id = p_user_id and p.scratchpad_id = p_scratchpad_id
        order by p.memory_id
    ));
    return query
    select p.memory_id, p.entry_id
    from memos_private.scratchpad_promotion as p
    where p.user_id = p_user_id and p.scratchpad_id = p_scratchpad_id
    order by p.entry_id;
end
$body$;
comment on function memos.close_scratchpad is
    'Closes a scratchpad and makes memories of what is good enough on it (setting '
    'scratchpad_promotion_quality): findings, reasoning, observations and examples, and the questions '
    'that were answered, linked by supports, derived_from and answers; the metadata of each names the '
    'scratchpad and the entry. A finding that is known already makes the memory that was there more '
    'certain. All in one transaction, and once: closing again, at the same time or after a crash, '
    'returns the same memories. Closed without p_promote, it can still be promoted until it goes '
    '(setting scratchpad_keep_days). Errors: MO001, MO400, MO403, MO404, MO429, MO451.';
