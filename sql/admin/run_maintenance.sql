-- Commits as it goes, so it can neither be a definer nor pin its search_path in a clause: it pins it
-- itself in each transaction and does nothing but call functions that are definers.
create or replace procedure memos_admin.run_maintenance()
language plpgsql
as $body$
declare
    v_user_id pg_catalog.uuid;
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform memos_admin.maintain_partitions();
    commit;
    perform memos_admin.anchor_audit();
    commit;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform memos_admin.expire_audit();
    commit;
    call memos_admin.expire_memories();
    call memos_admin.expire_history();
    call memos_admin.expire_records();
    for v_user_id in select u.user_id from memos_admin.users_to_fold() as u loop
        perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        perform memos_admin.fold_postings(v_user_id);
        commit;
    end loop;
    call memos_admin.assign_tiers(p_at_most => '5 minutes');
    call memos_admin.close_abandoned_scratchpads();
    call memos_admin.maintain_cache();
    -- Exact, so that it takes as long as the user's memories are many: after an import it is done bit by bit.
    call memos_admin.link_similar(p_at_most => '5 minutes');
    call memos_admin.make_notes(p_at_most => '5 minutes');
    if memos_admin.evolves() then
        call memos_admin.evolve_memories(p_at_most => '5 minutes');
    end if;
end
$body$;
comment on procedure memos_admin.run_maintenance is
    'What has to happen now and then (hourly to daily): partitions, the audit, retention, the inverted index, uses '
    'and tiers, scratchpads, caches, links, notes. Safe to run at any time; takes time in proportion to '
    'what changed.';

create or replace function memos_admin.maintain_partitions()
returns void
language sql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select memos_private.maintain_partitions()
$body$;
comment on function memos_admin.maintain_partitions is
    'Makes the partitions of the next twelve months and missing ones before, with row-level security.';

create or replace function memos_admin.users_to_fold(p_min_memories bigint default 32)
returns table (user_id uuid, memories bigint)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select c.user_id, sum(c.unfolded)::bigint
    from memos_private.corpus as c
    group by c.user_id
    having sum(c.unfolded) >= p_min_memories or count(*) > 8
    order by c.user_id
$body$;
comment on function memos_admin.users_to_fold is
    'Users for whom fold_postings is worth it: at least p_min_memories were written since the last time.';

create or replace function memos_admin.fold_postings(p_user_id uuid)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_crowded text[];
    v_before int;
    v_after int;
begin
    perform memos_private.require_user(p_user_id);
    perform memos_private.lock_postings(p_user_id);
    v_crowded := array(
        select p.lexeme
        from memos_private.posting as p
        where p.user_id = p_user_id and cardinality(p.memory_ids) < 64
        group by p.lexeme
        having count(*) > 1
    );
    with small as (
        delete from memos_private.posting as p
        using unnest(v_crowded) as c (lexeme)
        where p.user_id = p_user_id and p.lexeme = c.lexeme collate "C" and cardinality(p.memory_ids) < 64
        returning p.lexeme, p.memory_ids, p.frequencies, p.lengths
    ),
    packed as (
        select s.lexeme, array_agg(e.memory_id order by e.memory_id) as memory_ids,
            array_agg(e.frequency order by e.memory_id) as frequencies,
            array_agg(e.length order by e.memory_id) as lengths
        from small as s
        cross join lateral unnest(s.memory_ids, s.frequencies, s.lengths)
            as e (memory_id, frequency, length)
        group by s.lexeme
    ),
    folded as (
        insert into memos_private.posting (user_id, lexeme, block_id, memory_ids, frequencies, lengths)
        select p_user_id, p.lexeme, gen_random_uuid(), p.memory_ids[n : n + 63],
            p.frequencies[n : n + 63], p.lengths[n : n + 63]
        from packed as p
        cross join lateral generate_series(1, cardinality(p.memory_ids), 64) as n
        order by p.lexeme
        returning 1
    )
    select (select count(*) from small), (select count(*) from folded) into v_before, v_after;

    with free as (
        select c.user_id, c.language, c.slot
        from memos_private.corpus as c
        where c.user_id = p_user_id
        for update skip locked
    ),
    gone as (
        delete from memos_private.corpus as c
        using free as f
        where c.user_id = f.user_id and c.language = f.language and c.slot = f.slot
        returning c.language, c.documents, c.tokens
    )
    insert into memos_private.corpus (user_id, language, slot, documents, tokens, unfolded)
    select p_user_id, g.language, gen_random_uuid(), sum(g.documents), sum(g.tokens), 0
    from gone as g
    group by g.language;
    return v_before - v_after;
end
$body$;
comment on function memos_admin.fold_postings is
    'Packs the small blocks of a user''s inverted index together, and the slots of the statistics; '
    'returns how many blocks fewer there are. Searches see the same before, during and after. '
    'Errors: MO400.';
