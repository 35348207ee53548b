-- The form in which the old network wrote itself to JSON (to_dict): memories by id, each with its
-- connections. What it had no place for stands under attributes.memos, so that nothing is lost.
create or replace function memos.export_network(p_user_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, public, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit_read(p_user_id, 'export_network');
    return jsonb_build_object(
        'similarity_threshold', memos_private.setting('link_min_similarity')::numeric,
        'max_connections', memos_private.setting('link_max_per_memory')::int,
        'embedding_model', (select d.name from memos_private.embedding_model as d where d.is_default),
        'memories', coalesce((
            select jsonb_object_agg(m.memory_id, jsonb_build_object(
                'id', m.memory_id, 'memory_type', m.kind, 'content',
                memos_private.revealed_content(
                    p_user_id, m.memory_id, m.content, (select memos_private.opened_key(p_user_id))
                ),
                'attributes', memos_private.revealed_metadata(
                    p_user_id, m.memory_id, m.content, m.metadata, (select memos_private.opened_key(p_user_id))
                ) || jsonb_build_object('memos', jsonb_strip_nulls(jsonb_build_object(
                    'tags', m.tags, 'importance', m.importance, 'confidence', m.confidence,
                    'privacy_level', m.privacy_level, 'provenance', m.provenance,
                    'session_id', m.session_id, 'position', m.position, 'occurred_at', m.occurred_at,
                    'language', (select c.cfgname from pg_ts_config as c where c.oid = m.language),
                    'note', (
                        select jsonb_build_object(
                            'keywords', n.keywords, 'tags', n.tags, 'context', n.context, 'made_by', n.made_by
                        )
                        from memos_private.memory_note as n
                        where n.user_id = p_user_id and n.memory_id = m.memory_id
                    )
                ))),
                'embedding', (
                    select e.embedding::text::jsonb
                    from memos_private.embedding_model as d
                    join memos_private.embedding as e
                        on e.user_id = p_user_id and e.model_id = d.model_id and e.memory_id = m.memory_id
                    where d.is_default and e.passage = 0
                ),
                'connections', coalesce(l.connections, '[]'),
                'created_at', extract(epoch from m.recorded_at), 'access_count', 0,
                'last_accessed', extract(epoch from m.recorded_at)
            ))
            from memos_private.memory as m
            left join (
                select s.memory_id, jsonb_agg(jsonb_build_object(
                    'target_id', s.target_id, 'connection_type', s.type, 'strength', s.weight,
                    'bidirectional', memos_private.is_symmetric(s.type),
                    'metadata', jsonb_build_object('origin', s.origin)
                ) order by s.weight desc, s.target_id, s.type) as connections
                from (
                    select f.from_id as memory_id, f.to_id as target_id, f.type, f.weight, f.origin
                    from memos_private.memory_link as f
                    where f.user_id = p_user_id
                    union all
                    select t.to_id, t.from_id, t.type, t.weight, t.origin
                    from memos_private.memory_link as t
                    where t.user_id = p_user_id and memos_private.is_symmetric(t.type)
                ) as s
                group by s.memory_id
            ) as l using (memory_id)
            where m.user_id = p_user_id
        ), '{}')
    );
end
$body$;
comment on function memos.export_network is
    'The user''s memories and their links as the JSON of the old semantic network: {"memories": {id: {id, '
    'memory_type, content, attributes, embedding, connections, created_at, access_count, last_accessed}}, '
    '"similarity_threshold", "max_connections"}. Both ends name a link that means the same both ways. '
    'memos.import_network reads it back. Errors: MO001, MO400, MO403.';

create or replace function memos_private.wrong_in_node(p_old_id text, p_node jsonb)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_created_at constant jsonb := coalesce(p_node -> 'created_at', 'null');
    v_note record;
begin
    if jsonb_typeof(p_node) <> 'object' then
        return 'it is a JSON ' || jsonb_typeof(p_node);
    elsif length(p_old_id) > 200 or p_old_id !~ '\S' then
        return 'its id is blank or too long';
    elsif jsonb_typeof(p_node -> 'content') is distinct from 'string' then
        return 'its content is no text';
    elsif jsonb_typeof(coalesce(p_node -> 'attributes', '{}')) <> 'object' then
        return 'its attributes are no object';
    elsif jsonb_typeof(coalesce(p_node -> 'connections', '[]')) <> 'array' then
        return 'its connections are no array';
    elsif jsonb_typeof(v_created_at) not in ('number', 'null') then
        return 'its created_at is no number of seconds';
    elsif v_created_at <> 'null' and v_created_at::numeric not between -62135596800 and 253402300799 then
        return 'its created_at is not in the years 1 to 9999';
    elsif p_node #> '{attributes,memos,note}' is not null then
        select * into v_note
        from jsonb_to_record(p_node #> '{attributes,memos,note}')
            as n (keywords text[], tags text[], context text, made_by text);
        if v_note.made_by is null or v_note.made_by !~ '\S' or length(v_note.made_by) > 128 then
            return 'its note does not say who made it';
        end if;
        perform memos_private.require_note(v_note.keywords, v_note.tags, v_note.context);
    end if;
    return null;
exception when data_exception or sqlstate 'MO400' then
    return 'its note is none: ' || sqlerrm;
end
$body$;
comment on function memos_private.wrong_in_node is 'What is wrong with a memory of a network in JSON; null: nothing.';

create or replace function memos_private.require_network(p_network jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_bad record;
begin
    if p_network is null or jsonb_typeof(p_network) <> 'object'
        or jsonb_typeof(p_network -> 'memories') is distinct from 'object'
    then
        perform memos_private.refuse_argument(
            'p_network', memos_private.it_is(p_network),
            'a JSON object with "memories": {id: node}, as export_network and the old to_dict write it'
        );
    end if;
    select n.key, w.detail into v_bad
    from jsonb_each(p_network -> 'memories') as n
    cross join lateral memos_private.wrong_in_node(n.key, n.value) as w (detail)
    where w.detail is not null
    limit 1;
    if found then
        perform memos_private.refuse_argument(
            'p_network', format('memory "%s": %s', left(v_bad.key, 200), v_bad.detail),
            'a node as export_network and the old to_dict write it'
        );
    end if;
    select c.value ->> 'connection_type' as type, c.value ->> 'strength' as strength into v_bad
    from jsonb_each(p_network -> 'memories') as n
    cross join lateral jsonb_array_elements(n.value -> 'connections') as c
    where jsonb_typeof(c.value) <> 'object'
        or coalesce(c.value ->> 'connection_type', '') !~ '^[a-z][a-z0-9_]{0,63}$'
        or jsonb_typeof(coalesce(c.value -> 'strength', '0.5')) <> 'number'
        or jsonb_typeof(coalesce(c.value -> 'bidirectional', 'true')) <> 'boolean'
    limit 1;
    if found then
        perform memos_private.refuse_argument(
            'p_network',
            format('a connection of type "%s" and strength "%s"', left(v_bad.type, 100), left(v_bad.strength, 100)),
            'objects with target_id, connection_type, strength (a number) and bidirectional (a boolean)'
        );
    end if;
end
$body$;
comment on function memos_private.require_network is 'Raises MO400 for JSON that is no network.';

create or replace function memos_private.network_nodes(p_network jsonb)
returns table (ordinal bigint, old_id text, node jsonb)
language sql
immutable
begin atomic
    -- Older first, so that ids keep the order in time.
    select row_number() over (order by (n.value ->> 'created_at')::numeric nulls first, n.key), n.key, n.value
    from jsonb_each(p_network -> 'memories') as n;
end;
comment on function memos_private.network_nodes is 'The memories of a network in JSON, oldest first.';

create or replace function memos_private.network_memory(p_old_id text, p_node jsonb, p_with_embedding boolean)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_own constant jsonb := coalesce(p_node #> '{attributes,memos}', '{}');
    v_type constant text := lower(coalesce(p_node ->> 'memory_type', 'semantic'));
begin
    return jsonb_strip_nulls(
        jsonb_build_object(
            'tags', v_own -> 'tags', 'importance', v_own -> 'importance', 'confidence', v_own -> 'confidence',
            'privacy_level', v_own -> 'privacy_level', 'session_id', v_own -> 'session_id',
            'position', v_own -> 'position', 'language', v_own -> 'language',
            'provenance', coalesce(v_own -> 'provenance', '"imported"'),
            'occurred_at', case
                when v_own = '{}' then to_jsonb(to_timestamp((p_node ->> 'created_at')::double precision))
                else v_own -> 'occurred_at' end,
            'kind', case when v_type ~ '^[a-z][a-z0-9_]{0,63}$' then v_type else 'semantic' end,
            'embedding', case when p_with_embedding then p_node -> 'embedding' end
        )
    ) || jsonb_build_object(
        'content', p_node -> 'content', 'request_id', 'network:' || p_old_id,
        'metadata', coalesce(p_node -> 'attributes', '{}') - 'memos' || case
            when v_type ~ '^[a-z][a-z0-9_]{0,63}$' then '{}'
            else jsonb_build_object('memory_type', p_node -> 'memory_type') end
    );
end
$body$;
comment on function memos_private.network_memory is
    'A node of a network as add_memories takes it: its old type is the kind, what cannot be one is kept '
    'in the metadata.';

create or replace function memos.import_network(
    p_user_id uuid, p_network jsonb, p_model text default null
)
returns table (memories int, created int, links int, dangling int)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_batch constant int := memos_private.setting('max_batch');
    v_first bigint := 1;
    v_ids jsonb := '{}';
    v_part jsonb;
    v_created int;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'import_network');
    perform memos_private.require_network(p_network);
    select count(*)::int into memories from memos_private.network_nodes(p_network);
    created := 0;
    while v_first <= memories loop
        with nodes as materialized (
            select row_number() over (order by n.ordinal) as place, n.old_id, n.node
            from memos_private.network_nodes(p_network) as n
            where n.ordinal between v_first and v_first + v_batch - 1
        ),
        stored as materialized (
            select s.ordinal, s.memory_id, s.created
            from memos.add_memories(
                p_user_id,
                (
                    select jsonb_agg(memos_private.network_memory(n.old_id, n.node, p_model is not null) order by n.place)
                    from nodes as n
                ),
                null, p_model
            ) as s
        )
        select jsonb_object_agg(n.old_id, s.memory_id), count(*) filter (where s.created)
        into v_part, v_created
        from nodes as n
        join stored as s on s.ordinal = n.place;
        v_ids := v_ids || v_part;
        created := created + v_created;
        v_first := v_first + v_batch;
    end loop;

    insert into memos_private.memory_note (user_id, memory_id, version, keywords, tags, context, made_by)
    select distinct on (m.memory_id) p_user_id, m.memory_id, m.version, r.keywords, r.tags, r.context, r.made_by
    from memos_private.network_nodes(p_network) as n
    cross join lateral jsonb_to_record(n.node #> '{attributes,memos,note}')
        as r (keywords text[], tags text[], context text, made_by text)
    join memos_private.memory as m on m.user_id = p_user_id and m.memory_id = (v_ids ->> n.old_id)::uuid
    where num_nulls(r.keywords, r.tags, r.context, r.made_by) = 0 and not memos_private.is_sealed(m.content)
    order by m.memory_id, n.ordinal
    on conflict (user_id, memory_id) do nothing;

    with edges as materialized (
        select (v_ids ->> n.old_id)::uuid as from_id, (v_ids ->> (c.value ->> 'target_id'))::uuid as to_id,
            c.value ->> 'connection_type' as type,
            round(least(greatest(coalesce((c.value ->> 'strength')::numeric, 0.5), 0), 1), 9)::real as weight,
            coalesce((c.value ->> 'bidirectional')::boolean, true) as both_ways,
            case when c.value #>> '{metadata,origin}' in ('caller', 'automatic', 'evolution')
                then c.value #>> '{metadata,origin}' else 'caller' end as origin
        from memos_private.network_nodes(p_network) as n
        cross join lateral jsonb_array_elements(n.node -> 'connections') as c
    ),
    directed as (
        select e.from_id, e.to_id, e.type, e.weight, e.origin from edges as e
        union all
        -- The old store lost these at every restart.
        select e.to_id, e.from_id, e.type, e.weight, e.origin from edges as e where e.both_ways
    ),
    stored as (
        insert into memos_private.memory_link (user_id, from_id, to_id, type, weight, origin)
        select distinct on (2, 3, 4) p_user_id,
            case when memos_private.is_symmetric(d.type) then least(d.from_id, d.to_id) else d.from_id end,
            case when memos_private.is_symmetric(d.type) then greatest(d.from_id, d.to_id) else d.to_id end,
            d.type, d.weight, d.origin
        from directed as d
        where d.from_id <> d.to_id
        order by 2, 3, 4, d.weight desc
        on conflict (user_id, from_id, to_id, type) do nothing
        returning 1
    )
    select (select count(*) from stored)::int,
        (select count(*) from edges as e where e.to_id is null)::int
    into links, dangling;
    return next;
end
$body$;
comment on function memos.import_network is
    'Reads a network in the JSON form of memos.export_network and the old system: kinds are the old types, '
    'created_at becomes occurred_at (as UTC), reverse edges are made where bidirectional is not false. '
    'Vectors are taken when p_model names the model they are of; else they are pending. Importing again '
    'changes nothing. Returns the memories in it, how many of them and of the links are new, and how many '
    'connections lead nowhere. Errors: MO001, MO400, MO403.';
