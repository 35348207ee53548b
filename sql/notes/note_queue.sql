-- Every new text gets its note. One statement and a few rows a write, however many memories it has.
create or replace function memos_private.tg_memory_to_note()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    insert into memos_private.note_block (user_id, block_id, memory_ids)
    select b.user_id, gen_random_uuid(), b.memory_ids[i : i + 99]
    from (
        select n.user_id, array_agg(n.memory_id) as memory_ids
        from new_rows as n
        where (select p.provider from memos_private.note_provider as p) <> 'off'
        group by n.user_id
    ) as b
    cross join lateral generate_series(1, cardinality(b.memory_ids), 100) as i;
    return null;
end
$body$;
comment on function memos_private.tg_memory_to_note is 'Has the note of a new memory made.';

create or replace function memos_private.tg_memory_to_note_again()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    insert into memos_private.note_queue (user_id, memory_id)
    select n.user_id, n.memory_id
    from new_rows as n
    join old_rows as o on o.user_id = n.user_id and o.memory_id = n.memory_id
    where o.content_hash <> n.content_hash
        and (select p.provider from memos_private.note_provider as p) <> 'off'
    order by n.user_id, n.memory_id
    on conflict (user_id, memory_id) do update set available_at = '-infinity', attempts = 0;
    return null;
end
$body$;
comment on function memos_private.tg_memory_to_note_again is
    'Has the note of a memory made anew when its content has changed.';

create or replace function memos_private.tg_memory_of_note_deleted()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    delete from memos_private.memory_note as n
    using old_rows as o
    where n.user_id = o.user_id and n.memory_id = o.memory_id and not exists (
        select from memos_private.cold_place as p
        where p.user_id = o.user_id and p.memory_id = o.memory_id
    );
    return null;
end
$body$;
comment on function memos_private.tg_memory_of_note_deleted is
    'A note goes with its memory, unless that only becomes cold.';

create or replace function memos_private.refuse_sealed_note(p_memory_id uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.refuse_argument(
        'p_memory_id', format('memory %s is encrypted', p_memory_id),
        'leave it without a note, which would tell in clear what it is about'
    );
end
$body$;
comment on function memos_private.refuse_sealed_note is 'Raises MO400 for the note of an encrypted memory.';

create or replace function memos_private.tg_note_of_sealed()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if exists (
        select from memos_private.memory as m
        where m.user_id = new.user_id and m.memory_id = new.memory_id and memos_private.is_sealed(m.content)
        union all
        select from memos_private.memory_cold as c
        where c.user_id = new.user_id and c.memory_id = new.memory_id and memos_private.is_sealed(c.content)
    ) then
        perform memos_private.refuse_sealed_note(new.memory_id);
    end if;
    return new;
end
$body$;
comment on function memos_private.tg_note_of_sealed is
    'Whoever writes a note: an encrypted memory gets none. Errors: MO400.';

create or replace trigger t50_note_of_sealed
    before insert or update on memos_private.memory_note
    for each row execute function memos_private.tg_note_of_sealed();
create or replace trigger t70_note_deleted
    after delete on memos_private.memory
    referencing old table as old_rows
    for each statement execute function memos_private.tg_memory_of_note_deleted();
create or replace trigger t70_note_inserted
    after insert on memos_private.memory
    referencing new table as new_rows
    for each statement execute function memos_private.tg_memory_to_note();
create or replace trigger t70_note_updated
    after update on memos_private.memory
    referencing old table as old_rows new table as new_rows
    for each statement execute function memos_private.tg_memory_to_note_again();
