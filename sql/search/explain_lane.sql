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
