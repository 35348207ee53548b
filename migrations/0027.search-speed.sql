set local role memos_owner;

-- Searches of the past are put together anew from functions of other names and arguments.
drop function if exists memos_private.dense_lane_as_of(
    uuid, smallint, public.halfvec, memos_private.version_key[]
);
drop function if exists memos_private.lexemes_as_of(uuid, memos_private.version_key[]);
drop function if exists memos_private.nearest_codes(uuid, smallint, bit varying, uuid[], boolean, int, int);
