create or replace function memos_private.verify_erasure(p_receipt memos_private.erasure_receipt)
returns table (table_name text, row_count bigint, how text)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_key record;
begin
    perform set_config('memos.user_id', p_receipt.user_id::text, true);
    -- An erasure makes all its tombstones with one key.
    select k.secret, t.digests into v_key
    from memos_private.erasure_key as k
    left join lateral (
        select array_agg(t.digest) as digests
        from memos_private.erasure_tombstone as t
        where t.user_id = p_receipt.user_id and t.receipt_id = p_receipt.receipt_id and t.key_id = k.key_id
    ) as t on true
    order by t.digests is null
    limit 1;
    return query
    select c.table_name, c.row_count, c.how
    from memos_private.count_carriers(
        p_receipt.user_id, v_key.digests, v_key.secret, p_receipt.memory_ids,
        case p_receipt.scope when 'user' then p_receipt.erased_at end
    ) as c;
end
$body$;
comment on function memos_private.verify_erasure is
    'memos_admin.verify_erasure, by who may read the keys.';

create or replace function memos_admin.verify_erasure(p_receipt_id uuid)
returns table (table_name text, row_count bigint, how text)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
declare
    v_receipt constant memos_private.erasure_receipt := memos_private.require_receipt(p_receipt_id);
begin
    perform memos_private.audit_read(
        v_receipt.user_id, 'memos_admin.verify_erasure', array[p_receipt_id]
    );
    return query
    select v.table_name, v.row_count, v.how
    from memos_private.verify_erasure(v_receipt) as v
    order by v.table_name, v.how;
end
$body$;
comment on function memos_admin.verify_erasure is
    'Scans everything there is of the user for what an erasure took away, and shows where it is still or '
    'again: by table, how many rows, found by their text (compared by keyed digest) or by the id of an erased '
    'memory. No row: it is gone. What was lifted (memos_admin.lift_tombstones) is not looked for. Takes '
    'time in proportion to what the user has. Errors: MO400, MO404.';
