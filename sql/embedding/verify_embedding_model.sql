create or replace function memos_admin.verify_embedding_model(p_name text, p_sample int default 200)
returns table (finding text, passed boolean, measured double precision, meaning text)
language plpgsql
stable
security definer
set search_path = pg_catalog, public, pg_temp
as $body$
#variable_conflict use_column
declare
    v_model memos_private.embedding_model;
    v_default constant memos_private.embedding_model := memos_private.require_embedding_model(null);
    v_percent double precision;
    v_user_ids uuid[];
    v_memory_ids uuid[];
begin
    if p_name is null then
        perform memos_private.refuse_argument('p_name', 'it is null', 'the name of a registered model');
    end if;
    if p_sample is null or p_sample not between 10 and 10000 then
        perform memos_private.refuse_argument(
            'p_sample', memos_private.it_is(p_sample), '10 to 10000 memories'
        );
    end if;
    v_model := memos_private.require_embedding_model(p_name);

    return query
    select 'without a vector', count(*) = 0, count(*)::double precision,
        'memories that are pending or failed: see embedding_status, call embed_pending or retry_embeddings'
    from memos_private.embedding_queue as q
    where q.model_id = v_model.model_id
    union all
    select 'neither a vector nor pending', count(*) = 0, count(*),
        'memories that a search by meaning cannot find and no worker will embed'
    from memos_private.memory as m
    where not exists (
            select from memos_private.embedding as e
            where e.user_id = m.user_id and e.model_id = v_model.model_id and e.memory_id = m.memory_id
        )
        and not exists (
            select from memos_private.embedding_queue as q
            where q.user_id = m.user_id and q.memory_id = m.memory_id and q.model_id = v_model.model_id
        );

    -- Four times as many pages as hold the sample: some of a page's memories may have no vector.
    select least(100, 400.0 * p_sample / greatest(c.reltuples, 1)) into v_percent
    from pg_class as c
    where c.oid = 'memos_private.memory'::regclass;
    select array_agg(s.user_id), array_agg(s.memory_id) into v_user_ids, v_memory_ids
    from (
        select m.user_id, m.memory_id
        from memos_private.memory as m tablesample system (v_percent)
        where exists (
            select from memos_private.embedding as e
            where e.user_id = m.user_id and e.model_id = v_model.model_id and e.memory_id = m.memory_id
        )
        limit p_sample
    ) as s;

    return query
    select 'share of equal vectors', 1 - count(distinct e.embedding)::double precision / count(*) <= 0.1,
        1 - count(distinct e.embedding)::double precision / count(*),
        'of a sample; different contents with one vector cannot be told apart (at most 0.1)'
    from unnest(v_user_ids, v_memory_ids) as s (user_id, memory_id)
    join memos_private.embedding as e
        on e.user_id = s.user_id and e.model_id = v_model.model_id and e.memory_id = s.memory_id
    having count(*) > 0
    union all
    select 'longest by shortest vector', max(l2_norm(e.embedding)) / min(l2_norm(e.embedding)) <= 10,
        max(l2_norm(e.embedding)) / min(l2_norm(e.embedding)),
        'of a sample; cosine ignores length, but a model''s vectors are alike in it (at most 10)'
    from unnest(v_user_ids, v_memory_ids) as s (user_id, memory_id)
    join memos_private.embedding as e
        on e.user_id = s.user_id and e.model_id = v_model.model_id and e.memory_id = s.memory_id
    having count(*) > 0;

    if v_model.model_id <> v_default.model_id then
        return query
        select 'neighbours in common', avg(n.common) > 2 * avg(n.chance), avg(n.common),
            format('of a memory''s 10 nearest by model "%s", how many of its 10 nearest by this one are; '
                'vectors of the wrong memories have %s (more than twice that)',
                v_default.name, round(avg(n.chance)::numeric, 3))
        from (
            select memos_private.common_neighbours(
                    s.user_id, s.memory_id, v_model.model_id, v_default.model_id
                ) as common,
                10.0 / least(1000, u.vectors) as chance
            from unnest(v_user_ids[:50], v_memory_ids[:50]) as s (user_id, memory_id)
            cross join lateral (
                select count(*) as vectors
                from (
                    select
                    from memos_private.embedding as e
                    where e.user_id = s.user_id and e.model_id = v_model.model_id
                    limit 1000
                ) as e
            ) as u
            where u.vectors >= 40
        ) as n
        having count(n.common) > 0;
    end if;
end
$body$;
comment on function memos_admin.verify_embedding_model is
    'What to look at before set_default_embedding_model, one row a finding: whether every memory has its '
    'vector, whether a sample of p_sample vectors looks like vectors, and whether it has the neighbours '
    'that the default model finds (for users with 40 vectors or more). passed says whether it is as it '
    'should be. Dimensions and zeros are checked whenever a vector is stored. Errors: MO400.';

create or replace function memos_private.common_neighbours(
    p_user_id uuid, p_memory_id uuid, p_model_id smallint, p_other_model_id smallint
)
returns double precision
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_ids uuid[];
    v_embedding halfvec;
    v_model_id smallint;
    v_first uuid[];
begin
    foreach v_model_id in array array[p_model_id, p_other_model_id] loop
        select e.embedding into v_embedding
        from memos_private.embedding as e
        where e.user_id = p_user_id and e.model_id = v_model_id and e.memory_id = p_memory_id
        order by e.passage
        limit 1;
        v_ids := array(
            select e.memory_id
            from (
                select e.memory_id, e.embedding
                from memos_private.embedding as e
                where e.user_id = p_user_id and e.model_id = v_model_id and e.memory_id <> p_memory_id
                    and e.passage = 0
                order by e.memory_id
                limit 1000
            ) as e
            order by e.embedding <=> v_embedding
            limit 10
        );
        v_first := coalesce(v_first, v_ids);
    end loop;
    return (select count(*) / 10.0 from unnest(v_first) as id where id = any (v_ids));
end
$body$;
comment on function memos_private.common_neighbours is
    'Share of a memory''s ten nearest, among the user''s first 1,000, that two models have in common.';
