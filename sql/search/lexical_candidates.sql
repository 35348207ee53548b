create or replace function memos_private.lexical_candidates(
    p_user_id   uuid,
    p_lexemes   text[],
    p_idf       double precision[],
    p_length    double precision,
    p_documents double precision,
    p_scope     memos_private.version_key[],
    p_as_of     boolean,
    p_depth     int,
    p_terms     int[],
    p_required  uuid[]
)
returns memos_private.lane
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_k1 double precision;
    v_b double precision;
    v_lane memos_private.lane;
    v_sum double precision;
    v_sum_of_squares double precision;
begin
    select max(s.value) filter (where s.name = 'bm25_k1'), max(s.value) filter (where s.name = 'bm25_b')
    into v_k1, v_b
    from memos_private.setting as s;
    with scored as materialized (
        select l.memory_id, l.score
        from memos_private.lexical_lane(
            p_user_id, p_lexemes, p_idf, p_length, v_k1, v_b, p_scope, p_as_of, p_terms
        ) as l
        where p_required is null or l.memory_id = any (p_required)
    )
    select coalesce(b.memory_ids, '{}'), coalesce(b.scores, '{}'), a.sum, a.sum_of_squares
    into v_lane.memory_ids, v_lane.scores, v_sum, v_sum_of_squares
    from (
        select coalesce(sum(s.score), 0) as sum, coalesce(sum(s.score * s.score), 0) as sum_of_squares
        from scored as s
    ) as a
    cross join (
        select array_agg(t.memory_id) as memory_ids, array_agg(t.score) as scores
        from (
            select s.memory_id, s.score from scored as s order by s.score desc, s.memory_id limit p_depth
        ) as t
    ) as b;
    v_lane.mean := v_sum / p_documents;
    v_lane.deviation := nullif(sqrt(greatest(v_sum_of_squares / p_documents - v_lane.mean ^ 2, 0)), 0);
    v_lane.path := 'postings';
    return v_lane;
end
$body$;
comment on function memos_private.lexical_candidates is
    'The p_depth best memories by BM25, with mean and deviation over all p_documents: a memory without any '
    'of the words has 0. p_required: only these (null: any). Other arguments as of '
    'memos_private.lexical_lane.';
