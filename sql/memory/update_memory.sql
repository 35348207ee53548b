create or replace function memos.update_memory(
    p_user_id          uuid,
    p_memory_id        uuid,
    p_changes          jsonb,
    p_expected_version int default null,
    p_reason           text default null
)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, public, pg_temp
set memos.user_id = ''
as $body$
declare
    v_keys constant text[] := array[
        'content', 'kind', 'tags', 'metadata', 'importance', 'confidence', 'privacy_level', 'provenance',
        'session_id', 'position', 'occurred_at', 'valid_from', 'valid_until', 'language'
    ];
    v_stored memos_private.memory;
    v_old memos_private.memory;
    v_new memos_private.memory;
    v_input memos_private.memory_input;
    v_now timestamptz;
    v_remains boolean;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'update_memory', array[p_memory_id]);
    if p_changes is null or jsonb_typeof(p_changes) <> 'object' or p_changes = '{}' then
        perform memos_private.refuse_argument(
            'p_changes', memos_private.it_is(p_changes),
            'a JSON object with the keys to change, such as {"content": "..."}'
        );
    end if;
    if p_changes - v_keys <> '{}' then
        perform memos_private.refuse_argument(
            'p_changes',
            'unknown keys: ' || array_to_string(array(select jsonb_object_keys(p_changes - v_keys)), ', '),
            'any of ' || array_to_string(v_keys, ', ')
        );
    end if;
    -- Before the row, as all writers do: registering a model waits for writers, not the other way round.
    perform memos_private.share_embedding_models();
    perform memos_private.share_contents(p_user_id);
    if p_changes ?| array['content', 'language', 'privacy_level'] then
        perform memos_private.lock_postings(p_user_id);
    end if;
    perform memos_private.lock_user_key(p_user_id);
    loop
        select * into v_stored
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = p_memory_id
        for update;
        exit when found;
        if not memos_private.recall_memories(p_user_id, array[p_memory_id]) then
            perform memos_private.refuse_missing_memory(p_memory_id);
        end if;
    end loop;
    if p_expected_version <> v_stored.version then
        raise exception 'the memory has changed meanwhile'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('expected version %s, found %s', p_expected_version, v_stored.version),
                hint = 'read the memory again and decide anew';
    end if;

    v_old := memos_private.revealed_memory(v_stored);
    v_now := greatest(clock_timestamp(), v_old.recorded_at + interval '1 microsecond');
    if jsonb_typeof(p_changes -> 'content') not in ('string', 'null') then
        perform memos_private.refuse_argument(
            'p_changes', 'content is a JSON ' || jsonb_typeof(p_changes -> 'content'), 'a JSON string'
        );
    end if;
    begin
        v_new := jsonb_populate_record(v_old, p_changes - 'language');
    exception when data_exception then
        perform memos_private.refuse_argument(
            'p_changes', sqlerrm, 'each key takes the type of the argument of add_memory'
        );
    end;
    if p_changes ? 'language' then
        v_new.language := memos_private.text_search_language(p_changes ->> 'language');
    end if;
    if not p_changes ? 'valid_from' then
        v_new.valid_from := case
            when v_new.content = v_old.content then v_old.valid_from
            when p_changes ->> 'occurred_at' is not null then v_new.occurred_at
            -- What has ended already cannot have become different now: this corrects it.
            when v_old.valid_until <= v_now then v_old.valid_from
            else greatest(v_old.valid_from, v_now)
        end;
    end if;
    if v_new is not distinct from v_old then
        return v_old.version;
    end if;
    v_input := row(
        1, p_memory_id, v_new.content, memos_private.content_hash(v_new.content), v_new.language,
        v_new.kind, v_new.tags, v_new.metadata, v_new.importance, v_new.confidence, v_new.privacy_level,
        v_new.provenance, v_new.session_id, v_new.position, v_new.occurred_at, v_new.valid_from,
        v_new.valid_until, null, null
    );
    perform memos_private.require_valid_memories(array[v_input]);
    v_input := (memos_private.admit_memories(p_user_id, array[v_input], false))[1];
    v_remains := v_input.content <> v_old.content and v_new.valid_from > v_old.valid_from;
    select s.content, s.content_hash, s.metadata, s.privacy_level
    into v_new.content, v_new.content_hash, v_new.metadata, v_new.privacy_level
    from unnest(memos_private.seal_memories(p_user_id, array[v_input])) as s;
    if v_new.valid_from is null then
        perform memos_private.refuse_argument(
            'p_changes', 'valid_from is null', 'a finite time, or leave the key out'
        );
    end if;
    v_new.version := v_old.version + 1;
    v_new.recorded_at := v_now;

    perform memos_private.archive_memory(
        v_stored, v_now, 'update', p_reason,
        case when v_remains then least(v_new.valid_from, v_old.valid_until) end
    );
    begin
        update memos_private.memory as m
        set version = v_new.version, content = v_new.content, content_hash = v_new.content_hash,
            language = v_new.language, kind = v_new.kind, tags = v_new.tags, metadata = v_new.metadata,
            importance = v_new.importance, confidence = v_new.confidence,
            privacy_level = v_new.privacy_level, provenance = v_new.provenance,
            session_id = v_new.session_id, position = v_new.position, occurred_at = v_new.occurred_at,
            valid_from = v_new.valid_from, valid_until = v_new.valid_until, recorded_at = v_now
        where m.user_id = p_user_id and m.memory_id = p_memory_id;
        -- A cold one counts too; the update has waited for whoever was just moving it.
        if exists (
            select from memos_private.cold_place as p
            where p.user_id = p_user_id and p.content_hash = v_new.content_hash
        ) then
            raise unique_violation;
        end if;
    exception when unique_violation then
        raise exception 'another memory already has this content'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('memory %s', (
                    select m.memory_id from memos_private.memory_of_any_tier as m
                    where m.user_id = p_user_id and m.content_hash = v_new.content_hash
                )),
                hint = 'delete one of the two instead: the same content is one memory';
    end;
    if v_new.content_hash <> v_old.content_hash then
        delete from memos_private.embedding as e
        where e.user_id = p_user_id and e.memory_id = p_memory_id
            and e.model_id in (select model_id from memos_private.embedding_model);
        perform memos_private.enqueue_embeddings(p_user_id, array[p_memory_id]);
    end if;
    if memos_private.is_sealed(v_new.content) and not memos_private.is_sealed(v_stored.content) then
        perform memos_private.remove_traces(
            p_user_id, array[p_memory_id], memos_private.opened_key(p_user_id)
        );
    end if;
    return v_new.version;
end
$body$;
comment on function memos.update_memory is
    'Writes a new version and returns its number; the old one goes to the history. p_changes: a JSON '
    'object of new values (keys of add_memory, valid_from, valid_until). New content is true from now on '
    '(or from valid_from, or occurred_at, if given) and the old content stays true before; a valid_from '
    'not after the old one corrects it for all time. Nothing really changed: the version stays. '
    'p_expected_version guards against lost updates. An encrypted memory takes its key (memos.use_key); '
    'one that becomes restricted is encrypted with all its versions. '
    'Errors: MO001, MO400, MO403, MO404, MO409, MO451, MO500.';
