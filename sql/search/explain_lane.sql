create or replace function memos_private.explain_lane(
    p_fusion       text,
    p_rrf_k        int,
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
set search_path = pg_catalog, pg_temp
as $body$
    select case
        when p_weight = 0 or p_raw is null then null
        when p_fusion = 'rrf' then jsonb_build_object(
            'rank', p_rank, 'raw', p_raw, 'weight', p_weight, 'share', p_weight / (p_rrf_k + p_rank)
        )
        else jsonb_build_object(
            'rank', nullif(p_rank, 0), 'raw', p_raw, 'weight', p_weight,
            'standardised', coalesce((p_raw - p_mean) / p_deviation, 0),
            'share', p_weight / p_total_weight * coalesce((p_raw - p_mean) / p_deviation, 0)
        )
    end
$body$;
comment on function memos_private.explain_lane is
    'What a lane says of one memory: its rank and raw score there, and its share of the final score; '
    'the shares add up. Null when the lane is off or did not find it.';

create or replace function memos_private.explain_lanes(
    p_memory_id  uuid,
    p_candidates memos_private.candidate[],
    p_fusion     text,
    p_rrf_k      int,
    p_dense      double precision,
    p_lexical    double precision,
    p_spread     memos_private.lane_spread
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return (
        select jsonb_strip_nulls(jsonb_build_object(
            'dense', memos_private.explain_lane(
                p_fusion, p_rrf_k, p_dense, p_dense + p_lexical,
                count(*) filter (
                    where c.dense > f.dense or c.dense = f.dense and c.memory_id <= f.memory_id
                ),
                f.dense, p_spread.dense_mean, p_spread.dense_deviation
            ),
            'lexical', memos_private.explain_lane(
                p_fusion, p_rrf_k, p_lexical, p_dense + p_lexical,
                count(*) filter (
                    where c.lexical > f.lexical or c.lexical = f.lexical and c.memory_id <= f.memory_id
                ),
                case when p_fusion = 'calibrated' then coalesce(f.lexical, 0) else f.lexical end,
                p_spread.lexical_mean, p_spread.lexical_deviation
            )
        ))
        from unnest(p_candidates) as f
        cross join unnest(p_candidates) as c
        where f.memory_id = p_memory_id
        group by f.memory_id, f.dense, f.lexical
    );
end
$body$;
comment on function memos_private.explain_lanes is 'What every lane says of one memory that was found.';
