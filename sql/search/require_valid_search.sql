create or replace function memos_private.require_valid_search(
    p_query text, p_has_embedding boolean, p_token_budget int, p_metadata jsonb, p_from timestamptz,
    p_until timestamptz, p_fusion text, p_rrf_k int, p_include_cold boolean, p_explain boolean,
    p_record boolean, p_purpose text, p_now timestamptz
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_max_query constant int := memos_private.setting('max_query_bytes');
begin
    if not p_has_embedding and (p_query is null or p_query !~ '\S') then
        perform memos_private.refuse_argument(
            'p_query', 'it is null or blank and there is no p_embedding', 'pass a question, a vector, or both'
        );
    elsif octet_length(p_query) > v_max_query then
        perform memos_private.refuse_argument(
            'p_query', format('it has %s bytes', octet_length(p_query)),
            format('at most %s bytes (setting max_query_bytes)', v_max_query)
        );
    elsif p_token_budget < 1 then
        perform memos_private.refuse_argument(
            'p_token_budget', format('it is %s', p_token_budget), 'null, or a whole number from 1'
        );
    elsif jsonb_typeof(p_metadata) <> 'object' then
        perform memos_private.refuse_argument(
            'p_metadata', 'it is a JSON ' || jsonb_typeof(p_metadata), 'null, or an object to be contained'
        );
    elsif p_from >= p_until then
        perform memos_private.refuse_argument(
            'p_until', format('%s is not after p_from, %s', p_until, p_from), 'p_from < p_until'
        );
    elsif p_fusion is null or p_fusion not in ('calibrated', 'rrf') then
        perform memos_private.refuse_argument(
            'p_fusion', coalesce(format('it is %s', left(p_fusion, 200)), 'it is null'), 'calibrated or rrf'
        );
    elsif p_rrf_k is null or p_rrf_k not between 1 and 10000 then
        perform memos_private.refuse_argument(
            'p_rrf_k', coalesce(format('it is %s', p_rrf_k), 'it is null'), 'a whole number from 1 to 10000'
        );
    elsif p_include_cold is null or p_explain is null or p_record is null then
        perform memos_private.refuse_argument(
            case when p_include_cold is null then 'p_include_cold'
                when p_explain is null then 'p_explain' else 'p_record' end,
            'it is null', 'true or false'
        );
    elsif length(p_purpose) > 256 then
        perform memos_private.refuse_argument(
            'p_purpose', format('it has %s characters', length(p_purpose)), 'at most 256 characters'
        );
    elsif not isfinite(p_now) then
        perform memos_private.refuse_argument('p_now', format('it is %s', p_now), 'null, or a finite time');
    end if;
end
$body$;
comment on function memos_private.require_valid_search is 'Raises MO400 for the first bad argument of a search.';
