create or replace function memos_private.explain_lanes(
    p_user_id   uuid,
    p_model_id  smallint,
    p_embedding public.halfvec,
    p_lexemes   text[],
    p_idf       double precision[],
    p_length    double precision,
    p_scope     memos_private.version_key[],
    p_as_of     boolean,
    p_dense     double precision,
    p_lexical   double precision,
    p_memories  double precision,
    p_fusion    text,
    p_k         int,
    p_ranked    memos_private.ranked[]
)
returns table (memory_id uuid, lanes jsonb)
language plpgsql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
declare
    v_k1 constant double precision := memos_private.setting('bm25_k1');
    v_b constant double precision := memos_private.setting('bm25_b');
begin
    return query
    with candidates as materialized (
        select c.memory_id, c.dense, c.lexical,
            row_number() over (order by c.dense desc nulls last, c.memory_id) as dense_rank,
            row_number() over (order by c.lexical desc nulls last, c.memory_id) as lexical_rank
        from memos_private.merge_lanes(
            p_user_id, p_model_id, p_embedding, p_lexemes, p_idf, p_length, p_scope, p_as_of,
            v_k1, v_b
        ) as c
    ),
    spread as (
        select (
                select avg(d.score)
                from memos_private.dense_lane(p_user_id, p_model_id, p_embedding, p_scope, p_as_of) as d
            ) as dense_mean,
            (
                select nullif(stddev_pop(d.score), 0)
                from memos_private.dense_lane(p_user_id, p_model_id, p_embedding, p_scope, p_as_of) as d
            ) as dense_deviation,
            memos_private.mean_with_zeros(sum(c.lexical), p_memories) as lexical_mean,
            memos_private.deviation_with_zeros(
                sum(c.lexical), sum(c.lexical * c.lexical), p_memories
            ) as lexical_deviation
        from candidates as c
    )
    select c.memory_id, jsonb_strip_nulls(jsonb_build_object(
        'dense', case when p_dense > 0 then memos_private.explain_lane(
            p_fusion, p_k, p_dense, p_dense + p_lexical, c.dense_rank, c.dense, s.dense_mean,
            s.dense_deviation
        ) end,
        'lexical', case when p_lexical > 0 then memos_private.explain_lane(
            p_fusion, p_k, p_lexical, p_dense + p_lexical,
            case when c.lexical is not null then c.lexical_rank end,
            case when p_fusion = 'calibrated' then coalesce(c.lexical, 0) else c.lexical end,
            s.lexical_mean, s.lexical_deviation
        ) end
    ))
    from candidates as c
    cross join spread as s
    where c.memory_id in (select r.memory_id from unnest(p_ranked) as r);
end
$body$;
comment on function memos_private.explain_lanes is
    'What each lane that is on says of the ranked memories: rank, raw score, weight and share of the '
    'final score. Counts the same candidates again, which only an explained search pays for.';

create or replace function memos_private.explain_lane(
    p_fusion       text,
    p_k            int,
    p_weight       double precision,
    p_total_weight double precision,
    p_rank         bigint,
    p_raw          double precision,
    p_mean         double precision,
    p_deviation    double precision
)
returns jsonb
language sql
immutable
parallel safe
return case
    when p_raw is null then null
    when p_fusion = 'rrf' then jsonb_build_object(
        'rank', p_rank, 'raw', p_raw, 'weight', p_weight, 'share', p_weight / (p_k + p_rank)
    )
    else jsonb_build_object(
        'rank', p_rank, 'raw', p_raw, 'weight', p_weight,
        'standardised', coalesce((p_raw - p_mean) / p_deviation, 0),
        'share', p_weight / p_total_weight * coalesce((p_raw - p_mean) / p_deviation, 0)
    )
end;
comment on function memos_private.explain_lane is
    'One lane''s word on one memory; the shares of the lanes add up to the score. Null when the lane did '
    'not find it.';
