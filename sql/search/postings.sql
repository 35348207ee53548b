-- The inverted index follows every insert, update and delete of memory, whoever makes it.
create or replace function memos_private.add_to_corpus(
    p_user_id uuid, p_language regconfig, p_documents bigint, p_tokens bigint
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
begin
    update memos_private.corpus as c
    set documents = c.documents + p_documents, tokens = c.tokens + p_tokens,
        unfolded = c.unfolded + abs(p_documents)
    where (c.user_id, c.language, c.slot) = (
        select f.user_id, f.language, f.slot
        from memos_private.corpus as f
        where f.user_id = p_user_id and f.language = p_language
        limit 1
        for update skip locked
    );
    if not found then
        insert into memos_private.corpus (user_id, language, slot, documents, tokens, unfolded)
        values (p_user_id, p_language, gen_random_uuid(), p_documents, p_tokens, abs(p_documents));
    end if;
end
$body$;
comment on function memos_private.add_to_corpus is
    'Adds documents and lexemes (negative to remove) to a user''s statistics without waiting for others.';

create or replace function memos_private.post_texts(p_texts memos_private.indexed_text[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
-- A batch of a thousand texts is grouped by lexeme in memory.
set work_mem = '64MB'
as $body$
declare
    v_part record;
begin
    for v_part in
        with texts as materialized (
            select t.*
            from unnest(p_texts) with ordinality as t (user_id, memory_id, language, content, n)
        ),
        lexemes as materialized (
            -- Texts of usual length in one go; going through lexemes() doubles the time.
            select t.n, w.lexeme collate "C" as lexeme, cardinality(w.positions) as frequency
            from texts as t
            cross join lateral unnest(memos_private.text_lexemes(t.language, t.content)) as w
            where length(t.content) <= 50000
            union all
            select t.n, l.lexeme, l.frequency
            from texts as t
            cross join lateral memos_private.lexemes(t.language, t.content) as l
            where length(t.content) > 50000
        ),
        documents as materialized (
            select t.n, t.user_id, t.memory_id, t.language, coalesce(l.length, 0) as length
            from texts as t
            left join (
                select n, sum(frequency)::int as length from lexemes group by n
            ) as l using (n)
        ),
        posted as (
            insert into memos_private.posting (
                user_id, lexeme, block_id, memory_ids, frequencies, lengths
            )
            select b.user_id, b.lexeme, gen_random_uuid(), b.memory_ids[i : i + 63],
                b.frequencies[i : i + 63], b.lengths[i : i + 63]
            from (
                select d.user_id, l.lexeme, array_agg(d.memory_id) as memory_ids,
                    array_agg(l.frequency) as frequencies, array_agg(d.length) as lengths
                from lexemes as l
                join documents as d using (n)
                group by d.user_id, l.lexeme
            ) as b
            cross join lateral generate_series(1, cardinality(b.memory_ids), 64) as i
            order by b.lexeme, b.user_id
        )
        select user_id, language, count(*) as documents, sum(length) as tokens
        from documents
        group by user_id, language
    loop
        perform memos_private.add_to_corpus(
            v_part.user_id, v_part.language, v_part.documents, v_part.tokens::bigint
        );
    end loop;
end
$body$;
comment on function memos_private.post_texts is 'Adds texts to the inverted index and the statistics.';

create or replace function memos_private.lock_postings(p_user_id uuid)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.share_contents(p_user_id);
    perform pg_advisory_xact_lock(hashtextextended('memos.posting ' || p_user_id, 0));
end
$body$;
comment on function memos_private.lock_postings is
    'Until the transaction ends, nobody else rewrites blocks of the user''s postings. Adding blocks '
    'needs no lock. Whoever changes or removes contents takes it before any row of a memory, so that '
    'nobody who has it waits for one who wants it.';

create or replace function memos_private.unpost_texts(p_texts memos_private.indexed_text[])
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_part record;
begin
    perform memos_private.lock_postings(u.user_id)
    from (select distinct t.user_id from unnest(p_texts) as t order by t.user_id) as u;
    for v_part in
        with gone as materialized (
            select t.user_id, l.lexeme, array_agg(t.memory_id) as memory_ids
            from unnest(p_texts) as t
            cross join lateral memos_private.lexemes(t.language, t.content) as l
            group by t.user_id, l.lexeme
        ),
        entries as materialized (
            select p.user_id, p.lexeme, p.block_id, e.memory_id, e.frequency, e.length,
                e.memory_id = any (g.memory_ids) as is_gone
            from gone as g
            join memos_private.posting as p
                on p.user_id = g.user_id and p.lexeme = g.lexeme and p.memory_ids && g.memory_ids
            cross join lateral unnest(p.memory_ids, p.frequencies, p.lengths)
                as e (memory_id, frequency, length)
        ),
        kept as materialized (
            select user_id, lexeme, block_id,
                array_agg(memory_id) filter (where not is_gone) as memory_ids,
                array_agg(frequency) filter (where not is_gone) as frequencies,
                array_agg(length) filter (where not is_gone) as lengths
            from entries
            group by user_id, lexeme, block_id
        ),
        emptied as (
            delete from memos_private.posting as p
            using kept as k
            where p.user_id = k.user_id and p.lexeme = k.lexeme and p.block_id = k.block_id
                and k.memory_ids is null
        ),
        rewritten as (
            update memos_private.posting as p
            set memory_ids = k.memory_ids, frequencies = k.frequencies, lengths = k.lengths
            from kept as k
            where p.user_id = k.user_id and p.lexeme = k.lexeme and p.block_id = k.block_id
                and k.memory_ids is not null
        ),
        tokens as (
            select user_id, memory_id, sum(frequency) as tokens
            from entries
            where is_gone
            group by user_id, memory_id
        )
        select t.user_id, t.language, count(*) as documents, coalesce(sum(k.tokens), 0) as tokens
        from unnest(p_texts) as t
        left join tokens as k using (user_id, memory_id)
        group by t.user_id, t.language
    loop
        perform memos_private.add_to_corpus(
            v_part.user_id, v_part.language, -v_part.documents, -v_part.tokens::bigint
        );
    end loop;
end
$body$;
comment on function memos_private.unpost_texts is
    'Takes texts out of the inverted index and the statistics. Finds their postings by taking the old '
    'text apart again, which spares every write a second index.';

create or replace function memos_private.tg_memory_inserted()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.post_texts(
        array(select row(user_id, memory_id, language, content)::memos_private.indexed_text from new_rows)
    );
    return null;
end
$body$;

create or replace function memos_private.tg_memory_deleted()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.unpost_texts(
        array(select row(user_id, memory_id, language, content)::memos_private.indexed_text from old_rows)
    );
    return null;
end
$body$;

create or replace function memos_private.tg_memory_updated()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_old memos_private.indexed_text[];
    v_new memos_private.indexed_text[];
begin
    select array_agg(row(o.user_id, o.memory_id, o.language, o.content)::memos_private.indexed_text),
        array_agg(row(n.user_id, n.memory_id, n.language, n.content)::memos_private.indexed_text)
    into v_old, v_new
    from old_rows as o
    join new_rows as n using (user_id, memory_id)
    where (o.language, o.content) is distinct from (n.language, n.content)
        -- Encrypted anew, it has no more lexemes than before.
        and not (memos_private.is_sealed(o.content) and memos_private.is_sealed(n.content));
    if v_old is not null then
        perform memos_private.unpost_texts(v_old);
        perform memos_private.post_texts(v_new);
    end if;
    return null;
end
$body$;
comment on function memos_private.tg_memory_inserted is 'Keeps the inverted index equal to memory.';
comment on function memos_private.tg_memory_deleted is 'Keeps the inverted index equal to memory.';
comment on function memos_private.tg_memory_updated is 'Keeps the inverted index equal to memory.';

create or replace trigger t50_post_inserted
    after insert on memos_private.memory
    referencing new table as new_rows
    for each statement execute function memos_private.tg_memory_inserted();
create or replace trigger t50_unpost_deleted
    after delete on memos_private.memory
    referencing old table as old_rows
    for each statement execute function memos_private.tg_memory_deleted();
create or replace trigger t50_post_updated
    after update on memos_private.memory
    referencing old table as old_rows new table as new_rows
    for each statement execute function memos_private.tg_memory_updated();
