-- The one place where what a user allows and what a caller may claim meet what is about to be written.
create or replace function memos_private.strictness(p_level text)
returns int
language sql
immutable
parallel safe
return array_position(array['comprehensive', 'balanced', 'minimal', 'restricted'], p_level);
comment on function memos_private.strictness is 'Privacy levels in their order, from 1 to 4.';

create or replace function memos_private.admit_memories(
    p_user_id uuid, p_memories memos_private.memory_input[], p_new boolean
)
returns memos_private.memory_input[]
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v record;
begin
    perform memos_private.require_consent(p_user_id, 'storing');
    select u.default_privacy_level, u.on_identifier,
        nullif(least(u.max_memories, s.value::int), 999999999) as max_memories,
        -- Whoever has never answered is not asked about kinds one by one, unless some are required.
        exists (select from memos_private.permission as p where p.user_id = p_user_id)
            or exists (
                select from memos_private.consent_type as t where t.required and t.kinds is not null
            ) as has_kinds,
        exists (
            select from memos_private.provenance_limit as l where memos_private.is_limited_by(l.role)
        ) as is_limited
    into v
    from memos_private.setting as s
    left join memos_private.user_setting as u on u.user_id = p_user_id
    where s.name = 'max_memories_per_user';
    if v.is_limited then
        perform memos_private.require_provenance(p_memories, memos_private.allowed_provenances());
    end if;
    if v.has_kinds then
        perform memos_private.refuse_kinds(p_memories, memos_private.refused_kinds(p_user_id, 'storing'));
    end if;
    if v.default_privacy_level in ('minimal', 'restricted') then
        for i in 1 .. cardinality(p_memories) loop
            if memos_private.strictness(p_memories[i].privacy_level)
                < memos_private.strictness(v.default_privacy_level)
            then
                p_memories[i].privacy_level := v.default_privacy_level;
            end if;
        end loop;
    end if;
    if exists (
        select from unnest(p_memories) as m
        where memos_private.may_identify(m.content, m.privacy_level)
            or m.metadata <> '{}' and memos_private.may_identify(m.metadata::text, m.privacy_level)
    ) then
        p_memories := memos_private.without_identifiers(p_memories, v.on_identifier = 'mask');
    end if;
    if memos_private.has_tombstones(p_user_id) then
        perform memos_private.refuse_erased(
            p_user_id,
            (
                select jsonb_agg(jsonb_build_array(m.content, m.tags, m.metadata, m.session_id) order by m.ordinal)
                from unnest(p_memories) as m
            ),
            'memory # of the batch'
        );
    end if;
    if p_new and v.max_memories is not null then
        perform memos_private.require_room(p_user_id, p_memories, v.max_memories);
    end if;
    return p_memories;
end
$body$;
comment on function memos_private.admit_memories is
    'Validated memories as the user''s consents and settings let them in; p_new: they may add to how many '
    'there are. Errors: MO403, MO429, MO451.';

create or replace function memos_private.refuse_kinds(
    p_memories memos_private.memory_input[], p_kinds text[]
)
returns void
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_bad record;
begin
    select m.ordinal, m.kind into v_bad
    from unnest(p_memories) as m
    where m.kind = any (p_kinds)
    order by m.ordinal
    limit 1;
    if found then
        raise exception 'the user does not allow storing memories of this kind'
            using errcode = memos_private.audit_failure('MO451'),
                detail = format('memory %s of the batch is of kind %s', v_bad.ordinal, v_bad.kind),
                hint = 'memos.consents shows which consent is missing; record it with memos.set_consent';
    end if;
end
$body$;
comment on function memos_private.refuse_kinds is
    'Raises MO451 for the first memory of a kind that the user does not consent to.';

-- Refusing is the default: a memory is either what was said or not stored, and who said it is told. What is
-- in metadata a program has put there: that is refused, never masked.
create or replace function memos_private.without_identifiers(
    p_memories memos_private.memory_input[], p_mask boolean
)
returns memos_private.memory_input[]
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_suspect record;
    v_masked text;
    v_found text;
    v_all text := '';
