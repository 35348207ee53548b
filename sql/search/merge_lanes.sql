-- Plain SQL, to become part of the plan of whoever ranks or explains. The lanes over the past stay
-- functions of their own: inlined, they would open every partition of the history for nothing.
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
    select memory_id, d.score, w.score
    from (
        select l.memory_id, l.score
        from memos_private.dense_lane(p_user_id, p_model_id, p_embedding, p_scope) as l
        where p_embedding is not null and not p_as_of
        union all
        select l.memory_id, l.score
        from memos_private.dense_lane_as_of(p_user_id, p_model_id, p_embedding, p_scope) as l
        where p_embedding is not null and p_as_of
    ) as d
    full join (
        select l.memory_id, l.score
        from memos_private.lexical_lane(
            p_user_id, p_lexemes, p_idf, p_length, p_k1, p_b, p_scope
        ) as l
        where p_lexemes is not null and not p_as_of
        union all
        select l.memory_id, l.score
        from memos_private.lexical_lane_as_of(p_user_id, p_lexemes, p_length, p_k1, p_b, p_scope) as l
        where p_lexemes is not null and p_as_of
    ) as w using (memory_id);
end;
comment on function memos_private.merge_lanes is
    'Memories that a lane finds, with their raw score in each (null: not found there). The dense lane is on with p_embedding, the lexical one with p_lexemes. p_scope: only these '
    'versions; null: every current memory. p_as_of: the scope holds superseded versions too.';
