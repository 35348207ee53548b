create or replace function memos_private.ranked_contents(
    p_user_id uuid, p_ranked memos_private.candidate[], p_versions memos_private.version_key[]
)
returns table (
    place bigint, score double precision, memory_id uuid, version int, content text, kind text,
    tags text[], metadata jsonb, session_id text, "position" int, occurred_at timestamptz
)
language plpgsql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    if p_versions is null then
        return query
        select r.place, r.score, m.memory_id, m.version,
            memos_private.revealed_content(
                p_user_id, m.memory_id, m.content, (select memos_private.opened_key(p_user_id))
            ), m.kind, m.tags,
            memos_private.revealed_metadata(
                p_user_id, m.memory_id, m.content, m.metadata, (select memos_private.opened_key(p_user_id))
            ),
            m.session_id, m.position, m.occurred_at
        from unnest(p_ranked) with ordinality as r (
            memory_id, score, dense, lexical, context, session, graph, time, importance, recency, retention,
            place
        )
        join memos_private.memory as m on m.user_id = p_user_id and m.memory_id = r.memory_id;
    else
        return query
        select r.place, r.score, m.memory_id, m.version,
            memos_private.revealed_content(
                p_user_id, m.memory_id, m.content, (select memos_private.opened_key(p_user_id))
            ), m.kind, m.tags,
            memos_private.revealed_metadata(
                p_user_id, m.memory_id, m.content, m.metadata, (select memos_private.opened_key(p_user_id))
            ),
            m.session_id, m.position, m.occurred_at
        from unnest(p_ranked) with ordinality as r (
            memory_id, score, dense, lexical, context, session, graph, time, importance, recency, retention,
            place
        )
        join unnest(p_versions) as v using (memory_id)
        join memos_private.memory_version as m
            on m.user_id = p_user_id and m.memory_id = v.memory_id and m.version = v.version;
    end if;
end
$body$;
comment on function memos_private.ranked_contents is
    'Ranked memories with their content as it is now, or in those versions.';

create or replace function memos_private.fit_budget(
    p_user_id      uuid,
    p_ranked       memos_private.candidate[],
    p_versions     memos_private.version_key[],
    p_token_budget int,
    p_limit        int
)
returns memos_private.candidate[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_row record;
    v_left int := p_token_budget;
    v_fitting memos_private.candidate[] := '{}';
begin
    for v_row in
        select c.place, memos_private.estimate_tokens(c.content) as tokens
        from memos_private.ranked_contents(p_user_id, p_ranked, p_versions) as c
        order by c.place
    loop
        exit when cardinality(v_fitting) = p_limit;
        if v_row.tokens <= v_left then
            v_left := v_left - v_row.tokens;
            v_fitting := v_fitting || p_ranked[v_row.place];
        end if;
    end loop;
    return v_fitting;
end
$body$;
comment on function memos_private.fit_budget is
    'The best memories that fit: in order, whatever still fits the tokens that are left.';
