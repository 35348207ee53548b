create or replace function memos.grant_access(
    p_user_id    uuid,
    p_grantee    uuid,
    p_role       text,
    p_segments   text[],
    p_purposes   text[],
    p_expires_at timestamptz default null
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_now constant timestamptz := clock_timestamp();
    v_grant_id constant uuid := gen_random_uuid();
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'grant_access', array[v_grant_id, p_grantee]);
    if p_grantee is null or p_grantee = p_user_id then
        perform memos_private.refuse_argument(
            'p_grantee', coalesce('it is the user', 'it is null'),
            'the uuid of another person or system: memos.user_id(''their id'')'
        );
    end if;
    if p_role is null or p_role not in ('care_team', 'family', 'system') then
        perform memos_private.refuse_argument(
            'p_role', coalesce(format('it is "%s"', left(p_role, 200)), 'it is null'),
            'care_team, family or system'
        );
    end if;
    perform memos_private.require_segments('p_segments', p_segments);
    if p_purposes is null or p_purposes = '{}' or exists (
        select from unnest(p_purposes) as p where p is null or p !~ '^[a-z][a-z0-9_]{0,63}$'
    ) then
        perform memos_private.refuse_argument(
            'p_purposes', coalesce('it is ' || left(p_purposes::text, 200), 'it is null'),
            'lower-case words such as treatment or care_coordination'
        );
    end if;
    if p_expires_at <= v_now or not isfinite(p_expires_at) then
        perform memos_private.refuse_argument(
            'p_expires_at', format('it is %s', p_expires_at), 'null (in 6 months), or a finite time to come'
        );
    end if;
    insert into memos_private.access_grant (
        user_id, grant_id, grantee, role, segments, purposes, granted_at, granted_by, expires_at
    )
    values (
        p_user_id, v_grant_id, p_grantee, p_role, p_segments, p_purposes, v_now, memos_private.caller(),
        coalesce(p_expires_at, v_now + interval '6 months')
    );
    return v_grant_id;
end
$body$;
comment on function memos.grant_access is
    'Lets p_grantee, as care_team, family or system, see the user''s memories of these segments for these '
    'purposes (memos.shared_memories), until p_expires_at (default: 6 months). It opens nothing without '
    'the user''s consent to sharing with that role (memos.set_consent). Returns its id. '
    'Errors: MO001, MO400, MO403.';

create or replace function memos.revoke_access(p_user_id uuid, p_grant_id uuid)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'revoke_access', array[p_grant_id]);
    if p_grant_id is null then
        perform memos_private.refuse_argument(
            'p_grant_id', 'it is null', 'memos.access_grants shows the ids'
        );
    end if;
    update memos_private.access_grant as g
    set revoked_at = clock_timestamp()
    where g.user_id = p_user_id and g.grant_id = p_grant_id and g.revoked_at is null;
    return found;
end
$body$;
comment on function memos.revoke_access is
    'Ends a grant from the next statement on; false when the user has no such grant, or it was revoked '
    'before. Errors: MO001, MO400, MO403.';

create or replace function memos.access_grants(p_user_id uuid)
returns table (
    grant_id uuid, grantee uuid, role text, segments text[], purposes text[], granted_at timestamptz,
    granted_by text, expires_at timestamptz, revoked_at timestamptz, active boolean
)
language plpgsql
volatile
security definer
rows 10
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    return query
    select g.grant_id, g.grantee, g.role, g.segments, g.purposes, g.granted_at, g.granted_by::text,
        g.expires_at, g.revoked_at,
        g.revoked_at is null and g.expires_at > statement_timestamp()
            and memos_private.has_consent(p_user_id, 'sharing', g.role)
    from memos_private.access_grant as g
    where g.user_id = p_user_id
    order by g.granted_at, g.grant_id;
    perform memos_private.audit_read(p_user_id, 'access_grants');
end
$body$;
comment on function memos.access_grants is
    'Who was let in, to what and what for, oldest first; active: whether it opens anything now, the '
    'consent to sharing included. Errors: MO001, MO400, MO403.';

