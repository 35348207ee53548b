set local role memos_owner;
-- With its trigger: whoever stores vectors says so.
drop function if exists memos_private.tg_embedding_inserted() cascade;

do $$
begin
    if not exists (
        select from pg_catalog.pg_attribute
        where attrelid = 'memos_private.link_queue'::regclass and attname = 'memory_ids'
    ) then
        alter table memos_private.link_queue rename to link_queue_before;
        alter table memos_private.link_queue_before rename constraint link_queue_pkey to link_queue_before_pkey;
        create table memos_private.link_queue (
            user_id    uuid not null,
            block_id   uuid not null,
            memory_ids uuid[] not null,
            constraint link_queue_pkey primary key (user_id, block_id),
            constraint queued_block_is_not_empty check (cardinality(memory_ids) > 0)
        );
    end if;
end
$$;
comment on table memos_private.link_queue is
    'Memories with a new vector of the default model, to be linked to their nearest neighbours: in '
    'blocks of up to 64, since a row for each would cost a tenth of a bulk write. A memory may be in '
    'several, and one that is no longer there in any: whoever works through the queue drops it.';
comment on column memos_private.link_queue.block_id is
    'Time-ordered (UUID version 7): the oldest are linked first.';
select memos_private.protect_user_table('memos_private.link_queue');
grant select, insert, delete on memos_private.link_queue to memos_maintenance;

set local role memos_maintenance;
do $$
begin
    if to_regclass('memos_private.link_queue_before') is not null then
        insert into memos_private.link_queue (user_id, block_id, memory_ids)
        select b.user_id, gen_random_uuid(), b.memory_ids[i : i + 63]
        from (
            select q.user_id, array_agg(q.memory_id order by q.memory_id) as memory_ids
            from memos_private.link_queue_before as q
            group by q.user_id
        ) as b
        cross join lateral generate_series(1, cardinality(b.memory_ids), 64) as i;
    end if;
end
$$;
set local role memos_owner;
drop table if exists memos_private.link_queue_before;
