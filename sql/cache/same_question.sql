-- Embedding models put "open the valve" beside "close the valve" and "20 mg" beside "200 mg". What they
-- overlook is looked at here: numbers and units, dates, negation, names, quotations, opposites, order.
create or replace function memos_private.question_facts(p_text text)
returns memos_private.question_facts
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_text constant text := translate(normalize(p_text, nfkc), '’‘`“”„«»', '''''''""""""');
    v_plain text := regexp_replace(
        regexp_replace(lower(v_text), '\mcannot\M', 'can not', 'g'), 'n''t\M', ' not', 'g'
    );
    v_facts memos_private.question_facts;
begin
    -- What is said to the one who answers is no part of the question.
    v_plain := regexp_replace(
        v_plain,
        '^\W*(please\W+)?((can|could|would|will) you\W+(please\W+)?)?'
            || '(tell|show|explain|describe|help|give|teach)\M(\W+(to\W+)?(me|us)\M)?',
        ''
    );
    v_plain := regexp_replace(v_plain, '(^|[\s(])[-−](\d)', '\1minus \2', 'g');
    v_facts.words := array(
        select m.found[1]
        from regexp_matches(
            regexp_replace(v_plain, '''s?\M', '', 'g'), '([[:alpha:]]+|\d+)', 'g'
        ) with ordinality as m (found, place)
        order by m.place
    );
    v_facts.content := array(
        select distinct coalesce(same.meaning, s.stem)
        from unnest(v_facts.words) as u (word)
        cross join lateral unnest(ts_lexize('pg_catalog.english_stem', u.word)) as s (stem)
        left join memos_private.question_word as same
            on same.kind = 'synonym' and same.word in (u.word, s.stem)
        where u.word ~ '..' and u.word !~ '\d' and not exists (
            select from memos_private.question_word as w
            where w.word = u.word and w.kind in ('opener', 'negation', 'number', 'unit')
        )
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
            and not exists (
                select from memos_private.question_word as w
                where w.word = lower(m.found[2]) and case length(m.found[2])
                    when 1 then w.word in ('i', 'a') and (w.word = 'i' or m.found[1] = '')
                    else w.kind <> 'opener' or m.found[1] = '' or m.found[1] ~ '[.?!:]' end
            )
        order by m.place
    );
    -- In the order in which they come: "show what is hidden" is not "hide what is shown".
    v_facts.sides := array(
        select w.kind || ':' || w.meaning
        from unnest(v_facts.words) with ordinality as u (word, place)
        join memos_private.question_word as w
            on w.word in (u.word, (ts_lexize('pg_catalog.english_stem', u.word))[1])
        where w.kind not in ('number', 'unit', 'opener', 'negation', 'synonym')
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
        and (p_one.names = p_other.names or not (p_one.names @> p_other.names and p_one.names <@ p_other.names))
        -- The same words in another order: who owes whom.
        and not (p_one.words @> p_other.words and p_one.words <@ p_other.words
            and cardinality(p_one.words) = cardinality(p_other.words) and p_one.words <> p_other.words)
        -- One may say more, but neither may have put another thing in the place of one of the other's: no
        -- list of opposites is ever complete.
        and (p_one.content <@ p_other.content or p_other.content <@ p_one.content)
        and not memos_private.opposed(p_one.sides, p_other.sides)
        and not memos_private.opposed_by_prefix(p_one.words, p_other.words);
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

create or replace function memos_private.opposed_by_prefix(p_one text[], p_other text[])
returns boolean
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    return (with pair (one, other) as (
        values ('', 'un'), ('', 'dis'), ('', 'in'), ('', 'im'), ('', 'il'), ('', 'ir'), ('', 'non'), ('', 'de'),
            ('', 'mis'), ('', 'anti'), ('hyper', 'hypo'), ('over', 'under'), ('pre', 'post'), ('in', 'out'),
            ('up', 'down'), ('in', 'ex'), ('im', 'ex'), ('maxi', 'mini'), ('macro', 'micro'), ('inter', 'intra'),
            ('pro', 'anti'), ('ante', 'post'), ('multi', 'single'), ('en', 'de'), ('as', 'de'), ('in', 'de'),
            ('con', 'dis'), ('out', 'up')
    )
    select exists (
        select
        from unnest(p_one) as a (word)
        cross join unnest(p_other) as b (word)
        join pair as p
            on starts_with(a.word, p.one) and starts_with(b.word, p.other)
                and substr(a.word, length(p.one) + 1) = substr(b.word, length(p.other) + 1)
            or starts_with(a.word, p.other) and starts_with(b.word, p.one)
                and substr(a.word, length(p.other) + 1) = substr(b.word, length(p.one) + 1)
        where length(a.word) > 3 and length(b.word) > 3 and a.word <> b.word and a.word <> all (p_other) and b.word <> all (p_one)
    ));
end
$body$;
comment on function memos_private.opposed_by_prefix is
    'Whether one question has a word and the other its opposite: safe and unsafe, hyper- and hypotension.';
