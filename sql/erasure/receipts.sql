create or replace function memos_private.require_receipt(p_receipt_id uuid)
returns memos_private.erasure_receipt
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_receipt memos_private.erasure_receipt;
begin
    if p_receipt_id is null then
        perform memos_private.refuse_argument('p_receipt_id', 'it is null', 'what the erasure returned');
    end if;
    select * into v_receipt
    from memos_private.erasure_receipt as r
    where r.receipt_id = p_receipt_id;
    if not found then
        raise exception 'erasure receipt not found'
            using errcode = memos_private.audit_failure('MO404'),
                detail = format('there is no receipt %s', p_receipt_id),
                hint = 'memos.erasure_receipts lists those of a user';
    end if;
    return v_receipt;
end
$body$;
comment on function memos_private.require_receipt is 'A receipt of any user. Errors: MO400, MO404.';

create or replace function memos.erasure_receipts(p_user_id uuid, p_limit int default 50)
returns table (
    receipt_id uuid, scope text, reason text, requested_by text, erased_at timestamptz, memory_ids uuid[],
    counts jsonb, tombstones int, backups_until timestamptz, audit jsonb
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
    perform memos_private.require_limit(p_limit);
    perform memos_private.audit_read(p_user_id, 'erasure_receipts');
    return query
    select r.receipt_id, r.scope, r.reason, r.requested_by::text, r.erased_at, r.memory_ids, r.counts,
        r.tombstones, r.backups_until, r.audit
    from memos_private.erasure_receipt as r
    where r.user_id = p_user_id
    order by r.erased_at desc, r.receipt_id
    limit p_limit;
end
$body$;
comment on function memos.erasure_receipts is
    'What was erased of the user, the newest first: numbers and ids, no content. Errors: MO001, MO400, MO403.';

create or replace function memos_private.write_receipt(
    p_user_id uuid, p_scope text, p_reason text, p_memory_ids uuid[], p_counts jsonb, p_digests bytea[]
)
returns memos_private.erasure_receipt
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_receipt memos_private.erasure_receipt;
begin
    v_receipt.user_id := p_user_id;
    v_receipt.receipt_id := gen_random_uuid();
    v_receipt.scope := p_scope;
    v_receipt.reason := p_reason;
    v_receipt.requested_by := memos_private.caller();
    v_receipt.erased_at := clock_timestamp();
    v_receipt.memory_ids := p_memory_ids;
    v_receipt.counts := p_counts;
    v_receipt.backups_until :=
        v_receipt.erased_at + make_interval(days => memos_private.setting('backup_retention_days')::int);
    insert into memos_private.erasure_tombstone (user_id, key_id, digest, receipt_id, erased_at)
    select p_user_id, (memos_private.newest_erasure_key()).key_id, d, v_receipt.receipt_id, v_receipt.erased_at
    from unnest(p_digests) as d
    on conflict (user_id, key_id, digest) do update
    set receipt_id = excluded.receipt_id, erased_at = excluded.erased_at;
    get diagnostics v_receipt.tombstones = row_count;
    v_receipt.audit := to_jsonb(memos_private.audit(
        p_user_id, 'erase_' || p_scope, v_receipt.receipt_id || p_memory_ids
    ));
    insert into memos_private.erasure_receipt select v_receipt.*;
    return v_receipt;
end
$body$;
comment on function memos_private.write_receipt is
    'The end of an erasure: tombstones for the digests (of the newest key), its place in the audit, the receipt.';

create or replace function memos_private.newest_erasure_key()
returns memos_private.erasure_key
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select k from memos_private.erasure_key as k order by k.key_id desc limit 1
$body$;
comment on function memos_private.newest_erasure_key is 'The key that makes new tombstones.';
