-- What a query may ask for beside words, as in web search engines:
--   "two words"   a memory must have them in this order, side by side
--   recov*        words that begin like this
--   -word         no memory with this word; -"two words" none with this phrase
-- Only where it cannot be prose: quotes stand outside of words, at least two characters before the
-- asterisk, a blank before the minus and a letter after it. "it's", 5" and "well-known" ask for nothing.
create or replace function memos_private.has_query_syntax(p_query text)
returns boolean
language sql
immutable
parallel safe
return p_query
    ~ '(^|[\s(-])"[^\s"][^"]*"([^[:alnum:]]|$)|[[:alnum:]]{2}\*([^*[:alnum:]]|$)|(^|\s)-[[:alpha:]][[:alnum:]]';
comment on function memos_private.has_query_syntax is
    'Whether a query asks for more than words: the one question that every query is asked.';

create or replace function memos_private.parse_query(
    p_query text, out words text, out prefixes text[], out phrases text[], out excluded text[]
)
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $body$
declare
    c_exclusion constant text := '(?:^|\s)-(?:"([^\s"][^"]*)"|([[:alpha:]][[:alnum:]][^\s"]*))';
    c_phrase constant text := '(?:^|[\s(])"([^\s"][^"]*)"(?=[^[:alnum:]]|$)';
    c_prefix constant text := '([[:alnum:]]{2,})\*(?=[^*[:alnum:]]|$)';
begin
    words := p_query;
    if not memos_private.has_query_syntax(p_query) then
        return;
    end if;
    excluded := array(
        select coalesce(m[1], m[2]) from regexp_matches(words, c_exclusion, 'g') as m limit 16
    );
    words := regexp_replace(words, c_exclusion, ' ', 'g');
    phrases := array(select m[1] from regexp_matches(words, c_phrase, 'g') as m limit 16);
    prefixes := array(select m[1] from regexp_matches(words, c_prefix, 'g') as m limit 16);
    words := regexp_replace(words, c_prefix, ' ', 'g');
end
$body$;
comment on function memos_private.parse_query is
    'A query taken apart: its words (those in phrases too), prefixes, phrases and exclusions, the '
    'first 16 of each; the arrays are null when it has no syntax.';

