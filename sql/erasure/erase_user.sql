create or replace function memos.erase_user(p_user_id uuid, p_reason text)
returns table (
    receipt_id uuid, memories int, versions int, row_count bigint, counts jsonb, tombstones int,
    erased_at timestamptz, backups_until timestamptz
)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_tombstones bytea[];
    v_name text;
    v_counts jsonb := '{}';
    v_count bigint;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_erasure(p_user_id, p_reason);
    v_tombstones := memos_private.text_digests(p_user_id, array(
        select s.content from memos_private.said_texts(p_user_id, null) as s
        union
        select q.memory ->> 'content' from memos_private.quarantine as q where q.user_id = p_user_id
        union
        select e.content from memos_private.scratchpad_entry as e where e.user_id = p_user_id
    ));
    perform from memos_private.memory as m where m.user_id = p_user_id order by m.memory_id for update;
    for v_name in
        select t.name from memos_private.user_tables() as t where t.on_erase = 'delete' order by t.place
    loop
        execute format('delete from memos_private.%I as t where t.user_id = $1', v_name) using p_user_id;
        get diagnostics v_count = row_count;
        if v_count > 0 then
            v_counts := v_counts || jsonb_build_object(v_name, v_count);
        end if;
    end loop;
    -- One who has switched memory off has not switched it on by being forgotten.
    delete from memos_private.user_setting as u where u.user_id = p_user_id and u.memory_enabled;
    update memos_private.user_setting as u
    set settings_version = u.settings_version + 1, max_memories = default, retention_days = default,
        default_privacy_level = default, on_identifier = default, preferences = default
    where u.user_id = p_user_id;
    -- What is just being made of what was there is not stored afterwards, and copies go.
    perform memos_private.mark_cache(p_user_id, array['*']);
    perform memos_private.notify_cache(p_user_id);
    return query
    select r.receipt_id,
        coalesce((r.counts ->> 'memory')::int, 0) + coalesce((r.counts ->> 'memory_cold')::int, 0),
        (
            select coalesce(sum(c.value::bigint), 0)::int from jsonb_each_text(r.counts) as c
            where c.key in ('memory', 'memory_cold', 'memory_history')
        ),
        (select coalesce(sum(c.value::bigint), 0)::bigint from jsonb_each_text(r.counts) as c),
        r.counts, r.tombstones, r.erased_at, r.backups_until
    from memos_private.write_receipt(p_user_id, 'user', p_reason, '{}', v_counts, v_tombstones) as r;
end
$body$;
comment on function memos.erase_user is
    'Removes everything of a user for good, in one transaction. What stays has no content: consents (a no '
    'stays a no, also memory_enabled = false), legal holds, receipts, tombstones, the audit. What the user '
    'said is then refused (MO451) wherever it is written, so that no queue or import brings it back; with '
    'anything else the user may begin again. The key of encrypted memories goes, too; backups have it until '
    'the user''s own key, outside of the database, is destroyed. memos_admin.verify_erasure checks the '
    'receipt. p_reason is kept. Errors: MO001, MO400, MO403, MO409, MO451 (legal hold).';
