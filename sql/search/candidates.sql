create or replace function memos_private.candidates(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_lexemes   text[],
    p_documents double precision,
    p_length    double precision,
    p_scope     memos_private.version_key[]
)
returns memos_private.candidate[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_k1 constant double precision := memos_private.setting('bm25_k1');
    v_b constant double precision := memos_private.setting('bm25_b');
begin
    return array(
        with dense as (
            select l.memory_id, l.score
            from memos_private.dense_lane(p_user_id, p_model_id, p_embedding, p_scope) as l
            where p_embedding is not null
        ),
        lexical as (
            select l.memory_id, l.score
            from memos_private.lexical_lane(
                p_user_id, p_lexemes, p_documents, p_length, v_k1, v_b, p_scope
            ) as l
        )
        select row(c.memory_id, max(c.dense), max(c.lexical))::memos_private.candidate
        from (
            select memory_id, score as dense, null::double precision as lexical from dense
            union all
            select memory_id, null, score from lexical
        ) as c
        group by c.memory_id
    );
end
$body$;
comment on function memos_private.candidates is
    'Current memories found by the lanes that are on: dense with p_embedding, lexical with p_lexemes. '
    'The best passage of a memory counts.';

create or replace function memos_private.candidates_as_of(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_lexemes   text[],
    p_length    double precision,
    p_scope     memos_private.version_key[]
)
returns memos_private.candidate[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_k1 constant double precision := memos_private.setting('bm25_k1');
    v_b constant double precision := memos_private.setting('bm25_b');
begin
    return array(
        with dense as (
            select l.memory_id, l.score
            from memos_private.dense_lane_as_of(p_user_id, p_model_id, p_embedding, p_scope) as l
            where p_embedding is not null
        ),
        lexical as (
            select l.memory_id, l.score
            from memos_private.lexical_lane_as_of(
                p_user_id, p_lexemes, cardinality(p_scope), p_length, v_k1, v_b, p_scope
            ) as l
        )
        select row(c.memory_id, max(c.dense), max(c.lexical))::memos_private.candidate
        from (
            select memory_id, score as dense, null::double precision as lexical from dense
            union all
            select memory_id, null, score from lexical
        ) as c
        group by c.memory_id
    );
end
$body$;
comment on function memos_private.candidates_as_of is
    'The same among versions of any time; document frequencies are counted among them.';
