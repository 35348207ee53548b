-- Every new vector of the default model has its memory linked; with the vector, what it led to goes.
create or replace function memos_private.tg_embedding_inserted()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    insert into memos_private.link_queue (user_id, memory_id)
    select distinct n.user_id, n.memory_id
    from new_rows as n
    where n.model_id = (select m.model_id from memos_private.embedding_model as m where m.is_default)
    order by n.user_id, n.memory_id
    on conflict (user_id, memory_id) do nothing;
    return null;
end
$body$;
comment on function memos_private.tg_embedding_inserted is 'Has memories with a new vector linked.';

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
        delete from memos_private.link_queue as q
        where q.user_id = v_gone.user_id and q.memory_id = any (v_gone.memory_ids);
    end loop;
    return null;
end
$body$;
comment on function memos_private.tg_embedding_deleted is
    'Removes the automatic links of memories whose content changed.';

create or replace trigger t60_link_inserted
    after insert on memos_private.embedding
    referencing new table as new_rows
    for each statement execute function memos_private.tg_embedding_inserted();
create or replace trigger t60_unlink_deleted
    after delete on memos_private.embedding
    referencing old table as old_rows
    for each statement execute function memos_private.tg_embedding_deleted();
