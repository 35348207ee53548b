-- What is quarantined is not a memory yet: it is kept out of searches by not being there.
create or replace function memos.quarantine_memories(p_user_id uuid, p_memories jsonb, p_source text)
returns table (ordinal int, quarantine_id uuid)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_keys constant text[] := array[
        'content', 'kind', 'tags', 'metadata', 'embedding', 'importance', 'confidence', 'privacy_level',
        'provenance', 'session_id', 'position', 'occurred_at', 'language', 'request_id'
    ];
    v_now constant timestamptz := clock_timestamp();
    v_most constant int := memos_private.setting('max_content_bytes');
    v_bad bigint;
    v_ids uuid[] := '{}';
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_consent(p_user_id, 'storing');
    if p_memories is null or jsonb_typeof(p_memories) <> 'array'
        or jsonb_array_length(p_memories) > memos_private.setting('max_batch')::int
    then
        perform memos_private.refuse_argument(
            'p_memories', coalesce('it is a JSON ' || jsonb_typeof(p_memories), 'it is null'),
            format(
                'a JSON array of at most %s objects (setting max_batch)', memos_private.setting('max_batch')
            )
        );
    end if;
    if p_source is null or p_source !~ '\S' or length(p_source) > 1000 then
        perform memos_private.refuse_argument(
            'p_source', memos_private.it_is(p_source),
            'where they come from, and why not trusted, in 1 to 1000 characters'
        );
    end if;
    select e.ordinal into v_bad
    from jsonb_array_elements(p_memories) with ordinality as e (object, ordinal)
    where case when jsonb_typeof(e.object) = 'object' then e.object - v_keys <> '{}'
            or coalesce(jsonb_typeof(e.object -> 'content'), '') <> 'string'
            or e.object ->> 'content' !~ '\S' or octet_length(e.object::text) > v_most
        else true end
    order by e.ordinal
    limit 1;
    if found then
        perform memos_private.refuse_argument(
            'p_memories', format('memory %s', v_bad),
            format('objects of at most %s bytes as add_memories takes them, with a text as content', v_most)
        );
    end if;
    for ordinal, quarantine_id in
        with quarantined as (
            insert into memos_private.quarantine as q (
                user_id, quarantine_id, memory, source, recorded_at, recorded_by
            )
            select p_user_id, memos_private.new_memory_id(v_now + e.ordinal * interval '1 microsecond'),
                -- Neither its vector nor who it claims to be from is to be trusted more than its text.
                e.object - 'embedding' || '{"provenance": "imported"}', p_source, v_now, memos_private.caller()
            from jsonb_array_elements(p_memories) with ordinality as e (object, ordinal)
            order by e.ordinal
            returning q.quarantine_id
        )
        select row_number() over (order by q.quarantine_id)::int, q.quarantine_id
        from quarantined as q
        order by q.quarantine_id
    loop
        v_ids := v_ids || quarantine_id;
        return next;
    end loop;
    perform memos_private.audit(p_user_id, 'quarantine_memories', v_ids);
end
$body$;
comment on function memos.quarantine_memories is
    'Takes in texts that nobody vouches for (an export of another system, a web page): objects as for '
    'add_memories, whose provenance becomes imported. They are not found, linked or counted until '
    'release_memory makes memories of them. Errors: MO001, MO400, MO403, MO451.';

create or replace function memos.quarantine_memory(p_user_id uuid, p_memory_id uuid, p_source text)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_id constant uuid := memos_private.new_memory_id(clock_timestamp());
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'quarantine_memory', array[p_memory_id, v_id]);
    if p_source is null or p_source !~ '\S' or length(p_source) > 980 then
        perform memos_private.refuse_argument(
            'p_source', memos_private.it_is(p_source),
            'where it comes from, and why it is not trusted, in 1 to 980 characters'
        );
    end if;
    perform memos_private.share_embedding_models();
    perform memos_private.lock_postings(p_user_id);
    perform memos_private.recall_memories(p_user_id, array[p_memory_id]);
    insert into memos_private.quarantine (
        user_id, quarantine_id, memory, source, recorded_at, recorded_by
    )
    select m.user_id, v_id,
        jsonb_strip_nulls(jsonb_build_object(
            'content', m.content, 'kind', m.kind, 'tags', m.tags, 'importance', m.importance,
            'confidence', m.confidence, 'privacy_level', m.privacy_level, 'provenance', m.provenance,
            'session_id', m.session_id, 'position', m.position, 'occurred_at', m.occurred_at,
            'language', (select c.cfgname from pg_ts_config as c where c.oid = m.language)
        )) || jsonb_build_object('metadata', m.metadata),
        p_source, clock_timestamp(), memos_private.caller()
    from memos_private.memory as m
    where m.user_id = p_user_id and m.memory_id = p_memory_id
    for update;
    if not found then
        perform memos_private.refuse_missing_memory(p_memory_id);
    end if;
    perform memos_private.remove_memory(p_user_id, p_memory_id, 'quarantine: ' || p_source);
    return v_id;
