create or replace function memos_private.audited_rows(
    p_user_id   uuid,
    p_from      timestamptz,
    p_until     timestamptz,
    p_action    text default null,
    p_outcome   text default null,
    p_object_id uuid default null,
    p_limit     int default null
)
returns setof memos_private.audit_log
language plpgsql
stable
rows 100
set search_path = pg_catalog, pg_temp
-- What is null is no condition: of one user, the newest rows come from an index.
set plan_cache_mode = force_custom_plan
as $body$
begin
    return query
    select l.*
    from memos_private.audit_log as l
    where (p_user_id is null or l.subject = p_user_id)
        and (p_from is null or l.recorded_at >= p_from) and (p_until is null or l.recorded_at < p_until)
        and (p_action is null or l.action = p_action) and (p_outcome is null or l.outcome = p_outcome)
        and (p_object_id is null or p_object_id = any (l.object_ids))
    order by l.recorded_at desc
    limit p_limit;
    if not pg_is_in_recovery() then
        return query
        select b.*
        from memos_private.audit_buffer as b
        where (p_user_id is null or b.subject = p_user_id)
            and (p_from is null or b.recorded_at >= p_from) and (p_until is null or b.recorded_at < p_until)
            and (p_action is null or b.action = p_action) and (p_outcome is null or b.outcome = p_outcome)
            and (p_object_id is null or p_object_id = any (b.object_ids))
        order by b.recorded_at desc
        limit p_limit;
    end if;
end
$body$;
comment on function memos_private.audited_rows is
    'The audit of a user (null: of all): the newest p_limit rows (null: all) of the log, and of the buffer.';

create or replace function memos_admin.audit_entries(
    p_user_id   uuid default null,
    p_from      timestamptz default null,
    p_until     timestamptz default null,
    p_action    text default null,
    p_limit     int default 100,
    p_outcome   text default null,
    p_object_id uuid default null
)
returns table (
    recorded_at timestamptz, action text, is_read boolean, outcome text, error text, subject uuid,
    recipient uuid, object_ids uuid[], digest text, actor text, role text, purpose text, client text,
    backend int, statement_at timestamptz, month timestamptz, era int, pid int, number bigint, hash text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    perform memos_private.require_batch(p_limit);
    if p_outcome not in ('done', 'refused', 'failed') then
        perform memos_private.refuse_argument(
            'p_outcome', format('it is "%s"', left(p_outcome, 200)), 'null, done, refused or failed'
        );
    end if;
    perform memos_admin.collect_audit();
    return query
    select a.recorded_at, a.action, a.is_read, a.outcome, a.error, a.subject, a.recipient, a.object_ids,
        encode(a.digest, 'hex'), a.actor, a.role, a.purpose, host(a.client), a.backend, a.statement_at,
        date_trunc('month', a.recorded_at, 'UTC'), a.era, a.pid, a.number, encode(a.hash, 'hex')
    from memos_private.audited_rows(
        p_user_id, p_from, p_until, p_action, p_outcome, p_object_id, p_limit
    ) as a
    order by a.recorded_at desc, a.era, a.pid, a.number desc
    limit p_limit;
    perform memos_private.audit_read(p_user_id, 'memos_admin.audit_entries');
end
$body$;
comment on function memos_admin.audit_entries is
    'Who did what with whose data, newest first: of one user (null: of all, which reads every month from '
    'p_from on), recorded in [p_from, p_until). action: the function of schema memos, or memos_admin.name. outcome: done, refused, failed '
    '(error: the SQLSTATE; it is recorded when it is collected, statement_at says when it was). digest: '
    'see memos_admin.audit_digests. backend and statement_at: the statement in the server''s log. month, '
    'era, pid: the chain. Errors: MO400.';

create or replace function memos_admin.audit_digests(p_text text)
returns table (key_id int, digest text)
language sql
stable
security definer
rows 1
set search_path = pg_catalog, pg_temp
as $body$
    select k.key_id, encode(memos_private.audit_digest(p_text, k.secret), 'hex')
    from memos_private.audit_key as k
    order by k.key_id desc
$body$;
comment on function memos_admin.audit_digests is
    'What stands in the audit where somebody searched with this text, by each key.';

create or replace function memos_admin.audit_status()
returns table (
    buffered bigint, oldest_buffered timestamptz, spooled_bytes bigint, eras int, anchors bigint,
    anchored_at timestamptz, keeps_failures boolean
)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
as $body$
begin
    keeps_failures := to_regprocedure('memos_private.spool(text, text, text)') is not null;
    if not pg_is_in_recovery() then
        select count(*), min(b.recorded_at) into buffered, oldest_buffered from memos_private.audit_buffer as b;
        if keeps_failures then
            spooled_bytes := (memos_private.spool(memos_private.spool_name(), 'size'))[1];
        end if;
    end if;
    select count(*) into eras from memos_private.audit_era;
    select count(*), max(a.taken_at) into anchors, anchored_at from memos_private.audit_anchor as a;
    return next;
end
$body$;
comment on function memos_admin.audit_status is
    'What waits to be moved into the log: audited reads, and bytes of refused and failed calls. eras: one '
    'more than crashes that emptied the buffer. keeps_failures: whether refused and failed calls reach '
    'the audit, or only the server''s log.';
