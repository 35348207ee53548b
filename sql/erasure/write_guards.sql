create or replace function memos_private.tg_refuse_erased()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.share_contents(new.user_id);
    if memos_private.has_tombstones(new.user_id) then
        perform memos_private.refuse_erased(
            new.user_id,
            (
                select jsonb_build_array(jsonb_agg(c.value))
                from jsonb_each(to_jsonb(new)) as c
                where c.key = any (tg_argv)
            ),
            'table ' || tg_table_name
        );
    end if;
    return new;
end
$body$;
comment on function memos_private.tg_refuse_erased is
    'Lets nothing in that was erased, whoever writes; its arguments are the columns to look at. Memories '
    'are looked at a batch at a time (admit_memories) instead of row by row.';

do $$
declare
    v_table record;
begin
    for v_table in
        select t.name, (select string_agg(format('%I', c), ', ') from unnest(t.texts) as c) as columns,
            (select string_agg(format('%L', c), ', ') from unnest(t.texts) as c) as arguments
        from memos_private.user_tables() as t
        where t.texts <> '{}' and t.name not in (
            -- Where they come from, they were looked at.
            'memory', 'memory_cold', 'memory_history', 'fact_history', 'scratchpad_change',
            'consolidation_action', 'evolution_change'
        )
    loop
        execute format(
            'create or replace trigger t10_refuse_erased before insert or update of %s on memos_private.%I '
            'for each row execute function memos_private.tg_refuse_erased(%s)',
            v_table.columns, v_table.name, v_table.arguments
        );
    end loop;
end
$$;
