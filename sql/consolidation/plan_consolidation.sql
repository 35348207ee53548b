create or replace function memos_private.may_be_consolidated(p_memory memos_private.memory)
returns boolean
language sql
stable
return p_memory.tier <> 'cold' and p_memory.kind <> 'fact' and not memos_private.is_sealed(p_memory.content)
    and (p_memory.valid_until is null or p_memory.valid_until > now())
    and not exists (
        select from memos_private.fact as f
        where f.user_id = p_memory.user_id and f.memory_id = p_memory.memory_id
    );
comment on function memos_private.may_be_consolidated is
    'Whether a memory is current, warm, not encrypted and no fact: what is true from when until when is kept by '
    'assert_fact, not by likeness.';

create or replace function memos_private.is_derived(p_user_id uuid, p_memory_id uuid)
returns boolean
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select exists (
        select
        from memos_private.memory as m
        join memos_private.memory_link as l on l.user_id = p_user_id and l.from_id = m.memory_id
        where m.user_id = p_user_id and m.memory_id = p_memory_id and m.provenance = 'model'
            and l.type = 'derived_from'
    ) or exists (
        -- Links to sources that are cold are cold, too.
        select from memos_private.consolidation_action as a
        where a.user_id = p_user_id and a.memory_id = p_memory_id and a.action = 'summarize'
    )
$body$;
comment on function memos_private.is_derived is
    'Whether a memory was made of others by a model or a rule: it is no evidence of its own.';

create or replace function memos_private.plan_merges(p_user_id uuid, p_limit int)
returns table (keep_id uuid, source_ids uuid[])
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    -- Saying the same is an equivalence: no chain of likeness can lead from one statement to another.
    -- The same words at another day, level or kind are another memory. Pinned ones stay, and get no tags.
    return query
    select g.keep_id, array_agg(g.memory_id order by g.memory_id)
    from (
        select m.memory_id, m.pinned, m.tags, first_value(m.memory_id) over w as keep_id,
            first_value(m.pinned) over w as keep_is_pinned, first_value(m.tags) over w as keep_tags
        from (
            -- Taking texts apart is dear: only those that have the same letters, without articles and such.
            select x.*, count(*) over (
                partition by regexp_replace(
                    lower(normalize(x.content, nfc)),
                    '\y(the|an?|really|actually)\y|[^[:alnum:]]+', '', 'g'
                )
            ) as alike
            from memos_private.memory as x
            where x.user_id = p_user_id and memos_private.may_be_consolidated(x)
                and length(x.content) <= 20000
        ) as m
        where m.alike > 1
        window w as (
            partition by memos_private.statement_key(m.content), m.language, m.kind, m.privacy_level,
                (m.occurred_at at time zone 'UTC')::date, m.valid_until
            order by m.pinned desc, m.provenance = 'user' desc, m.importance desc, m.memory_id
        )
    ) as g
    where g.memory_id <> g.keep_id and not g.pinned and (not g.keep_is_pinned or g.tags <@ g.keep_tags)
    group by g.keep_id
    order by g.keep_id
    limit p_limit;
end
$body$;
comment on function memos_private.plan_merges is
    'Groups of memories that say the same, and which of each stays: the pinned one, else what the user '
    'said, the most important, the oldest.';

create or replace function memos_private.plan_summaries(
    p_user_id uuid, p_min_similarity real, p_min_sources int, p_limit int, p_include_derived boolean,
    p_excluded uuid[]
)
returns table (source_ids uuid[])
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_variable
declare
    v_pairs memos_private.near_pair[];
    v_cluster uuid[];
begin
    v_pairs := array(
        select row(p.a, p.b, 0, p.weight)::memos_private.near_pair
        from (
            select l.from_id as a, l.to_id as b, l.weight
            from memos_private.memory_link as l
            where l.user_id = p_user_id and l.type = 'semantic' and l.weight >= p_min_similarity
            union all
            select l.to_id, l.from_id, l.weight
            from memos_private.memory_link as l
            where l.user_id = p_user_id and l.type = 'semantic' and l.weight >= p_min_similarity
        ) as p
        join memos_private.memory as x on x.user_id = p_user_id and x.memory_id = p.a
        join memos_private.memory as y on y.user_id = p_user_id and y.memory_id = p.b
        where p.a <> all (p_excluded) and p.b <> all (p_excluded)
            and x.privacy_level = y.privacy_level
            and memos_private.may_be_consolidated(x) and memos_private.may_be_consolidated(y)
    );
    v_pairs := array(
        select p::memos_private.near_pair
        from unnest(v_pairs) as p
        -- Once is enough, and what was derived is no evidence.
        where p.memory_id in (
            select c.memory_id
            from (
                select q.memory_id from unnest(v_pairs) as q
                union
                select q.neighbour_id from unnest(v_pairs) as q
            ) as c
            where (p_include_derived or not memos_private.is_derived(p_user_id, c.memory_id))
                and not exists (
                    select from memos_private.memory_link as d
                    where d.user_id = p_user_id and d.to_id = c.memory_id
                        and d.type = 'derived_from' and d.origin = 'consolidation'
                )
        )
    );
    v_pairs := array(
        select p::memos_private.near_pair
        from unnest(v_pairs) as p
        where p.neighbour_id in (select q.memory_id from unnest(v_pairs) as q)
    );
    while p_limit > 0 loop
        -- A star, no chain: each member is that similar to the one in the middle.
        select c.memory_ids into v_cluster
        from (
            select p.memory_id || (array_agg(p.neighbour_id order by p.similarity desc, p.neighbour_id))[:31]
                    as memory_ids,
                sum(p.similarity) as weight
            from unnest(v_pairs) as p
            group by p.memory_id
        ) as c
        where cardinality(c.memory_ids) >= p_min_sources
        order by cardinality(c.memory_ids) desc, c.weight desc, c.memory_ids
        limit 1;
        exit when not found;
        -- What may contradict each other is not boiled down: it stays as it was said.
        source_ids := array(
            select c.memory_id
            from unnest(v_cluster) with ordinality as c (memory_id, n)
            join memos_private.memory as x on x.user_id = p_user_id and x.memory_id = c.memory_id
            where not exists (
                select
                from memos_private.memory as y
                where y.user_id = p_user_id and y.memory_id = any (v_cluster) and y.memory_id <> x.memory_id
                    and memos_private.conflict(left(x.content, 5000), left(y.content, 5000))
            )
            order by c.n
        );
        if cardinality(source_ids) >= p_min_sources then
            return next;
            p_limit := p_limit - 1;
        end if;
        v_pairs := array(
            select p::memos_private.near_pair
            from unnest(v_pairs) as p
            where p.memory_id <> all (v_cluster) and p.neighbour_id <> all (v_cluster)
        );
    end loop;
end
$body$;
comment on function memos_private.plan_summaries is
    'Clusters over strong links that have no summary yet, largest first, the middle of each first; all '
    'of one privacy level, at most 32 memories.';
