create or replace function memos_private.query_lexemes(p_user_id uuid, p_query text)
returns table (documents double precision, length double precision, lexemes text[])
language plpgsql
stable
rows 1
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    return query
    select sum(c.documents)::double precision,
        (sum(c.tokens) / nullif(sum(c.documents), 0))::double precision,
        (
            select array_agg(distinct l.lexeme)
            from unnest(array_agg(distinct c.language)) as g (language)
            cross join lateral memos_private.lexemes(g.language, p_query) as l
        )
    from memos_private.corpus as c
    where c.user_id = p_user_id;
end
$body$;
comment on function memos_private.query_lexemes is
    'What a word search needs first: number and mean length of a user''s memories, and the lexemes of '
    'the query in every language they are in (null when it has none).';
