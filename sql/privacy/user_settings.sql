create or replace function memos.get_settings(p_user_id uuid)
returns table (
    settings_version int, memory_enabled boolean, max_memories int, retention_days int,
    default_privacy_level text, on_identifier text, preferences jsonb, updated_at timestamptz
)
language plpgsql
volatile
security definer
rows 1
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
begin
    perform memos_private.enter_user_context(p_user_id);
    return query
    select coalesce(u.settings_version, 0), coalesce(u.memory_enabled, true), u.max_memories,
        u.retention_days, coalesce(u.default_privacy_level, 'balanced'),
        coalesce(u.on_identifier, 'refuse'), coalesce(u.preferences, '{}'), u.updated_at
    from (values (1)) as always
    left join memos_private.user_setting as u on u.user_id = p_user_id;
    perform memos_private.audit_read(p_user_id, 'get_settings');
end
$body$;
comment on function memos.get_settings is
    'What the user decided about the memory; the defaults, as version 0, when nothing. '
    'Errors: MO001, MO400, MO403.';

create or replace function memos.update_settings(p_user_id uuid, p_changes jsonb)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_keys constant text[] := array[
        'memory_enabled', 'max_memories', 'retention_days', 'default_privacy_level', 'on_identifier',
        'preferences'
    ];
    v_now constant timestamptz := clock_timestamp();
    v_new memos_private.user_setting;
    v_argument text;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'update_settings');
    if p_changes is null or jsonb_typeof(p_changes) <> 'object' or p_changes - v_keys <> '{}' then
        perform memos_private.refuse_argument(
            'p_changes', coalesce('it is ' || left(p_changes::text, 200), 'it is null'),
            'a JSON object with some of the keys ' || array_to_string(v_keys, ', ')
        );
    end if;
    perform memos_private.lock_consents(p_user_id);
    insert into memos_private.user_setting (user_id, settings_version, updated_at)
    values (p_user_id, 0, v_now)
    on conflict (user_id) do nothing;
    select * into v_new from memos_private.user_setting as u where u.user_id = p_user_id for update;
    begin
        -- Preferences are changed key by key; a null removes one.
        v_new := jsonb_populate_record(v_new, p_changes || jsonb_strip_nulls(jsonb_build_object(
            'preferences', case when jsonb_typeof(p_changes -> 'preferences') = 'object'
                then v_new.preferences || (p_changes -> 'preferences') end
        )));
    exception when data_exception then
        perform memos_private.refuse_argument(
            'p_changes', sqlerrm, 'each key takes the type of the column of memos.get_settings'
        );
    end;
    v_argument := case
        when v_new.memory_enabled is null then 'memory_enabled'
        when v_new.max_memories < 1 then 'max_memories'
        when v_new.retention_days not between 1 and 36500 then 'retention_days'
        when v_new.default_privacy_level is null or v_new.default_privacy_level
            not in ('minimal', 'balanced', 'comprehensive', 'restricted') then 'default_privacy_level'
        when v_new.on_identifier is null or v_new.on_identifier not in ('refuse', 'mask') then 'on_identifier'
        when v_new.preferences is null or jsonb_typeof(v_new.preferences) <> 'object'
            or octet_length(v_new.preferences::text) > memos_private.setting('max_metadata_bytes')::int
            then 'preferences'
    end;
    if v_argument is not null then
        perform memos_private.refuse_argument(
            'p_changes', format('%s is %s', v_argument, left(to_jsonb(v_new) ->> v_argument, 200)),
            case v_argument
                when 'memory_enabled' then 'true or false'
                when 'max_memories' then 'null (no limit of the user''s own), or a whole number from 1'
                when 'retention_days' then 'null (kept until deleted), or 1 to 36500 days'
                when 'default_privacy_level' then 'minimal, balanced, comprehensive or restricted'
                when 'on_identifier' then 'refuse or mask'
                else format('a JSON object of at most %s bytes (setting max_metadata_bytes)',
                    memos_private.setting('max_metadata_bytes'))
            end
        );
    end if;
    update memos_private.user_setting as u
    set settings_version = v_new.settings_version + 1, memory_enabled = v_new.memory_enabled,
        max_memories = v_new.max_memories, retention_days = v_new.retention_days,
        default_privacy_level = v_new.default_privacy_level, on_identifier = v_new.on_identifier,
        preferences = v_new.preferences, updated_at = v_now
    where u.user_id = p_user_id;
    perform memos_private.refresh_permissions(p_user_id);
    return v_new.settings_version + 1;
end
$body$;
comment on function memos.update_settings is
    'Changes some of a user''s settings and returns their new version. memory_enabled: false refuses '
    'storing, recalling, deriving and sharing (MO451). max_memories: null, or a limit under that of the '
    'operator (MO429). retention_days: null, or days after which memories that are not pinned are deleted '
    'by maintenance (reason retention). default_privacy_level: minimal and restricted are the least that '
    'memories get, whatever is asked for (balanced, the default of add_memory, cannot be told from nothing '
    'asked); balanced and comprehensive are for the bot to read. on_identifier: refuse or mask '
    'what a memory''s privacy level does not allow. preferences: the bot''s own, changed key by key. '
    'Errors: MO001, MO400, MO403.';
