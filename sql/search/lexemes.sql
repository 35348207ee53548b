create or replace function memos_private.lexemes(p_language regconfig, p_text text)
returns tsvector
language sql
immutable
parallel safe
return to_tsvector(p_language, p_text);
comment on function memos_private.lexemes is
    'The words of a text as its language stems them: the one place that decides what a lexeme is.';
