create or replace function memos_private.query_terms(p_user_id uuid, p_query text)
returns table (documents double precision, length double precision, lexemes text[], idf double precision[])
language plpgsql
stable
rows 1
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
#variable_conflict use_column
declare
    v_languages regconfig[];
begin
    select sum(c.documents), sum(c.tokens) / nullif(sum(c.documents), 0), array_agg(distinct c.language)
    into documents, length, v_languages
    from memos_private.corpus as c
    where c.user_id = p_user_id;
    select array_agg(t.lexeme), array_agg(memos_private.bm25_idf(documents, (
            select coalesce(sum(cardinality(p.memory_ids)), 0)
            from memos_private.posting as p
            where p.user_id = p_user_id and p.lexeme = t.lexeme collate "C"
        )))
    into lexemes, idf
    from (
        select distinct l.lexeme
        from unnest(v_languages) as g (language)
        cross join lateral memos_private.lexemes(g.language, p_query) as l
    ) as t;
    return next;
end
$body$;
comment on function memos_private.query_terms is
    'What a word search needs first: number and mean length of a user''s memories, the lexemes of the '
    'query in every language they are in (null when it has none), and how rare each is.';

create or replace function memos_private.query_terms_as_of(
    p_user_id uuid, p_query text, p_scope memos_private.version_key[]
)
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return (
        select array_agg(distinct l.lexeme)
        from (
            select distinct v.language
            from unnest(p_scope) as s
            join memos_private.memory_version as v
                on v.user_id = p_user_id and v.memory_id = s.memory_id and v.version = s.version
        ) as g
        cross join lateral memos_private.lexemes(g.language, p_query) as l
    );
end
$body$;
comment on function memos_private.query_terms_as_of is
    'The lexemes of a query in every language of those versions; null when it has none.';
