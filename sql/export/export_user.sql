create or replace function memos_private.exported_sealed(
    p_user_id uuid, p_memory_id uuid, p_content text, p_key bytea
)
returns jsonb
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select coalesce(
        (
            select u.plain || jsonb_build_object(
                'content_hash', memos_private.content_hash(u.plain ->> 'content')
            )
            from memos_private.unseal(p_user_id, p_memory_id, p_content, p_key, false) as u (plain)
            where u.plain is not null
        ),
        jsonb_build_object('content', memos_private.locked_content())
    )
$body$;
comment on function memos_private.exported_sealed is
    'What of an exported row is in clear when it is encrypted here; the text that says so where its key was '
    'destroyed.';

-- A row each, so that no more than one of them and the answer are in memory. Oldest first where ids are times.
create or replace function memos_private.export_rows(p_user_id uuid)
returns table (table_name text, exported jsonb)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $body$
declare
    v_part2 constant uuid[] := array(
        select l.memory_id
        from memos_private.memory_label as l
        join memos_private.segment as s on s.segment = l.segment
        where l.user_id = p_user_id and s.is_part2
    );
    v_key bytea;
begin
    if memos_private.has_user_key(p_user_id) then
        v_key := memos_private.opened_key(p_user_id);
        if v_key is null then
            perform memos_private.refuse_without_key('an export is whole, encrypted memories in clear');
        end if;
    end if;
    for table_name in
        select t.name from memos_private.user_tables() as t
        where t.on_export in ('rows', 'shown') order by t.place desc
    loop
        return query execute format(
            case
                when table_name in ('memory', 'memory_cold', 'memory_history') then
                    'select $2, to_jsonb(t) - ''user_id'' || case when t.memory_id = any ($3) '
                    'then jsonb_build_object(''notice'', memos_private.redisclosure_notice()) else ''{}'' end '
                    '|| case when memos_private.is_sealed(t.content) '
                    'then memos_private.exported_sealed($1, t.memory_id, t.content, $4) else ''{}'' end '
                    'from memos_private.%I as t where t.user_id = $1 order by t.memory_id, t.version'
                -- Models have numbers of their own elsewhere.
                when table_name in ('embedding', 'embedding_cold', 'embedding_history') then
                    'select $2, to_jsonb(t) - array[''user_id'', ''model_id'', ''code'', ''dimensions''] '
                    '|| jsonb_build_object(''model'', m.name) '
                    'from memos_private.embedding_model as m '
                    'join memos_private.%I as t on t.user_id = $1 and t.model_id = m.model_id'
                else 'select $2, to_jsonb(t) - ''user_id'' from memos_private.%I as t where t.user_id = $1'
            end,
            table_name
        ) using p_user_id, table_name, v_part2, v_key;
    end loop;
end
$body$;
comment on function memos_private.export_rows is
    'Everything held about a user but what is derived from the rest, a row at a time. In the entered '
    'user''s context.';

create or replace function memos.export_user(p_user_id uuid)
returns jsonb
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit_read(p_user_id, 'export_user');
    return (
        select jsonb_build_object(
            'format', 'memos-user', 'version', 1, 'user_id', p_user_id,
            'exported_at', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'notice', case when bool_or(t.has_notice) then memos_private.redisclosure_notice() end,
            'tables', coalesce(jsonb_object_agg(t.table_name, t.rows), '{}')
        )
        from (
            select r.table_name, jsonb_agg(r.exported) as rows, bool_or(r.exported ? 'notice') as has_notice
            from memos_private.export_rows(p_user_id) as r
            group by r.table_name
        ) as t
    );
exception when program_limit_exceeded then
    raise exception 'the export is too large for one value'
        using errcode = memos_private.audit_failure('MO429'),
            detail = 'one table of it has more than 256 MB as JSON',
            hint = 'take it in pieces: memos.export_user_rows';
end
$body$;
comment on function memos.export_user is
    'Everything held about the user as one JSON object, which memos_admin.import_user reads: format, '
    'version, tables with their rows (times in ISO 8601, UTC; vectors as text, with the name of their '
    'model). Without what follows from the rest (index, queues, caches), and without legal holds and '
    'tombstones. Encrypted memories are in clear, which takes the user''s key (memos.use_key). Records under '
    '42 CFR part 2 carry their notice. For more than about 256 MB a table: memos.export_user_rows. '
    'Errors: MO001, MO400, MO403, MO429.';

create or replace function memos.export_user_rows(p_user_id uuid)
returns table (table_name text, exported jsonb)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit_read(p_user_id, 'export_user_rows');
    return query select r.table_name, r.exported from memos_private.export_rows(p_user_id) as r;
end
$body$;
comment on function memos.export_user_rows is
    'What memos.export_user exports, a row at a time and of any size. Errors: MO001, MO400, MO403.';
