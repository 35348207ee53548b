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

create or replace function memos_private.lexical_lane_as_of(
    p_user_id uuid,
    p_lexemes text[],
    p_length  double precision,
    p_k1      double precision,
    p_b       double precision,
    p_scope   memos_private.version_key[]
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
    with postings as materialized (
        select p.lexeme, e.memory_id, e.frequency::int, e.length
        from unnest(p_lexemes) as q (lexeme)
        join memos_private.posting as p on p.user_id = p_user_id and p.lexeme = q.lexeme collate "C"
        cross join lateral unnest(p.memory_ids, p.frequencies, p.lengths)
            as e (memory_id, frequency, length)
        where e.memory_id in (
            select s.memory_id from unnest(p_scope) as s where s.superseded_at is null
        )
        union all
        select l.lexeme collate "C", h.memory_id, l.frequency,
            (select sum(f.frequency)::int from unnest(h.frequencies) as f (frequency))
        from unnest(p_scope) as s
        join memos_private.memory_history as h
            on h.user_id = p_user_id and h.memory_id = s.memory_id and h.version = s.version
                and h.superseded_at = s.superseded_at
        cross join lateral unnest(h.lexemes, h.frequencies) as l (lexeme, frequency)
        where l.lexeme = any (p_lexemes)
    ),
    weights as (
        select lexeme, memos_private.bm25_idf(cardinality(p_scope), count(*)) as idf
        from postings
        group by lexeme
    )
    select p.memory_id,
        sum(w.idf * memos_private.bm25_saturation(p.frequency, p.length, p_length, p_k1, p_b))
    from postings as p
    join weights as w using (lexeme)
    group by p.memory_id;
end
$body$;
comment on function memos_private.lexical_lane_as_of is
    'The lexical lane over versions of any time, document frequencies counted among them.';

create or replace function memos_private.lexical_lane(
    p_user_id uuid,
    p_lexemes text[],
    p_idf     double precision[],
    p_length  double precision,
    p_k1      double precision,
    p_b       double precision,
    p_scope   memos_private.version_key[],
    p_as_of   boolean
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
        where not p_as_of
    ) as e
    where p_scope is null or e.memory_id in (select s.memory_id from unnest(p_scope) as s)
    group by e.memory_id
    union all
    select a.memory_id, a.score
    from memos_private.lexical_lane_as_of(p_user_id, p_lexemes, p_length, p_k1, p_b, p_scope) as a
    where p_lexemes is not null and p_as_of;
end;
comment on function memos_private.lexical_lane is
    'BM25 of each memory that has one of the lexemes. p_idf: their inverse document frequencies; '
    'p_length: mean length of the user''s memories; p_k1, p_b: constants of BM25. p_scope: only these '
    'versions; null: every current memory. p_as_of: the scope holds superseded versions too, among which '
    'frequencies are counted anew. No lexemes, no rows.';
