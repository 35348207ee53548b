-- Say which package is missing instead of "could not open extension control file".
do $$
declare
    v_major constant text := current_setting('server_version_num')::int / 10000;
    v_extension record;
begin
    for v_extension in
        select *
        from (values
            ('vector', 'postgresql-' || v_major || '-pgvector'),
            ('pg_partman', 'postgresql-' || v_major || '-partman'),
            ('pgcrypto', 'postgresql-' || v_major || ' (contrib)'),
            ('unaccent', 'postgresql-' || v_major || ' (contrib)')
        ) as needed (name, package)
        where not exists (
            select from pg_catalog.pg_available_extensions as available
            where available.name = needed.name
        )
    loop
        raise exception 'a required extension is not available on this server'
            using errcode = 'feature_not_supported',
                detail = format('extension "%s" has no control file', v_extension.name),
                hint = format('Debian and Ubuntu: install the package %s', v_extension.package);
    end loop;
end
$$;

create extension if not exists vector with schema public;
create extension if not exists pgcrypto with schema public;
create extension if not exists unaccent with schema public;
create schema if not exists partman;
create extension if not exists pg_partman with schema partman;

do $$
declare
    v_extension record;
begin
    select needed.name, needed.schema into v_extension
    from pg_catalog.pg_extension as e
    join (values
        ('vector', 'public'), ('pgcrypto', 'public'), ('unaccent', 'public'), ('pg_partman', 'partman')
    ) as needed (name, schema) on needed.name = e.extname
    where e.extnamespace <> needed.schema::regnamespace
    limit 1;
    if found then
        raise exception 'an extension is in the wrong schema'
            using errcode = 'invalid_schema_name',
                detail = format(
                    'extension "%s" has to be in schema %s', v_extension.name, v_extension.schema
                ),
                hint = 'move it with alter extension ... set schema, or drop it when nothing uses it';
    end if;
end
$$;
