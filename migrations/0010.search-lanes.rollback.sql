drop function if exists memos.search_memories(
    uuid, text, public.halfvec, text, int, int, text[], text[], jsonb, text, timestamptz, timestamptz,
    timestamptz, timestamptz, text, jsonb, int, boolean, boolean, boolean, text, text, timestamptz
);
drop type if exists memos_private.candidate cascade;
drop type if exists memos_private.search_weights cascade;
create type memos_private.ranked as (
    memory_id uuid,
    score     double precision
);
drop table if exists memos_private.search_profile cascade;
drop index if exists memos_private.memory_session_idx;
