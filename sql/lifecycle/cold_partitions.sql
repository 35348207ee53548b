create or replace function memos_private.maintain_cold_partitions()
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
    foreach v_table in array array['memos_private.memory_cold', 'memos_private.embedding_cold'] loop
        perform memos_private.adopt_partitioned_table(v_table::regclass, 'moved_at');
        perform partman.run_maintenance(v_table);
    end loop;
    perform memos_private.protect_partitions();
end
$body$;
comment on function memos_private.maintain_cold_partitions is
    'Makes the partitions of cold memories for the next twelve months and guards them. None is ever '
    'dropped: what is in them is still remembered, and an empty one costs nothing.';

create or replace function memos_private.require_cold_partitions(p_at timestamptz)
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
        where c.parent_table in ('memos_private.memory_cold', 'memos_private.embedding_cold')
        order by c.parent_table desc
    loop
        if to_regclass(v_table.partition) is null then
            execute format(
                'create table if not exists %s partition of %s for values from (%L) to (%L)',
                v_table.partition, v_table.parent_table, v_month, v_month + interval '1 month'
            );
            perform memos_private.protect_partitions();
        end if;
    end loop;
end
$body$;
comment on function memos_private.require_cold_partitions is
    'As require_history_partitions, for cold memories.';
