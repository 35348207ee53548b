-- A memory offers a link to each of its nearest neighbours, and then every memory keeps its strongest
-- ones only. So two memories that are among each other's nearest are always linked, and one that is like
-- everything ("Thanks!") has no more links than any other. One step at a time for a user. It waits for
-- nobody's row: what a user is just writing is left for the next run.
create or replace function memos_private.link_similar(
    p_user_id        uuid,
    p_limit          int,
    p_min_similarity real,
    p_max_links      int
)
returns int
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_model_id constant smallint := (
        select m.model_id from memos_private.embedding_model as m where m.is_default
    );
    v_min_bytes constant int := memos_private.setting('link_min_content_bytes');
    v_min_similarity constant real :=
        coalesce(p_min_similarity, memos_private.setting('link_min_similarity')::real);
    v_max_links constant int :=
        coalesce(p_max_links, memos_private.setting('link_max_per_memory')::int);
    v_taken uuid[];
    v_waiting uuid[];
    v_batch uuid[];
    v_back uuid[];
    v_pairs memos_private.near_pair[];
    v_held uuid[];
    v_late uuid[];
begin
    perform memos_private.require_fraction('p_min_similarity', v_min_similarity);
    if v_max_links not between 1 and 1000 then
        perform memos_private.refuse_argument(
            'p_max_links', format('it is %s', v_max_links), '1 to 1000 links'
        );
    end if;
    if p_limit is null or p_limit not between 1 and 10000 then
        perform memos_private.refuse_argument(
            'p_limit', memos_private.it_is(p_limit), '1 to 10000 memories'
        );
    end if;
    if not pg_try_advisory_xact_lock(hashtextextended('memos.link ' || p_user_id, 0)) then
        return 0;
    end if;

    -- Before the vectors are read: one that comes later queues its memory again. What is beyond the limit
    -- or held by somebody goes back.
    with oldest as (
        select o.block_id
        from (
            select q.block_id, sum(cardinality(q.memory_ids)) over (order by q.block_id)
                - cardinality(q.memory_ids) as before
            from memos_private.link_queue as q
            where q.user_id = p_user_id
        ) as o
        where o.before < p_limit
    ),
    taken as (
        delete from memos_private.link_queue as q
        using oldest as o
        where q.user_id = p_user_id and q.block_id = o.block_id
        returning q.block_id, q.memory_ids
    )
    select coalesce(array_agg(w.memory_id order by w.place), '{}') into v_taken
    from (
        select p.memory_id, min(p.place) as place
        from (
            select m.memory_id, row_number() over (order by t.block_id, m.n) as place
            from taken as t
            cross join lateral unnest(t.memory_ids) with ordinality as m (memory_id, n)
        ) as p
        group by p.memory_id
    ) as w;
    v_waiting := v_taken[:p_limit];
    v_batch := array(
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (v_waiting)
        for key share skip locked
    );
    v_back := v_taken[p_limit + 1 :] || array(
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id and m.memory_id = any (v_waiting) and m.memory_id <> all (v_batch)
    );
    v_pairs := array(
        select row(s.memory_id, s.neighbour_id, s.version, s.similarity)::memos_private.near_pair
        from (
            select p.memory_id, p.neighbour_id, n.version, p.similarity,
                row_number() over (
                    partition by p.memory_id order by p.similarity desc, p.neighbour_id
                ) as place
            from (
                -- Of long memories the two passages that are most alike.
                select x.memory_id, e.memory_id as neighbour_id,
                    max(1 - (e.embedding <=> x.embedding)) as similarity
                from memos_private.embedding as x
                join memos_private.embedding as e
                    on e.user_id = p_user_id and e.model_id = v_model_id and e.memory_id <> x.memory_id
                where x.user_id = p_user_id and x.model_id = v_model_id and x.memory_id = any (v_batch)
                    and 1 - (e.embedding <=> x.embedding) >= v_min_similarity
                group by x.memory_id, e.memory_id
            ) as p
            join memos_private.memory as m on m.user_id = p_user_id and m.memory_id = p.memory_id
            join memos_private.memory as n on n.user_id = p_user_id and n.memory_id = p.neighbour_id
            where octet_length(m.content) >= v_min_bytes and octet_length(n.content) >= v_min_bytes
        ) as s
        where s.place <= v_max_links
    );
    -- Neighbours as they were compared; else the memory waits, too.
    v_held := array(
        select m.memory_id
        from memos_private.memory as m
        where m.user_id = p_user_id
            and (m.memory_id, m.version) in (select p.neighbour_id, p.version from unnest(v_pairs) as p)
        for key share skip locked
    );
    v_late := array(
        select distinct p.memory_id
        from unnest(v_pairs) as p
        where p.neighbour_id not in (select h.memory_id from unnest(v_held) as h (memory_id))
    );
    perform memos_private.queue_links(p_user_id, v_back || v_late);
    v_batch := array(select unnest(v_batch) except select unnest(v_late));

    delete from memos_private.memory_link as l
    where l.ctid = any (array(
        select s.ctid
        from memos_private.memory_link as s
        where s.user_id = p_user_id and s.origin = 'automatic'
            and (s.from_id = any (v_batch) or s.to_id = any (v_batch))
        for update skip locked
    ));
    insert into memos_private.memory_link (user_id, from_id, to_id, type, weight, origin)
    select distinct p_user_id, least(p.memory_id, p.neighbour_id), greatest(p.memory_id, p.neighbour_id),
        'semantic', least(p.similarity, 1)::real, 'automatic'
    from unnest(v_pairs) as p
    where p.memory_id = any (v_batch)
    order by 2, 3
    on conflict (user_id, from_id, to_id, type) do nothing;
    perform memos_private.prune_automatic_links(p_user_id, v_batch || v_held, v_max_links);
    return cardinality(v_taken) - cardinality(v_back || v_late);
