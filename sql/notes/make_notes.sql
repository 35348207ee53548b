-- Claimed, made, stored: a claim is a lease that commits first, so that no lock is held while a
-- provider thinks, and what is stored is checked against the version that was read.
create or replace function memos_admin.claim_notes(
    p_user_id uuid, p_limit int, p_lease interval default '15 minutes'
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_now constant timestamptz := clock_timestamp();
    v_ids uuid[];
    v_due bigint;
begin
    if not memos_private.has_consent(p_user_id, 'deriving') then
        return '[]';  -- they wait, in case the user consents again
    end if;
    -- Again when there was nothing to do about all of them.
    loop
        with taken as (
            delete from memos_private.note_block as b
            where b.ctid = any (array(
                select s.ctid
                from memos_private.note_block as s
                where s.user_id = p_user_id
                limit 1 + p_limit / 100
                for update skip locked
            ))
            returning b.memory_ids
        )
        insert into memos_private.note_queue (user_id, memory_id)
        select p_user_id, i.memory_id
        from taken as t
        cross join lateral unnest(t.memory_ids) as i (memory_id)
        order by i.memory_id
        on conflict (user_id, memory_id) do nothing;
        with due as (
            select q.memory_id
            from memos_private.note_queue as q
            where q.user_id = p_user_id and q.available_at <= v_now
            order by q.memory_id
            limit p_limit
            for update skip locked
        ),
        gone as (
            delete from memos_private.note_queue as q
            using due as d
            where q.user_id = p_user_id and q.memory_id = d.memory_id and (
                not exists (
                    select from memos_private.memory as m
                    where m.user_id = p_user_id and m.memory_id = d.memory_id
                        and not memos_private.is_sealed(m.content)
                )
                -- A caller said it, or it was cold and has come back with its note.
                or exists (
                    select
                    from memos_private.memory_note as n
                    join memos_private.memory as m on m.user_id = n.user_id and m.memory_id = n.memory_id
                    cross join memos_private.note_provider as p
                    where n.user_id = p_user_id and n.memory_id = d.memory_id and n.version = m.version
                        and n.made_by in (
                            'caller', case p.provider when 'http' then p.options ->> 'model' else 'rules' end
                        )
                )
            )
            returning q.memory_id
        ),
        claimed as (
            update memos_private.note_queue as q
            set available_at = v_now + p_lease, attempts = q.attempts + 1
            from due as d
            join memos_private.memory as m on m.user_id = p_user_id and m.memory_id = d.memory_id
            where q.user_id = p_user_id and q.memory_id = d.memory_id
                and d.memory_id not in (select g.memory_id from gone as g)
            returning q.memory_id
        )
        select array_agg(c.memory_id), (select count(*) from due) into v_ids, v_due from claimed as c;
        exit when v_ids is not null or v_due = 0;
    end loop;
    if v_ids is not null then
        perform memos_private.audit_read(p_user_id, 'memos_admin.claim_notes', v_ids);
    end if;
    return coalesce((
        select jsonb_agg(memos_private.note_input(m) order by m.memory_id)
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (v_ids)
    ), '[]');
end
$body$;
comment on function memos_admin.claim_notes is
    'Memories of a user whose note is to be made, each for the length of a lease: one step of '
    'memos_admin.make_notes. None of a user who does not consent to deriving.';

create or replace function memos_private.note_input(p_memory memos_private.memory)
returns jsonb
language sql
stable
return jsonb_build_object(
    'memory_id', p_memory.memory_id, 'version', p_memory.version, 'content', left(p_memory.content, 20000),
    'language', p_memory.language::oid::bigint, 'occurred_at', p_memory.occurred_at at time zone 'UTC',
    'session_id', p_memory.session_id, 'provenance', p_memory.provenance, 'kind', p_memory.kind
);
comment on function memos_private.note_input is 'What a provider of notes is told about a memory.';

create or replace function memos_private.word_frequencies(p_user_id uuid, p_memories jsonb)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return coalesce((
        select jsonb_object_agg(f.word, f.documents)
        from (
            select w.word, (
                select sum(cardinality(p.memory_ids))
                from memos_private.posting as p
                where p.user_id = p_user_id and p.lexeme = any (array(
                    select l.lexeme from memos_private.lexemes(w.language, w.word) as l
                ))
            ) as documents
            from (
                select distinct (m ->> 'language')::oid::regconfig as language, t.word
                from jsonb_array_elements(p_memories) as m
                cross join lateral regexp_split_to_table(lower(m ->> 'content'), '[^[:alnum:]]+') as t (word)
                where length(t.word) between 2 and 40
            ) as w
        ) as f
        where f.documents > 0
    ), '{}');
end
$body$;
comment on function memos_private.word_frequencies is
    'In how many of the user''s memories each word of some memories is, from the inverted index.';

create or replace function memos_private.make_rules_notes(p_user_id uuid, p_memories jsonb)
returns jsonb
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    return memos_private.rules_notes(
        p_memories, memos_private.word_frequencies(p_user_id, p_memories),
        coalesce((
            select sum(c.documents)::int from memos_private.corpus as c where c.user_id = p_user_id
        ), 0)
    );
end
$body$;
comment on function memos_private.make_rules_notes is 'Notes of a user''s memories by statistics and rules.';

create or replace function memos_private.store_notes(
    p_user_id uuid, p_memories jsonb, p_notes jsonb, p_made_by text
)
returns int
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_held uuid[];
begin
    perform memos_private.share_contents(p_user_id);
    v_held := array(
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and (m.memory_id, m.version) in (
            select (i ->> 'memory_id')::uuid, (i ->> 'version')::int from jsonb_array_elements(p_memories) as i
        ) and not memos_private.is_sealed(m.content)
        order by m.memory_id
        for key share
    );
    insert into memos_private.memory_note as n (
        user_id, memory_id, version, keywords, tags, context, made_by
    )
    select p_user_id, (i.memory ->> 'memory_id')::uuid, (i.memory ->> 'version')::int, r.keywords, r.tags,
        r.context, p_made_by
    from rows from (jsonb_array_elements(p_memories), jsonb_array_elements(p_notes)) as i (memory, note)
    cross join lateral jsonb_to_record(i.note) as r (keywords text[], tags text[], context text)
    where (i.memory ->> 'memory_id')::uuid = any (v_held)
    order by 2
    on conflict (user_id, memory_id) do update
    set version = excluded.version, keywords = excluded.keywords, tags = excluded.tags,
        context = excluded.context, made_by = excluded.made_by, made_at = excluded.made_at, evolved = false
    -- What a caller wrote meanwhile about this text stands.
    where n.made_by <> 'caller' or n.version < excluded.version;
    delete from memos_private.note_queue as q where q.user_id = p_user_id and q.memory_id = any (v_held);
    return cardinality(v_held);
end
$body$;
comment on function memos_private.store_notes is
    'Stores notes of memories that are still in the version that was read; the others stay queued.';

create or replace function memos_private.fail_note(p_user_id uuid, p_memory_id uuid, p_error text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    update memos_private.note_queue as q
    set last_error = left(p_error, 2000),
        available_at = case
            when q.attempts >= memos_private.setting('note_max_attempts')::int then 'infinity'
            else clock_timestamp() + least(interval '1 hour', interval '5 seconds' * 2 ^ q.attempts)
        end
    where q.user_id = p_user_id and q.memory_id = p_memory_id;
end
$body$;
comment on function memos_private.fail_note is
    'Lets a memory wait before the next attempt at its note, or gives it up after note_max_attempts.';

create or replace function memos_admin.write_notes(p_user_id uuid, p_memories jsonb)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_provider memos_private.note_provider;
    v_memory jsonb;
    v_notes jsonb := '[]';
    v_made jsonb := '[]';
    v_detail text;
    v_error text;
begin
    perform memos_private.audit(p_user_id, 'memos_admin.write_notes', array(
        select (m ->> 'memory_id')::uuid from jsonb_array_elements(p_memories) as m
    ));
    select * into v_provider from memos_private.note_provider;
    if v_provider.provider = 'rules' then
        v_notes := memos_private.make_rules_notes(p_user_id, p_memories);
        perform memos_private.store_notes(p_user_id, p_memories, v_notes, 'rules');
        return true;
    elsif v_provider.provider = 'off' then
        return false;
    end if;
    for v_memory in select m from jsonb_array_elements(p_memories) as m loop
        begin
            v_notes := v_notes || memos_private.ask_note(v_memory, v_provider.options);
            v_made := v_made || v_memory;
        exception when sqlstate 'MO400' or io_error then
            get stacked diagnostics v_error = message_text, v_detail = pg_exception_detail;
            v_error := concat_ws(': ', regexp_replace(v_error, '^plpy\.Error: ', ''), nullif(v_detail, ''));
            exit;
        end;
    end loop;
    perform memos_private.store_notes(p_user_id, v_made, v_notes, v_provider.options ->> 'model');
    if v_error is null then
        return true;
    end if;
    raise warning 'making a note failed'
        using detail = v_error, hint = 'what failed stays queued: see memos_admin.note_status()';
    perform memos_private.fail_note(p_user_id, (v_memory ->> 'memory_id')::uuid, v_error);
    return false;
end
$body$;
comment on function memos_admin.write_notes is
    'Makes and stores the notes of claimed memories: one step of memos_admin.make_notes. False when the '
    'provider failed, so that there is no point in going on now.';

create or replace function memos_admin.users_to_note()
returns table (user_id uuid, batch int)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    -- A model takes seconds for each: one at a time is given back when the server goes down.
    select w.user_id, case p.provider when 'http' then 1 else 200 end
    from (
        select q.user_id from memos_private.note_queue as q where q.available_at <= clock_timestamp()
        union
        select b.user_id from memos_private.note_block as b
    ) as w
    cross join memos_private.note_provider as p
    where memos_private.can_make_notes(p.provider) and memos_private.has_consent(w.user_id, 'deriving')
    order by w.user_id
$body$;
comment on function memos_admin.users_to_note is
    'Users with memories whose note is to be made, and how many to make in one transaction.';

-- Commits as it goes, so it can neither be a definer nor pin its search_path in a clause: it pins it
-- itself in each transaction and does nothing but call functions that are definers.
create or replace procedure memos_admin.make_notes(
    p_user_id uuid default null,
    p_limit   int default null,
    p_at_most interval default null
)
language plpgsql
as $body$
declare
    v_user record;
    v_memories pg_catalog.jsonb;
    v_left pg_catalog.int4 := p_limit;
    v_count pg_catalog.int4;
    v_done pg_catalog.bool;
    v_go_on pg_catalog.bool;
    v_end constant pg_catalog.timestamptz :=
        coalesce(pg_catalog.clock_timestamp() operator(pg_catalog.+) p_at_most, 'infinity');
begin
    if p_limit operator(pg_catalog.<) 1 then
        raise exception 'bad argument: p_limit'
            using errcode = 'MO400', detail = 'it is less than 1', hint = 'null, or a whole number from 1';
    end if;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    -- All users take turns: one with a large import holds up nobody.
    loop
        v_done := true;
        for v_user in
            select u.user_id, u.batch
            from memos_admin.users_to_note() as u
            where u.user_id = coalesce(p_user_id, u.user_id)
        loop
            perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
            v_memories := memos_admin.claim_notes(v_user.user_id, least(v_user.batch, v_left));
            -- The claim is committed before a provider is called: no lock is held while it thinks.
            commit;
            perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
            v_count := jsonb_array_length(v_memories);
            continue when v_count = 0;
            v_done := false;
            v_go_on := memos_admin.write_notes(v_user.user_id, v_memories);
            commit;
            v_left := v_left - v_count;
            if v_left = 0 or not v_go_on or pg_catalog.clock_timestamp() operator(pg_catalog.>) v_end then
                return;
            end if;
        end loop;
        exit when v_done;
        perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    end loop;
end
$body$;
comment on procedure memos_admin.make_notes is
    'Makes the notes that wait, of one user or of all in turns, committing batch by batch: at most p_limit, and '
    'beginning no other batch after p_at_most. What a provider fails at stays queued, with a warning.';
