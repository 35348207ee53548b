create or replace function memos.get_note(p_user_id uuid, p_memory_id uuid)
returns table (
    memory_id uuid, version int, keywords text[], tags text[], context text, made_by text,
    made_at timestamptz
)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    return query
    select n.memory_id, n.version, n.keywords, n.tags, n.context, n.made_by, n.made_at
    from memos_private.memory_note as n
    where n.user_id = p_user_id and n.memory_id = p_memory_id;
    if not found and not exists (
        select from memos_private.memory_of_any_tier as m
        where m.user_id = p_user_id and m.memory_id = p_memory_id
    ) then
        perform memos_private.refuse_missing_memory(p_memory_id);
    end if;
    perform memos_private.audit_read(p_user_id, 'get_note', array[p_memory_id]);
end
$body$;
comment on function memos.get_note is
    'The note of a memory: keywords, tags, a line of context, and who made it (rules, caller, or the name '
    'of a language model) of which version. No row while it is not made. '
    'Errors: MO001, MO400, MO403, MO404.';

create or replace function memos.list_notes(
    p_user_id uuid,
    p_keyword text default null,
    p_tag     text default null,
    p_limit   int default 50,
    p_after   uuid default null
)
returns table (
    memory_id uuid, version int, keywords text[], tags text[], context text, made_by text,
    made_at timestamptz, content text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_ids uuid[] := '{}';
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_limit(p_limit);
    for memory_id, version, keywords, tags, context, made_by, made_at, content in
        select n.memory_id, n.version, n.keywords, n.tags, n.context, n.made_by, n.made_at, m.content
        from memos_private.memory_note as n
        join memos_private.memory as m on m.user_id = n.user_id and m.memory_id = n.memory_id
        where n.user_id = p_user_id
            and n.memory_id < coalesce(p_after, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            and (p_tag is null or p_tag = any (n.tags))
            and (p_keyword is null or exists (
                select from unnest(n.keywords) as k where lower(k) = lower(p_keyword)
            ))
        order by n.memory_id desc
        limit p_limit
    loop
        v_ids := v_ids || memory_id;
        return next;
    end loop;
    perform memos_private.audit_read(p_user_id, 'list_notes', v_ids);
end
$body$;
comment on function memos.list_notes is
    'A user''s notes, those of the newest memories first; with that keyword (in any case) and that tag. '
    'p_after: the last memory_id of the page before. Errors: MO001, MO400, MO403.';
