-- Every API function says in one line what it did, in its own transaction. A chain belongs to one process
-- (and month), so that no session ever waits for another.
--
-- The bytes that a row is hashed as: lengths, nulls and types are told apart, and text is UTF-8 whatever
-- the client's encoding.
create or replace function memos_private.audit_bytes(p_row memos_private.audit_log)
returns bytea
language sql
stable
return record_send(row(
    p_row.recorded_at, p_row.era, p_row.pid, p_row.number, convert_to(p_row.action, 'UTF8'), p_row.is_read,
    convert_to(p_row.outcome, 'UTF8'), convert_to(p_row.error, 'UTF8'), p_row.subject, p_row.recipient,
    p_row.object_ids, p_row.digest, convert_to(p_row.actor, 'UTF8'), convert_to(p_row.role, 'UTF8'),
    convert_to(p_row.purpose, 'UTF8'), p_row.client, p_row.backend, p_row.statement_at, p_row.key_id
));
comment on function memos_private.audit_bytes is 'A row of the audit but for its hash, in one form only.';

create or replace function memos_private.audit_hash(
    p_before bytea, p_row memos_private.audit_log, p_secret bytea
)
returns bytea
language sql
stable
return public.hmac(p_before || memos_private.audit_bytes(p_row), p_secret, 'sha256');
comment on function memos_private.audit_hash is
    'What a row''s hash has to be; p_before: the hash of the row before, empty for the first.';

-- Stable, as convert_to is: else it would not become part of its caller's expression, which is five times faster.
create or replace function memos_private.audit_digest(p_text text, p_secret bytea)
returns bytea
language sql
stable
return public.hmac(convert_to('memos audit digest ' || p_text, 'UTF8'), p_secret, 'sha256');
comment on function memos_private.audit_digest is 'What the audit keeps of a text.';

create or replace function memos_private.audit_row(
    p_user_id    uuid,
    p_action     text,
    p_is_read    boolean,
    p_object_ids uuid[],
    p_purpose    text,
    p_recipient  uuid
)
returns memos_private.audit_log
language sql
volatile
return row(
    clock_timestamp(), 0, pg_backend_pid(), 1, p_action, p_is_read, 'done', null, p_user_id, p_recipient,
    p_object_ids, null, session_user, memos_private.caller(),
    coalesce(p_purpose, memos_private.current_purpose()), inet_client_addr(), pg_backend_pid(),
    statement_timestamp(), 0, ''
)::memos_private.audit_log;
comment on function memos_private.audit_row is 'A row of the audit about the current call, in no chain yet.';

create or replace function memos_private.log_audit(p_row memos_private.audit_log)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    raise log 'memos audit: %', jsonb_strip_nulls(
        to_jsonb(p_row) - array['era', 'number', 'key_id', 'hash', 'digest']
    );
end
$body$;
comment on function memos_private.log_audit is 'One line of JSON in the log of the server.';

create or replace function memos_private.require_audit_month(p_month timestamptz)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.require_partitions(array['memos_private.audit_log'], p_month);
end
$body$;
comment on function memos_private.require_audit_month is
    'For the first row of a chain: a call must not fail because no maintenance ran for a year.';

create or replace function memos_private.append_audit(
    p_row memos_private.audit_log, p_digest_of text default null
)
returns memos_private.audit_place
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_month constant timestamptz := date_trunc('month', p_row.recorded_at, 'UTC');
    v_key memos_private.audit_key;
    v_last record;
begin
    select * into v_key from memos_private.audit_key as k order by k.key_id desc limit 1;
    select c.number, c.hash into v_last
    from memos_private.audit_chain as c
    where c.month = v_month and c.era = 0 and c.pid = p_row.pid
    order by c.number desc
    limit 1;
    p_row.era := 0;
    p_row.number := coalesce(v_last.number, 0) + 1;
    p_row.key_id := v_key.key_id;
    p_row.digest := coalesce(memos_private.audit_digest(p_digest_of, v_key.secret), p_row.digest);
    p_row.hash := memos_private.audit_hash(coalesce(v_last.hash, ''), p_row, v_key.secret);
    if v_last.number is null then
        perform memos_private.require_audit_month(v_month);
        insert into memos_private.audit_chain (month, era, pid, number, hash)
        values (v_month, 0, p_row.pid, 1, p_row.hash);
    else
        update memos_private.audit_chain as c
        set number = p_row.number, hash = p_row.hash
        where c.month = v_month and c.era = 0 and c.pid = p_row.pid and c.number = v_last.number;
    end if;
    insert into memos_private.audit_log values (p_row.*);
    return row(v_month, 0, p_row.pid, p_row.number, p_row.hash)::memos_private.audit_place;
end
$body$;
comment on function memos_private.append_audit is 'Writes a row to the end of the process''s chain.';

create or replace function memos_private.audit(
    p_user_id    uuid,
    p_action     text,
    p_object_ids uuid[] default null,
    p_digest_of  text default null,
    p_purpose    text default null
)
returns memos_private.audit_place
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_row constant memos_private.audit_log := memos_private.audit_row(
        p_user_id, p_action, false, p_object_ids, p_purpose, null
    );
begin
    if current_setting('transaction_read_only')::boolean then
        perform memos_private.keep_audit(v_row, p_digest_of);
        return null;
    end if;
    perform memos_private.move_own_reads(v_row.recorded_at);
    return memos_private.append_audit(v_row, p_digest_of);
end
$body$;
comment on function memos_private.audit is
    'Writes down that the current call wrote what p_object_ids name, of user p_user_id (null: of nobody), '
    'in the same transaction. p_digest_of: a text of which a keyed digest is kept. p_purpose: default '
    'that of the signed context. Returns the place in the audit, null in a read-only transaction (see '
    'memos_private.keep_audit).';

create or replace function memos_private.audit_each(
    p_action text, p_is_read boolean, p_user_ids uuid[], p_object_ids uuid[]
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v record;
begin
    for v in
        select o.user_id, array_agg(distinct o.object_id) as object_ids
        from unnest(p_user_ids, p_object_ids) as o (user_id, object_id)
        group by o.user_id
        order by o.user_id
    loop
        if p_is_read then
            perform memos_private.audit_read(v.user_id, p_action, v.object_ids);
        else
            perform memos_private.audit(v.user_id, p_action, v.object_ids);
        end if;
    end loop;
end
$body$;
comment on function memos_private.audit_each is
    'For jobs that work on several users at once: a row for each. The arrays name objects and whose they are.';
