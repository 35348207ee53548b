create or replace function memos_private.text_search_language(p_language text)
returns regconfig
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_language constant regconfig := (
        select oid from pg_ts_config
        where cfgnamespace = 'memos'::regnamespace
            and cfgname = lower(coalesce(p_language, 'english'))
    );
begin
    if v_language is null then
        perform memos_private.refuse_argument(
            'p_language',
            format('there is no text search configuration "%s"', p_language),
            'one of: ' || (
                select string_agg(cfgname, ', ' order by cfgname) from pg_ts_config
                where cfgnamespace = 'memos'::regnamespace
            )
        );
    end if;
    return v_language;
end
$body$;
comment on function memos_private.text_search_language is
    'Text search configuration of a language (english when null). Errors: MO400.';

-- What tables constrain is checked here too: a caller is told which argument of which memory is wrong.
create or replace function memos_private.require_valid_memories(p_memories memos_private.memory_input[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_max_content constant int := memos_private.setting('max_content_bytes');
    v_max_metadata constant int := memos_private.setting('max_metadata_bytes');
    v_bad record;
    v_detail text;
begin
    select m.*, wrong.argument into v_bad
    from unnest(p_memories) as m
    cross join lateral (
        select case
            when m.content is null or m.content !~ '\S' then 'content'
            when octet_length(m.content) > v_max_content then 'content'
            when memos_private.is_sealed(m.content) or m.content = memos_private.locked_content()
                then 'content'
            when m.kind is null or m.kind !~ '^[a-z][a-z0-9_]{0,63}$' then 'kind'
            when m.tags is null or cardinality(m.tags) > 64 or array_ndims(m.tags) > 1 then 'tags'
            when m.tags <> '{}' and exists (
                select from unnest(m.tags) as t where t is null or t !~ '\S' or length(t) > 256
            ) then 'tags'
            when m.metadata is null or jsonb_typeof(m.metadata) <> 'object'
                or m.metadata <> '{}' and octet_length(m.metadata::text) > v_max_metadata
                then 'metadata'
            when not coalesce(m.importance between 0 and 1, false) then 'importance'
            when not coalesce(m.confidence between 0 and 1, false) then 'confidence'
            when m.privacy_level is null
                or m.privacy_level not in ('minimal', 'balanced', 'comprehensive', 'restricted')
                then 'privacy_level'
            when m.provenance is null
                or m.provenance not in ('user', 'model', 'tool', 'imported', 'system')
                then 'provenance'
            when m.session_id !~ '\S' or length(m.session_id) > 256 then 'session_id'
            when m.position < 0 then 'position'
            when not isfinite(m.occurred_at) then 'occurred_at'
            when not isfinite(m.valid_from) then 'valid_from'
            when not isfinite(m.valid_until) or m.valid_until <= m.valid_from then 'valid_until'
            when m.request_id !~ '\S' or length(m.request_id) > 256 then 'request_id'
        end as argument
    ) as wrong
    where wrong.argument is not null
    order by m.ordinal
    limit 1;
    if not found then
        return;
    end if;
    v_detail := case v_bad.argument
        when 'content' then case when v_bad.content is null then 'it is null'
            when v_bad.content !~ '\S' then 'it is blank'
            when memos_private.is_sealed(v_bad.content) or v_bad.content = memos_private.locked_content()
                then 'it is what stands for an encrypted text'
            else format('it has %s bytes', octet_length(v_bad.content)) end
        when 'metadata' then case when v_bad.metadata is null then 'it is null'
            else format('a JSON %s of %s bytes', jsonb_typeof(v_bad.metadata),
                octet_length(v_bad.metadata::text)) end
        else coalesce('it is ' || left(to_jsonb(v_bad) ->> v_bad.argument, 200), 'it is null')
    end;
    perform memos_private.refuse_argument(
        'p_' || v_bad.argument,
        v_detail || case when cardinality(p_memories) > 1
            then format(' (memory %s of the batch)', v_bad.ordinal) else '' end,
        case v_bad.argument
            when 'content' then format(
                'pass text that is not blank and has at most %s bytes (setting max_content_bytes)',
                v_max_content
            )
            when 'kind' then 'a lower-case word such as semantic or episodic, at most 64 characters'
            when 'tags' then 'an array of at most 64 tags, none null or blank, each at most 256 characters'
            when 'metadata' then format(
                'a JSON object of at most %s bytes (setting max_metadata_bytes)', v_max_metadata
            )
            when 'importance' then 'a number from 0 to 1'
            when 'confidence' then 'a number from 0 to 1'
            when 'privacy_level' then 'minimal, balanced, comprehensive or restricted'
            when 'provenance' then 'user, model, tool, imported or system'
            when 'session_id' then 'null, or 1 to 256 characters'
            when 'position' then 'null, or a whole number from 0'
            when 'request_id' then 'null, or 1 to 256 characters'
            when 'valid_until' then 'null, or a finite time after valid_from'
            else 'null, or a finite time'
        end
    );
end
$body$;
comment on function memos_private.require_valid_memories is
    'Raises MO400 for the first memory of a batch that has an argument out of range.';
