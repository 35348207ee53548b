alter table memos_private.link_queue rename to link_queue_blocks;
alter table memos_private.link_queue_blocks rename constraint link_queue_pkey to link_queue_blocks_pkey;
set local role memos_owner;
create table memos_private.link_queue (
    user_id   uuid not null,
    memory_id uuid not null,
    constraint link_queue_pkey primary key (user_id, memory_id)
);
comment on table memos_private.link_queue is
    'Memories with a new vector of the default model, to be linked to their nearest neighbours. No '
    'foreign key, which would cost a write of vectors more than the row itself: whoever works through '
    'the queue drops what is no longer there.';
select memos_private.protect_user_table('memos_private.link_queue');
grant select, insert, update, delete on memos_private.link_queue to memos_maintenance;
set local role memos_maintenance;
insert into memos_private.link_queue (user_id, memory_id)
select distinct b.user_id, unnest(b.memory_ids) from memos_private.link_queue_blocks as b;
set local role memos_owner;
drop table memos_private.link_queue_blocks;
