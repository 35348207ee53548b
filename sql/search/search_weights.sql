create or replace function memos_private.search_weights(
    p_weights jsonb, p_fusion text, p_provider text
)
returns memos_private.search_weights
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_weights memos_private.search_weights;
    v_names constant text[] := array[
        'dense', 'lexical', 'context', 'graph', 'time', 'importance', 'recency', 'retention'
    ];
begin
    if p_fusion = 'rrf' then
        v_weights := row(1, 1, 0, 0, 0, 0, 0, 0);
    elsif p_provider = 'hash' then
        -- Vectors that know spelling, not meaning: what words say, with how rare they are, is worth more.
        v_weights := row(0.3, 0.7, 1, 1, 1, 0.2, 0.05, 0.05);
    else
        -- Meaning leads: long memories share words by chance, and a question seldom repeats the words of
        -- its answer. Words still decide about names, codes and numbers, whose scores stand out.
        v_weights := row(0.7, 0.3, 1, 1, 1, 0.2, 0.05, 0.05);
    end if;
    if p_weights is null then
        return v_weights;
    end if;
    if jsonb_typeof(p_weights) <> 'object' or p_weights - v_names <> '{}' or exists (
        select from jsonb_each(p_weights) as w
        where case when jsonb_typeof(w.value) = 'number' then (w.value)::numeric not between 0
            and case when w.key in ('importance', 'recency', 'retention') then 0.33 else 1000 end
            else true end
    ) then
        perform memos_private.refuse_argument(
            'p_weights', 'it is ' || left(p_weights::text, 200),
            format('a JSON object of numbers from 0 to 1000 for any of %s; importance, recency and '
                'retention at most 0.33', array_to_string(v_names, ', '))
        );
    end if;
    if p_fusion = 'rrf' and exists (
        select from jsonb_each(p_weights - array['dense', 'lexical']) as w where w.value <> '0'
    ) then
        perform memos_private.refuse_argument(
            'p_weights', 'it is ' || left(p_weights::text, 200),
            'rrf fuses dense and lexical; the other weights belong to calibrated'
        );
    end if;
    v_weights := jsonb_populate_record(v_weights, p_weights);
    if v_weights.dense = 0 and v_weights.lexical = 0 then
        perform memos_private.refuse_argument(
            'p_weights', 'dense and lexical are both switched off',
            'give one of them a weight above 0: the others only adjust what they find'
        );
    end if;
    return v_weights;
end
$body$;
comment on function memos_private.search_weights is
    'The weights of a fusion: the defaults, which depend on who makes the vectors (null: not known), with '
    'a caller''s changes. Errors: MO400.';
