create or replace function memos_private.lexical_neighbours(
    p_user_id uuid, p_language regconfig, p_content text, p_limit int
)
returns uuid[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    -- By the rarest words: what is nearly the same has them, too.
    return array(
        select e.memory_id
        from (
            select p.lexeme, array_agg(u.memory_id) as memory_ids
            from (
                select r.lexeme
                from (
                    select l.lexeme, (
                        select sum(cardinality(p.memory_ids)) from memos_private.posting as p
                        where p.user_id = p_user_id and p.lexeme = l.lexeme
                    ) as documents
                    from memos_private.lexemes(p_language, p_content) as l
                ) as r
                where r.documents > 0
                order by r.documents, r.lexeme
                limit 16
            ) as l
            join memos_private.posting as p on p.user_id = p_user_id and p.lexeme = l.lexeme
            cross join lateral unnest(p.memory_ids) as u (memory_id)
            group by p.lexeme
        ) as w
        cross join lateral unnest(w.memory_ids) as e (memory_id)
        group by e.memory_id
        order by sum(1.0 / cardinality(w.memory_ids)) desc, e.memory_id
        limit p_limit
    );
end
$body$;
comment on function memos_private.lexical_neighbours is
    'The memories that share the most and rarest words with a text.';

create or replace function memos.find_duplicates(
    p_user_id        uuid,
    p_content        text,
    p_embedding      public.halfvec default null,
    p_model          text default null,
    p_limit          int default 5,
    p_min_similarity real default 0.6,
    p_language       text default null
)
returns table (
    memory_id uuid, version int, content text, kind text, match text, similarity real,
    spelling real, meaning real, differences text[]
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, public, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_model memos_private.embedding_model;
    v_embedding public.halfvec := p_embedding;
    v_lane memos_private.lane;
    v_ids uuid[] := '{}';
    v_candidates uuid[];
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_limit(p_limit);
    perform memos_private.require_fraction('p_min_similarity', p_min_similarity);
    if p_content is null or p_content !~ '\S'
        or octet_length(p_content) > memos_private.setting('max_content_bytes')::int
    then
        perform memos_private.refuse_argument(
            'p_content', 'it is null, blank or too long', format(
                'text of at most %s bytes (setting max_content_bytes)', memos_private.setting('max_content_bytes')
            )
        );
    end if;
    if p_embedding is not null or p_model is not null then
        v_model := memos_private.require_embedding_model(p_model);
    else
        select * into v_model from memos_private.embedding_model as d where d.is_default;
    end if;
    if p_embedding is not null then
        perform memos_private.require_embedding('p_embedding', p_embedding, v_model);
    elsif v_model.model_id is not null then
        v_embedding := memos_private.query_embedding(v_model, p_content);
    end if;
    if v_embedding is not null then
        v_lane := memos_private.dense_candidates(
            p_user_id, v_model.model_id, v_embedding, null, false, greatest(20, 2 * p_limit)
        );
    end if;
    -- Once: within the query below it would be asked again for each memory of the user.
    v_candidates := memos_private.lexical_neighbours(
        p_user_id, memos_private.text_search_language(p_language), left(p_content, 20000),
        greatest(20, 4 * p_limit)
    ) || v_lane.memory_ids || array(
        select h.memory_id from memos_private.memory as h
        where h.user_id = p_user_id and h.content_hash = memos_private.content_hash(p_content)
    );
    for memory_id, version, content, kind, match, similarity, spelling, meaning, differences in
        select f.memory_id, f.version, f.content, f.kind,
            case
                when f.content_hash = memos_private.content_hash(p_content) then 'exact'
                when f.differences = '{}' then 'same'
                when coalesce(f.meaning, 0) > f.spelling then 'meaning'
                else 'spelling'
            end,
            f.similarity, f.spelling, f.meaning, f.differences
        from (
            select m.memory_id, m.version, m.content, m.content_hash, m.kind, s.spelling, d.meaning, x.differences,
                case when x.differences = '{}' then 1 else greatest(s.spelling, d.meaning) end::real as similarity
            from memos_private.memory as m
            left join (
                -- Halves are rounded: the cosine of a vector with itself may be a little more than 1.
                select l.memory_id, least(l.score, 1)::real as meaning
                from unnest(v_lane.memory_ids, v_lane.scores) as l (memory_id, score)
            ) as d on d.memory_id = m.memory_id
            cross join lateral (select similarity(left(m.content, 10000), left(p_content, 10000))) as s (spelling)
            cross join lateral (
                select memos_private.differences(left(m.content, 20000), left(p_content, 20000))
            ) as x (differences)
            where m.user_id = p_user_id and m.memory_id = any (v_candidates)
        ) as f
        where f.similarity >= p_min_similarity
        order by (f.content_hash = memos_private.content_hash(p_content)) desc, f.similarity desc, f.memory_id
        limit p_limit
    loop
        v_ids := v_ids || memory_id;
        return next;
    end loop;
    perform memos_private.audit_read(p_user_id, 'find_duplicates', v_ids, p_content);
end
$body$;
comment on function memos.find_duplicates is
    'What the user has that is like a text, before it is written: a suggestion, nothing is changed or '
    'dropped. match: exact (add_memory would return that memory), same (word for word, but for '
    'punctuation, articles and such), spelling (trigrams), meaning (vectors; p_embedding of p_model, or '
    'made here where the default model is local). similarity is the higher of spelling and meaning, 1 '
    'when it says the same. differences: what else the two differ in - number, date, negation, name, '
    'word, order - so that "20 mg" is not taken for "200 mg". Errors: MO001, MO400, MO403.';
