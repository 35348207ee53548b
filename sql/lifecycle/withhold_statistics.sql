-- The planner's statistics hold samples of a column: values that outlive their row, its erasure
-- included, until somebody analyses the table again. No plan depends on those of free text. Partitions
-- do not inherit the choice.
create or replace function memos_private.withhold_statistics()
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_column record;
begin
    for v_column in
        select c.oid::regclass as "table", a.attname as name
        from pg_class as c
        join pg_attribute as a on a.attrelid = c.oid
        where c.relnamespace = 'memos_private'::regnamespace and c.relkind in ('r', 'p')
            and exists (
                select from pg_attribute as u
                where u.attrelid = c.oid and u.attname = 'user_id' and not u.attisdropped
            )
            and a.attnum > 0 and not a.attisdropped and a.attstattarget is distinct from 0
            and a.atttypid in ('text'::regtype, 'text[]'::regtype, 'jsonb'::regtype)
            -- Words from a list, and keys: they are looked up by their value.
            and a.attname not in ('kind', 'change')
            and not exists (
                select from pg_constraint as k
                where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]
                    and a.atttypid = 'text'::regtype
            )
            and not exists (
                select
                from pg_index as i
                where i.indrelid = c.oid and i.indisunique and a.attnum = any (i.indkey::int2[])
            )
        order by 1, 2
    loop
        execute format('alter table only %s alter column %I set statistics 0', v_column."table", v_column.name);
    end loop;
end
$body$;
comment on function memos_private.withhold_statistics is
    'Keeps free text of users out of the statistics of the planner.';
