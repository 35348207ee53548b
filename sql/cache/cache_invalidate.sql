create or replace function memos.cache_invalidate(
    p_user_id   uuid,
    p_namespace text default null,
    p_key       text default null,
    p_prefix    text default null,
    p_tag       text default null,
    p_settings  jsonb default null
)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_owner constant uuid := memos_private.enter_cache_context(p_user_id, true);
    v_policy memos_private.cache_namespace;
    v_hash bytea;
    v_prefix text := '';
    v_count bigint;
begin
    if p_namespace is not null then
        v_policy := memos_private.cache_policy(p_namespace);
    elsif p_key is not null or p_prefix is not null then
        perform memos_private.refuse_argument(
            'p_namespace', 'it is null', 'the namespace of p_key or p_prefix'
        );
    end if;
    if num_nonnulls(p_key, p_prefix, p_tag) > 1 then
        perform memos_private.refuse_argument(
            case when p_tag is null then 'p_prefix' else 'p_tag' end, 'there is more than one of p_key, p_prefix and p_tag',
            'one of them at a time'
        );
    elsif p_settings is not null and p_key is null then
        perform memos_private.refuse_argument('p_settings', 'there is no p_key', 'the key that they belong to');
    elsif p_prefix = '' or p_tag = '' then
        perform memos_private.refuse_argument(
            case when p_prefix = '' then 'p_prefix' else 'p_tag' end, 'it is empty', 'text; or leave it out'
        );
    end if;

    if p_key is not null then
        v_hash := (memos_private.cache_target(p_namespace, p_key, p_settings)).key_hash;
        perform memos_private.mark_cache(v_owner, array[E'\1k' || encode(v_hash, 'hex')]);
        delete from memos_private.cache_entry as e where e.user_id = v_owner and e.key_hash = v_hash;
        get diagnostics v_count = row_count;
        perform memos_private.notify_cache(v_owner, array[v_hash]);
        return v_count;
    elsif p_tag is not null then
        return memos_private.invalidate_tags(v_owner, array[p_tag], p_namespace);
    end if;
    if p_prefix is not null then
        perform memos_private.require_cache_key('p_prefix', p_prefix);
        v_prefix := case v_policy.key_form when 'text' then ltrim(lower(normalize(p_prefix, nfc)))
            else p_prefix end;
    end if;
    perform memos_private.mark_cache(
        v_owner, array[E'\1' || coalesce('n' || p_namespace, '*')], v_prefix
    );
    -- In one order, so that two at once do not wait for each other.
    perform from memos_private.cache_entry as e
    where e.user_id = v_owner and e.namespace = coalesce(p_namespace, e.namespace)
        and starts_with(e.key, v_prefix)
    order by e.key_hash
    for update;
    delete from memos_private.cache_entry as e
    where e.user_id = v_owner and e.namespace = coalesce(p_namespace, e.namespace)
        and starts_with(e.key, v_prefix);
    get diagnostics v_count = row_count;
    perform memos_private.notify_cache(v_owner);
    return v_count;
end
$body$;
comment on function memos.cache_invalidate is
    'Removes entries of a user (null: the shared ones, which a session bound to one user may not) and says '
    'how many: those of one key, with a prefix, with a tag, of a namespace, or all. Copies in other '
    'processes and values that are being made from what was before go with them, when this transaction '
    'commits. Errors: MO001, MO400, MO403, MO503 on a standby.';
