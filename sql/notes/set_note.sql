create or replace function memos_private.require_note(p_keywords text[], p_tags text[], p_context text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_list record;
begin
    for v_list in
        select * from (values ('p_keywords', p_keywords), ('p_tags', p_tags)) as l (argument, texts)
    loop
        if v_list.texts is null or cardinality(v_list.texts) > 64 or array_ndims(v_list.texts) > 1 or exists (
            select from unnest(v_list.texts) as t where t is null or t !~ '\S' or length(t) > 256
        ) then
            perform memos_private.refuse_argument(
                v_list.argument, 'it is null or too long, or one of it is null, blank or too long',
                'an array of at most 64 texts, each of 1 to 256 characters'
            );
        end if;
    end loop;
    if p_context is null or length(p_context) > 2000 then
        perform memos_private.refuse_argument(
            'p_context',
            case when p_context is null then 'it is null' else format('it has %s characters', length(p_context)) end,
            'at most 2000 characters'
        );
    end if;
end
$body$;
comment on function memos_private.require_note is 'Raises MO400 for what cannot be a note.';

create or replace function memos.set_note(
    p_user_id   uuid,
    p_memory_id uuid,
    p_keywords  text[],
    p_tags      text[] default '{}',
    p_context   text default ''
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_version int;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'set_note', array[p_memory_id]);
    perform memos_private.require_consent(p_user_id, 'deriving');
    perform memos_private.require_note(p_keywords, p_tags, p_context);
    perform memos_private.share_embedding_models();
    perform memos_private.share_contents(p_user_id);
    perform memos_private.recall_memories(p_user_id, array[p_memory_id]);
    select m.version into v_version
    from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = p_memory_id
    for key share;
    if not found then
        perform memos_private.refuse_missing_memory(p_memory_id);
    end if;
    insert into memos_private.memory_note (user_id, memory_id, version, keywords, tags, context, made_by)
    values (p_user_id, p_memory_id, v_version, p_keywords, p_tags, p_context, 'caller')
    on conflict (user_id, memory_id) do update
    set version = excluded.version, keywords = excluded.keywords, tags = excluded.tags,
        context = excluded.context, made_by = excluded.made_by, made_at = excluded.made_at, evolved = false;
    delete from memos_private.note_queue as q where q.user_id = p_user_id and q.memory_id = p_memory_id;
end
$body$;
comment on function memos.set_note is
    'Says what a memory is about, in place of what rules or a model made of it; it stands until the '
    'memory''s content changes. Errors: MO001, MO400, MO403, MO404, MO451.';

create or replace function memos.make_note(p_user_id uuid, p_memory_id uuid)
returns table (keywords text[], tags text[], context text)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_memory jsonb;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'make_note', array[p_memory_id]);
    perform memos_private.require_consent(p_user_id, 'deriving');
    if not memos_private.can_make_notes('rules') then
        raise exception 'this server cannot make notes'
            using errcode = 'feature_not_supported', detail = 'it needs the language plpython3u',
                hint = 'say what the memory is about with memos.set_note';
    end if;
    perform memos_private.recall_memories(p_user_id, array[p_memory_id]);
    select jsonb_build_array(memos_private.note_input(m)) into v_memory
    from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = p_memory_id;
    if not found then
        perform memos_private.refuse_missing_memory(p_memory_id);
    elsif memos_private.is_sealed(v_memory #>> '{0,content}') then
        perform memos_private.refuse_sealed_note(p_memory_id);
    end if;
    perform memos_private.store_notes(
        p_user_id, v_memory, memos_private.make_rules_notes(p_user_id, v_memory), 'rules'
    );
    return query
    select n.keywords, n.tags, n.context
    from memos_private.memory_note as n
    where n.user_id = p_user_id and n.memory_id = p_memory_id;
end
$body$;
comment on function memos.make_note is
    'Makes the note of a memory by statistics and rules now instead of at the next maintenance, and '
    'returns it (a caller''s note of this text stands). Errors: MO001, MO400, MO403, MO404, MO451, 0A000.';
