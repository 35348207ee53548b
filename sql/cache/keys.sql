create or replace function memos_private.cache_text_key(p_text text)
returns text
language sql
immutable
return lower(normalize(btrim(regexp_replace(p_text, '\s+', ' ', 'g')), nfc));
comment on function memos_private.cache_text_key is
    'The same words in other case or spacing are the same key.';

-- RFC 3986, 6.2.2 and 6.2.3, and what carries no meaning: fragments, tracking, order of parameters.
create or replace function memos_private.cache_url_key(p_url text)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_url constant text := regexp_replace(p_url, '^\s+|\s+$', '', 'g');
    v_parts constant text[] := regexp_match(
        regexp_replace(v_url, '\s', '%20', 'g'),
        '^([A-Za-z][A-Za-z0-9+.-]*)://([^/?#@]*@)?([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$'
    );
    v_scheme constant text := lower(v_parts[1]);
    v_host text := lower(v_parts[3]);
    v_path text := v_parts[4];
    v_query text;
    v_segments text[] := '{}';
    v_segment text;
begin
    if v_parts is null then
        return v_url;
    end if;
    v_host := regexp_replace(
        v_host, case v_scheme when 'http' then ':(80)?$' when 'https' then ':(443)?$' else ':$' end, ''
    );
    if v_path ~ '/\.\.?(/|$)' then
        foreach v_segment in array string_to_array(substr(v_path, 2), '/') loop
            if v_segment = '..' then
                v_segments := v_segments[: cardinality(v_segments) - 1];
            elsif v_segment <> '.' then
                v_segments := v_segments || v_segment;
            end if;
        end loop;
        v_path := '/' || array_to_string(v_segments, '/')
            || case when v_path ~ '/\.\.?$' and v_segments <> '{}' then '/' else '' end;
    end if;
    -- Parameters of one name keep their order, which may mean something.
    select string_agg(p.parameter, '&' order by split_part(p.parameter, '=', 1) collate "C", p.place)
    into v_query
    from string_to_table(substr(v_parts[5], 2), '&') with ordinality as p (parameter, place)
    where p.parameter <> ''
        and lower(split_part(p.parameter, '=', 1))
            !~ '^(utm_.*|[gdw]clid|gbraid|wbraid|gclsrc|fbclid|msclkid|yclid|twclid|ttclid|igshid|mc_[ce]id|_ga|_gl|_hs(enc|mi)|mkt_tok)$';
    return v_scheme || '://' || coalesce(v_parts[2], '') || regexp_replace(v_host, '\.(:|$)', '\1')
        || coalesce(nullif(v_path, ''), '/') || coalesce('?' || v_query, '');
end
$body$;
comment on function memos_private.cache_url_key is
    'The same for addresses of the same resource: scheme and host in any case, default port, dot segments, '
    'fragment, order of parameters, parameters that only track. What is no address stays as it is.';

create or replace function memos_private.cache_key(p_form text, p_key text)
returns text
language sql
immutable
return case p_form
    when 'exact' then p_key
    when 'text' then memos_private.cache_text_key(p_key)
    else memos_private.cache_url_key(p_key)
end;
comment on function memos_private.cache_key is 'The key under which a namespace of that form stores an entry.';

create or replace function memos_private.cache_settings(p_names text[], p_settings jsonb)
returns text
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_settings is null then
        return '';
    end if;
    return coalesce((
        select jsonb_object_agg(s.key, s.value)
        from jsonb_each(p_settings) as s
        where s.key = any (p_names)
    )::text, '');
end
$body$;
comment on function memos_private.cache_settings is
    'Those settings that enter the keys of a namespace, in one form; the caller''s others do not matter.';

create or replace function memos_private.cache_key_hash(p_namespace text, p_settings text, p_key text)
returns bytea
language sql
stable
return sha256(convert_to(p_namespace || E'\n' || p_settings || E'\n' || p_key, 'UTF8'));
comment on function memos_private.cache_key_hash is
    'The identity of an entry among those of its owner. Neither of the first two holds a line break.';
