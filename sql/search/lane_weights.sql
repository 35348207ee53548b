create or replace function memos_private.lane_weights(p_weights jsonb)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_weights constant jsonb := '{"dense": 1, "lexical": 1}';
    v_lanes text[];
begin
    if p_weights is null then
        return v_weights;
    end if;
    v_lanes := array(select jsonb_object_keys(v_weights));
    if jsonb_typeof(p_weights) <> 'object' or p_weights - v_lanes <> '{}' or exists (
        select from jsonb_each(p_weights) as w
        where case when jsonb_typeof(w.value) = 'number'
            then (w.value)::numeric not between 0 and 1000 else true end
    ) then
        perform memos_private.refuse_argument(
            'p_weights', 'it is ' || left(p_weights::text, 200),
            format('a JSON object of numbers from 0 to 1000 for any of the lanes %s',
                array_to_string(v_lanes, ', '))
        );
    end if;
    if not exists (
        select from jsonb_each(v_weights || p_weights) as w where (w.value)::numeric > 0
    ) then
        perform memos_private.refuse_argument(
            'p_weights', 'every lane is switched off', 'give one lane a weight above 0'
        );
    end if;
    return v_weights || p_weights;
end
$body$;
comment on function memos_private.lane_weights is
    'The weight of every lane: the defaults with a caller''s changes. Errors: MO400.';
