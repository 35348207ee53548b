-- Inflections only: a real stemmer makes one word of "university" and "universe", "import" and "important".
create or replace function memos_private.word_root(p_word text)
returns text
language sql
immutable
return regexp_replace(regexp_replace(
    case
        when length(p_word) < 4 then p_word
        when p_word ~ '(ss|us|is)$' then p_word
        when p_word ~ 'ie[sd]$' then left(p_word, -3) || 'y'
        when p_word ~ '..[aeiouy].*ing$' or p_word ~ '[aeiouy].*.ing$' then left(p_word, -3)
        when p_word ~ '[aeiouy].*ed$' then left(p_word, -2)
        when p_word ~ '[^s]s$' then left(p_word, -1)
        else p_word
    end,
    '([^aeiouy])e?$', '\1'), '([b-df-hj-np-tv-z])\1$', '\1');
comment on function memos_private.word_root is
    'The same for a word and its inflections (boil, boils, boiled, boiling), and for hardly any others.';

create or replace function memos_private.question_facts(p_text text)
returns memos_private.question_facts
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_text constant text := translate(normalize(p_text, nfkc), '’‘`“”„«»', '''''''""""""');
    v_plain text := lower(v_text);
    v_wording record;
    v_facts memos_private.question_facts;
begin
    for v_wording in
        select w.pattern, w.plain
        from (values
            ('can(not|''t)\M', 'can not'), ('won''t\M', 'will not'), ('n''t\M', ' not'),
            -- What is said to the one who answers is no part of the question.
            ('^\W*(please\W+)?((can|could|would|will) you\W+(please\W+)?)?'
                '(tell|show|explain|describe|help|give|teach|summari[sz]e)\M(\W+(to\W+)?(me|us)\M)?', ''),
            -- "how tall" is a height, "how do I" a procedure.
            ('\mhow (?!(do|does|did|can|could|should|would|might|must|is|are|was|were|will|has|have|had|to|i|you|'
                'we|he|she|they|a|an|the)\M)', ''),
            ('\mwhat(''s| is| are)( the)?( best| right)? (way|ways|procedure|method|steps)( of| for| to)\M',
                'how'),
            ('\mwhat (can|could|should) (i|you|we|one) do (to|about)\M', 'how'),
            ('\m(how|where|when) (can|could|should|would|might)\M', '\1 do'),
            ('\mwhere do i go to\M', 'where do i'),
            ('\mhow (to|do (i|you|we|people|one))\M', 'how'),
            ('\mis it possible( for me)? to\M', 'can i'),
            ('\mwhat is the reason( that| why| for)?\M', 'why'),
            ('(\mat )?\m(what|which) time\M', 'when')
        ) as w (pattern, plain)
    loop
        v_plain := regexp_replace(v_plain, v_wording.pattern, v_wording.plain, 'g');
    end loop;
    v_plain := regexp_replace(v_plain, '(^|[\s(])[-−](\d)', '\1minus \2', 'g');
    -- Signs, too: C and C++, 3 + 4 and 3 - 4.
    v_facts.words := array(
        select m.found[1]
        from regexp_matches(
            regexp_replace(v_plain, '''s?\M', '', 'g'),
            '([[:alpha:]]+|\d+|[^[:alnum:][:space:]?.,!;:''"()-]+|(?<=\s)-(?=\s)|(?<!\S)\.(?=[[:alpha:]]))', 'g'
        ) with ordinality as m (found, place)
        order by m.place
    );
    -- In the order in which they come: who calls whom.
    v_facts.content := array(
        select c.content
        from (
            select u.place, coalesce(
                (
                    select w.meaning
                    from memos_private.question_word as w
                    where w.kind in ('synonym', 'unit') and w.word in (u.word, r.root)
                    order by w.kind, w.word <> u.word
                    limit 1
                ), r.root) as content
            from unnest(v_facts.words) with ordinality as u (word, place)
            cross join lateral (select memos_private.word_root(u.word) as root) as r
            where u.word !~ '\d' and not exists (
                select from memos_private.question_word as w
                where w.word = u.word and w.kind in ('filler', 'negation', 'number')
            )
        ) as c
        group by c.content
        order by min(c.place)
    );
    -- 1,000 is 1000, 2.50 is 2.5, "20 mg" is one thing and "20" another.
    v_facts.numbers := array(
        select coalesce(
            number.meaning,
            regexp_replace(
                regexp_replace(t.token, ',(\d{3})(?!\d)', '\1', 'g'), '(\.\d*?)0+$|\.$', '\1'
            )
        ) || coalesce(' ' || unit.meaning, '')
        from (
            select m.found[1] as token, lead(m.found[1]) over (order by m.place) as next_token, m.place
            from regexp_matches(
                v_plain, '([$€£]?\d+(?:[.,:/-]\d+)*|[[:alpha:]µ]+|%)', 'g'
            ) with ordinality as m (found, place)
        ) as t
        left join memos_private.question_word as number on number.kind = 'number' and number.word = t.token
        left join memos_private.question_word as unit on unit.kind = 'unit' and unit.word = t.next_token
        where number.word is not null or t.token ~ '\d'
        order by t.place
    );
    v_facts.quotes := array(
        select lower(m.found[1])
        from regexp_matches(v_text, '"([^"]+)"', 'g') as m (found)
        order by 1
    );
    -- Capital letters within a sentence, or at its beginning in a word that begins none by itself; codes.
    v_facts.names := array(
        select regexp_replace(lower(m.found[2]), '''s?$', '')
        from regexp_matches(
            v_text, '(^|[.?!:]\s+|[\s(/"''-])([[:alnum:]][[:alnum:]_''.-]*[[:alnum:]]|[[:upper:]])', 'g'
        ) with ordinality as m (found, place)
        where (
            m.found[2] ~ '^[[:upper:]]'
            or m.found[2] ~ '[[:alpha:]]' and m.found[2] ~ '\d' and m.found[2] !~ '^\d+([.,]\d+)*[[:alpha:]]+$'
        )
            and (m.found[2] ~ '^[[:upper:]]{2,}$' and v_text ~ '[[:lower:]]' or not exists (
                select from memos_private.question_word as w
                where w.word = lower(m.found[2]) and case length(m.found[2])
                    when 1 then w.word in ('i', 'a') and (w.word = 'i' or m.found[1] = '')
                    else w.kind <> 'opener' or m.found[1] = '' or m.found[1] ~ '[.?!:]' end
            ))
        order by m.place
    );
    -- In the order in which they come: "show what is hidden" is not "hide what is shown".
    v_facts.sides := array(
        select w.kind || ':' || w.meaning
        from unnest(v_facts.words) with ordinality as u (word, place)
        join memos_private.question_word as w
            on w.word in (u.word, (ts_lexize('pg_catalog.english_stem', u.word))[1])
        where w.kind not in ('number', 'unit', 'opener', 'negation', 'synonym', 'filler')
        group by w.kind, w.meaning
        order by min(u.place), w.kind, w.meaning
    );
    v_facts.negated := (
        select count(*) % 2 = 1
        from unnest(v_facts.words) as u (word)
        join memos_private.question_word as w on w.word = u.word and w.kind = 'negation'
    );
    return v_facts;
end
$body$;
comment on function memos_private.question_facts is
    'What a question is about, for facts_agree to compare; not its wording.';

create or replace function memos_private.facts_agree(
    p_one memos_private.question_facts, p_other memos_private.question_facts
)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    if p_one.words = p_other.words and p_one.names = p_other.names then
        return p_one.numbers = p_other.numbers and p_one.quotes = p_other.quotes
            and p_one.negated = p_other.negated;
    end if;
    return p_one.numbers = p_other.numbers
        and p_one.quotes = p_other.quotes
        and p_one.negated = p_other.negated
        -- A name may be written small in the other, but has to be there.
        and not memos_private.lacks_a_name(p_one, p_other)
        and not memos_private.lacks_a_name(p_other, p_one)
        -- No list of opposites is ever complete: neither may say a thing that the other does not, nor the
        -- same things in another order, which only in two words without a name means nothing.
        and (
            p_one.content = p_other.content
            or p_one.content @> p_other.content and p_one.content <@ p_other.content and p_one.names = '{}'
                and cardinality(p_one.content) - (p_one.content && '{how,why,when,where}')::int <= 2
        )
        and not memos_private.opposed(p_one.sides, p_other.sides);
end
$body$;
comment on function memos_private.facts_agree is
    'Whether the answer to one question may answer the other, given that their vectors are alike. False '
    'where in doubt: a missed hit costs a search, a false one a wrong answer.';

create or replace function memos_private.lacks_a_name(
    p_one memos_private.question_facts, p_other memos_private.question_facts
)
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    return exists (
        select from unnest(p_other.names) as n (name)
        where n.name <> all (p_one.names)
            and not regexp_split_to_array(n.name, '[^[:alnum:]]+') <@ p_one.words
    );
end
$body$;
comment on function memos_private.lacks_a_name is 'Whether the first question lacks a name of the other.';

create or replace function memos_private.opposed(p_one text[], p_other text[])
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    return exists (
        select
        from (
            select split_part(s.side, ':', 1) as axis, array_agg(s.side order by s.place) as sides
            from unnest(p_one) with ordinality as s (side, place) group by 1
        ) as a
        full join (
            select split_part(s.side, ':', 1) as axis, array_agg(s.side order by s.place) as sides
            from unnest(p_other) with ordinality as s (side, place) group by 1
        ) as b on b.axis = a.axis
        where a.sides <> b.sides
            or coalesce(a.axis, b.axis) like '=%' and (a.sides is null or b.sides is null)
    );
end
$body$;
comment on function memos_private.opposed is
    'Whether two questions stand on different sides of an axis.';
