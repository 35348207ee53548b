create or replace function memos_private.merge_lanes(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_lexemes   text[],
    p_idf       double precision[],
    p_length    double precision,
    p_scope     memos_private.version_key[],
    p_as_of     boolean,
    p_k1        double precision,
    p_b         double precision
)
returns table (memory_id uuid, dense double precision, lexical double precision)
language sql
stable
begin atomic
    select c.memory_id, max(c.dense), max(c.lexical)
    from (
        select d.memory_id, d.score as dense, null::double precision as lexical
        from memos_private.dense_lane(p_user_id, p_model_id, p_embedding, p_scope, p_as_of) as d
        union all
        select l.memory_id, null, l.score
        from memos_private.lexical_lane(
            p_user_id, p_lexemes, p_idf, p_length, p_k1, p_b, p_scope, p_as_of
        ) as l
    ) as c
    group by c.memory_id;
end;
comment on function memos_private.merge_lanes is
    'Every memory that a lane finds, with its raw score in each (its best passage counts; null: not '
    'found there). Arguments as of the lanes.';
