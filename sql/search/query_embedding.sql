create or replace function memos_private.query_embedding(
    p_model memos_private.embedding_model, p_query text
)
returns public.halfvec
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_model.provider is distinct from 'hash' or coalesce(p_query, '') !~ '\S'
        or to_regprocedure('memos_private.hash_embedding(text[], integer)') is null
    then
        return null;
    end if;
    return (memos_private.call_provider(p_model, array[p_query]))[1];
end
$body$;
comment on function memos_private.query_embedding is
    'The vector of a query where the database can make it without leaving the statement; else null.';
