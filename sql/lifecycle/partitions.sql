-- pg_partman 4 and 5 differ in names and arguments; this file is the only place that knows.
-- pg_partman keeps the configuration and makes partitions ahead; its tools find everything as they
-- expect it. Made here are those it leaves out (its maintenance goes on from the newest one, and a gap
-- before that stays) and those that a write lacks (its functions change the search_path of the session).
-- Nor does it drop any (part_config.retention stays null): it knows no legal hold, keeps a partition that
-- ends exactly at the boundary, and turns a lock timeout into an error without its SQLSTATE.
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
    perform memos_private.protect_audit();
    perform memos_private.withhold_statistics();
end
$body$;
comment on function memos_private.protect_partitions is
    'Partitions do not inherit row-level security. Forced and without a policy, a partition opens to '
    'nobody; its parent''s policies decide.';

create or replace function memos_private.month_partitions(p_table regclass)
returns table (partition regclass, month timestamptz, until timestamptz)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    -- From the catalog, which says it the same way for either pg_partman.
    select b.partition, b.ends[1]::timestamptz, b.ends[2]::timestamptz
    from (
        select c.oid::regclass as partition, regexp_match(
                pg_get_expr(c.relpartbound, c.oid), $$FROM \('(.+?)'\) TO \('(.+?)'\)$$
            ) as ends
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where i.inhparent = p_table
    ) as b
    where b.ends is not null
$body$;
comment on function memos_private.month_partitions is 'The partitions of a table, with their months.';

create or replace function memos_private.history_partitions()
returns table (month timestamptz, until timestamptz, tables regclass[])
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select p.month, p.until, array_agg(p.partition order by t.name desc)
    from unnest(array['memos_private.memory_history', 'memos_private.embedding_history']) as t (name)
    cross join lateral memos_private.month_partitions(t.name::regclass) as p
    group by p.month, p.until
$body$;
comment on function memos_private.history_partitions is
    'The months of the history: memory_history''s partition and embedding_history''s.';

create or replace function memos_private.make_partitions(p_tables text[], p_months timestamptz[])
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $body$
declare
    v_missing record;
begin
    perform pg_advisory_xact_lock(hashtextextended('memos.partitions', 0));
    for v_missing in
        select c.parent_table as parent, m.month,
            c.parent_table || '_p' || to_char(m.month, c.datetime_string) as partition
        from partman.part_config as c
        cross join unnest(p_months) as m (month)
        where c.parent_table = any (p_tables)
            and to_regclass(c.parent_table || '_p' || to_char(m.month, c.datetime_string)) is null
        order by m.month, c.parent_table desc
    loop
        -- Attached: neither readers nor writers of the table wait for this, as they would for partition of.
        execute format('create table %s (like %s including all)', v_missing.partition, v_missing.parent);
        execute format(
            'alter table %s attach partition %s for values from (%L) to (%L)', v_missing.parent,
            v_missing.partition, v_missing.month, v_missing.month + interval '1 month'
        );
    end loop;
    perform memos_private.protect_partitions();
end
$body$;
comment on function memos_private.make_partitions is
    'Makes those of the tables'' partitions of these months that are missing, named as pg_partman names '
    'them, and guards them.';

create or replace function memos_private.maintain_partitions()
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $body$
declare
    v_this_month constant timestamptz := date_trunc('month', now());
    v_kept_from constant timestamptz := memos_private.retention_start('history_retention_days', now());
    v_audit_from constant timestamptz := memos_private.retention_start('audit_retention_days', now());
    v_table record;
begin
    -- As make_partitions does: one at a time.
    perform pg_advisory_xact_lock(hashtextextended('memos.partitions', 0));
    for v_table in
        select t.name, t.control, t.kept_from
        from (values
            ('memos_private.memory_history', 'superseded_at', v_kept_from),
            ('memos_private.embedding_history', 'superseded_at', v_kept_from),
            ('memos_private.memory_cold', 'moved_at', '-infinity'),
            ('memos_private.embedding_cold', 'moved_at', '-infinity'),
            ('memos_private.audit_log', 'recorded_at', v_audit_from)
        ) as t (name, control, kept_from)
    loop
        perform memos_private.adopt_partitioned_table(v_table.name::regclass, v_table.control);
        perform partman.run_maintenance(v_table.name);
        -- From the oldest month that is kept: those in which no maintenance ran, too.
        perform memos_private.make_partitions(array[v_table.name], array(
            select generate_series(
                least(v_this_month, min(p.month)), v_this_month + interval '12 months', interval '1 month'
            )
            from memos_private.month_partitions(v_table.name::regclass) as p
            where p.until > v_table.kept_from
        ));
    end loop;
    -- pg_partman 4 leaves its own in the session, whatever a function pins.
    reset search_path;
end
$body$;
comment on function memos_private.maintain_partitions is
    'Makes the partitions of the next twelve months and those that are missing before, and guards them.';

create or replace function memos_private.require_partitions(p_tables text[], p_at timestamptz)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
as $body$
declare
    v_month constant timestamptz := date_trunc('month', p_at);
begin
    if exists (
        select from partman.part_config as c
        where c.parent_table = any (p_tables)
            and to_regclass(c.parent_table || '_p' || to_char(v_month, c.datetime_string)) is null
    ) then
        perform memos_private.make_partitions(p_tables, array[v_month]);
    end if;
end
$body$;
comment on function memos_private.require_partitions is
    'A write must not fail because no maintenance ran for a year: makes the month''s partitions when '
    'they are missing, looking for the names that pg_partman gives them.';

create or replace function memos_private.drop_partitions(p_partitions regclass[])
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
-- Shorter than deadlock_timeout. Dropping a partition takes the whole table for itself: behind a long
-- search everybody else would wait, too.
set lock_timeout = '500ms'
as $body$
begin
    -- pg_partman's maintenance fails over a partition that goes while it works.
    perform pg_advisory_xact_lock(hashtextextended('memos.partitions', 0));
    execute 'drop table ' || array_to_string(p_partitions, ', ');
    return true;
exception when lock_not_available then
    return false;
end
$body$;
comment on function memos_private.drop_partitions is
    'Drops partitions for good; false when somebody is at their table just now.';
