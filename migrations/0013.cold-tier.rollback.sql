-- Back to warm: nobody loses a cold memory by a rollback.
do $$
begin
    if to_regclass('memos_private.memory_cold') is null then
        return;
    end if;
    insert into memos_private.memory (
        user_id, memory_id, version, content, content_hash, language, kind, tags, metadata, importance,
        confidence, privacy_level, provenance, session_id, position, occurred_at, valid_from, valid_until,
        recorded_at, pinned, tier
    )
    select user_id, memory_id, version, content, content_hash, language, kind, tags, metadata, importance,
        confidence, privacy_level, provenance, session_id, position, occurred_at, valid_from, valid_until,
        recorded_at, pinned, 'warm'
    from memos_private.memory_cold;
    insert into memos_private.embedding (user_id, model_id, memory_id, passage, embedding)
    select user_id, model_id, memory_id, passage, embedding from memos_private.embedding_cold;
    insert into memos_private.embedding_queue
    select q.*
    from memos_private.memory_cold as c
    cross join lateral jsonb_populate_recordset(null::memos_private.embedding_queue, c.pending) as q
    join memos_private.embedding_model as d on d.model_id = q.model_id;
    insert into memos_private.memory_link (user_id, from_id, to_id, type, weight, origin, created_at)
    select user_id, from_id, to_id, type, weight, origin, created_at
    from memos_private.memory_link_cold;
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
