-- One approximate index a model, for all users: what the largest of them are searched by. The table
-- belongs to memos_owner, so the statements run in definer functions of that role.
create or replace function memos_private.vector_index_name(p_model_id smallint)
returns text
language sql
immutable
parallel safe
return 'embedding_hnsw_' || p_model_id;
comment on function memos_private.vector_index_name is 'Name of a model''s vector index, in memos_private.';

create or replace function memos_private.vector_index_statement(
    p_model           memos_private.embedding_model,
    p_name            text,
    p_m               int,
    p_ef_construction int,
    p_concurrently    boolean
)
returns text
language sql
immutable
return format(
    'create index %s%I on memos_private.embedding using hnsw '
    || '((embedding::public.halfvec(%s)) public.halfvec_cosine_ops) '
    || 'with (m = %s, ef_construction = %s) where model_id = %s',
    case when p_concurrently then 'concurrently ' else '' end, p_name, p_model.dimensions,
    p_m, p_ef_construction, p_model.model_id
);
comment on function memos_private.vector_index_statement is 'The statement that builds a vector index.';

-- pgvector before 0.8.2 can overflow a buffer in a parallel build (CVE-2026-3172).
create or replace function memos_private.parallel_hnsw_is_safe()
returns boolean
language sql
stable
begin atomic
    select string_to_array(e.extversion, '.')::int[] >= array[0, 8, 2]
    from pg_extension as e
    where e.extname = 'vector';
end;
comment on function memos_private.parallel_hnsw_is_safe is
    'Whether this version of pgvector may build an HNSW index with parallel workers.';

