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
    -- Rollbacks call this when cold storage is gone already.
    if to_regclass('memos_private.memory_cold') is not null then
        update memos_private.memory_cold as c
        set (lexemes, frequencies) = (
            select coalesce(array_agg(l.lexeme), '{}'), coalesce(array_agg(l.frequency), '{}')
            from memos_private.lexemes(c.language, c.content) as l
        );
        update memos_private.cold_place as p
        set length = (select coalesce(sum(f), 0) from unnest(c.frequencies) as f)
        from memos_private.memory_cold as c
        where c.user_id = p.user_id and c.memory_id = p.memory_id and c.moved_at = p.moved_at;
    end if;
    return v_blocks;
end
$body$;
comment on function memos_admin.rebuild_postings is
    'Makes the inverted index, the statistics and the lexemes of the history and of cold memories anew '
    'from the texts, as after a change of a text search configuration; returns how many blocks there are. '
    'Searches go on and see the index of before; writers wait.';