create or replace function memos_private.redisclosure_notice()
returns text
language sql
immutable
parallel safe
return 'Substance use disorder record, protected by 42 CFR part 2. You may use and pass on this record only '
    'as the patient''s written consent or part 2 allows. It must not be used or disclosed in any civil, '
    'criminal, administrative or legislative proceeding against the patient without the patient''s '
    'specific consent or a court order under part 2, subpart E. This notice stays with the record.';
comment on function memos_private.redisclosure_notice is
    'What goes with every disclosed record under 42 CFR part 2 (section 2.32).';

-- The caller has to be the grantee, by the same checks by which users are themselves; only then are the
-- other user's rows opened, for this one statement.
create or replace function memos.shared_memories(
    p_user_id uuid,
    p_grantee uuid,
    p_purpose text,
    p_kinds   text[] default null,
    p_tags    text[] default null,
    p_limit   int default 50,
    p_after   uuid default null
)
returns table (
    memory_id uuid, content text, kind text, tags text[], provenance text, occurred_at timestamptz,
    recorded_at timestamptz, segment text, legal_basis text, notice text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_roles text[];
    v_segments text[];
    v_refused_kinds text[];
    v_ids uuid[] := '{}';
begin
    perform memos_private.enter_user_context(coalesce(p_grantee, p_user_id));
    if p_grantee is null or p_user_id is null then
        perform memos_private.refuse_argument(
            case when p_grantee is null then 'p_grantee' else 'p_user_id' end, 'it is null',
            'the uuids of who reads, and of whose memories'
        );
    end if;
    perform memos_private.require_limit(p_limit);
    perform set_config('memos.user_id', p_user_id::text, true);
    select array_agg(g.role), array_agg(distinct s) filter (
            where memos_private.has_consent(p_user_id, 'sharing', g.role)
        )
    into v_roles, v_segments
    from memos_private.access_grant as g
    cross join unnest(g.segments) as s
    where g.user_id = p_user_id and g.grantee = p_grantee and g.revoked_at is null
        and g.expires_at > statement_timestamp() and p_purpose = any (g.purposes);
    if v_roles is null then
        raise exception 'no access to these memories'
            using errcode = memos_private.audit_failure('MO403', null, p_grantee),
                detail = format('%s has no grant of user %s for the purpose "%s"', p_grantee, p_user_id,
                    coalesce(left(p_purpose, 200), 'null')),
                hint = 'the user gives one with memos.grant_access';
    end if;
    if v_segments is null then
        perform memos_private.require_consent(p_user_id, 'sharing', v_roles[1]);
    end if;
    v_refused_kinds := memos_private.refused_kinds(p_user_id, 'sharing');
    for memory_id, content, kind, tags, provenance, occurred_at, recorded_at, segment, legal_basis,
        notice in
        select m.memory_id, m.content, m.kind, m.tags, m.provenance, m.occurred_at, m.recorded_at, s.segment,
            l.legal_basis, case when s.is_part2 then memos_private.redisclosure_notice() end
        from memos_private.memory_of_any_tier as m
        left join memos_private.memory_label as l on l.user_id = p_user_id and l.memory_id = m.memory_id
        join memos_private.segment as s
            on case when l.segment is null then s.is_default else s.segment = l.segment end
        where m.user_id = p_user_id
            and s.segment = any (v_segments)
            -- Restricted is for the user alone.
            and m.privacy_level <> 'restricted'
            and m.kind <> all (v_refused_kinds)
            and (m.valid_until is null or m.valid_until > statement_timestamp())
            and m.memory_id < coalesce(p_after, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            and (p_kinds is null or m.kind = any (p_kinds))
            and (p_tags is null or m.tags @> p_tags)
        order by m.memory_id desc
        limit p_limit
    loop
        v_ids := v_ids || memory_id;
        return next;
    end loop;
    perform memos_private.audit_read(
        p_user_id, 'shared_memories', v_ids, p_purpose => p_purpose, p_recipient => p_grantee
    );
end
$body$;
comment on function memos.shared_memories is
    'What a user lets p_grantee see for p_purpose, newest first: memories of the granted segments that are '
    'not restricted. The caller has to be the grantee (a signed context of the grantee''s, or the bot). '
    'notice goes with records under 42 CFR part 2 wherever they go. p_kinds, p_tags, p_limit, p_after: as '
    'in list_memories; ask for no more than the purpose needs. Errors: MO001, MO400, MO403, MO451.';
