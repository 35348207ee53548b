-- The one place that decides what a lexeme is. Plain SQL, to become part of its caller's plan.
create or replace function memos_private.text_lexemes(p_language regconfig, p_text text)
returns tsvector
language sql
immutable
parallel safe
return to_tsvector(p_language, p_text);
comment on function memos_private.text_lexemes is
    'The words of a text as its language stems them. At most 50,000 characters: see lexemes.';

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
    where length(p_text) > 50000
    group by t.lexeme;
end;
comment on function memos_private.lexemes is
    'The lexemes of a text of any length, and how often each occurs.';