create or replace function memos_private.build_vector_index(
    p_model           memos_private.embedding_model,
    p_name            text,
    p_m               int,
    p_ef_construction int
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_workers constant text := current_setting('max_parallel_maintenance_workers');
begin
    perform set_config('lock_timeout', '5s', true);
    if not memos_private.parallel_hnsw_is_safe() then
        perform set_config('max_parallel_maintenance_workers', '0', true);
    end if;
    execute memos_private.vector_index_statement(p_model, p_name, p_m, p_ef_construction, false);
    perform set_config('max_parallel_maintenance_workers', v_workers, true);
end
$body$;
comment on function memos_private.build_vector_index is
    'Builds a vector index under a name; the only place that does.';

create or replace function memos_private.drop_vector_index(p_name text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform set_config('lock_timeout', '5s', true);
    execute format('drop index if exists memos_private.%I', p_name);
end
$body$;
comment on function memos_private.drop_vector_index is 'Drops a vector index, if there is one of that name.';

create or replace function memos_private.swap_vector_index(p_new text, p_name text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.drop_vector_index(p_name);
    execute format('alter index memos_private.%I rename to %I', p_new, p_name);
end
$body$;
comment on function memos_private.swap_vector_index is 'Puts a rebuilt vector index in the place of the old one.';

create or replace function memos_private.require_vector_index_options(p_m int, p_ef_construction int)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_m is null or p_m not between 2 and 100 then
        perform memos_private.refuse_argument('p_m', memos_private.it_is(p_m), '2 to 100');
    end if;
    if p_ef_construction is null or p_ef_construction not between 2 * p_m and 1000 then
        perform memos_private.refuse_argument(
            'p_ef_construction', memos_private.it_is(p_ef_construction),
            format('%s (twice p_m) to 1000', 2 * p_m)
        );
    end if;
end
$body$;
comment on function memos_private.require_vector_index_options is
    'Raises MO400 for what an HNSW index cannot be built with.';

create or replace function memos_private.has_vector_index(p_model memos_private.embedding_model)
returns boolean
language sql
stable
return to_regclass('memos_private.' || memos_private.vector_index_name(p_model.model_id)) is not null;
comment on function memos_private.has_vector_index is 'Whether a model has a vector index, valid or not.';

create or replace function memos_admin.create_vector_index(
    p_model           text default null,
    p_m               int default 16,
    p_ef_construction int default 64
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_model constant memos_private.embedding_model := memos_private.require_embedding_model(p_model);
begin
    perform memos_private.require_vector_index_options(p_m, p_ef_construction);
    if memos_private.has_vector_index(v_model) then
        raise exception 'the embedding model has a vector index already'
            using errcode = memos_private.audit_failure('MO409'), detail = format('model "%s"', v_model.name),
                hint = 'call memos_admin.reindex_vector_index to build it anew';
    end if;
    perform memos_private.build_vector_index(
        v_model, memos_private.vector_index_name(v_model.model_id), p_m, p_ef_construction
    );
end
$body$;
comment on function memos_admin.create_vector_index is
    'Builds an HNSW index over all vectors of a model (null: the default one), for users with more '
    'memories than the setting dense_hnsw_memories. Writers of vectors wait until it is built, searches '
    'do not; to keep writing, run the statements of memos_admin.vector_index_statements instead. Set '
    'maintenance_work_mem to hold the vectors first. Every later insert of a vector costs several times '
    'as much. Errors: MO400, MO409, 55P03 when writers hold the table for 5 seconds.';

create or replace function memos_admin.vector_index_statements(
    p_model           text default null,
    p_m               int default 16,
    p_ef_construction int default 64
)
returns setof text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_model constant memos_private.embedding_model := memos_private.require_embedding_model(p_model);
begin
    perform memos_private.require_vector_index_options(p_m, p_ef_construction);
    if not memos_private.parallel_hnsw_is_safe() then
        return next 'set max_parallel_maintenance_workers = 0';
    end if;
    return next memos_private.vector_index_statement(
        v_model, memos_private.vector_index_name(v_model.model_id), p_m, p_ef_construction, true
    );
end
$body$;
comment on function memos_admin.vector_index_statements is
    'Statements that build the index of create_vector_index while vectors are written, which no function '
    'can do: run them in psql with \gexec, as a member of memos_owner. Errors: MO400.';

-- A procedure that commits can neither be a definer nor pin its search_path in a clause.
create or replace procedure memos_admin.reindex_vector_index(p_model text default null)
language plpgsql
as $body$
declare
    v_index pg_catalog.text;
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    v_index := memos_admin.rebuild_vector_index(p_model);
    -- Else the swap would wait for readers while writers wait for it.
    commit;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform memos_admin.swap_vector_index(v_index);
end
$body$;
comment on procedure memos_admin.reindex_vector_index is
    'Builds a model''s vector index anew with the same options, then drops the old one: after many '
    'deletions, or when vector_index_status says invalid. Writers of vectors wait, searches use the old '
    'index meanwhile. Not inside a transaction block. Errors: MO400, MO404, 55P03.';

create or replace function memos_admin.rebuild_vector_index(p_model text)
returns text
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_model constant memos_private.embedding_model := memos_private.require_embedding_model(p_model);
    v_name constant text := memos_private.vector_index_name(v_model.model_id);
    v_options jsonb;
begin
    select coalesce(jsonb_object_agg(o.option_name, o.option_value), '{}') into v_options
    from pg_class as c
    cross join lateral pg_options_to_table(c.reloptions) as o
    where c.oid = to_regclass('memos_private.' || v_name)
    having count(*) > 0;
    if not found then
        perform memos_private.refuse_unknown_vector_index(v_model);
    end if;
    -- What a run that failed at the swap has left.
    perform memos_private.drop_vector_index(v_name || '_new');
    perform memos_private.build_vector_index(
        v_model, v_name || '_new',
        (v_options ->> 'm')::int, (v_options ->> 'ef_construction')::int
    );
    return v_name;
end
$body$;
comment on function memos_admin.rebuild_vector_index is
    'First half of reindex_vector_index: the new index, beside the old one. Returns the name of the old one.';

create or replace function memos_admin.swap_vector_index(p_name text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.swap_vector_index(p_name || '_new', p_name);
end
$body$;
comment on function memos_admin.swap_vector_index is
    'Second half of reindex_vector_index: the new index in the place of the old one, in an instant.';

create or replace function memos_private.refuse_unknown_vector_index(p_model memos_private.embedding_model)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    raise exception 'the embedding model has no vector index'
        using errcode = memos_private.audit_failure('MO404'), detail = format('model "%s"', p_model.name),
            hint = 'build one with memos_admin.create_vector_index';
end
$body$;
comment on function memos_private.refuse_unknown_vector_index is 'Raises MO404.';

create or replace function memos_admin.drop_vector_index(p_model text default null)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_model constant memos_private.embedding_model := memos_private.require_embedding_model(p_model);
begin
    if not memos_private.has_vector_index(v_model) then
        perform memos_private.refuse_unknown_vector_index(v_model);
    end if;
    perform memos_private.drop_vector_index(memos_private.vector_index_name(v_model.model_id));
end
$body$;
comment on function memos_admin.drop_vector_index is
    'Drops a model''s vector index: its largest users are then searched by binary codes. Errors: MO400, '
    'MO404, 55P03 when searches hold the table for 5 seconds.';

create or replace function memos_admin.vector_index_status()
returns table (model text, state text, vectors bigint, bytes bigint, m int, ef_construction int)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select d.name, case when c.oid is null then 'none' when i.indisvalid then 'valid' else 'invalid' end,
        greatest(c.reltuples, 0)::bigint, pg_relation_size(c.oid),
        (o.options ->> 'm')::int, (o.options ->> 'ef_construction')::int
    from memos_private.embedding_model as d
    left join pg_class as c
        on c.oid = to_regclass('memos_private.' || memos_private.vector_index_name(d.model_id))
    left join pg_index as i on i.indexrelid = c.oid
    cross join lateral (
        select jsonb_object_agg(t.option_name, t.option_value) as options
        from pg_options_to_table(c.reloptions) as t
    ) as o
    order by d.model_id
$body$;
comment on function memos_admin.vector_index_status is
    'One row a model: whether it has a vector index (none, valid; invalid: being built concurrently, or '
    'left by a build that failed), the vectors and bytes in it, and its options.';
