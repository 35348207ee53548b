create or replace function memos_private.recorded_hits(
    p_user_id uuid, p_search_id uuid, p_explain boolean
)
returns table (
    rank int, memory_id uuid, version int, content text, score double precision, kind text,
    tags text[], metadata jsonb, session_id text, "position" int, occurred_at timestamptz,
    explanation jsonb, search_id uuid
)
language plpgsql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    return query
    select h.rank, h.memory_id, h.version,
        memos_private.revealed_content(
            p_user_id, v.memory_id, v.content, (select memos_private.opened_key(p_user_id))
        ), h.score, v.kind, v.tags,
        memos_private.revealed_metadata(
            p_user_id, v.memory_id, v.content, v.metadata, (select memos_private.opened_key(p_user_id))
        ), v.session_id,
        v.position, v.occurred_at, case when p_explain then h.explanation end, h.search_id
    from memos_private.search_hit as h
    join memos_private.memory_version as v
        on v.user_id = p_user_id and v.memory_id = h.memory_id and v.version = h.version
    where h.user_id = p_user_id and h.search_id = p_search_id
    order by h.rank;
end
$body$;
comment on function memos_private.recorded_hits is
    'What a recorded search found, with the text each version had.';

create or replace function memos.replay_search(p_user_id uuid, p_search_id uuid)
returns table (
    rank int, memory_id uuid, version int, content text, score double precision, kind text,
    tags text[], metadata jsonb, session_id text, "position" int, occurred_at timestamptz,
    explanation jsonb, search_id uuid
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_explain boolean;
    v_ids uuid[] := '{}';
begin
    perform memos_private.enter_user_context(p_user_id);
    select (r.settings -> 'explain')::boolean into v_explain
    from memos_private.search_record as r
    where r.user_id = p_user_id and r.search_id = p_search_id;
    if not found then
        raise exception 'recorded search not found'
            using errcode = memos_private.audit_failure('MO404'),
                detail = format('the user has no recorded search %s', p_search_id),
                hint = 'search with p_record => true and keep the search_id of its rows';
    end if;
    for rank, memory_id, version, content, score, kind, tags, metadata, session_id, "position", occurred_at,
        explanation, search_id in
        select h.* from memos_private.recorded_hits(p_user_id, p_search_id, v_explain) as h
    loop
        v_ids := v_ids || memory_id;
        return next;
    end loop;
    perform memos_private.audit_read(p_user_id, 'replay_search', v_ids);
end
$body$;
comment on function memos.replay_search is
    'The rows a recorded search gave, in their order and with the text they had then, whatever was '
    'updated or deleted since. Errors: MO001, MO400, MO403, MO404.';
