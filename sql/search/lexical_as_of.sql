-- Words of the past: what is current is asked of the inverted index, the rest of the lexemes that history
-- and cold storage keep. What is in scope is asked, and by which plan, as in dense_as_of.
create or replace function memos_private.postings_as_of(
    p_user_id uuid, p_lexemes text[], p_scope memos_private.version_key[]
)
returns table (memory_id uuid, lexeme text, frequency int, length double precision)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $body$
#variable_conflict use_column
begin
    return query
    select e.memory_id, p.lexeme, e.frequency::int, e.length::double precision
    from unnest(p_lexemes) as q (lexeme)
    join memos_private.posting as p on p.user_id = p_user_id and p.lexeme = q.lexeme collate "C"
    cross join lateral unnest(p.memory_ids, p.frequencies, p.lengths) as e (memory_id, frequency, length)
    where p_scope is null or e.memory_id in (
        select s.memory_id from unnest(p_scope) as s where s.superseded_at is null
    )
    union all
    select v.memory_id, l.lexeme, l.frequency, v.length
    from (
        select h.memory_id, h.lexemes, h.frequencies,
            (select sum(f) from unnest(h.frequencies) as f)::double precision as length
        from memos_private.memory_history as h
        where h.user_id = p_user_id and h.lexemes && p_lexemes
            and (p_scope is null or (h.memory_id, h.version, h.superseded_at) in (
                select s.memory_id, s.version, s.superseded_at from unnest(p_scope) as s
            ))
        union all
        select c.memory_id, c.lexemes, c.frequencies, p.length
        from memos_private.memory_cold as c
        join memos_private.cold_place as p on p.user_id = p_user_id and p.memory_id = c.memory_id
        where c.user_id = p_user_id and c.lexemes && p_lexemes
            and (p_scope is null or c.memory_id in (
                select s.memory_id from unnest(p_scope) as s where s.superseded_at is null
            ))
    ) as v
    cross join lateral unnest(v.lexemes, v.frequencies) as l (lexeme, frequency)
    where l.lexeme = any (p_lexemes);
end
$body$;
comment on function memos_private.postings_as_of is
    'Which versions of any time have those lexemes, how often, and how long they are.';

create or replace function memos_private.mean_length_as_of(
    p_user_id uuid, p_scope memos_private.version_key[]
)
returns double precision
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $body$
declare
    v_current bigint := (select count(*) from unnest(p_scope) as s where s.superseded_at is null);
    v_documents bigint;
    v_tokens bigint;
    v_few boolean;
    v_counted bigint;
    v_cold bigint;
    v_other_tokens bigint;
begin
    select count(*), coalesce(sum(p.length), 0)
    into v_cold, v_other_tokens
    from memos_private.cold_place as p
    where p.user_id = p_user_id and (p_scope is null or p.memory_id in (
        select s.memory_id from unnest(p_scope) as s where s.superseded_at is null
    ));
    v_current := v_current - v_cold;
    select coalesce(sum(c.documents), 0), coalesce(sum(c.tokens), 0)
    into v_documents, v_tokens
    from memos_private.corpus as c
    where c.user_id = p_user_id;
    if v_current < v_documents then
        -- The length of all is known. Of those in scope and those outside, the fewer are taken apart anew.
        v_few := v_current < v_documents / 2;
        v_counted := coalesce((
            select sum(l.frequency)
            from memos_private.memory as m
            cross join lateral memos_private.lexemes(m.language, m.content) as l
            where m.user_id = p_user_id and v_few = (p_scope is null or m.memory_id in (
                select s.memory_id from unnest(p_scope) as s where s.superseded_at is null
            ))
        ), 0);
        v_tokens := case when v_few then v_counted else v_tokens - v_counted end;
    end if;
    v_other_tokens := v_other_tokens + coalesce((
        select sum(f)
        from memos_private.memory_history as h
        cross join lateral unnest(h.frequencies) as f
        where h.user_id = p_user_id and (p_scope is null or (h.memory_id, h.version, h.superseded_at) in (
            select s.memory_id, s.version, s.superseded_at from unnest(p_scope) as s
        ))
    ), 0);
    return (v_tokens + v_other_tokens)::double precision / nullif(cardinality(p_scope), 0);
end
$body$;
comment on function memos_private.mean_length_as_of is 'Mean length in lexemes of versions of any time.';

create or replace function memos_private.lexical_lane_as_of(
    p_user_id uuid,
    p_lexemes text[],
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
declare
    v_length constant double precision := memos_private.mean_length_as_of(p_user_id, p_scope);
begin
    return query
    with entries as materialized (
        select p.memory_id, p.lexeme, p.frequency, p.length
        from memos_private.postings_as_of(p_user_id, p_lexemes, p_scope) as p
    ),
    weights as (
        select e.lexeme, memos_private.bm25_idf(cardinality(p_scope), count(*)) as idf
        from entries as e
        group by e.lexeme
    )
    select e.memory_id, sum(w.idf * memos_private.bm25_saturation(e.frequency, e.length, v_length, p_k1, p_b))
    from entries as e
    join weights as w using (lexeme)
    group by e.memory_id;
end
$body$;
comment on function memos_private.lexical_lane_as_of is
    'The lexical lane over versions of any time, with the statistics of just those versions: what the '
    'search would have found then.';

create or replace function memos_private.lexemes_as_of(
    p_user_id uuid, p_stems text[], p_scope memos_private.version_key[]
)
returns table (lexeme text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $body$
#variable_conflict use_column
begin
    return query
    select p.lexeme
    from unnest(p_stems) as t (stem)
    join memos_private.posting as p on p.user_id = p_user_id
        and p.lexeme >= t.stem collate "C" and p.lexeme < (t.stem || chr(1114111)) collate "C"
    where exists (
        select
        from unnest(p.memory_ids) as m (memory_id)
        where p_scope is null or m.memory_id in (
            select s.memory_id from unnest(p_scope) as s where s.superseded_at is null
        )
    )
    union
    select l.lexeme
    from memos_private.memory_history as h
    cross join lateral unnest(h.lexemes) as l (lexeme)
    where h.user_id = p_user_id and l.lexeme ^@ any (p_stems)
        and (p_scope is null or (h.memory_id, h.version, h.superseded_at) in (
            select s.memory_id, s.version, s.superseded_at from unnest(p_scope) as s
        ))
    union
    select l.lexeme
    from memos_private.memory_cold as c
    cross join lateral unnest(c.lexemes) as l (lexeme)
    where c.user_id = p_user_id and l.lexeme ^@ any (p_stems)
        and (p_scope is null or c.memory_id in (
            select s.memory_id from unnest(p_scope) as s where s.superseded_at is null
        ));
end
$body$;
comment on function memos_private.lexemes_as_of is 'The lexemes of versions of any time that begin with those.';
