-- format() makes text of null, too, so that coalesce around it never sees one.
create or replace function memos_private.it_is(p_value anyelement)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return case
        when p_value is null then 'it is null'
        when pg_typeof(p_value) = 'text'::regtype then format('it is "%s"', left(p_value::text, 200))
        else 'it is ' || left(p_value::text, 200)
    end;
end
$body$;
comment on function memos_private.it_is is
    'What is wrong with an argument, for memos_private.refuse_argument: the beginning of its value.';