end
$body$;
comment on function memos.quarantine_memory is
    'Takes a memory that turned out doubtful out of everything (its versions stay on record) and keeps it '
    'for release_memory or reject_memory. Returns its id there. Errors: MO001, MO400, MO403, MO404.';

create or replace function memos.quarantined_memories(
    p_user_id uuid, p_limit int default 50, p_after uuid default null
)
returns table (
    quarantine_id uuid, content text, memory jsonb, source text, recorded_at timestamptz, recorded_by text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_ids uuid[] := '{}';
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_limit(p_limit);
    for quarantine_id, content, memory, source, recorded_at, recorded_by in
        select q.quarantine_id, q.memory ->> 'content', q.memory - 'content', q.source, q.recorded_at,
            q.recorded_by::text
        from memos_private.quarantine as q
        where q.user_id = p_user_id
            and q.quarantine_id > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
        order by q.quarantine_id
        limit p_limit
    loop
        v_ids := v_ids || quarantine_id;
        return next;
    end loop;
    perform memos_private.audit_read(p_user_id, 'quarantined_memories', v_ids);
end
$body$;
comment on function memos.quarantined_memories is
    'What waits in a user''s quarantine, oldest first; p_after: the last quarantine_id of the page '
    'before. Errors: MO001, MO400, MO403.';

create or replace function memos_private.take_from_quarantine(p_user_id uuid, p_quarantine_id uuid)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_allowed constant text[] := memos_private.allowed_provenances();
    v_memory jsonb;
begin
    if 'user' <> all (v_allowed) then
        raise exception 'this role may not decide on quarantined memories'
            using errcode = memos_private.audit_failure('MO403'),
                detail = format(
                    'role %s may write: %s', memos_private.caller(), array_to_string(v_allowed, ', ')
                ),
                hint = 'who is not trusted to speak for the user does not vouch for others: ask the user';
    end if;
    delete from memos_private.quarantine as q
    where q.user_id = p_user_id and q.quarantine_id = p_quarantine_id
    returning q.memory into v_memory;
    return v_memory;
end
$body$;
comment on function memos_private.take_from_quarantine is
    'Removes and returns what is in quarantine, null when it is not there. Errors: MO403.';

create or replace function memos.release_memory(p_user_id uuid, p_quarantine_id uuid)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_memory jsonb;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'release_memory', array[p_quarantine_id]);
    v_memory := memos_private.take_from_quarantine(p_user_id, p_quarantine_id);
    if v_memory is null then
        raise exception 'quarantined memory not found'
            using errcode = memos_private.audit_failure('MO404'),
                detail = format('the user has no %s in quarantine', coalesce(p_quarantine_id::text, 'null')),
                hint = 'memos.quarantined_memories shows the ids';
    end if;
    return (select a.memory_id from memos.add_memories(p_user_id, jsonb_build_array(v_memory)) as a);
end
$body$;
comment on function memos.release_memory is
    'Makes a memory of what was quarantined, as add_memories does, and returns its id. Not for roles '
    'that may not claim the provenance user. Errors: MO001, MO400, MO403, MO404, MO429, MO451.';

create or replace function memos.reject_memory(p_user_id uuid, p_quarantine_id uuid)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'reject_memory', array[p_quarantine_id]);
    if p_quarantine_id is null then
        perform memos_private.refuse_argument(
            'p_quarantine_id', 'it is null', 'memos.quarantined_memories shows the ids'
        );
    end if;
    perform memos_private.require_no_hold(p_user_id);
    return memos_private.take_from_quarantine(p_user_id, p_quarantine_id) is not null;
end
$body$;
comment on function memos.reject_memory is
    'Deletes what was quarantined, for good; false when it is not there. Not for roles that may not '
    'claim the provenance user. Errors: MO001, MO400, MO403, MO451 (legal hold).';
