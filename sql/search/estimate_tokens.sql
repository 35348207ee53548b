create or replace function memos_private.estimate_tokens(p_text text)
returns int
language sql
immutable
parallel safe
return ceil(octet_length(p_text) / 4.0)::int;
comment on function memos_private.estimate_tokens is
    'Tokens of a text, estimated: a quarter of its bytes of UTF-8, which is about right for English '
    'and generous for scripts of several bytes a letter.';
