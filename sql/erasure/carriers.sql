-- Scanning is one expression for erasing and for verifying: what the one takes, the other looks for.
create or replace function memos_private.carries(p_texts text[])
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $body$
    select format(
        'exists (select from memos_private.text_leaves(jsonb_build_array(%s)) as l '
        'cross join lateral memos_private.erasure_forms(l) as f '
        'where memos_private.erasure_digest(t.user_id, f, $3) = any ($2))',
        string_agg(format('t.%I', c), ', ')
    )
    from unnest(p_texts) as c
    having count(*) > 0
$body$;
comment on function memos_private.carries is
    'A condition in SQL: the row t has a text in one of these columns that carries a value with a digest of '
    '$2, made with the secret $3.';

create or replace function memos_private.names_memories(p_ids text[], p_comparison text)
returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $body$
    select string_agg(
        format(
            case when c like '%\_ids' then 'exists (select from unnest(t.%I) as i (id) where i.id %s)'
                else 't.%I %s' end,
            c, p_comparison
        ),
        ' or '
    )
    from unnest(p_ids) as c
$body$;
comment on function memos_private.names_memories is
    'A condition in SQL: an id in one of these columns of the row t compares so.';

create or replace function memos_private.count_carriers(
    p_user_id uuid, p_digests bytea[], p_secret bytea, p_memory_ids uuid[], p_before timestamptz
)
returns table (table_name text, row_count bigint, how text)
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    -- Ids are times.
    v_before constant uuid := memos_private.new_memory_id(p_before);
    v_comparison constant text := case when p_before is null then '= any ($4)' else '< $5' end;
    v_table record;
begin
    for v_table in
        select t.name, h.how, h.condition
        from memos_private.user_tables() as t
        cross join lateral (
            values ('text', memos_private.carries(nullif(t.texts, '{}'))),
                ('memory', memos_private.names_memories(t.ids, v_comparison))
        ) as h (how, condition)
        where t.on_erase <> 'keep' and h.condition is not null
        order by t.place
    loop
        execute format(
            'select count(*) from memos_private.%I as t where t.user_id = $1 and (%s)',
            v_table.name, v_table.condition
        )
        into row_count using p_user_id, p_digests, p_secret, p_memory_ids, v_before;
        if row_count > 0 then
            table_name := v_table.name;
            how := v_table.how;
            return next;
        end if;
    end loop;
end
$body$;
comment on function memos_private.count_carriers is
    'Rows of a user, by table, that carry a text with one of the digests (how: text), or name one of the '
    'memories (how: memory; with p_before: any memory from before then). In the entered user''s context.';
