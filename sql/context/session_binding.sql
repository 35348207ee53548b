-- A session of memos_user without its context can do nothing. One that may name any user could take
-- its context away with set_config and be free again: this remembers that it has bound itself.
create or replace function memos_private.bind_session(p_local boolean)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if current_setting('transaction_read_only')::boolean then
        raise exception 'this session cannot be bound in a read-only transaction'
            using errcode = memos_private.audit_refusal('MO409', null),
                detail = format('%s may name any user, so that its binding is written down', session_user),
                hint = 'bind sessions of memos_user there: they need no record';
    end if;
    -- A bound session stays so, whatever it binds later; a row that an ended session left does not
    -- count: the setting has never been touched then.
    insert into memos_private.session_binding as b (pid, transaction_id)
    values (pg_backend_pid(), case when p_local then pg_current_xact_id() end)
    on conflict (pid) do update set transaction_id = excluded.transaction_id
    where b.transaction_id is not null or current_setting('memos.context', true) is null;
end
$body$;
comment on function memos_private.bind_session is
    'Remembers until the end of the transaction (p_local) or of the session that it is bound to a user. '
    'Errors: MO409.';

create or replace function memos_private.is_bound()
returns boolean
language plpgsql
volatile -- Sees what use_context wrote in the same statement.
set search_path = pg_catalog, pg_temp
as $body$
begin
    -- A standby cannot read the table, and no session is bound there.
    return not pg_is_in_recovery() and exists (
        select
        from memos_private.session_binding as b
        where b.pid = pg_backend_pid()
            and (b.transaction_id is null or b.transaction_id = pg_current_xact_id_if_assigned())
    );
end
$body$;
comment on function memos_private.is_bound is
    'Whether this session or transaction has bound itself to a user.';

create or replace function memos_private.refuse_unbinding()
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    raise exception 'this session is bound to a user'
        using errcode = memos_private.audit_refusal('MO403', null),
            detail = 'its signed context was taken away',
            hint = 'present a context again: memos.use_context';
end
$body$;
comment on function memos_private.refuse_unbinding is
    'Raises MO403 for a bound session without its context.';
