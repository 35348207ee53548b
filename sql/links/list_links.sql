create or replace function memos.list_links(p_user_id uuid, p_memory_id uuid)
returns table (
    memory_id uuid, direction text, type text, weight real, origin text, created_at timestamptz,
    content text
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    return query
    select m.memory_id, l.direction, l.type, l.weight, l.origin, l.created_at, m.content
    from (
        select f.to_id as other_id, case when memos_private.is_symmetric(f.type) then 'both' else 'to' end
                as direction, f.type, f.weight, f.origin, f.created_at
        from memos_private.link_of_any_tier as f
        where f.user_id = p_user_id and f.from_id = p_memory_id
        union all
        select t.from_id, case when memos_private.is_symmetric(t.type) then 'both' else 'from' end,
            t.type, t.weight, t.origin, t.created_at
        from memos_private.link_of_any_tier as t
        where t.user_id = p_user_id and t.to_id = p_memory_id
    ) as l
    join memos_private.memory_of_any_tier as m on m.user_id = p_user_id and m.memory_id = l.other_id
    order by l.weight desc, m.memory_id, l.type, l.direction;
    if not found and not exists (
        select from memos_private.memory_of_any_tier as m where m.user_id = p_user_id and m.memory_id = p_memory_id
    ) then
        perform memos_private.refuse_missing_memory(p_memory_id);
    end if;
    perform memos_private.audit_read(p_user_id, 'list_links', array[p_memory_id]);
end
$body$;
comment on function memos.list_links is
    'The links of a memory, strongest first, each with the memory at its other end. direction: the link '
    'leads to that memory, from it, or both. Errors: MO001, MO400, MO403, MO404.';
