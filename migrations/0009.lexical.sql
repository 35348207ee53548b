-- What counts as a lexeme changes (codes), and with it what the index of existing memories has to hold: both in
-- one transaction, so that no writer takes a text out by another rule than it was put in.
set local role memos_owner;

lock table memos_private.memory, memos_private.memory_history in share row exclusive mode;

-- A code ("SRVO-062", "A06B-6117-H204", "+49 170 1234567") is written with signs or without, while the
-- parser makes of it a word and a negative number. So its parts count as words of their own, and once
-- more as one word without signs: 'srvo', '062', 'srvo062'. Words with a slash between are parted too.
create or replace function memos_private.has_code(p_text text)
returns boolean
language sql
immutable
parallel safe
return p_text
    ~ '[-\u2010\u2011+_/][0-9]|[0-9][-\u2010\u2011_/][[:alpha:]]|[0-9] [0-9]|[[:alpha:]]/[[:alpha:]]';
comment on function memos_private.has_code is
    'Whether a text has something to take apart: the one question that every text is asked.';

create or replace function memos_private.part_codes(p_text text)
returns text
language sql
immutable
parallel safe
return regexp_replace(
    p_text,
    '[-\u2010\u2011+_/](?=[0-9])|(?<=[0-9])[-\u2010\u2011_/](?=[[:alpha:]])|(?<=[[:alpha:]])/(?=[[:alpha:]])',
    ' ', 'g'
);
comment on function memos_private.part_codes is 'A text with blanks for the signs inside of codes.';

create or replace function memos_private.is_code(p_word text)
returns boolean
language sql
immutable
parallel safe
return p_word ~ '[0-9]' and length(p_word) <= 64 and (p_word ~ '[[:alpha:]]' or length(p_word) >= 6);
comment on function memos_private.is_code is
    'Whether joined parts are worth a lexeme: letters with digits, or digits that are a date or number of '
    'something ("2023-05-08"), not a score or a range ("30-60"). At most 64 characters.';

create or replace function memos_private.spell_codes(p_text text)
returns text
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $body$
begin
    return memos_private.part_codes(p_text) || coalesce((
        select string_agg(E'\n' || j.word, '')
        from regexp_matches(
            p_text, '[[:alnum:]]+(?:[-\u2010\u2011_/][[:alnum:]]+)+|[0-9]+(?: [0-9]+)+', 'g'
        ) as m (code)
        cross join lateral regexp_replace(m.code[1], '[^[:alnum:]]', '', 'g') as j (word)
        where memos_private.is_code(j.word)
    ), '');
end
$body$;
comment on function memos_private.spell_codes is
    'A text with its codes parted, followed by each of them as one word.';

-- The one place that decides what a lexeme is. Plain SQL, to become part of its caller's plan.
create or replace function memos_private.text_lexemes(p_language regconfig, p_text text)
returns tsvector
language sql
immutable
parallel safe
return to_tsvector(
    p_language,
    case when memos_private.has_code(p_text) then memos_private.spell_codes(p_text) else p_text end
);
comment on function memos_private.text_lexemes is
    'The words of a text as its language stems them, and its codes. At most 50,000 characters: see '
    'lexemes.';

-- A tsvector counts a lexeme up to 255 times and holds a megabyte: a long text is taken apart in pieces.
create or replace function memos_private.lexemes(p_language regconfig, p_text text)
returns table (lexeme text, frequency int)
language sql
immutable
parallel safe
begin atomic
    select t.lexeme collate "C", cardinality(t.positions)
    from unnest(
        memos_private.text_lexemes(p_language, case when length(p_text) <= 50000 then p_text end)
    ) as t
    union all
    select t.lexeme collate "C", sum(cardinality(t.positions))::int
    from generate_series(1, length(p_text), 50000) as piece (start)
    cross join lateral unnest(
        memos_private.text_lexemes(p_language, substr(p_text, piece.start, 50000))
    ) as t
    where length(p_text) > 50000
    group by t.lexeme;
end;
comment on function memos_private.lexemes is
    'The lexemes of a text of any length, and how often each occurs.';

grant execute on function
    memos_private.has_code(text), memos_private.part_codes(text), memos_private.is_code(text),
    memos_private.spell_codes(text), memos_private.text_lexemes(regconfig, text),
    memos_private.lexemes(regconfig, text)
    to memos_maintenance;
grant update (lexemes, frequencies) on memos_private.memory_history to memos_maintenance;

set local role memos_maintenance;

create or replace function memos_admin.rebuild_postings()
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_blocks bigint;
begin
    lock table memos_private.posting, memos_private.corpus in share row exclusive mode;
    delete from memos_private.posting;
    delete from memos_private.corpus;
    with entries as materialized (
        select m.user_id, m.memory_id, m.language, l.lexeme, l.frequency,
            sum(l.frequency) over (partition by m.user_id, m.memory_id) as length
        from memos_private.memory as m
        cross join lateral memos_private.lexemes(m.language, m.content) as l
    ),
    documents as (
        select m.user_id, m.language, count(*) as documents
        from memos_private.memory as m
        group by m.user_id, m.language
    ),
    tokens as (
        select e.user_id, e.language, sum(e.frequency) as tokens
        from entries as e
        group by e.user_id, e.language
    ),
    counted as (
        insert into memos_private.corpus (user_id, language, slot, documents, tokens, unfolded)
        select d.user_id, d.language, gen_random_uuid(), d.documents, coalesce(t.tokens, 0), 0
        from documents as d
        left join tokens as t using (user_id, language)
    )
    insert into memos_private.posting (user_id, lexeme, block_id, memory_ids, frequencies, lengths)
    select b.user_id, b.lexeme, gen_random_uuid(), array_agg(b.memory_id), array_agg(b.frequency),
        array_agg(b.length)
    from (
        select e.user_id, e.lexeme, e.memory_id, e.frequency, e.length,
            (row_number() over (partition by e.user_id, e.lexeme order by e.memory_id) - 1) / 64 as block
        from entries as e
    ) as b
    group by b.user_id, b.lexeme, b.block
    order by b.user_id, b.lexeme;
    get diagnostics v_blocks = row_count;

    update memos_private.memory_history as h
    set (lexemes, frequencies) = (
        select coalesce(array_agg(l.lexeme), '{}'), coalesce(array_agg(l.frequency), '{}')
        from memos_private.lexemes(h.language, h.content) as l
    );
    return v_blocks;
end
$body$;
comment on function memos_admin.rebuild_postings is
    'Makes the inverted index, the statistics and the lexemes of the history anew from the texts, as after '
    'a change of a text search configuration; returns how many blocks there are. Searches go on and see '
    'the index of before; writers wait.';

do $$ begin perform memos_admin.rebuild_postings(); end $$;

-- Other arguments and results from here on.
set local role memos_owner;

drop function if exists memos_private.query_terms(uuid, text);
drop function if exists memos_private.lexical_lane(
    uuid, text[], double precision[], double precision, double precision, double precision,
    memos_private.version_key[], boolean
) cascade;
