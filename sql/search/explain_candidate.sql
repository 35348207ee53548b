create or replace function memos_private.explain_lane(
    p_lane         memos_private.lane,
    p_memory_id    uuid,
    p_share        double precision,
    p_weight       double precision,
    p_standardised boolean
)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_rank constant int := array_position(p_lane.memory_ids, p_memory_id);
    v_raw constant double precision := p_lane.scores[v_rank];
begin
    if p_share is null or p_lane.scores is null then
        return null;
    end if;
    return jsonb_strip_nulls(jsonb_build_object(
        'rank', v_rank,
        'raw', v_raw,
        'standardised', case when p_standardised and v_rank is not null
            then memos_private.standardise(v_raw, p_lane.mean, p_lane.deviation) end,
        'weight', p_weight,
        'share', p_share
    ));
end
$body$;
comment on function memos_private.explain_lane is
    'One lane''s word on one memory: without a rank where it is not among the best that the lane lists, and '
    'then its share is the most that it could be. Null when the lane is off or (rrf) did not find it.';

create or replace function memos_private.explain_candidate(
    p_candidate memos_private.candidate,
    p_dense     memos_private.lane,
    p_lexical   memos_private.lane,
    p_weights   memos_private.search_weights,
    p_fusion    text
)
returns jsonb
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_calibrated constant boolean := p_fusion = 'calibrated';
begin
    return jsonb_strip_nulls(jsonb_build_object(
        'dense', memos_private.explain_lane(
            p_dense, p_candidate.memory_id, p_candidate.dense, p_weights.dense,
            v_calibrated
        ),
        'lexical', memos_private.explain_lane(
            p_lexical, p_candidate.memory_id, p_candidate.lexical,
            p_weights.lexical, v_calibrated
        ),
        'context', case when p_candidate.context <> 0 or p_candidate.session <> 0 then jsonb_build_object(
            'neighbours', p_candidate.context, 'session', p_candidate.session,
            'share', p_candidate.context + p_candidate.session
        ) end,
        'graph', case when p_candidate.graph <> 0 then jsonb_build_object('share', p_candidate.graph) end,
        'time', case when p_candidate.time <> 0 then jsonb_build_object('share', p_candidate.time) end,
        'factors', case when v_calibrated then jsonb_build_object(
            'importance', p_candidate.importance, 'recency', p_candidate.recency,
            'retention', p_candidate.retention,
            'share', p_candidate.score - (
                p_candidate.dense + p_candidate.lexical + p_candidate.context + p_candidate.session
                + p_candidate.graph + p_candidate.time
            )
        ) end
    ));
end
$body$;
comment on function memos_private.explain_candidate is
    'Why a memory has its score: each lane''s rank, raw and standardised score, and its share. The shares '
    'add up to the score; that of the factors is what importance, recency and retention changed.';
