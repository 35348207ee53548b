-- BM25 (Robertson and Zaragoza 2009, 3.4). Plain SQL bodies, so that all of it becomes part of the
-- search statement's own plan.
create or replace function memos_private.bm25_idf(p_documents double precision, p_with_lexeme bigint)
returns double precision
language sql
immutable
parallel safe
return ln(1 + (p_documents - p_with_lexeme + 0.5) / (p_with_lexeme + 0.5));
comment on function memos_private.bm25_idf is
    'Inverse document frequency, with 1 added inside the logarithm so that it is never negative.';

create or replace function memos_private.bm25_saturation(
    p_frequency double precision, p_length double precision, p_mean_length double precision,
    p_k1 double precision, p_b double precision
)
returns double precision
language sql
immutable
parallel safe
return p_frequency * (p_k1 + 1)
    / (p_frequency + p_k1 * (1 - p_b + p_b * p_length / p_mean_length));
comment on function memos_private.bm25_saturation is
    'Weight of a lexeme that occurs p_frequency times in a memory of p_length lexemes.';

create or replace function memos_private.lexical_lane_of_terms(
    p_user_id uuid,
    p_lexemes text[],
    p_idf     double precision[],
    p_length  double precision,
    p_k1      double precision,
    p_b       double precision,
    p_scope   memos_private.version_key[],
    p_terms   int[]
)
returns table (memory_id uuid, score double precision)
language plpgsql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
begin
    return query
    select t.memory_id,
        sum(t.idf * memos_private.bm25_saturation(t.frequency, t.length, p_length, p_k1, p_b))
    from (
        select e.memory_id, q.idf, sum(e.frequency) as frequency, e.length
        from unnest(p_lexemes, p_idf, p_terms) as q (lexeme, idf, term)
        join memos_private.posting as p on p.user_id = p_user_id and p.lexeme = q.lexeme collate "C"
        cross join lateral unnest(p.memory_ids, p.frequencies, p.lengths)
            as e (memory_id, frequency, length)
        where p_scope is null or e.memory_id in (select s.memory_id from unnest(p_scope) as s)
        group by e.memory_id, q.term, q.idf, e.length
    ) as t
    group by t.memory_id;
end
$body$;
comment on function memos_private.lexical_lane_of_terms is
    'The lexical lane when several lexemes count as one term (those of a prefix): their frequencies are '
    'added up first. Arguments as of lexical_lane.';

create or replace function memos_private.lexical_lane(
    p_user_id uuid,
    p_lexemes text[],
    p_idf     double precision[],
    p_length  double precision,
    p_k1      double precision,
    p_b       double precision,
    p_scope   memos_private.version_key[],
    p_as_of   boolean,
    p_terms   int[] default null
)
returns table (memory_id uuid, score double precision)
language sql
stable
begin atomic
    select e.memory_id,
        sum(e.idf * memos_private.bm25_saturation(e.frequency, e.length, p_length, p_k1, p_b))
    from (
        select q.idf, unnest(p.memory_ids) as memory_id, unnest(p.frequencies) as frequency,
            unnest(p.lengths) as length
        from unnest(p_lexemes, p_idf) as q (lexeme, idf)
        join memos_private.posting as p on p.user_id = p_user_id and p.lexeme = q.lexeme collate "C"
        where not p_as_of and p_terms is null
    ) as e
    where p_scope is null or e.memory_id in (select s.memory_id from unnest(p_scope) as s)
    group by e.memory_id
    union all
    select t.memory_id, t.score
    from memos_private.lexical_lane_of_terms(
        p_user_id, p_lexemes, p_idf, p_length, p_k1, p_b, p_scope, p_terms
    ) as t
    where not p_as_of and p_terms is not null
    union all
    select a.memory_id, a.score
    from memos_private.lexical_lane_as_of(p_user_id, p_lexemes, p_k1, p_b, p_scope) as a
    where p_lexemes is not null and p_as_of;
end;
comment on function memos_private.lexical_lane is
    'BM25 of each memory that has one of the lexemes. p_idf: their inverse document frequencies; '
    'p_length: mean length of the user''s memories; p_k1, p_b: constants of BM25. p_scope: only these '
    'versions; null: every current memory. p_as_of: the scope holds superseded versions too; p_idf and '
    'p_length are then taken from it. p_terms: equal for lexemes that count as one; null: none do. '
    'No lexemes, no rows.';
