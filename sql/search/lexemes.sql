-- A code ("SRVO-062", "A06B-6117-H204", "+49 170 1234567") is written with signs or without, while the
-- parser makes of it a word and a negative number. So its parts count as words of their own, and once
-- more as one word without signs: 'srvo', '062', 'srvo062'. Words with a slash between are parted too.
create or replace function memos_private.has_code(p_text text)
returns boolean
language sql
immutable
parallel safe
return p_text
    ~ '[-\u2010\u2011+_/][0-9]|[0-9][-\u2010\u2011_/][[:alpha:]]|[0-9] [0-9]|[[:alpha:]]/[[:alpha:]]';
comment on function memos_private.has_code is
    'Whether a text has something to take apart: the one question that every text is asked.';

create or replace function memos_private.part_codes(p_text text)
returns text
language sql
immutable
parallel safe
return regexp_replace(
    p_text,
    '[-\u2010\u2011+_/](?=[0-9])|(?<=[0-9])[-\u2010\u2011_/](?=[[:alpha:]])|(?<=[[:alpha:]])/(?=[[:alpha:]])',
    ' ', 'g'
);
comment on function memos_private.part_codes is 'A text with blanks for the signs inside of codes.';

create or replace function memos_private.is_code(p_word text)
returns boolean
language sql
immutable
parallel safe
return p_word ~ '[0-9]' and length(p_word) <= 64 and (p_word ~ '[[:alpha:]]' or length(p_word) >= 6);
comment on function memos_private.is_code is
    'Whether joined parts are worth a lexeme: letters with digits, or digits that are a date or number of '
    'something ("2023-05-08"), not a score or a range ("30-60"). At most 64 characters.';

create or replace function memos_private.spell_codes(p_text text)
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $body$
begin
    return memos_private.part_codes(p_text) || coalesce((
        select string_agg(E'\n' || j.word, '')
        from regexp_matches(
            p_text, '[[:alnum:]]+(?:[-\u2010\u2011_/][[:alnum:]]+)+|[0-9]+(?: [0-9]+)+', 'g'
        ) as m (code)
        cross join lateral regexp_replace(m.code[1], '[^[:alnum:]]', '', 'g') as j (word)
        where memos_private.is_code(j.word)
    ), '');
end
$body$;
comment on function memos_private.spell_codes is
    'A text with its codes parted, followed by each of them as one word.';

-- The one place that decides what a lexeme is. Plain SQL, to become part of its caller's plan.
create or replace function memos_private.text_lexemes(p_language regconfig, p_text text)
returns tsvector
language sql
immutable
parallel safe
return to_tsvector(
    p_language,
    case when memos_private.is_sealed(p_text) then ''
        when memos_private.has_code(p_text) then memos_private.spell_codes(p_text) else p_text end
);
comment on function memos_private.text_lexemes is
    'The words of a text as its language stems them, and its codes. At most 50,000 characters: see '
    'lexemes.';

-- A tsvector counts a lexeme up to 255 times and holds a megabyte: a long text is taken apart in pieces.
create or replace function memos_private.lexemes(p_language regconfig, p_text text)
returns table (lexeme text, frequency int)
language sql
immutable
parallel safe
begin atomic
    select t.lexeme collate "C", cardinality(t.positions)
    from unnest(
        memos_private.text_lexemes(p_language, case when length(p_text) <= 50000 then p_text end)
    ) as t
    union all
    select t.lexeme collate "C", sum(cardinality(t.positions))::int
    from generate_series(1, length(p_text), 50000) as piece (start)
    cross join lateral unnest(
        memos_private.text_lexemes(p_language, substr(p_text, piece.start, 50000))
    ) as t
    where length(p_text) > 50000 and not memos_private.is_sealed(p_text)
    group by t.lexeme;
end;
comment on function memos_private.lexemes is
    'The lexemes of a text of any length, and how often each occurs; an encrypted one has none.';
