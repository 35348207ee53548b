-- BM25 over the user's examples, all scratchpads included: rare words count more than common ones and
-- other forms of a word count too, where word overlap wants the same words and takes "the" for one. The
-- same analysis as search_memories, so that codes are found as they are there. Read in full, since
-- examples are few: hundreds a user.
create or replace function memos.find_examples(
    p_user_id       uuid,
    p_query         text,
    p_scratchpad_id uuid default null,
    p_pattern       text default null,
    p_min_success   real default 0,
    p_limit         int default 3
)
returns table (
    scratchpad_id uuid, entry_id uuid, input text, output text, pattern text, success real, uses int,
    score double precision
)
language plpgsql
volatile
security definer
rows 3
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
#variable_conflict use_column
declare
    v_lexemes text[];
    v_k1 constant double precision := memos_private.setting('bm25_k1');
    v_b constant double precision := memos_private.setting('bm25_b');
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.require_note_text(
        'p_query', p_query, memos_private.setting('max_query_bytes')::int, false
    );
    perform memos_private.require_fraction('p_min_success', p_min_success);
    perform memos_private.require_limit(p_limit);
    if p_scratchpad_id is not null then
        perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    end if;
    v_lexemes := array(select l.lexeme from memos_private.lexemes('memos.english', p_query) as l);
    return query
    with examples as materialized (
        select e.scratchpad_id, e.entry_id, l.lexeme, l.frequency,
            sum(l.frequency) over (partition by e.entry_id) as length
        from memos_private.scratchpad_entry as e
        cross join lateral memos_private.lexemes('memos.english', concat_ws(' ', e.type, e.content)) as l
        where e.user_id = p_user_id and e.kind = 'example'
            and (p_scratchpad_id is null or e.scratchpad_id = p_scratchpad_id)
            and (p_pattern is null or e.type = p_pattern) and e.quality >= p_min_success
    ),
    corpus as (
        select count(distinct x.entry_id) as documents,
            sum(x.frequency)::double precision / count(distinct x.entry_id) as mean_length
        from examples as x
    ),
    terms as (
        select x.lexeme, memos_private.bm25_idf(c.documents, count(*)) as idf, c.mean_length
        from examples as x
        cross join corpus as c
        where x.lexeme = any (v_lexemes)
        group by x.lexeme, c.documents, c.mean_length
    ),
    scored as (
        select x.scratchpad_id, x.entry_id, sum(t.idf * memos_private.bm25_saturation(
                x.frequency, x.length, t.mean_length, v_k1, v_b
            )) as score
        from examples as x
        join terms as t on t.lexeme = x.lexeme
        group by x.scratchpad_id, x.entry_id
    )
    select e.scratchpad_id, e.entry_id, e.content, e.output #>> '{}', e.type, e.quality, e.uses,
        s.score * e.quality
    from scored as s
    join memos_private.scratchpad_entry as e
        on e.user_id = p_user_id and e.scratchpad_id = s.scratchpad_id and e.entry_id = s.entry_id
    order by s.score * e.quality desc, e.entry_id
    limit p_limit;
    perform memos_private.audit_read(
        p_user_id, 'find_examples', array_remove(array[p_scratchpad_id], null), p_query
    );
end
$body$;
comment on function memos.find_examples is
    'The examples that are most like p_query in words, of all the user''s scratchpads or one: BM25 of their '
    'input and pattern, times their success. Errors: MO001, MO400, MO403, MO404.';

create or replace function memos.use_example(
    p_user_id       uuid,
    p_scratchpad_id uuid,
    p_entry_id      uuid,
    p_success       boolean default null
)
returns real
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_success real;
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'use_example', array[p_scratchpad_id, p_entry_id]);
    perform memos_private.require_scratchpad(p_user_id, p_scratchpad_id);
    update memos_private.scratchpad_entry as e
    set uses = e.uses + 1,
        quality = case when p_success is null then e.quality
            else e.quality + 0.3 * (p_success::int - e.quality) end
    where e.user_id = p_user_id and e.scratchpad_id = p_scratchpad_id and e.entry_id = p_entry_id
        and e.kind = 'example'
    returning e.quality into v_success;
    if not found then
        perform memos_private.refuse_missing_entry('p_entry_id', 'example', p_entry_id);
    end if;
    return v_success;
end
$body$;
comment on function memos.use_example is
    'Counts that an example was used, of a closed scratchpad too, and whether it helped: its success moves '
    'three tenths of the way to 1 or 0. Returns it. Errors: MO001, MO400, MO403, MO404.';
