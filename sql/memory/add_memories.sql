create or replace function memos.add_memories(
    p_user_id    uuid,
    p_memories   jsonb,
    p_embeddings public.halfvec[] default null,
    p_model      text default null
)
returns table (ordinal int, memory_id uuid, created boolean)
language plpgsql
volatile
security definer
set search_path = pg_catalog, public, pg_temp
set memos.user_id = ''
as $body$
declare
    v_keys constant text[] := array[
        'content', 'kind', 'tags', 'metadata', 'embedding', 'importance', 'confidence', 'privacy_level',
        'provenance', 'session_id', 'position', 'occurred_at', 'language', 'request_id'
    ];
    v_count int;
    v_bad record;
    v_now constant timestamptz := clock_timestamp();
    v_memories memos_private.memory_input[];
    v_ids uuid[] := '{}';
begin
    perform memos_private.enter_user_context(p_user_id);
    if p_memories is null or jsonb_typeof(p_memories) <> 'array' then
        perform memos_private.refuse_argument(
            'p_memories', format('it is %s', coalesce('a JSON ' || jsonb_typeof(p_memories), 'null')),
            'a JSON array of objects'
        );
    end if;
    v_count := jsonb_array_length(p_memories);
    if v_count > memos_private.setting('max_batch')::int then
        perform memos_private.refuse_argument(
            'p_memories', format('it has %s memories', v_count),
            format('at most %s in one call (setting max_batch)', memos_private.setting('max_batch'))
        );
    end if;
    if p_embeddings is not null
        and (
            cardinality(p_embeddings) <> v_count or array_ndims(p_embeddings) > 1
            or array_lower(p_embeddings, 1) <> 1
        )
    then
        perform memos_private.refuse_argument(
            'p_embeddings', format('it has %s vectors for %s memories', cardinality(p_embeddings), v_count),
            'one vector a memory, in the same order; null where there is none'
        );
    end if;
    select e.ordinal, case
            when jsonb_typeof(e.object) <> 'object' then 'it is a JSON ' || jsonb_typeof(e.object)
            when e.object - v_keys = '{}' then 'content is a JSON ' || jsonb_typeof(e.object -> 'content')
            else 'unknown keys: ' || array_to_string(
                array(select jsonb_object_keys(e.object - v_keys)), ', '
            ) end as detail
    into v_bad
    from jsonb_array_elements(p_memories) with ordinality as e (object, ordinal)
    where case when jsonb_typeof(e.object) = 'object'
        then e.object - v_keys <> '{}'
            or jsonb_typeof(e.object -> 'content') not in ('string', 'null')
        else true end
    order by e.ordinal
    limit 1;
    if found then
        perform memos_private.refuse_argument(
            'p_memories', format('memory %s: %s', v_bad.ordinal, left(v_bad.detail, 500)),
            'objects with the keys ' || array_to_string(v_keys, ', ')
        );
    end if;

    begin
        with languages as materialized (
            select n.language, memos_private.text_search_language(n.language) as configuration
            from (
                select distinct e.object ->> 'language' as language
                from jsonb_array_elements(p_memories) as e (object)
            ) as n
        )
        select array_agg(
            row(
                e.ordinal, memos_private.new_memory_id(v_now + e.ordinal * interval '1 microsecond'),
                f.content, memos_private.content_hash(f.content), l.configuration,
                coalesce(f.kind, 'semantic'), coalesce(f.tags, '{}'), coalesce(f.metadata, '{}'),
                coalesce(f.importance, 0.5), coalesce(f.confidence, 1.0),
                coalesce(f.privacy_level, 'balanced'), coalesce(f.provenance, 'user'), f.session_id,
                f.position, f.occurred_at, null, null, f.request_id,
                coalesce(e.embedding, f.embedding::text::public.halfvec)
            )::memos_private.memory_input
        )
        into v_memories
        -- Side by side: a subscript would walk the array from its start for every vector.
        from rows from (jsonb_array_elements(p_memories), unnest(p_embeddings))
            with ordinality as e (object, embedding, ordinal)
        cross join lateral jsonb_to_record(e.object) as f (
            content text, kind text, tags text[], metadata jsonb, embedding jsonb, importance real,
            confidence real, privacy_level text, provenance text, session_id text, position int,
            occurred_at timestamptz, language text, request_id text
        )
        join languages as l on l.language is not distinct from f.language;
    exception when data_exception or program_limit_exceeded then
        perform memos_private.refuse_argument(
            'p_memories', sqlerrm, 'each key takes the type of the argument of add_memory'
        );
    end;
    for ordinal, memory_id, created in
        select s.ordinal, s.memory_id, s.created
        from memos_private.store_memories(p_user_id, v_memories, p_model) as s
    loop
        v_ids := v_ids || memory_id;
        return next;
    end loop;
    perform memos_private.audit(p_user_id, 'add_memories', v_ids);
end
$body$;
comment on function memos.add_memories is
    'Remembers many texts at once, all or none. p_memories: a JSON array of objects keyed as the '
    'arguments of add_memory without p_; p_embeddings: vectors of p_model in the same order (or an '
    'array of numbers under the key embedding). One row a memory, in order; created is false where the '
    'content or the request id was there before. Errors: MO001, MO400, MO403, MO429, MO451.';