begin
    for v_suspect in
        select m.place, t.part, t.text, m.privacy_level as level,
            format('memory %s of %s, level %s', m.place, cardinality(p_memories), m.privacy_level) as name
        from unnest(p_memories) with ordinality as m (
            ordinal, memory_id, content, content_hash, language, kind, tags, metadata, importance,
            confidence, privacy_level, provenance, session_id, "position", occurred_at, valid_from,
            valid_until, request_id, embedding, place
        )
        cross join lateral (
            values ('content', m.content), ('metadata', m.metadata::text)
        ) as t (part, text)
        where memos_private.may_identify(t.text, m.privacy_level)
        order by m.place, t.part
    loop
        if to_regprocedure('memos_private.find_identifiers(text[], text[])') is null then
            -- Nobody can look closer: what may be one counts as one.
            v_found := v_suspect.name || ': what may be an identifier in ' || v_suspect.part
                || '; without the language plpython3u the server cannot tell';
        elsif p_mask and v_suspect.part = 'content' then
            v_found := null;
            v_masked := (
                memos_private.mask_identifiers(array[v_suspect.text], array[v_suspect.level])
            )[1];
            if v_masked <> v_suspect.text then
                p_memories[v_suspect.place].content := v_masked;
                p_memories[v_suspect.place].content_hash := memos_private.content_hash(v_masked);
                -- It is the vector of the text with the identifier; the masked one waits for its own.
                p_memories[v_suspect.place].embedding := null;
            end if;
        else
            select v_suspect.name || ': ' || string_agg(
                format('%s at characters %s to %s of %s', f.type, f.first, f.last, v_suspect.part),
                ', ' order by f.first
            )
            into v_found
            from memos_private.find_identifiers(array[v_suspect.text], array[v_suspect.level]) as f
            -- A name has no form to be sure of: it is masked where asked for, but refuses nothing.
            where f.type <> 'person_name';
        end if;
        v_all := concat_ws(E'\n', nullif(v_all, ''), v_found);
        exit when length(v_all) > 2000;
    end loop;
    if v_all <> '' then
        raise exception 'the text holds what its privacy level does not allow'
            using errcode = memos_private.audit_failure('MO451'), detail = left(v_all, 4000),
                hint = 'mask it (memos.mask_identifiers), have memos do so (memos.update_settings with '
                    '{"on_identifier": "mask"}), or store it as comprehensive if the user wants it kept';
    end if;
    return p_memories;
end
$body$;
comment on function memos_private.without_identifiers is
    'Memories whose texts hold nothing that their privacy levels do not allow: masked, or refused with '
    'classes and places (never values). Errors: MO451.';

-- Exact by a lock, for which writers of one user wait only when fewer than a thousand memories, or a tenth
-- of the limit, are left. Uncommitted batches that together take more than that at once can go over the
-- limit by what is above it.
create or replace function memos_private.require_room(
    p_user_id uuid, p_memories memos_private.memory_input[], p_most int
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_count bigint;
begin
    if memos_private.count_memories(p_user_id) + cardinality(p_memories)
        <= p_most - greatest(p_most / 10, 1000)
    then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('memos.quota ' || p_user_id, 0));
    v_count := memos_private.count_memories(p_user_id) + (
        select count(distinct m.content_hash)
        from unnest(p_memories) as m
        where not exists (
            select from memos_private.memory as s
            where s.user_id = p_user_id and s.content_hash = m.content_hash
        ) and not exists (
            select from memos_private.cold_place as c
            where c.user_id = p_user_id and c.content_hash = m.content_hash
        )
    );
    if v_count > p_most then
        raise exception 'the user has no room for more memories'
            using errcode = memos_private.audit_failure('MO429'),
                detail = format('there would be %s, of at most %s', v_count, p_most),
                hint = 'delete some, or raise the limit: max_memories of memos.update_settings, up to '
                    'max_memories_per_user of memos_admin.set_setting';
    end if;
end
$body$;
comment on function memos_private.require_room is
    'Raises MO429 when the user would have more memories than p_most.';

create or replace function memos_private.count_memories(p_user_id uuid)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    return (
        select coalesce(sum(c.documents), 0)::bigint
        from memos_private.corpus as c
        where c.user_id = p_user_id
    ) + (
        select count(*) from memos_private.cold_place as p where p.user_id = p_user_id
    );
end
$body$;
comment on function memos_private.count_memories is
    'How many memories a user has, cold ones included, from the statistics of the search (a few rows) and '
    'the catalogue of the cold. Volatile: what was written a moment ago counts.';