end
$body$;
comment on function memos_private.link_similar is
    'Links at most p_limit waiting memories to their nearest neighbours by the vectors of the default '
    'model, compared exactly with every other of the user; null arguments: the settings. Returns how '
    'many no longer wait. Errors: MO400.';

create or replace function memos_private.prune_automatic_links(
    p_user_id uuid, p_memory_ids uuid[], p_max_links int
)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    delete from memos_private.memory_link as l
    where l.ctid = any (array(
        select s.ctid
        from memos_private.memory_link as s
        where s.user_id = p_user_id and s.origin = 'automatic' and s.ctid = any (array(
            select r.link
            from (
                select e.link, row_number() over (
                    partition by e.memory_id order by e.weight desc, e.from_id, e.to_id
                ) as place
                from (
                    select f.from_id as memory_id, f.ctid as link, f.weight, f.from_id, f.to_id
                    from memos_private.memory_link as f
                    where f.user_id = p_user_id and f.origin = 'automatic' and f.from_id = any (p_memory_ids)
                    union all
                    select t.to_id, t.ctid, t.weight, t.from_id, t.to_id
                    from memos_private.memory_link as t
                    where t.user_id = p_user_id and t.origin = 'automatic' and t.to_id = any (p_memory_ids)
                ) as e
            ) as r
            where r.place > p_max_links
        ))
        for update skip locked
    ));
end
$body$;
comment on function memos_private.prune_automatic_links is
    'Removes the weakest automatic links of memories that have more than p_max_links.';

create or replace function memos.link_similar(
    p_user_id        uuid,
    p_limit          int default 100,
    p_min_similarity real default null,
    p_max_links      int default null
)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
begin
    perform memos_private.enter_user_context(p_user_id);
    perform memos_private.audit(p_user_id, 'link_similar');
    perform memos_private.require_consent(p_user_id, 'deriving');
    return memos_private.link_similar(p_user_id, p_limit, p_min_similarity, p_max_links);
end
$body$;
comment on function memos.link_similar is
    'Links the user''s new memories to their nearest neighbours now instead of at the next '
    'maintenance: at most p_limit, with at least p_min_similarity and at most p_max_links each (null: '
    'the settings). Returns how many memories it has done; 0 when none waits, or another session is at '
    'it. Errors: MO001, MO400, MO403, MO451.';

create or replace function memos_admin.link_similar_batch(
    p_user_id        uuid,
    p_limit          int default 100,
    p_min_similarity real default null,
    p_max_links      int default null
)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.require_user(p_user_id);
    if not memos_private.has_consent(p_user_id, 'deriving') then
        return 0;  -- they wait, in case the user consents again
    end if;
    perform memos_private.audit(p_user_id, 'memos_admin.link_similar_batch');
    return memos_private.link_similar(p_user_id, p_limit, p_min_similarity, p_max_links);
end
$body$;
comment on function memos_admin.link_similar_batch is
    'memos.link_similar for any user: one transaction of memos_admin.link_similar. Does nothing for users '
    'who do not consent to deriving. Errors: MO400.';

create or replace function memos_admin.users_to_link()
returns table (user_id uuid)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select distinct q.user_id from memos_private.link_queue as q order by q.user_id
$body$;
comment on function memos_admin.users_to_link is 'Users with memories that wait to be linked.';

-- Commits as it goes, so it can neither be a definer nor pin its search_path in a clause: it pins it
-- itself in each transaction and does nothing but call functions that are definers.
create or replace procedure memos_admin.link_similar(
    p_user_id        uuid default null,
    p_limit          int default 100,
    p_min_similarity real default null,
    p_max_links      int default null,
    p_at_most        interval default null
)
language plpgsql
as $body$
declare
    v_user_id pg_catalog.uuid;
    v_done pg_catalog.int8;
    v_end constant pg_catalog.timestamptz :=
        coalesce(pg_catalog.clock_timestamp() operator(pg_catalog.+) p_at_most, 'infinity');
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    -- All users take turns: one with a large import holds up nobody.
    loop
        v_done := 0;
        for v_user_id in
            select u.user_id
            from memos_admin.users_to_link() as u
            where u.user_id = coalesce(p_user_id, u.user_id)
        loop
            perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
            v_done := v_done operator(pg_catalog.+)
                memos_admin.link_similar_batch(v_user_id, p_limit, p_min_similarity, p_max_links);
            commit;
            if pg_catalog.clock_timestamp() operator(pg_catalog.>) v_end then
                return;
            end if;
        end loop;
        exit when v_done operator(pg_catalog.=) 0;
        perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    end loop;
end
$body$;
comment on procedure memos_admin.link_similar is
    'Links new memories, of one user or of all in turns, to their nearest neighbours, p_limit in a transaction. '
    'p_at_most: begins no other transaction after that long; the rest waits for the next call.';

create or replace function memos_admin.relink_memories(p_user_id uuid default null)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_count bigint;
begin
    select coalesce(sum(memos_private.queue_links(w.user_id, w.memory_ids)), 0) into v_count
    from (
        select e.user_id, array_agg(e.memory_id order by e.memory_id) as memory_ids
        from memos_private.embedding as e
        join memos_private.embedding_model as m on m.model_id = e.model_id
        where m.is_default and e.passage = 0 and (p_user_id is null or e.user_id = p_user_id)
        group by e.user_id
    ) as w;
    return v_count;
end
$body$;
comment on function memos_admin.relink_memories is
    'Has every memory, of one user or of all, linked anew by the next maintenance: after a change of the '
    'default model or of the settings of links. Returns how many were put in the queue.';
