-- The one question before storing, recalling, deriving and sharing. One look at one key: search asks it.
create or replace function memos_private.has_consent(
    p_user_id uuid, p_operation text, p_audience text default ''
)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_until timestamptz;
begin
    select p.allowed_until into v_until
    from memos_private.permission as p
    where p.user_id = p_user_id and p.operation = p_operation and p.audience = p_audience;
    if found then
        return v_until > statement_timestamp();
    end if;
    return not exists (
        select from memos_private.consent_type as t
        where t.required and t.operation = p_operation and coalesce(t.audience, '') = p_audience
            and t.kinds is null
    );
end
$body$;
comment on function memos_private.has_consent is
    'Whether require_consent lets a user pass: for jobs, which pass over those whom it does not.';

create or replace function memos_private.require_consent(
    p_user_id uuid, p_operation text, p_audience text default ''
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if not memos_private.has_consent(p_user_id, p_operation, p_audience) then
        perform memos_private.refuse_without_consent(p_user_id, p_operation, p_audience);
    end if;
end
$body$;
comment on function memos_private.require_consent is
    'Raises MO451 when the user has switched memory off or does not consent to the operation: storing, '
    'recalling, deriving, or sharing with an audience.';

create or replace function memos_private.refuse_without_consent(
    p_user_id uuid, p_operation text, p_audience text
)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_type text;
    v_state text;
begin
    select p.decided_by into v_type
    from memos_private.permission as p
    where p.user_id = p_user_id and p.operation = p_operation and p.audience = p_audience;
    if not found then
        select t.type into v_type
        from memos_private.consent_type as t
        where t.required and t.operation = p_operation and coalesce(t.audience, '') = p_audience
            and t.kinds is null
        order by t.type
        limit 1;
    end if;
    select case when c.state = 'granted' then 'has expired' else 'was ' || c.state end into v_state
    from memos_private.consent as c
    where c.user_id = p_user_id and c.type = v_type
    order by c.recorded_at desc
    limit 1;
    raise exception 'the user does not allow %', p_operation
        using errcode = memos_private.audit_failure('MO451'),
            detail = case when v_type = 'memory_enabled' then 'the user has switched memory off'
                else format(
                    'consent "%s" %s', v_type, coalesce(v_state, 'is required and was not given')
                ) end,
            hint = case when v_type = 'memory_enabled'
                    then 'ask the user; memos.update_settings with {"memory_enabled": true} switches it on'
                else 'ask the user, and record the answer with memos.set_consent' end
                || '. What is there can be listed and deleted all the same';
end
$body$;
comment on function memos_private.refuse_without_consent is 'Raises MO451 and says what is missing.';

-- Under the lock of record_consent. All operations at once: a type may be required by now.
create or replace function memos_private.refresh_permissions(p_user_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    delete from memos_private.permission as p where p.user_id = p_user_id;
    insert into memos_private.permission (user_id, operation, audience, allowed_until, decided_by)
    select distinct on (t.operation, coalesce(t.audience, ''))
        p_user_id, t.operation, coalesce(t.audience, ''),
        case when not coalesce(u.memory_enabled, true) then '-infinity' else d.until end,
        case when not coalesce(u.memory_enabled, true) then 'memory_enabled' else t.type end
    from memos_private.consent_type as t
    left join memos_private.user_setting as u on u.user_id = p_user_id
    left join lateral (
        select case when c.state = 'granted' then c.expires_at else '-infinity' end as until
        from memos_private.consent as c
        where c.user_id = p_user_id and c.type = t.type
        order by c.recorded_at desc
        limit 1
    ) as c on true
    cross join lateral (
        select coalesce(
            c.until, case when t.required then '-infinity' else 'infinity' end::timestamptz
        ) as until
    ) as d
    where t.operation <> 'none' and t.kinds is null
    order by t.operation, coalesce(t.audience, ''), d.until, t.type;
end
$body$;
comment on function memos_private.refresh_permissions is
    'Writes down anew what a user''s consents and memory_enabled allow, and until when.';

create or replace function memos_private.lock_consents(p_user_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform pg_advisory_xact_lock(hashtextextended('memos.consent ' || p_user_id, 0));
end
$body$;
comment on function memos_private.lock_consents is
    'Until the transaction ends, nobody else changes what the user allows.';

create or replace function memos_private.refused_kinds(p_user_id uuid, p_operation text)
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return array(
        select k
        from memos_private.consent_type as t
        left join lateral (
            select c.state, c.expires_at
            from memos_private.consent as c
            where c.user_id = p_user_id and c.type = t.type
            order by c.recorded_at desc
            limit 1
        ) as c on true
        cross join unnest(t.kinds) as k
        where t.operation = p_operation
            and case when c.state is null then t.required
                else c.state <> 'granted' or c.expires_at <= statement_timestamp() end
    );
end
$body$;
comment on function memos_private.refused_kinds is
    'Kinds of memories for which a consent to the operation is missing that is about them only.';

-- Taken before the clock is read, so that the order of the records is the order in which they were made.
create or replace function memos_private.record_consent(
    p_user_id          uuid,
    p_type             text,
    p_state            text,
    p_document_version text,
    p_expires_at       timestamptz
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_valid_for interval;
    v_last timestamptz;
    v_now timestamptz;
begin
    select t.valid_for into v_valid_for from memos_private.consent_type as t where t.type = p_type;
    if not found then
        perform memos_private.refuse_argument(
            'p_type', coalesce(format('there is no type "%s"', left(p_type, 200)), 'it is null'),
            'one of: ' || (
                select string_agg(t.type, ', ' order by t.type) from memos_private.consent_type as t
            )
        );
    end if;
    perform memos_private.lock_consents(p_user_id);
    select max(c.recorded_at) into v_last
    from memos_private.consent as c
    where c.user_id = p_user_id and c.type = p_type;
    v_now := greatest(clock_timestamp(), v_last + interval '1 microsecond');
    if p_expires_at <= v_now then
        perform memos_private.refuse_argument(
            'p_expires_at', format('it is %s', p_expires_at), 'a time to come; to end a consent, withdraw it'
        );
    end if;
    insert into memos_private.consent (
        user_id, type, recorded_at, state, document_version, expires_at, recorded_by
    )
    values (
        p_user_id, p_type, v_now, p_state, p_document_version,
        case when p_state = 'granted' then coalesce(p_expires_at, v_now + v_valid_for) end,
        memos_private.caller()
    );
    perform memos_private.refresh_permissions(p_user_id);
end
$body$;
comment on function memos_private.record_consent is 'Adds to the record of consents. Errors: MO400.';

create or replace function memos_private.tg_consent_changed()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    raise exception 'consents are only added to'
        using errcode = 'MO500',
            detail = format('%s on %I.%I', lower(tg_op), tg_table_schema, tg_table_name),
            hint = 'record a new consent, or withdraw: the last record counts';
end
$body$;
comment on function memos_private.tg_consent_changed is 'Keeps the record of consents append-only.';

create or replace trigger t10_consent_is_append_only
    before update or delete or truncate on memos_private.consent
    for each statement execute function memos_private.tg_consent_changed();

create or replace function memos.set_consent(
    p_user_id          uuid,
    p_type             text,
    p_granted          boolean,
    p_document_version text,
    p_expires_at       timestamptz default null
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'set_consent');
    if p_granted is null then
        perform memos_private.refuse_argument('p_granted', 'it is null', 'true or false');
    end if;
    if p_document_version is null or p_document_version !~ '\S' or length(p_document_version) > 50 then
        perform memos_private.refuse_argument(
            'p_document_version', coalesce(format('it is "%s"', left(p_document_version, 200)), 'it is null'),
            'which text the user agreed to, such as "1.0", in at most 50 characters'
        );
    end if;
    if not isfinite(p_expires_at) then
        perform memos_private.refuse_argument(
            'p_expires_at', format('it is %s', p_expires_at), 'null, or a finite time to come'
        );
    end if;
    perform memos_private.record_consent(
        p_user_id, p_type, case when p_granted then 'granted' else 'refused' end, p_document_version,
        p_expires_at
    );
end
$body$;
comment on function memos.set_consent is
    'Records that the user consented to p_type (memos.consents lists the types), or refused, having read '
    'version p_document_version of the text, until p_expires_at (default: 6 months, or what the type '
    'says). Counts from the next statement on. Errors: MO001, MO400, MO403.';

create or replace function memos.withdraw_consent(p_user_id uuid, p_type text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'withdraw_consent');
    perform memos_private.record_consent(p_user_id, p_type, 'withdrawn', null, null);
end
$body$;
comment on function memos.withdraw_consent is
    'From the next statement on, what p_type is about is refused (MO451), whether or not a consent was '
    'recorded before. What was stored stays until it is deleted or erased. Errors: MO001, MO400, MO403.';

create or replace function memos.consents(p_user_id uuid)
returns table (
    type text, operation text, audience text, kinds text[], description text, allowed boolean, state text,
    document_version text, recorded_at timestamptz, expires_at timestamptz
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
    select t.type, t.operation, t.audience, t.kinds, t.description,
        coalesce(c.state = 'granted' and c.expires_at > statement_timestamp(), not t.required),
        case when c.state = 'granted' and c.expires_at <= statement_timestamp() then 'expired'
            else coalesce(c.state, 'not asked') end,
        c.document_version, c.recorded_at, c.expires_at
    from memos_private.consent_type as t
    left join lateral (
        select c.state, c.document_version, c.recorded_at, c.expires_at
        from memos_private.consent as c
        where c.user_id = p_user_id and c.type = t.type
        order by c.recorded_at desc
        limit 1
    ) as c on true
    order by t.type;
    perform memos_private.audit_read(p_user_id, 'consents');
end
$body$;
comment on function memos.consents is
    'Every type of consent and where the user stands: state is granted, refused, withdrawn, expired or '
    'not asked; allowed says what follows from it. Errors: MO001, MO400, MO403.';

create or replace function memos.consent_history(p_user_id uuid, p_type text default null)
returns table (
    type text, state text, document_version text, recorded_at timestamptz, expires_at timestamptz,
    recorded_by text
)
language plpgsql
volatile
security definer
rows 20
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    return query
    select c.type, c.state, c.document_version, c.recorded_at, c.expires_at, c.recorded_by::text
    from memos_private.consent as c
    where c.user_id = p_user_id and (p_type is null or c.type = p_type)
    order by c.recorded_at, c.type;
    perform memos_private.audit_read(p_user_id, 'consent_history');
end
$body$;
comment on function memos.consent_history is
    'Every consent that the user gave, refused or withdrew, oldest first, and the role that recorded it. '
    'Errors: MO001, MO400, MO403.';

create or replace function memos_admin.set_consent_type(
    p_type        text,
    p_required    boolean,
    p_operation   text default null,
    p_description text default null,
    p_kinds       text[] default null,
    p_audience    text default null,
    p_valid_for   interval default null
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_type is null or p_required is null then
        perform memos_private.refuse_argument(
            case when p_type is null then 'p_type' else 'p_required' end, 'it is null',
            'the name of a type, and whether nothing recorded means no'
        );
    end if;
    perform memos_private.audit(null, 'memos_admin.set_consent_type');
    update memos_private.consent_type as t
    set required = p_required, operation = coalesce(p_operation, t.operation),
        description = coalesce(p_description, t.description), kinds = coalesce(p_kinds, t.kinds),
        audience = coalesce(p_audience, t.audience), valid_for = coalesce(p_valid_for, t.valid_for)
    where t.type = p_type;
    if not found then
        insert into memos_private.consent_type (
            type, operation, audience, kinds, required, valid_for, description
        )
        values (
            p_type, p_operation, p_audience, p_kinds, p_required, coalesce(p_valid_for, '6 months'),
            p_description
        );
    end if;
    perform memos_private.lock_consents(u.user_id), memos_private.refresh_permissions(u.user_id)
    from (select distinct p.user_id from memos_private.permission as p order by p.user_id) as u;
exception when check_violation or not_null_violation then
    perform memos_private.refuse_argument(
        'p_type', sqlerrm,
        'a new type is a lower-case word with a description and an operation: storing, recalling, deriving, '
        'sharing (then p_audience is care_team, family or system) or none; p_kinds null or kinds of memories'
    );
end
$body$;
comment on function memos_admin.set_consent_type is
    'Changes a type of consent (what is null stays as it is), or makes a new one. p_required: whether '
    'users who never answered count as refusing. p_operation: what memOS refuses without it. Errors: MO400.';
