set local role memos_owner;

drop type if exists memos_private.search_terms cascade;
create type memos_private.search_terms as (
    documents double precision,
    length    double precision,
    lexemes   text[],
    idf       double precision[],
    terms     int[],
    cold      memos_private.posting[]
);
comment on type memos_private.search_terms is
    'A query as the inverted index sees it: number and mean length of the memories searched, the lexemes of '
    'the query in every language they are in (null when it has none), and how rare each is. terms: for a '
    'query with prefixes, equal for lexemes that count as one, else null. cold: postings of cold memories.';

-- The search is put together anew from functions of other names, arguments and rows.
drop function if exists memos_private.query_terms(uuid, text, boolean);
drop function if exists memos_private.query_terms_as_of(uuid, text, memos_private.version_key[]);
drop function if exists memos_private.dense_lane_as_of(
    uuid, smallint, public.halfvec, memos_private.version_key[]
);
drop function if exists memos_private.lexemes_as_of(uuid, memos_private.version_key[]);
drop function if exists memos_private.nearest_codes(uuid, smallint, bit varying, uuid[], boolean, int, int);
drop function if exists memos_private.dense_candidates(
    uuid, smallint, public.halfvec, memos_private.version_key[], boolean, int
);
