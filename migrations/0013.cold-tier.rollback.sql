-- Back to warm, as long as there are the functions for it; nobody loses a cold memory by a rollback.
do $$
declare
    v_user record;
begin
    if to_regclass('memos_private.cold_place') is null then
        return;
    end if;
    for v_user in
        select p.user_id, array_agg(p.memory_id) as memory_ids
        from memos_private.cold_place as p
        group by p.user_id
    loop
        perform memos_private.move_to_tier(v_user.user_id, v_user.memory_ids, 'warm');
    end loop;
end
$$;
drop table if exists memos_private.memory_link_cold cascade;
drop table if exists memos_private.embedding_cold cascade;
drop table if exists memos_private.memory_cold cascade;
drop table if exists memos_private.cold_place cascade;
delete from partman.part_config
where parent_table in ('memos_private.memory_cold', 'memos_private.embedding_cold');
drop index if exists memos_private.memory_out_of_season_idx;
create index memory_out_of_season_idx
    on memos_private.memory (user_id) where valid_until is not null or tier = 'cold';
alter table memos_private.memory
    drop constraint tier_is_known,
    add constraint tier_is_known check (tier in ('hot', 'warm', 'cold'));
drop function if exists memos.list_memories(uuid, text[], text[], int, uuid, boolean);
drop function if exists memos.memory_stats(uuid);
drop function if exists memos_private.query_terms(uuid, text, boolean);
drop function if exists memos_private.prefix_lexemes(
    uuid, regconfig[], double precision, text, memos_private.posting[]
);
drop function if exists memos_private.query_conditions(
    uuid, text, memos_private.version_key[], boolean, boolean
);
drop function if exists memos_private.surroundings(
    uuid, memos_private.candidate[], double precision, memos_private.version_key[], boolean, boolean
);
drop function if exists memos_private.follow_links(
    uuid, memos_private.candidate[], double precision, double precision, double precision,
    memos_private.version_key[], int, boolean
);
drop function if exists memos_private.fuse_calibrated(
    uuid, memos_private.lane, memos_private.lane, memos_private.search_weights,
    memos_private.version_key[], boolean, tstzrange, timestamptz, int, int, boolean
);
