create or replace function memos_private.audit_read(
    p_user_id    uuid,
    p_action     text,
    p_object_ids uuid[] default null,
    p_digest_of  text default null,
    p_purpose    text default null,
    p_recipient  uuid default null
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_row memos_private.audit_log := memos_private.audit_row(
        p_user_id, p_action, true, p_object_ids, p_purpose, p_recipient
    );
    v_month constant timestamptz := date_trunc('month', v_row.recorded_at, 'UTC');
    v record;
begin
    if current_setting('transaction_read_only')::boolean then
        perform memos_private.keep_audit(v_row, p_digest_of);
        return;
    end if;
    select k.key_id, k.secret, s.value as setting, e.era, c.number, c.hash into v
    from (select n.key_id, n.secret from memos_private.audit_key as n order by n.key_id desc limit 1) as k
    join memos_private.setting as s on s.name = 'audit_reads'
    left join memos_private.audit_buffer_era as e on true
    left join lateral (
        select l.number, l.hash
        from memos_private.audit_buffer_chain as l
        where l.month = v_month and l.era = e.era and l.pid = v_row.pid
        order by l.number desc
        limit 1
    ) as c on true;
    if v.setting = 'durable' or v.era is null and not memos_private.begin_audit_era() then
        perform memos_private.append_audit(v_row, p_digest_of);
        return;
    end if;
    if v.setting = 'logged' then
        perform memos_private.log_audit(v_row);
    end if;
    if v.number is null then
        select l.era, l.number, l.hash into v.era, v.number, v.hash
        from memos_private.begin_buffer_chain(v_month) as l;
    end if;
    v_row.era := v.era;
    v_row.number := v.number + 1;
    v_row.key_id := v.key_id;
    v_row.digest := memos_private.audit_digest(p_digest_of, v.secret);
    v_row.hash := memos_private.audit_hash(v.hash, v_row, v.secret);
    update memos_private.audit_buffer_chain as c
    set number = v_row.number, hash = v_row.hash
    where c.month = v_month and c.era = v_row.era and c.pid = v_row.pid and c.number = v.number;
    insert into memos_private.audit_buffer values (v_row.*);
end
$body$;
comment on function memos_private.audit_read is
    'Writes down that the current call returned what p_object_ids name, of user p_user_id (null: of '
    'nobody). Arguments as of memos_private.audit; p_recipient: another user, to whom it was disclosed. '
    'By the setting audit_reads the row waits in the buffer, which costs no flush, or is durable. A read '
    'whose transaction rolls back takes its row along, though the caller has seen the rows: with audit_reads '
    'logged, and in a read-only transaction, it does not.';

create or replace function memos_private.begin_buffer_chain(p_month timestamptz)
returns memos_private.audit_place
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_place memos_private.audit_place;
begin
    -- A chain whose beginning in the buffer was tidied away goes on where it ended in the log.
    select p_month, e.era, pg_backend_pid(), coalesce(c.number, 0), coalesce(c.hash, '') into v_place
    from memos_private.audit_buffer_era as e
    left join lateral (
        select l.number, l.hash
        from memos_private.audit_chain as l
        where l.month = p_month and l.era = e.era and l.pid = pg_backend_pid()
        order by l.number desc
        limit 1
    ) as c on true;
    insert into memos_private.audit_buffer_chain values (v_place.*);
    return v_place;
end
$body$;
comment on function memos_private.begin_buffer_chain is 'The first read of a process in a month.';

create or replace function memos_private.begin_audit_era()
returns boolean
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_era int;
begin
    -- By an old snapshot nobody can tell, and nobody waits for another to commit.
    if current_setting('transaction_isolation') <> 'read committed'
        or not pg_try_advisory_xact_lock(hashtextextended('memos.audit_era', 0))
    then
        return false;
    end if;
    if exists (select from memos_private.audit_buffer_era) then
        return true;
    end if;
    insert into memos_private.audit_era (era, started_at)
    select coalesce(max(e.era), 0) + 1, clock_timestamp() from memos_private.audit_era as e
    returning era into v_era;
    insert into memos_private.audit_buffer_era (era) values (v_era);
    if v_era > 1 then
        perform memos_private.append_audit(
            memos_private.audit_row(null, 'reads_may_be_lost', false, null, null, null)
        );
    end if;
    return true;
end
$body$;
comment on function memos_private.begin_audit_era is
    'Where the buffer was emptied by a crash (or is new): says so in the audit, and begins to fill it '
    'again. False where somebody else does so just now.';