create or replace function memos_private.spell_query(
    p_user_id uuid, p_query text, out spelled text, out joined text[], out parts int[]
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_words text[];
begin
    spelled := p_query;
    if p_query !~ '[0-9]' or length(p_query) > 1000 then
        return;
    end if;
    v_words := regexp_split_to_array(p_query, '[^[:alnum:]]+');
    select array_agg(lower(j.word)), array_agg(n + 1)
    into joined, parts
    from generate_subscripts(v_words, 1) as i
    cross join generate_series(1, 3) as n
    cross join lateral array_to_string(v_words[i : i + n], '') as j (word)
    where i + n <= cardinality(v_words) and memos_private.is_code(j.word);
    spelled := concat_ws(E'\n', p_query, array_to_string(joined, E'\n'), (
        select string_agg(p.word, E'\n')
        -- In small letters before the index is asked: under row-level security it takes no function's word.
        from unnest(v_words, string_to_array(lower(array_to_string(v_words, ' ')), ' ')) as w (word, folded)
        cross join lateral regexp_split_to_table(
            w.word, '(?<=[[:alpha:]])(?=[0-9])|(?<=[0-9])(?=[[:alpha:]])'
        ) as p (word)
        where memos_private.is_code(w.word) and length(p.word) between 2 and length(w.word) - 1
            and not exists (
                select
                from memos_private.posting as o
                where o.user_id = p_user_id and o.lexeme = w.folded collate "C"
            )
    ));
end
$body$;
comment on function memos_private.spell_query is
    'A query with other spellings of its codes: up to four words joined ("srvo 062": srvo062), and letters '
    'and digits apart where no memory has them together ("srvo062": srvo, 062). Memories are indexed as '
    'they are written, so that only queries pay for this, and only those with a digit. A query of more '
    'than 1,000 characters is no code. joined, parts: what was joined, of how many words.';

create or replace function memos_private.prefix_lexemes(
    p_user_id uuid, p_languages regconfig[], p_documents double precision, p_prefix text,
    p_cold memos_private.posting[],
    out lexemes text[], out idf double precision
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_stems constant text[] := array(
        select distinct memos_private.prefix_stem(g.language, p_prefix)
        from unnest(p_languages) as g (language)
    );
begin
    lexemes := array(
        select distinct r.lexeme
        from unnest(v_stems) as s (stem)
        cross join lateral (
            select distinct p.lexeme
            from memos_private.posting as p
            where p.user_id = p_user_id and p.lexeme >= s.stem collate "C"
                and p.lexeme < (s.stem || chr(1114111)) collate "C"
            order by p.lexeme
            limit 64
        ) as r
        union
        (
            select p.lexeme
            from unnest(p_cold) as p
            where p.lexeme ^@ any (v_stems)
            order by p.lexeme
            limit 64
        )
    );
    idf := memos_private.bm25_idf(p_documents, (
        select count(distinct m.memory_id)
        from (
            select p.memory_ids
            from unnest(lexemes) as l (lexeme)
            join memos_private.posting as p on p.user_id = p_user_id and p.lexeme = l.lexeme collate "C"
            union all
            select p.memory_ids from unnest(p_cold) as p where p.lexeme = any (lexemes)
        ) as p
        cross join lateral unnest(p.memory_ids) as m (memory_id)
    ));
end
$body$;
comment on function memos_private.prefix_lexemes is
    'The first 64 lexemes of a user''s memories (and of p_cold) that begin like the prefix, and the inverse '
    'document frequency of having any of them.';

create or replace function memos_private.cold_postings(p_user_id uuid, p_lexemes text[], p_stems text[])
returns memos_private.posting[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return array(
        select row(
            p_user_id, e.lexeme, null, array_agg(e.memory_id), array_agg(e.frequency), array_agg(e.length)
        )::memos_private.posting
        from (
            select c.memory_id, l.lexeme, l.frequency, p.length
            from memos_private.memory_cold as c
            join memos_private.cold_place as p on p.user_id = p_user_id and p.memory_id = c.memory_id
            cross join lateral unnest(c.lexemes, c.frequencies) as l (lexeme, frequency)
            where c.user_id = p_user_id
                -- A short query is compared before the lexemes are taken apart.
                and (cardinality(p_lexemes) > 64 or p_stems <> '{}' or c.lexemes && p_lexemes)
                and (l.lexeme in (select unnest(p_lexemes)) or l.lexeme ^@ any (p_stems))
        ) as e
        group by e.lexeme
    );
end
$body$;
comment on function memos_private.cold_postings is
    'What the inverted index would have of a user''s cold memories for these lexemes, and those that '
    'begin with p_stems: read from all of them, since they are in no index.';

create or replace function memos_private.query_terms(
    p_user_id uuid, p_query text, p_include_cold boolean default false
)
returns memos_private.search_terms
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_terms memos_private.search_terms;
    v_query constant record := memos_private.parse_query(p_query);
    v_spelling constant record := memos_private.spell_query(p_user_id, v_query.words);
    v_languages regconfig[];
    v_words text[];
    v_prefix text;
    v_group record;
begin
    select sum(c.documents), sum(c.tokens) / nullif(sum(c.documents), 0), array_agg(distinct c.language)
    into v_terms.documents, v_terms.length, v_languages
    from memos_private.corpus as c
    where c.user_id = p_user_id;
    if p_include_cold then
        select sum(c.documents), sum(c.tokens) / nullif(sum(c.documents), 0), array_agg(distinct c.language)
        into v_terms.documents, v_terms.length, v_languages
        from (
            select c.documents, c.tokens, c.language
            from memos_private.corpus as c
            where c.user_id = p_user_id
            union all
            select 1, p.length, p.language
            from memos_private.cold_place as p
            where p.user_id = p_user_id
        ) as c;
    end if;
    if cardinality(v_languages) = 1 then
        v_words := tsvector_to_array(memos_private.text_lexemes(v_languages[1], v_spelling.spelled));
    else
        v_words := array(
            select distinct t.lexeme
            from unnest(v_languages) as g (language)
            cross join lateral unnest(
                tsvector_to_array(memos_private.text_lexemes(g.language, v_spelling.spelled))
            ) as t (lexeme)
        );
    end if;
    if p_include_cold then
        v_terms.cold := memos_private.cold_postings(p_user_id, v_words, array(
            select distinct memos_private.prefix_stem(g.language, p.prefix)
            from unnest(v_languages) as g (language)
            cross join unnest(v_query.prefixes) as p (prefix)
        ));
    end if;
    if v_words <> '{}' then
        select coalesce(array_agg(t.lexeme), '{}'),
            coalesce(array_agg(memos_private.bm25_idf(v_terms.documents, t.memories)), '{}')
        into v_terms.lexemes, v_terms.idf
        from (
            -- Null, and so the last, where no memory has it.
            select w.lexeme, nullif(coalesce((
                    select sum(cardinality(p.memory_ids))
                    from memos_private.posting as p
                    where p.user_id = p_user_id and p.lexeme = w.lexeme collate "C"
                ), 0) + coalesce((
                    select sum(cardinality(p.memory_ids)) from unnest(v_terms.cold) as p where p.lexeme = w.lexeme
                ), 0), 0) as memories
            from unnest(v_words) as w (lexeme)
            order by memories, w.lexeme
            limit 64
        ) as t
        where t.memories > 0;
    end if;
    if v_spelling.joined is not null then
        -- A whole code is worth as much as all of its parts: more than some of them in a shorter text.
        v_terms.idf := array(
            select t.idf * coalesce(max(j.parts), 1)
            from unnest(v_terms.lexemes, v_terms.idf) with ordinality as t (lexeme, idf, place)
            left join unnest(v_spelling.joined, v_spelling.parts) as j (word, parts)
                on j.word = t.lexeme
            group by t.place, t.idf
            order by t.place
        );
    end if;
    foreach v_prefix in array coalesce(v_query.prefixes, '{}') loop
        exit when v_terms.documents is null;
        v_group := memos_private.prefix_lexemes(
            p_user_id, v_languages, v_terms.documents, v_prefix, v_terms.cold
        );
        v_terms.lexemes := coalesce(v_terms.lexemes, '{}');
        v_terms.terms := coalesce(v_terms.terms, array(select generate_subscripts(v_terms.lexemes, 1)))
            || array_fill(-cardinality(v_terms.lexemes), array[cardinality(v_group.lexemes)]);
        v_terms.lexemes := v_terms.lexemes || v_group.lexemes;
        v_terms.idf := v_terms.idf || array_fill(v_group.idf, array[cardinality(v_group.lexemes)]);
    end loop;
    return v_terms;
end
$body$;
comment on function memos_private.query_terms is
    'What a word search needs first. Of more than 64 lexemes the rarest count; those that no memory has are '
    'left out. p_include_cold: statistics over the cold memories too.';

create or replace function memos_private.query_terms_as_of(
    p_user_id uuid, p_query text, p_scope memos_private.version_key[]
)
returns memos_private.search_terms
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $body$
declare
    v_query constant record := memos_private.parse_query(p_query);
    v_text constant text := (memos_private.spell_query(p_user_id, v_query.words)).spelled;
    v_languages constant regconfig[] := array(
        select distinct v.language
        from memos_private.memory_version as v
        where v.user_id = p_user_id
            and (p_scope is null or (v.memory_id, v.version, coalesce(v.superseded_at, 'infinity')) in (
                select s.memory_id, s.version, coalesce(s.superseded_at, 'infinity')
                from unnest(p_scope) as s
            ))
    );
    v_terms memos_private.search_terms;
begin
    v_terms.documents := cardinality(p_scope);
    v_terms.lexemes := (
        select array_agg(distinct l.lexeme)
        from unnest(v_languages) as g (language)
        cross join lateral memos_private.lexemes(g.language, v_text) as l
    );
    if v_query.prefixes <> '{}' then
        v_terms.lexemes := v_terms.lexemes || array(
            select e.lexeme
            from memos_private.lexemes_as_of(p_user_id, array(
                select memos_private.prefix_stem(g.language, p.prefix)
                from unnest(v_languages) as g (language)
                cross join unnest(v_query.prefixes) as p (prefix)
            ), p_scope) as e
            where e.lexeme <> all (coalesce(v_terms.lexemes, '{}'))
            order by e.lexeme
            limit 64
        );
    end if;
    return v_terms;
end
$body$;
comment on function memos_private.query_terms_as_of is
    'The lexemes of a query in every language of those versions. At most 64 for its prefixes, each of which '
    'counts as a lexeme of its own. How rare they are is for the lane to say.';

create or replace function memos_private.query_conditions(
    p_user_id uuid, p_query text, p_scope memos_private.version_key[], p_as_of boolean,
    p_include_cold boolean default false,
    out required uuid[], out excluded uuid[]
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_query record;
    v_phrase text;
    v_memory_ids uuid[];
begin
    if not memos_private.has_query_syntax(p_query) then
        return;
    end if;
    v_query := memos_private.parse_query(p_query);
    foreach v_phrase in array v_query.phrases loop
        v_memory_ids := memos_private.memories_with_phrase(p_user_id, v_phrase, p_scope, p_as_of)
            || case when p_include_cold then
                memos_private.cold_memories_with_phrase(p_user_id, v_phrase) end;
        required := case
            when required is null or v_memory_ids is null then coalesce(v_memory_ids, required)
            else array(select unnest(required) intersect select unnest(v_memory_ids))
        end;
    end loop;
    foreach v_phrase in array v_query.excluded loop
        excluded := excluded
            || memos_private.memories_with_phrase(p_user_id, v_phrase, p_scope, p_as_of)
            || case when p_include_cold then
                memos_private.cold_memories_with_phrase(p_user_id, v_phrase) end;
    end loop;
end
$body$;
comment on function memos_private.query_conditions is
    'What the phrases and exclusions of a query come to. required: the memories that have all of its '
    'phrases; only they are in the lexical lane (a phrase is about words: the dense lane goes on). '
    'excluded: the memories that have a word or phrase it rules out; they are in no lane, or the next one '
    'would bring back what the caller does not want. Null: no such condition. Arguments as of lexical_lane.';

create or replace function memos_private.memories_with_phrase(
    p_user_id uuid, p_phrase text, p_scope memos_private.version_key[], p_as_of boolean
)
returns uuid[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_text constant text := memos_private.part_codes(p_phrase);
    v_language regconfig;
    v_lexemes text[];
    v_memory_ids uuid[];
begin
    if p_as_of then
        return (
            select case when count(h.has_phrase) > 0
                then coalesce(array_agg(h.memory_id) filter (where h.has_phrase), '{}') end
            from (
                select s.memory_id, memos_private.has_phrase(v.language, v.content, v_text) as has_phrase
                from unnest(p_scope) as s
                join memos_private.memory_version as v
                    on v.user_id = p_user_id and v.memory_id = s.memory_id and v.version = s.version
                        and v.superseded_at is not distinct from s.superseded_at
            ) as h
        );
    end if;
    for v_language in
        select distinct c.language from memos_private.corpus as c where c.user_id = p_user_id
    loop
        v_lexemes := tsvector_to_array(to_tsvector(v_language, v_text));
        continue when v_lexemes = '{}';
        v_memory_ids := coalesce(v_memory_ids, '{}') || array(
            select h.memory_id
            from (
                select e.memory_id
                from memos_private.posting as p
                cross join lateral unnest(p.memory_ids) as e (memory_id)
                where p.user_id = p_user_id and p.lexeme = any (v_lexemes)
                group by e.memory_id
                having count(*) = cardinality(v_lexemes)
            ) as h
            join memos_private.memory as m on m.user_id = p_user_id and m.memory_id = h.memory_id
            where m.language = v_language and memos_private.has_phrase(m.language, m.content, v_text)
        );
    end loop;
    return v_memory_ids;
end
$body$;
comment on function memos_private.memories_with_phrase is
    'The memories that have those words side by side in that order, found by their lexemes and then read. '
    'Null when the phrase has no word to look for in any of the user''s languages.';

create or replace function memos_private.cold_memories_with_phrase(p_user_id uuid, p_phrase text)
returns uuid[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_text constant text := memos_private.part_codes(p_phrase);
    v_language regconfig;
    v_lexemes text[];
    v_memory_ids uuid[];
begin
    for v_language in
        select distinct p.language from memos_private.cold_place as p where p.user_id = p_user_id
    loop
        v_lexemes := tsvector_to_array(to_tsvector(v_language, v_text));
        continue when v_lexemes = '{}';
        v_memory_ids := coalesce(v_memory_ids, '{}') || array(
            select c.memory_id
            from memos_private.memory_cold as c
            where c.user_id = p_user_id and c.language = v_language and c.lexemes @> v_lexemes
                and memos_private.has_phrase(c.language, c.content, v_text)
        );
    end loop;
    return v_memory_ids;
end
$body$;
comment on function memos_private.cold_memories_with_phrase is 'As memories_with_phrase, for cold memories.';

create or replace function memos_private.has_phrase(p_language regconfig, p_content text, p_phrase text)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_content constant text := ' ' || p_content || ' ';
    v_query tsquery;
begin
    if to_tsvector(p_language, p_phrase) = '' then
        return null;
    end if;
    v_query := phraseto_tsquery(p_language, p_phrase);
    if length(p_content) <= 10000 then
        return memos_private.text_lexemes(p_language, p_content) @@ v_query;
    end if;
    -- A tsvector knows the first 255 places of a word only, and no place after the 16,383rd. A word that
    -- a piece cuts through is whole in the one before or after.
    return exists (
        select
        from generate_series(1, length(v_content), 8000) as piece (start)
        where memos_private.text_lexemes(
            p_language, regexp_replace(substr(v_content, piece.start, 10000), '^\S+|\S+$', '', 'g')
        ) @@ v_query
    );
end
$body$;
comment on function memos_private.has_phrase is
    'Whether a text has those words side by side in that order; null when there is no word among them. '
    'p_phrase: parted by part_codes. A text of more than 10,000 characters is read in pieces, and a phrase '
    'in it may span 2,000.';

create or replace function memos_private.prefix_stem(p_language regconfig, p_prefix text)
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $body$
begin
    return coalesce(
        (tsvector_to_array(to_tsvector(p_language, p_prefix)))[1],
        (tsvector_to_array(to_tsvector('memos.simple', p_prefix)))[1]
    );
end
$body$;
comment on function memos_private.prefix_stem is
    'What the lexemes of words begin with that begin like p_prefix. A stop word may begin one too.';
