create or replace function memos_private.require_valid_search(
    p_query text, p_has_embedding boolean, p_limit int, p_token_budget int, p_metadata jsonb,
    p_from timestamptz, p_until timestamptz, p_fusion text, p_rrf_k int, p_include_cold boolean,
    p_explain boolean, p_record boolean, p_purpose text, p_now timestamptz
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_most int;
    v_max_query int;
    v_argument text;
begin
    select max(s.value) filter (where s.name = 'max_search_limit'),
        max(s.value) filter (where s.name = 'max_query_bytes')
    into v_most, v_max_query
    from memos_private.setting as s;
    v_argument := case
        when not p_has_embedding and (p_query is null or p_query !~ '\S') then 'p_query'
        when octet_length(p_query) > v_max_query then 'p_query'
        when p_limit is null or p_limit not between 1 and v_most then 'p_limit'
        when p_token_budget < 1 then 'p_token_budget'
        when jsonb_typeof(p_metadata) <> 'object' then 'p_metadata'
        when p_from >= p_until then 'p_until'
        when p_fusion is null or p_fusion not in ('calibrated', 'rrf') then 'p_fusion'
        when p_rrf_k is null or p_rrf_k not between 1 and 10000 then 'p_rrf_k'
        when p_include_cold is null then 'p_include_cold'
        when p_explain is null then 'p_explain'
        when p_record is null then 'p_record'
        when length(p_purpose) > 256 then 'p_purpose'
        when p_now not between '1000-01-01 UTC' and '9999-01-01 UTC' then 'p_now'
    end;
    if v_argument is not null then
        perform memos_private.refuse_argument(
            v_argument,
            coalesce('it is ' || left(case v_argument
                when 'p_query' then case when octet_length(p_query) > v_max_query
                    then octet_length(p_query) || ' bytes long'
                    else 'null or blank, and there is no p_embedding' end
                when 'p_limit' then p_limit::text
                when 'p_token_budget' then p_token_budget::text
                when 'p_metadata' then 'a JSON ' || jsonb_typeof(p_metadata)
                when 'p_until' then format('%s, not after p_from, %s', p_until, p_from)
                when 'p_fusion' then p_fusion
                when 'p_rrf_k' then p_rrf_k::text
                when 'p_purpose' then length(p_purpose) || ' characters long'
                when 'p_now' then p_now::text
            end, 200), 'it is null'),
            case v_argument
                when 'p_query' then format('a question of at most %s bytes (setting max_query_bytes), a '
                    'vector, or both', v_max_query)
                when 'p_limit' then format('a whole number from 1 to %s (setting max_search_limit)', v_most)
                when 'p_token_budget' then 'null, or a whole number from 1'
                when 'p_metadata' then 'null, or an object to be contained'
                when 'p_until' then 'p_from < p_until'
                when 'p_fusion' then 'calibrated or rrf'
                when 'p_rrf_k' then 'a whole number from 1 to 10000'
                when 'p_purpose' then 'at most 256 characters'
                when 'p_now' then 'null, or a time from the year 1000 to 9998'
                else 'true or false'
            end
        );
    end if;
end
$body$;
comment on function memos_private.require_valid_search is 'Raises MO400 for the first bad argument of a search.';
