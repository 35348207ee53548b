-- What two texts differ in, and whether that matters. Likeness is not sameness: "20 mg" and "200 mg",
-- "does" and "does not", Anna and Hanna are neighbours in any space of vectors, and merging them would
-- invent a fact. So case at the beginning of a sentence, punctuation, spaces, articles and a few words
-- that only stress are the same; every other word, number or sign counts, and so does their order.
create or replace function memos_private.statement_tokens(p_text text)
returns text[]
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $body$
begin
    return array(
        select w.word
        from (
            select m.token[1] as raw, m.n,
                case
                    -- The first word of a sentence has its capital from there ("I" has it anyway).
                    when m.n = 1 or lag(m.token[1]) over (order by m.n) ~ '^[.!?\u2026\u3002]'
                        then lower(left(m.token[1], 1)) || substr(m.token[1], 2)
                    else m.token[1]
                end as word
            from regexp_matches(
                translate(
                    normalize(p_text, nfc), E'\u2019\u2018\u2212\u2010\u2011\u201c\u201d\u201e\u00ab\u00bb"()[]*_',
                    E'\'\'---           '
                ),
                -- Numbers with sign, point, comma, colon and slash; words with apostrophes; every other sign.
                E'(?:(?<![[:alnum:]])-)?[0-9]+(?:[.,:/-][0-9]+)*|[[:alpha:]]+(?:\'[[:alpha:]]+)*|[^[:space:]]',
                'g'
            ) with ordinality as m (token, n)
        ) as w
        where w.word !~ '^[.,;:!\u2013\u2014\u2026\u3001\u3002\uff01\uff0c''-]$'
            and w.word not in ('a', 'an', 'the', 'really', 'actually')
        order by w.n
    );
end
$body$;
comment on function memos_private.statement_tokens is
    'The words, numbers and signs of a text that its meaning may depend on, in order.';

create or replace function memos_private.statement_key(p_text text)
returns bytea
language sql
immutable
parallel safe
return sha256(convert_to(array_to_string(memos_private.statement_tokens(p_text), E'\x1f'), 'UTF8'));
comment on function memos_private.statement_key is
    'The same for two texts exactly when memos_private.differences has nothing to say about them.';

create or replace function memos_private.kind_of_token(p_token text)
returns text
language sql
immutable
parallel safe
return case
    when lower(p_token) in (
        'january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october',
        'november', 'december', 'jan', 'feb', 'mar', 'apr', 'jun', 'jul', 'aug', 'sep', 'sept', 'oct',
        'nov', 'dec', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday',
        'today', 'tomorrow', 'yesterday', 'tonight', 'morning', 'noon', 'afternoon', 'evening', 'night',
        'day', 'week', 'month', 'year', 'daily', 'weekly', 'monthly', 'yearly', 'last', 'next', 'ago',
        'before', 'after', 'since', 'until'
    ) or p_token ~ '^[0-9]+([:/.-][0-9]+){2}$' or p_token ~ '^[0-9]{1,2}:[0-9]{2}$' then 'date'
    when p_token ~ '[0-9]' or lower(p_token) in (
        'zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven',
        'twelve', 'twenty', 'thirty', 'forty', 'fifty', 'hundred', 'thousand', 'million', 'half',
        'quarter', 'dozen', 'once', 'twice', 'first', 'second', 'third', 'mg', 'mcg', 'g', 'kg', 'ml', 'l'
    ) or p_token ~ '^[%$€£¥<>=+]$' then 'number'
    when lower(p_token) in (
        'no', 'not', 'never', 'none', 'nobody', 'nothing', 'neither', 'nor', 'without', 'cannot', 'hardly',
        'stopped', 'stop', 'stops', 'quit', 'nicht', 'kein', 'keine', 'keinen', 'nie', 'ohne', 'ne', 'pas',
        'non', 'jamais', 'sans', 'nunca', 'sin', 'nao', 'não', 'sem', 'mai', 'senza', 'niet', 'geen'
    ) or lower(p_token) like '%n''t' then 'negation'
    when p_token <> lower(p_token) then 'name'
    else 'word'
end;
comment on function memos_private.kind_of_token is
    'What a difference in this word is: date, number, negation, name or word.';

create or replace function memos_private.differences(p_a text, p_b text)
returns text[]
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_a constant text[] := memos_private.statement_tokens(p_a);
    v_b constant text[] := memos_private.statement_tokens(p_b);
    v_kinds text[];
begin
    if v_a = v_b then
        return '{}';
    end if;
    v_kinds := array(
        select distinct memos_private.kind_of_token(d.token)
        from (
            (select unnest(v_a) as token except all select unnest(v_b))
            union all
            (select unnest(v_b) except all select unnest(v_a))
        ) as d
        order by 1
    );
    return case when v_kinds = '{}' then array['order'] else v_kinds end;
end
$body$;
comment on function memos_private.differences is
    'In what two texts differ that may change their meaning: date, name, negation, number, word, or only '
    'the order of words. Empty: they say the same, word for word.';

create or replace function memos_private.conflict(p_a text, p_b text)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_a constant text[] := memos_private.statement_tokens(p_a);
    v_b constant text[] := memos_private.statement_tokens(p_b);
    v_common constant double precision := (
        select count(*) from (select unnest(v_a) intersect select unnest(v_b)) as i
    )::double precision / (
        select greatest(count(*), 1) from (select unnest(v_a) union select unnest(v_b)) as u
    );
    v_differences constant text[] := memos_private.differences(p_a, p_b);
begin
    -- The one word in which two long texts differ may be the name or the drug.
    return v_differences <> '{}' and (
        v_common >= 0.6
        or v_common >= 0.4 and v_differences && array['number', 'date', 'negation', 'name', 'order']
    );
end
$body$;
comment on function memos_private.conflict is
    'Whether two texts have most of their words in common and differ in the others, or many and differ '
    'in a number, date, negation, name or the order of words: then one may be the other''s correction or '
    'contradiction.';
