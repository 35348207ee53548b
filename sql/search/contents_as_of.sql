create or replace function memos_private.contents_as_of(
    p_user_id uuid, p_versions memos_private.version_key[]
)
returns setof memos_private.memory_version
language plpgsql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $body$
begin
    return query
    select m.*
    from unnest(p_versions) as v
    join memos_private.memory_version as m
        on m.user_id = p_user_id and m.memory_id = v.memory_id and m.version = v.version;
end
$body$;
comment on function memos_private.contents_as_of is
    'Those versions, current or superseded. Apart from the search statement, which would otherwise open '
    'every partition of the history only to find that it needs none.';
