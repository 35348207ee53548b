-- What refuses or fails rolls back, and would take its row of the audit along; a read-only transaction
-- writes none. Both leave a line in a file, which memos_admin.collect_audit moves into the audit. On a
-- standby, and where the server has no PL/Python, the line is in the server's log.
create or replace function memos_private.audit_failure(
    p_sqlstate text, p_object_ids uuid[] default null, p_recipient uuid default null
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_context text;
begin
    get diagnostics v_context = pg_context;
    perform memos_private.keep_failure(
        memos_private.audit_row(
            nullif(current_setting('memos.user_id', true), '')::uuid,
            memos_private.failed_action(v_context), false, p_object_ids, null, p_recipient
        ), p_sqlstate
    );
    return p_sqlstate;
end
$body$;
comment on function memos_private.audit_failure is
    'For "using errcode": audits that the current call fails, whatever becomes of its transaction, and '
    'returns p_sqlstate. p_object_ids: what the failure is about. p_recipient: who it would have been '
    'disclosed to.';

create or replace function memos_private.audit_refusal(p_sqlstate text, p_user_id uuid)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_context text;
    v_row memos_private.audit_log;
begin
    get diagnostics v_context = pg_context;
    -- Nothing of the context is verified: neither its user nor its purpose.
    v_row := memos_private.audit_row(p_user_id, memos_private.failed_action(v_context), false, null, '', null);
    v_row.purpose := null;
    perform memos_private.keep_failure(v_row, p_sqlstate);
    return p_sqlstate;
end
$body$;
comment on function memos_private.audit_refusal is
    'The same before a user''s context is entered. p_user_id: whom the call names, null for nobody.';

create or replace function memos_private.failed_action(p_context text)
returns text
language sql
immutable
-- The innermost one: what a caller calls its own functions comes after it.
return coalesce(
    regexp_replace(
        (regexp_match(p_context, '^[^"\n]*PL/pgSQL[^"\n]*?\m(memos(?:_admin)?\.\w+)\(', 'n'))[1], '^memos\.', ''
    ),
    'unknown'
);
comment on function memos_private.failed_action is 'The API function that a stack of calls is in.';

create or replace function memos_private.spool_name()
returns text
language sql
stable
return (select d.oid::text from pg_database as d where d.datname = current_database());
comment on function memos_private.spool_name is 'The name of this database''s file of failures.';

create or replace function memos_private.keep_failure(p_row memos_private.audit_log, p_sqlstate text)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    p_row.outcome := case when p_sqlstate in ('MO404', 'MO409', 'MO500') then 'failed' else 'refused' end;
    p_row.error := p_sqlstate;
    perform memos_private.keep_audit(p_row);
end
$body$;
comment on function memos_private.keep_failure is 'keep_audit for a call that ends with p_sqlstate.';

create or replace function memos_private.keep_audit(
    p_row memos_private.audit_log, p_digest_of text default null
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_key memos_private.audit_key;
    v_entry jsonb;
begin
    if pg_is_in_recovery() or to_regprocedure('memos_private.spool(text, text, text)') is null then
        perform memos_private.log_audit(p_row);
        return;
    end if;
    select * into v_key from memos_private.audit_key as k order by k.key_id desc limit 1;
    p_row.digest := memos_private.audit_digest(p_digest_of, v_key.secret);
    v_entry := to_jsonb(p_row);
    if memos_private.spool(memos_private.spool_name(), 'append', jsonb_build_object(
        'key_id', v_key.key_id, 'entry', v_entry,
        'mac', encode(public.hmac(convert_to(v_entry::text, 'UTF8'), v_key.secret, 'sha256'), 'hex')
    )::text) = '{}'
    then
        perform memos_private.log_audit(p_row);
    end if;
exception when others then
    -- What the call itself has to say must not be lost behind this.
    raise log 'memos audit: the next line cannot be kept in a file' using detail = sqlerrm;
    perform memos_private.log_audit(p_row);
end
$body$;
comment on function memos_private.keep_audit is
    'Writes a row of the audit where no rollback takes it back: into a file, else into the server''s log.';

create or replace function memos_admin.collect_audit()
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_name constant text := memos_private.spool_name();
    v_file text;
    v_line text;
    v_lines int := 0;
begin
    if to_regprocedure('memos_private.spool(text, text, text)') is null
        or current_setting('transaction_read_only')::boolean
        or not pg_try_advisory_xact_lock(hashtextextended('memos.audit_collect', 0))
    then
        return 0;
    end if;
    -- Committed by now. Of a copied database: files of the original, which has its own names.
    for v_file in select c.file from memos_private.audit_collected as c loop
        if starts_with(v_file, v_name || '.') then
            perform memos_private.spool(v_name, 'remove', v_file);
        end if;
        delete from memos_private.audit_collected as c where c.file = v_file;
    end loop;
    foreach v_file in array memos_private.spool(v_name, 'take') loop
        foreach v_line in array memos_private.spool(v_name, 'read', v_file) loop
            perform memos_private.append_audit(memos_private.kept_audit(v_line));
            v_lines := v_lines + 1;
        end loop;
        insert into memos_private.audit_collected (file) values (v_file);
    end loop;
    return v_lines;
end
$body$;
comment on function memos_admin.collect_audit is
    'Moves what was kept of calls that refused, failed or were read-only into the audit, and returns how '
    'many it were; 0 while somebody else does so.';

create or replace function memos_private.kept_audit(p_line text)
returns memos_private.audit_log
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_line jsonb;
    v_row memos_private.audit_log;
begin
    begin
        v_line := p_line::jsonb;
    exception when data_exception then
        v_line := '{}';
    end;
    if exists (
        select from memos_private.audit_key as k
        where k.key_id::text = v_line ->> 'key_id' and v_line ->> 'mac' = encode(
            public.hmac(convert_to((v_line -> 'entry')::text, 'UTF8'), k.secret, 'sha256'), 'hex'
        )
    ) then
        v_row := jsonb_populate_record(null::memos_private.audit_log, v_line -> 'entry');
        v_row.recorded_at := clock_timestamp();
        v_row.pid := pg_backend_pid();
        return v_row;
    end if;
    v_row := memos_private.audit_row(null, 'damaged_line', false, null, null, null);
    v_row.outcome := 'failed';
    v_row.error := 'MO500';
    return v_row;
end
$body$;
comment on function memos_private.kept_audit is
    'A row of the audit from a line of the file: as it was, or that somebody has damaged it.';
