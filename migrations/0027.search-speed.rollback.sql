set local role memos_owner;

drop function if exists memos_private.query_terms(uuid, text, boolean);
drop function if exists memos_private.query_terms_as_of(uuid, text, memos_private.version_key[]);
drop function if exists memos_private.lexemes_as_of(uuid, text[], memos_private.version_key[]);
drop function if exists memos_private.nearest_codes(
    uuid, smallint, bit varying, uuid[], boolean, double precision, int, int
);
drop function if exists memos_private.dense_candidates(
    uuid, smallint, public.halfvec, memos_private.version_key[], boolean, int, double precision
);
drop type if exists memos_private.search_terms;
