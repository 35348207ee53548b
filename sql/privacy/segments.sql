create or replace function memos_private.require_segments(p_argument text, p_segments text[])
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_segments is null or p_segments = '{}' or exists (
        select from unnest(p_segments) as s
        where not exists (select from memos_private.segment as known where known.segment = s)
    ) then
        perform memos_private.refuse_argument(
            p_argument, memos_private.it_is(p_segments),
            'of: ' || (
                select string_agg(s.segment, ', ' order by s.segment) from memos_private.segment as s
            )
        );
    end if;
end
$body$;
comment on function memos_private.require_segments is
    'Raises MO400 for a segment that does not exist, or none.';

create or replace function memos_private.tg_labelled_memory_deleted()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    delete from memos_private.memory_label as l
    using old_rows as o
    where l.user_id = o.user_id and l.memory_id = o.memory_id and not exists (
        select from memos_private.cold_place as p
        where p.user_id = o.user_id and p.memory_id = o.memory_id
    );
    return null;
end
$body$;
comment on function memos_private.tg_labelled_memory_deleted is
    'A label goes with its memory, unless that only becomes cold.';

create or replace trigger t70_label_deleted
    after delete on memos_private.memory
    referencing old table as old_rows
    for each statement execute function memos_private.tg_labelled_memory_deleted();

create or replace function memos.label_memories(
    p_user_id     uuid,
    p_memory_ids  uuid[],
    p_segment     text,
    p_legal_basis text default null
)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_missing uuid;
    v_count int;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'label_memories', p_memory_ids);
    perform memos_private.require_segments('p_segment', array[p_segment]);
    if p_memory_ids is null then
        perform memos_private.refuse_argument('p_memory_ids', 'it is null', 'ids of the user''s memories');
    end if;
    if p_legal_basis !~ '\S' or length(p_legal_basis) > 256 then
        perform memos_private.refuse_argument(
            'p_legal_basis', format('it is "%s"', left(p_legal_basis, 200)),
            'null, or 1 to 256 characters such as "consent" or "GDPR 9(2)(a)"'
        );
    end if;
    select i into v_missing
    from unnest(p_memory_ids) as i
    where not exists (
        select from memos_private.memory_of_any_tier as m where m.user_id = p_user_id and m.memory_id = i
    )
    limit 1;
    if found then
        perform memos_private.refuse_missing_memory(v_missing);
    end if;
    insert into memos_private.memory_label as l (
        user_id, memory_id, segment, legal_basis, labelled_at, labelled_by
    )
    select distinct p_user_id, i, p_segment, p_legal_basis, clock_timestamp(), memos_private.caller()
    from unnest(p_memory_ids) as i
    order by i
    on conflict (user_id, memory_id) do update
    set segment = excluded.segment, legal_basis = excluded.legal_basis,
        labelled_at = excluded.labelled_at, labelled_by = excluded.labelled_by;
    get diagnostics v_count = row_count;
    return v_count;
end
$body$;
comment on function memos.label_memories is
    'Says of which segment (memos_admin.segments) memories are, and on what legal basis they are kept. '
    'Memories without a label are of the default segment. Errors: MO001, MO400, MO403, MO404.';

create or replace function memos_admin.set_segment(
    p_segment text, p_is_part2 boolean, p_is_default boolean, p_description text
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_segment is null or p_segment !~ '^[a-z][a-z0-9_]{0,63}$'
        or num_nulls(p_is_part2, p_is_default, p_description) > 0
    then
        perform memos_private.refuse_argument(
            'p_segment', memos_private.it_is(p_segment),
            'a lower-case word of at most 64 characters; no other argument may be null'
        );
    end if;
    perform memos_private.audit(null, 'memos_admin.set_segment');
    if not p_is_default and exists (
        select from memos_private.segment as s where s.segment = p_segment and s.is_default
    ) then
        perform memos_private.refuse_argument(
            'p_is_default', 'there has to be a default segment', 'make another one the default'
        );
    end if;
    update memos_private.segment as s set is_default = false where p_is_default and s.is_default;
    insert into memos_private.segment as s (segment, is_part2, is_default, description)
    values (p_segment, p_is_part2, p_is_default, p_description)
    on conflict (segment) do update
    set is_part2 = excluded.is_part2, is_default = excluded.is_default,
        description = excluded.description;
end
$body$;
comment on function memos_admin.set_segment is
    'Makes or changes a segment. A program under 42 CFR part 2, whose every record says that somebody '
    'is its patient, makes a part 2 segment the default. Errors: MO400.';

create or replace function memos_admin.segments()
returns table (segment text, is_part2 boolean, is_default boolean, description text)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select s.segment, s.is_part2, s.is_default, s.description
    from memos_private.segment as s
    order by s.segment
$body$;
comment on function memos_admin.segments is
    'Segments of memories, and which of them are under 42 CFR part 2.';
