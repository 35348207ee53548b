create or replace function memos_private.require_export(p_export jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_bad text;
begin
    if p_export is null or jsonb_typeof(p_export) <> 'object'
        or p_export ->> 'format' is distinct from 'memos-user' or p_export -> 'version' is distinct from '1'
        or jsonb_typeof(p_export -> 'tables') is distinct from 'object'
        or (p_export ->> 'user_id') !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    then
        perform memos_private.refuse_argument(
            'p_export', 'it is no export of a user, or of another version', 'what memos.export_user returned'
        );
    end if;
    select e.key into v_bad
    from jsonb_each(p_export -> 'tables') as e
    left join memos_private.user_tables() as t on t.name = e.key and t.on_export in ('rows', 'shown')
    where t.name is null or jsonb_typeof(e.value) <> 'array' or exists (
        select from jsonb_array_elements(e.value) as r where jsonb_typeof(r) <> 'object'
    )
    order by e.key
    limit 1;
    if found then
        perform memos_private.refuse_argument(
            'p_export', format('table "%s" is unknown, or no array of objects', left(v_bad, 200)),
            'what memos.export_user of this version returned'
        );
    end if;
end
$body$;
comment on function memos_private.require_export is 'Raises MO400 for what is no export of a user.';

create or replace function memos_private.require_empty_user(p_user_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_name text;
    v_found boolean;
begin
    for v_name in
        select t.name from memos_private.user_tables() as t
        where t.on_export = 'rows' and t.on_erase = 'delete' order by t.place desc
    loop
        execute format('select exists (select from memos_private.%I as t where t.user_id = $1)', v_name)
        into v_found using p_user_id;
        if v_found then
            raise exception 'the user is not empty'
                using errcode = memos_private.audit_failure('MO409'),
                    detail = format('there are rows in table %s', v_name),
                    hint = 'import into a user without memories: a new id, or after memos.erase_user';
        end if;
    end loop;
end
$body$;
comment on function memos_private.require_empty_user is
    'Raises MO409 when the user has anything already that an import would bring.';

create or replace function memos_private.import_rows(p_user_id uuid, p_table text, p_rows jsonb)
returns bigint
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
set timezone = 'UTC'
as $body$
declare
    -- What the columns are here; what an export has beside them (a notice) is for its reader.
    v_columns constant text[] := array(
        select a.attname
        from pg_attribute as a
        where a.attrelid = format('memos_private.%I', p_table)::regclass and a.attnum > 0
            and not a.attisdropped and a.attgenerated = ''
        order by a.attnum
    );
    v_month timestamptz;
    v_count bigint;
begin
    if p_table in ('memory_history', 'memory_cold', 'embedding_history', 'embedding_cold') then
        for v_month in
            select distinct (r ->> case when p_table like '%history' then 'superseded_at' else 'moved_at' end)::timestamptz
            from jsonb_array_elements(p_rows) as r
        loop
            perform memos_private.require_partitions(array['memos_private.' || p_table], v_month);
        end loop;
    end if;
    execute format(
        'insert into memos_private.%1$I (%2$s) select %3$s '
        'from jsonb_array_elements($1) as r (exported) '
        -- A vector of a model that is not known here is made anew by those that are.
        'left join memos_private.embedding_model as m on m.name = r.exported ->> ''model'' '
        'cross join lateral jsonb_populate_record('
        'null::memos_private.%1$I, r.exported || jsonb_build_object(''user_id'', $2, ''model_id'', m.model_id)) as t '
        'where not $3 or public.vector_dims((r.exported ->> ''embedding'')::public.halfvec) = m.dimensions '
        'on conflict do nothing',
        p_table, (select string_agg(format('%I', c), ', ') from unnest(v_columns) as c),
        (select string_agg(format('t.%I', c), ', ') from unnest(v_columns) as c)
    ) using p_rows, p_user_id, starts_with(p_table, 'embedding');
    get diagnostics v_count = row_count;
    return v_count;
end
$body$;
comment on function memos_private.import_rows is
    'Writes exported rows of one table for a user; returns how many.';

create or replace function memos_private.seal_imported(p_user_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_key bytea;
begin
    if not exists (
        select from memos_private.memory_version as v
        where v.user_id = p_user_id and v.privacy_level = 'restricted'
    ) then
        return;
    elsif memos_private.has_user_key(p_user_id) then
        v_key := memos_private.opened_key(p_user_id);
        if v_key is null then
            perform memos_private.refuse_without_key('what is restricted is stored encrypted');
        end if;
        perform memos_private.seal_existing(p_user_id, v_key);
    else
        perform memos_private.refuse_unencrypted(p_user_id);
    end if;
end
$body$;
comment on function memos_private.seal_imported is
    'Encrypts what an import brought that is restricted, as a write of it would. Errors: MO403, MO451.';

create or replace function memos_private.import_user(p_user_id uuid, p_export jsonb)
returns table (table_name text, imported bigint)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_table record;
    v_rows jsonb;
begin
    perform set_config('memos.user_id', p_user_id::text, true);
    perform memos_private.share_embedding_models();
    perform memos_private.lock_contents(p_user_id);
    perform memos_private.lock_postings(p_user_id);
    perform memos_private.lock_user_key(p_user_id, true);
    perform memos_private.require_export(p_export);
    perform memos_private.require_empty_user(p_user_id);
    for v_table in
        select t.name, p_export -> 'tables' -> t.name as rows
        from memos_private.user_tables() as t
        where t.on_export = 'rows' and p_export -> 'tables' ? t.name
        order by t.name = 'scratchpad_change', t.place desc
    loop
        if v_table.name = 'scratchpad_change' then
            -- The log is as it was there, and not of this import.
            set constraints memos_private.t50_log_change immediate;
            set constraints memos_private.t50_log_change deferred;
            delete from memos_private.scratchpad_change as c where c.user_id = p_user_id;
            update memos_private.scratchpad_sequence as s set announced = false where s.user_id = p_user_id;
        end if;
        v_rows := case
            -- Rows as they were, with the id that the user had.
            when v_table.name in ('evolution_change', 'consolidation_action') then
                replace(v_table.rows::text, p_export ->> 'user_id', p_user_id::text)::jsonb
            -- What was pending there is pending here for the models of here.
            when v_table.name = 'memory_cold' then (
                select coalesce(jsonb_agg(r - 'pending'), '[]') from jsonb_array_elements(v_table.rows) as r
            )
            else v_table.rows
        end;
        if memos_private.has_tombstones(p_user_id) then
            perform memos_private.refuse_erased(p_user_id, v_rows, 'row # of table ' || v_table.name);
        end if;
        begin
            imported := memos_private.import_rows(p_user_id, v_table.name, v_rows);
        exception
            when foreign_key_violation then
                raise exception 'the export names what this server does not have'
                    using errcode = memos_private.audit_failure('MO409'), detail = format('table %s: %s', v_table.name, sqlerrm),
                        hint = 'register the segments and types of consent that it uses first';
            when data_exception or integrity_constraint_violation or program_limit_exceeded then
                perform memos_private.refuse_argument(
                    'p_export', format('table %s: %s', v_table.name, sqlerrm), 'what memos.export_user returned'
                );
        end;
        table_name := v_table.name;
        return next;
    end loop;
    -- What was encrypted there is in clear by now, with the identity of its text.
    update memos_private.cold_place as p
    set content_hash = c.content_hash
    from memos_private.memory_cold as c
    where p.user_id = p_user_id and c.user_id = p_user_id and c.memory_id = p.memory_id
        and c.content_hash <> p.content_hash;
    perform memos_private.seal_imported(p_user_id);
    perform memos_private.enqueue_embeddings(
        p_user_id, array(select m.memory_id from memos_private.memory as m where m.user_id = p_user_id)
    );
    perform memos_private.refresh_permissions(p_user_id);
end
$body$;
comment on function memos_private.import_user is
    'memos_admin.import_user in the user''s context, by who may write.';

create or replace function memos_admin.import_user(p_user_id uuid, p_export jsonb)
returns table (table_name text, imported bigint)
language plpgsql
volatile
security definer
rows 50
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    perform memos_private.require_user(p_user_id);
    perform memos_private.audit(p_user_id, 'memos_admin.import_user');
    return query select i.table_name, i.imported from memos_private.import_user(p_user_id, p_export) as i;
end
$body$;
comment on function memos_admin.import_user is
    'Writes what memos.export_user returned, on this server or another, for a user who has nothing yet; all '
    'or nothing. Ids, versions and times stay as they were, so that lists, histories and searches answer as '
    'they did. The inverted index is built on the way; notes, links and vectors of other models follow by '
    'their jobs. For operators only: it believes what the export says about who said what. Texts that were '
    'erased for this user are refused. Returns how many rows came into each table. '
    'Errors: MO400, MO409, MO451.';
