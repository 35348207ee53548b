-- All that a run touches at once and in the order of the ids, as everybody locks several memories, before
-- any postings; with the other ends of their links, which are moved along to the cold tier and back.
create or replace function memos_private.lock_memories(p_user_id uuid, p_memory_ids uuid[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.share_embedding_models();
    perform memos_private.lock_postings(p_user_id);
    perform from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = any (p_memory_ids || array(
        select l.to_id from memos_private.memory_link as l
        where l.user_id = p_user_id and l.from_id = any (p_memory_ids)
        union
        select l.from_id from memos_private.memory_link as l
        where l.user_id = p_user_id and l.to_id = any (p_memory_ids)
        union
        select l.to_id from memos_private.memory_link_cold as l
        where l.user_id = p_user_id and l.from_id = any (p_memory_ids)
        union
        select l.from_id from memos_private.memory_link_cold as l
        where l.user_id = p_user_id and l.to_id = any (p_memory_ids)
    ))
    order by m.memory_id
    for update;
end
$body$;
comment on function memos_private.lock_memories is
    'Locks memories and what they are linked with, until the transaction ends.';

create or replace function memos_private.json_uuids(p_ids jsonb)
returns uuid[]
language sql
immutable
set search_path = pg_catalog, pg_temp
as $body$
    select array_agg(i.id::uuid order by i.n) from jsonb_array_elements_text(p_ids) with ordinality as i (id, n)
$body$;
comment on function memos_private.json_uuids is 'A JSON array of ids as an array.';

create or replace function memos_private.memory_images(p_user_id uuid, p_memory_ids uuid[])
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return (
        select jsonb_object_agg(m.memory_id, to_jsonb(m) - 'content')
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (p_memory_ids)
    );
end
$body$;
comment on function memos_private.memory_images is
    'The rows of memories, with the hash of the content only, to tell later what changed.';

create or replace function memos_private.record_consolidation(
    p_user_id uuid, p_run_id uuid, p_action text, p_memory_id uuid, p_source_ids uuid[], p_reason text,
    p_set_aside uuid[], p_before jsonb
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_memory memos_private.memory;
begin
    -- Linked while both are here: a link goes to the cold tier with its end.
    insert into memos_private.memory_link (user_id, from_id, to_id, type, weight, origin)
    select p_user_id, case p_action when 'merge' then s else p_memory_id end,
        case p_action when 'merge' then p_memory_id else s end,
        case p_action when 'merge' then 'duplicate_of' else 'derived_from' end, 1, 'consolidation'
    from unnest(p_source_ids) as s
    order by s
    on conflict (user_id, from_id, to_id, type) do nothing;
    perform memos_private.set_aside(p_user_id, p_set_aside);
    select * into v_memory
    from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = p_memory_id;
    insert into memos_private.consolidation_action (
        user_id, run_id, ordinal, action, memory_id, source_ids, reason, set_aside, before, version
    )
    select p_user_id, p_run_id, 1 + count(*), p_action, p_memory_id, p_source_ids, p_reason,
        cardinality(p_set_aside) > 0, p_before, v_memory.version
    from memos_private.consolidation_action as a
    where a.user_id = p_user_id and a.run_id = p_run_id;
    return jsonb_build_object(
        'action', p_action, 'memory_id', p_memory_id, 'source_ids', p_source_ids,
        'content', v_memory.content, 'reason', p_reason
    );
end
$body$;
comment on function memos_private.record_consolidation is
    'Links, sets aside and puts on record what one step of a consolidation is about.';

create or replace function memos_private.merge_into(
    p_user_id uuid, p_run_id uuid, p_keep_id uuid, p_source_ids uuid[], p_reason text
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_keep memos_private.memory;
    v_source_ids uuid[];
    v_before jsonb;
    v_tags text[];
begin
    select * into v_keep
    from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = p_keep_id;
    -- Looked at again, now that they are locked. No reason given: they have to say the same.
    v_source_ids := array(
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (p_source_ids)
            and not m.pinned and m.privacy_level = v_keep.privacy_level
            and (not v_keep.pinned or m.tags <@ v_keep.tags)
            and memos_private.may_be_consolidated(m) and memos_private.may_be_consolidated(v_keep)
            and (
                p_reason is not null
                or memos_private.statement_key(m.content) = memos_private.statement_key(v_keep.content)
            )
        order by m.memory_id
    );
    if v_source_ids = '{}' then
        return null;
    end if;
    v_before := memos_private.memory_images(p_user_id, p_keep_id || v_source_ids);
    v_tags := v_keep.tags || array(
        select distinct t
        from memos_private.memory as m
        cross join lateral unnest(m.tags) as t
        where m.user_id = p_user_id and m.memory_id = any (v_source_ids) and t <> all (v_keep.tags)
        order by t
    );
    if v_tags <> v_keep.tags then
        -- Who looks for a tag still finds it.
        perform memos.update_memory(
            p_user_id, p_keep_id, jsonb_build_object('tags', v_tags[:64]), null,
            'consolidation ' || p_run_id
        );
    end if;
    return memos_private.record_consolidation(
        p_user_id, p_run_id, 'merge', p_keep_id, v_source_ids,
        coalesce(p_reason, 'says the same word for word; stays because it ' || case
            when v_keep.pinned then 'is pinned'
            when v_keep.provenance = 'user' and exists (
                select from memos_private.memory as m
                where m.user_id = p_user_id and m.memory_id = any (v_source_ids) and m.provenance <> 'user'
            ) then 'is what the user said'
            when v_keep.importance > (
                select max(m.importance) from memos_private.memory as m
                where m.user_id = p_user_id and m.memory_id = any (v_source_ids)
            ) then 'is the most important'
            else 'is the oldest'
        end),
        v_source_ids, v_before
    );
end
$body$;
comment on function memos_private.merge_into is
    'Sets duplicates aside in favour of one memory, which gets their tags; null when there is nothing '
    'left to merge. Pinned memories, facts and other privacy levels are left out.';

create or replace function memos_private.summarize_into(
    p_user_id uuid, p_run_id uuid, p_source_ids uuid[], p_min_sources int, p_set_aside boolean
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_sources memos_private.memory[];
    v_first memos_private.memory;
    v_source_ids uuid[];
    v_content text;
    v_added record;
    v_before jsonb;
begin
    v_sources := array(
        select m::memos_private.memory
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (p_source_ids)
            and memos_private.may_be_consolidated(m)
        order by coalesce(m.occurred_at, m.recorded_at), m.memory_id
    );
    v_source_ids := array(select s.memory_id from unnest(v_sources) as s);
    v_first := v_sources[1];
    if cardinality(v_sources) < p_min_sources
        or exists (select from unnest(v_sources) as s where s.privacy_level <> v_first.privacy_level)
    then
        return null;
    end if;
    -- Where they are of several days, a sentence says of which it is.
    select memos_private.summarize_texts(
        jsonb_agg(
            case when d.days > 1 and s.occurred_at is not null
                then to_char(s.occurred_at at time zone 'UTC', 'YYYY-MM-DD: ') else '' end
            || left(s.content, 5000)
            order by s.ordinality
        ), 600
    ) into v_content
    from unnest(v_sources) with ordinality as s
    cross join (
        select count(distinct (t.occurred_at at time zone 'UTC')::date) as days from unnest(v_sources) as t
    ) as d;
    v_before := memos_private.memory_images(p_user_id, v_source_ids);
    select a.memory_id, a.created into v_added
    from memos.add_memories(p_user_id, jsonb_build_array(jsonb_build_object(
        'content', v_content,
        'kind', case when (select count(distinct s.kind) from unnest(v_sources) as s) = 1
            then v_first.kind else 'semantic' end,
        'tags', to_jsonb(array(
            select distinct t from unnest(v_sources) as s cross join lateral unnest(s.tags) as t order by t limit 64
        )),
        'metadata', jsonb_build_object('consolidation', p_run_id),
        'importance', (select max(s.importance) from unnest(v_sources) as s),
        'confidence', (select min(s.confidence) from unnest(v_sources) as s),
        'privacy_level', v_first.privacy_level, 'provenance', 'model',
        'language', (select c.cfgname from pg_ts_config as c where c.oid = v_first.language)
    ))) as a;
    if not v_added.created then
        -- One of the sources says it all already.
        return null;
    end if;
    return memos_private.record_consolidation(
        p_user_id, p_run_id, 'summarize', v_added.memory_id, v_source_ids,
        format('the most central sentences of %s memories that are alike', cardinality(v_source_ids)),
        case when p_set_aside then array(select s.memory_id from unnest(v_sources) as s where not s.pinned)
            else '{}' end,
        v_before
    );
end
$body$;
comment on function memos_private.summarize_into is
    'A new memory with what is central to others, linked to them; null when they have changed too much '
    'meanwhile, or say no more than one of them.';

create or replace function memos_private.consolidate(
    p_user_id uuid, p_run_id uuid, p_merge boolean, p_summarize boolean, p_min_similarity real,
    p_min_sources int, p_max_clusters int, p_include_derived boolean, p_set_aside_sources boolean
)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_merges jsonb := '[]';
    v_summaries jsonb := '[]';
    v_excluded uuid[];
    v_plan jsonb;
    v_action jsonb;
    v_actions jsonb := '[]';
begin
    if p_merge then
        select coalesce(jsonb_agg(to_jsonb(m)), '[]') into v_merges
        from memos_private.plan_merges(p_user_id, p_max_clusters) as m;
    end if;
    if p_summarize then
        v_excluded := array(
            select s::uuid
            from jsonb_array_elements(v_merges) as m
            cross join lateral jsonb_array_elements_text(m -> 'source_ids') as s
        );
        select coalesce(jsonb_agg(jsonb_build_object('source_ids', c.source_ids)), '[]') into v_summaries
        from memos_private.plan_summaries(
            p_user_id, p_min_similarity, p_min_sources, p_max_clusters - jsonb_array_length(v_merges),
            p_include_derived, v_excluded
        ) as c;
    end if;
    if v_merges || v_summaries = '[]' then
        return '[]';
    end if;
    perform memos_private.lock_memories(p_user_id, array(
        select s::uuid
        from jsonb_array_elements(v_merges || v_summaries) as p
        cross join lateral jsonb_array_elements_text(
            (p -> 'source_ids') || coalesce(p -> 'keep_id', '[]')
        ) as s
    ));
    insert into memos_private.consolidation_run (user_id, run_id, parameters)
    values (p_user_id, p_run_id, jsonb_build_object(
        'merge', p_merge, 'summarize', p_summarize, 'min_similarity', p_min_similarity,
        'min_sources', p_min_sources, 'max_clusters', p_max_clusters,
        'include_derived', p_include_derived, 'set_aside_sources', p_set_aside_sources
    ));
    for v_plan in select p from jsonb_array_elements(v_merges) as p loop
        v_action := memos_private.merge_into(
            p_user_id, p_run_id, (v_plan ->> 'keep_id')::uuid, memos_private.json_uuids(v_plan -> 'source_ids'), null
        );
        v_actions := v_actions || coalesce(v_action, '[]');
    end loop;
    for v_plan in select p from jsonb_array_elements(v_summaries) as p loop
        v_action := memos_private.summarize_into(
            p_user_id, p_run_id, memos_private.json_uuids(v_plan -> 'source_ids'), p_min_sources,
            p_set_aside_sources
        );
        v_actions := v_actions || coalesce(v_action, '[]');
    end loop;
    if v_actions = '[]' then
        delete from memos_private.consolidation_run as r where r.user_id = p_user_id and r.run_id = p_run_id;
    end if;
    return v_actions;
end
$body$;
comment on function memos_private.consolidate is
    'Merges what says the same, then summarises clusters, at most p_max_clusters together; what it did.';

create or replace function memos_private.lock_consolidation(p_user_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform pg_advisory_xact_lock(hashtextextended('memos.consolidate ' || p_user_id, 0));
end
$body$;
comment on function memos_private.lock_consolidation is
    'One consolidation or undo at a time for a user: the second sees what the first has done.';

create or replace function memos.consolidate_memories(
    p_user_id           uuid,
    p_dry_run           boolean default true,
    p_min_similarity    real default 0.8,
    p_max_clusters      int default 20,
    p_min_sources       int default 4,
    p_merge             boolean default true,
    p_summarize         boolean default true,
    p_include_derived   boolean default false,
    p_set_aside_sources boolean default false
)
returns table (
    run_id uuid, action text, memory_id uuid, source_ids uuid[], content text, reason text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_run_id constant uuid := memos_private.new_memory_id(clock_timestamp());
    v_actions jsonb;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'consolidate_memories');
    perform memos_private.require_consent(p_user_id, 'deriving');
    if num_nulls(p_dry_run, p_merge, p_summarize, p_include_derived, p_set_aside_sources) > 0 then
        perform memos_private.refuse_argument(
            case when p_dry_run is null then 'p_dry_run' when p_merge is null then 'p_merge'
                when p_summarize is null then 'p_summarize'
                when p_include_derived is null then 'p_include_derived' else 'p_set_aside_sources' end,
            'it is null', 'true or false'
        );
    end if;
    perform memos_private.require_fraction('p_min_similarity', p_min_similarity);
    if p_max_clusters is null or p_max_clusters not between 1 and 1000 then
        perform memos_private.refuse_argument(
            'p_max_clusters', memos_private.it_is(p_max_clusters), '1 to 1000'
        );
    end if;
    if p_min_sources is null or p_min_sources not between 2 and 32 then
        perform memos_private.refuse_argument(
            'p_min_sources', memos_private.it_is(p_min_sources), '2 to 32 memories'
        );
    end if;
    if p_summarize and to_regprocedure('memos_private.summarize_texts(jsonb, integer)') is null then
        raise exception 'this server cannot summarize'
            using errcode = 'feature_not_supported', detail = 'it needs the language plpython3u',
                hint = 'install postgresql-plpython3 and run memos migrate, or pass p_summarize => false';
    end if;
    perform memos_private.lock_consolidation(p_user_id);
    begin
        v_actions := memos_private.consolidate(
            p_user_id, v_run_id, p_merge, p_summarize, p_min_similarity, p_min_sources, p_max_clusters,
            p_include_derived, p_set_aside_sources
        );
        -- A dry run is a run that is taken back: it cannot show anything else than a run would do.
        if p_dry_run then
            raise exception 'dry run' using errcode = 'MODRY';
        end if;
    exception when sqlstate 'MODRY' then
        null;
    end;
    return query
    select case when not p_dry_run then v_run_id end, a ->> 'action',
        -- A summary that was taken back has no id.
        case when not p_dry_run or a ->> 'action' = 'merge' then (a ->> 'memory_id')::uuid end,
        array(select s::uuid from jsonb_array_elements_text(a -> 'source_ids') as s), a ->> 'content',
        a ->> 'reason'
    from jsonb_array_elements(v_actions) with ordinality as e (a, n)
    order by e.n;
end
$body$;
comment on function memos.consolidate_memories is
    'Shows what consolidation would do, or with p_dry_run => false does it. merge: of memories that say '
    'the same, word for word (memos_private.differences; same kind, day and privacy level), one stays '
    'and gets their tags; the others go to the cold tier, where p_include_cold finds them. summarize: '
    'the central sentences of a cluster (at least p_min_sources memories, each linked to the one in the '
    'middle with p_min_similarity) become a new memory of provenance model, linked derived_from to its '
    'sources, which stay as they are unless p_set_aside_sources. What was derived is no source again '
    'unless p_include_derived. Pinned memories and facts are never set aside. memos.undo_consolidation '
    'takes a run back. Errors: MO001, MO400, MO403, MO451, 0A000.';

create or replace function memos.merge_memories(
    p_user_id    uuid,
    p_memory_id  uuid,
    p_source_ids uuid[],
    p_reason     text default 'the caller says so'
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_run_id constant uuid := memos_private.new_memory_id(clock_timestamp());
    v_memory_id uuid;
    v_action jsonb;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_consent(p_user_id, 'deriving');
    if p_source_ids is null or cardinality(p_source_ids) not between 1 and 1000 or array_ndims(p_source_ids) > 1
        or array_position(p_source_ids, null) > 0 or p_memory_id = any (p_source_ids)
        or cardinality(p_source_ids) <> (select count(distinct s) from unnest(p_source_ids) as s)
    then
        perform memos_private.refuse_argument(
            'p_source_ids',
            'it is null, empty, too long or of more than one dimension, has a null, an id twice, or '
                || 'p_memory_id itself',
            'the ids of 1 to 1000 other memories'
        );
    end if;
    if p_reason is null or p_reason !~ '\S' or length(p_reason) > 900 then
        perform memos_private.refuse_argument('p_reason', 'it is null, blank or too long', '1 to 900 characters');
    end if;
    perform memos_private.audit(p_user_id, 'merge_memories', p_memory_id || p_source_ids);
    perform memos_private.lock_consolidation(p_user_id);
    perform memos_private.recall_memories(p_user_id, p_memory_id || p_source_ids);
    foreach v_memory_id in array p_memory_id || p_source_ids loop
        if not exists (
            select from memos_private.memory as m where m.user_id = p_user_id and m.memory_id = v_memory_id
        ) then
            perform memos_private.refuse_missing_memory(v_memory_id);
        end if;
    end loop;
    perform memos_private.lock_memories(p_user_id, p_memory_id || p_source_ids);
    insert into memos_private.consolidation_run (user_id, run_id, parameters)
    values (p_user_id, v_run_id, jsonb_build_object('merge_memories', true));
    v_action := memos_private.merge_into(p_user_id, v_run_id, p_memory_id, p_source_ids, p_reason);
    if v_action is null or jsonb_array_length(v_action -> 'source_ids') < cardinality(p_source_ids) then
        raise exception 'these memories cannot be merged'
            using errcode = memos_private.audit_failure('MO409'),
                detail = 'one is pinned, a fact, no longer valid, or of another privacy level',
                hint = 'unpin it first, or leave it out';
    end if;
    return v_run_id;
end
$body$;
comment on function memos.merge_memories is
    'Merges memories that the caller knows to say the same (see memos.find_duplicates) into one: the '
    'others go to the cold tier, it gets their tags. Returns the run for memos.undo_consolidation. '
    'Errors: MO001, MO400, MO403, MO404, MO409, MO451.';
