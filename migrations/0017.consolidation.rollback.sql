drop table if exists memos_private.consolidation_state cascade;
drop table if exists memos_private.consolidation_action cascade;
drop table if exists memos_private.consolidation_run cascade;
delete from memos_private.memory_link where origin = 'consolidation';
alter table memos_private.memory_link
    drop constraint if exists link_origin_is_known,
    add constraint link_origin_is_known check (origin in ('caller', 'automatic', 'evolution'));
