-- pg_partman 4 and 5 differ in names and arguments; this file is the only place that knows.
create or replace function memos_private.adopt_partitioned_table(p_table regclass, p_control text)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $body$
declare
    v_table constant text := p_table::text;
    v_version constant int := (
        select split_part(extversion, '.', 1)::int from pg_extension where extname = 'pg_partman'
    );
    v_start constant text := date_trunc('month', now())::text;
begin
    if exists (select from partman.part_config as c where c.parent_table = v_table) then
        return;
    end if;
    if v_version >= 5 then
        execute 'select partman.create_parent(p_parent_table := $1, p_control := $2, '
            || 'p_interval := ''1 month'', p_type := ''range'', p_premake := 12, '
            || 'p_default_table := false, p_start_partition := $3)'
        using v_table, p_control, v_start;
    else
        execute 'select partman.create_parent(p_parent_table := $1, p_control := $2, '
            || 'p_type := ''native'', p_interval := ''monthly'', p_premake := 12, '
            || 'p_start_partition := $3)'
        using v_table, p_control, v_start;
        -- A row in a default partition blocks the partition it belongs to for ever.
        execute format('drop table %s_default', v_table);
    end if;
    update partman.part_config
    set infinite_time_partitions = true, inherit_privileges = false
    where parent_table = v_table;
end
$body$;
comment on function memos_private.adopt_partitioned_table is
    'Puts a range-partitioned table under pg_partman, by month, without a default partition.';

create or replace function memos_private.protect_partitions()
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $body$
declare
    v_partition regclass;
begin
    for v_partition in
        select child.oid
        from pg_inherits as i
        join pg_class as child on child.oid = i.inhrelid
        join pg_class as parent on parent.oid = i.inhparent and parent.relkind = 'p'
        where parent.relnamespace = 'memos_private'::regnamespace and child.relkind = 'r'
            and not (child.relrowsecurity and child.relforcerowsecurity)
    loop
        execute format('alter table %s enable row level security', v_partition);
        execute format('alter table %s force row level security', v_partition);
    end loop;
    perform memos_private.withhold_statistics();
end
$body$;
comment on function memos_private.protect_partitions is
    'Partitions do not inherit row-level security. Forced and without a policy, a partition opens to '
    'nobody; its parent''s policies decide.';

create or replace function memos_private.maintain_partitions()
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $body$
declare
    v_table text;
begin
    foreach v_table in array array['memos_private.memory_history', 'memos_private.embedding_history']
    loop
        perform memos_private.adopt_partitioned_table(v_table::regclass, 'superseded_at');
        perform partman.run_maintenance(v_table);
    end loop;
    perform memos_private.protect_partitions();
end
$body$;
comment on function memos_private.maintain_partitions is
    'Makes the partitions of the next twelve months and guards them.';

create or replace function memos_private.require_history_partitions(p_at timestamptz)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $body$
declare
    v_month constant timestamptz := date_trunc('month', p_at);
    v_table record;
begin
    for v_table in
        select c.parent_table, c.parent_table || '_p' || to_char(v_month, c.datetime_string) as partition
        from partman.part_config as c
        where c.parent_table in ('memos_private.memory_history', 'memos_private.embedding_history')
        order by c.parent_table desc
    loop
        if to_regclass(v_table.partition) is null then
            execute format(
                'create table %s partition of %s for values from (%L) to (%L)',
                v_table.partition, v_table.parent_table, v_month, v_month + interval '1 month'
            );
            perform memos_private.protect_partitions();
        end if;
    end loop;
end
$body$;
comment on function memos_private.require_history_partitions is
    'A write must not fail because no maintenance ran for a year: makes the month''s partitions when '
    'they are missing, named as pg_partman names them.';
