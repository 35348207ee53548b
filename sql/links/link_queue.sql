-- Called by whoever stores vectors, rather than by a trigger: to keep the new rows of a statement for a
-- trigger costs a bulk write a tenth.
create or replace function memos_private.queue_links(p_user_id uuid, p_memory_ids uuid[])
returns int
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    insert into memos_private.link_queue (user_id, block_id, memory_ids)
    select p_user_id, memos_private.new_memory_id(clock_timestamp()), p_memory_ids[i : i + 63]
    from generate_series(1, cardinality(p_memory_ids), 64) as i;
    return cardinality(p_memory_ids);
end
$body$;
comment on function memos_private.queue_links is
    'Has memories with new vectors of the default model linked to their nearest neighbours by the next '
    'run; returns how many.';

create or replace function memos_private.tg_embedding_deleted()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_gone record;
begin
    for v_gone in
        select o.user_id, array_agg(o.memory_id) as memory_ids
        from old_rows as o
        where o.model_id = (select m.model_id from memos_private.embedding_model as m where m.is_default)
        group by o.user_id
    loop
        -- A locked one is being removed by somebody else, who may wait for what this writer holds.
        delete from memos_private.memory_link as l
        where l.ctid = any (array(
            select s.ctid
            from memos_private.memory_link as s
            where s.user_id = v_gone.user_id and s.origin = 'automatic'
                and (s.from_id = any (v_gone.memory_ids) or s.to_id = any (v_gone.memory_ids))
            for update skip locked
        ));
    end loop;
    return null;
end
$body$;
comment on function memos_private.tg_embedding_deleted is
    'Removes the automatic links of memories whose content changed.';

create or replace trigger t60_unlink_deleted
    after delete on memos_private.embedding
    referencing old table as old_rows
    for each statement execute function memos_private.tg_embedding_deleted();
