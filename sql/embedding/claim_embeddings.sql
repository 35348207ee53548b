create or replace function memos_private.require_worker(p_worker text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_worker is null or p_worker !~ '\S' or length(p_worker) > 128 then
        perform memos_private.refuse_argument(
            'p_worker', 'it is null, blank or too long', 'a name of its own for each worker, 1 to 128 characters'
        );
    end if;
end
$body$;
comment on function memos_private.require_worker is 'Raises MO400 for a missing worker name.';

create or replace function memos_admin.claim_embeddings(
    p_worker text,
    p_limit  int default 64,
    p_lease  interval default '5 minutes',
    p_model  text default null
)
returns table (
    user_id uuid, memory_id uuid, version int, model text, passage int, content text
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
#variable_conflict use_column
declare
    v_now constant timestamptz := clock_timestamp();
    v_max_attempts constant int := memos_private.setting('embedding_max_attempts');
    v_model memos_private.embedding_model;
    v_user_ids uuid[] := '{}';
    v_ids uuid[] := '{}';
begin
    perform memos_private.require_worker(p_worker);
    if p_limit is null or p_limit not between 1 and 10000 then
        perform memos_private.refuse_argument(
            'p_limit', memos_private.it_is(p_limit), '1 to 10000 memories'
        );
    end if;
    if p_lease is null or p_lease <= interval '0' or p_lease > interval '1 day' then
        perform memos_private.refuse_argument(
            'p_lease', memos_private.it_is(p_lease), 'more than 0, at most 1 day'
        );
    end if;
    if p_model is not null then
        v_model := memos_private.require_embedding_model(p_model);
    end if;
    for user_id, memory_id, version, model, passage, content in
        with due as (
            select q.user_id, q.memory_id, q.model_id, q.attempts
            from memos_private.embedding_queue as q
            where q.failed_at is null and q.available_at <= v_now
                and (p_model is null or q.model_id = v_model.model_id)
            order by q.available_at, q.user_id, q.memory_id
            limit p_limit
            for update skip locked
        ),
        claimed as (
            -- A worker that dies with its claim leaves an attempt behind and nothing else.
            update memos_private.embedding_queue as q
            set worker = p_worker, available_at = v_now + p_lease, attempts = q.attempts + 1,
                failed_at = case when q.attempts >= v_max_attempts then v_now end,
                last_error = case when q.attempts >= v_max_attempts
                    then coalesce(q.last_error, 'every claim of it expired') else q.last_error end,
                version = m.version,
                passages = (
                    select count(*)
                    from memos_private.passages(m.content, (d.options ->> 'window_chars')::int)
                )
            from due
            join memos_private.memory as m on m.user_id = due.user_id and m.memory_id = due.memory_id
            join memos_private.embedding_model as d on d.model_id = due.model_id
            where q.user_id = due.user_id and q.memory_id = due.memory_id and q.model_id = due.model_id
            returning q.user_id, q.memory_id, q.version, q.failed_at, d.name, d.options, m.content
        )
        select c.user_id, c.memory_id, c.version, c.name, p.passage, p.content
        from claimed as c
        cross join lateral memos_private.passages(c.content, (c.options ->> 'window_chars')::int) as p
        where c.failed_at is null
        order by c.user_id, c.memory_id, c.name, p.passage
    loop
        v_user_ids := v_user_ids || user_id;
        v_ids := v_ids || memory_id;
        return next;
    end loop;
    perform memos_private.audit_each('memos_admin.claim_embeddings', true, v_user_ids, v_ids);
end
$body$;
comment on function memos_admin.claim_embeddings is
    'Hands at most p_limit pending memories to a worker, one row a passage to embed, for p_lease; '
    'what is not completed by then is handed out again. p_model: only of this model. Errors: MO400.';

create or replace function memos_admin.complete_embeddings(
    p_worker     text,
    p_results    jsonb,
    p_embeddings public.halfvec[]
)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_bad record;
    v_stored int;
    v_queued int;
begin
    perform memos_private.require_worker(p_worker);
    if p_results is null or jsonb_typeof(p_results) <> 'array' or p_embeddings is null
        or jsonb_array_length(p_results) <> cardinality(p_embeddings)
        or array_ndims(p_embeddings) > 1 or array_lower(p_embeddings, 1) <> 1
        or array_position(p_embeddings, null) > 0
    then
        perform memos_private.refuse_argument(
            'p_results',
            format('%s results for %s vectors',
                case when jsonb_typeof(p_results) = 'array' then jsonb_array_length(p_results)::text
                    else 'no array of' end, cardinality(p_embeddings)),
            'a JSON array of claimed rows and as many vectors, none null, in the same order'
        );
    end if;
    select r.ordinal, r.embedding, m as model
    into v_bad
    from (
        select r.*, v.embedding,
            count(*) over (partition by r.user_id, r.memory_id, r.model, r.passage) as times
        from memos_private.embedding_results(p_results) as r
        join unnest(p_embeddings) with ordinality as v (embedding, ordinal) using (ordinal)
    ) as r
    left join memos_private.embedding_model as m on m.name = r.model
    left join memos_private.embedding_queue as q
        on q.user_id = r.user_id and q.memory_id = r.memory_id and q.model_id = m.model_id
            and q.version = r.version and q.worker = p_worker
    where r.passage >= q.passages or m.name is null or r.user_id is null or r.memory_id is null or r.version is null
        or r.passage is null or r.passage < 0 or r.times > 1
        or vector_dims(r.embedding) <> m.dimensions or l2_norm(r.embedding) = 0
    order by r.ordinal
    limit 1;
    if found then
        if (v_bad.model).model_id is not null and (
            vector_dims(v_bad.embedding) <> (v_bad.model).dimensions or l2_norm(v_bad.embedding) = 0
        ) then
            perform memos_private.require_embedding(
                format('p_embeddings[%s]', v_bad.ordinal), v_bad.embedding, v_bad.model
            );
        end if;
        perform memos_private.refuse_argument(
            'p_results', format('result %s lacks a value, was not claimed like this or stands twice', v_bad.ordinal),
            'objects with user_id, memory_id, version, model and passage, as claimed'
        );
    end if;

    perform memos_private.audit_each(
        'memos_admin.complete_embeddings', false, array_agg(r.user_id), array_agg(r.memory_id)
    )
    from memos_private.embedding_results(p_results) as r;
    -- Memory before queue, as every writer does: a worker and a user never wait for each other in a ring.
    perform from memos_private.memory as m
    where (m.user_id, m.memory_id)
        in (select r.user_id, r.memory_id from memos_private.embedding_results(p_results) as r)
    order by m.user_id, m.memory_id
    for key share;
    with results as (
        select r.user_id, r.memory_id, r.version, m.model_id, r.passage, v.embedding
        from memos_private.embedding_results(p_results) as r
        join unnest(p_embeddings) with ordinality as v (embedding, ordinal) using (ordinal)
        join memos_private.embedding_model as m on m.name = r.model
    ),
    held as (
        -- Late answers are dropped: the memory changed, or another worker has the claim now.
        select q.user_id, q.memory_id, q.model_id, q.version
        from memos_private.embedding_queue as q
        where q.worker = p_worker
            and (q.user_id, q.memory_id, q.model_id, q.version)
                in (select r.user_id, r.memory_id, r.model_id, r.version from results as r)
        order by q.user_id, q.memory_id, q.model_id
        for update
    ),
    stored as (
        insert into memos_private.embedding as e (user_id, model_id, memory_id, passage, embedding)
        select r.user_id, r.model_id, r.memory_id, r.passage, r.embedding
        from results as r
        join held as h using (user_id, memory_id, model_id, version)
        order by r.user_id, r.model_id, r.memory_id, r.passage
        on conflict (user_id, model_id, memory_id, passage) do update set embedding = excluded.embedding
        returning e.user_id, e.memory_id, e.model_id
    )
    select coalesce(sum(s.vectors), 0), sum(s.queued)
    into v_stored, v_queued
    from (
        select count(*) as vectors, case when m.is_default
                then memos_private.queue_links(n.user_id, array_agg(distinct n.memory_id)) end as queued
        from stored as n
        join memos_private.embedding_model as m using (model_id)
        group by n.user_id, m.is_default
    ) as s;

    delete from memos_private.embedding_queue as q
    using (
        select distinct r.user_id, r.memory_id, m.model_id
        from memos_private.embedding_results(p_results) as r
        join memos_private.embedding_model as m on m.name = r.model
    ) as r
    where q.user_id = r.user_id and q.memory_id = r.memory_id and q.model_id = r.model_id
        and q.worker = p_worker
        and q.passages <= (
            select count(*)
            from memos_private.embedding as e
            where e.user_id = q.user_id and e.model_id = q.model_id and e.memory_id = q.memory_id
        );
    return v_stored;
end
$body$;
comment on function memos_admin.complete_embeddings is
    'Stores what a worker embedded and returns how many vectors were stored: fewer than given when a '
    'memory changed meanwhile or the lease went to another worker. p_results: JSON array of claimed '
    'rows (user_id, memory_id, version, model, passage); p_embeddings: their vectors, in order. All or '
    'none: a vector of a wrong length or of zeros refuses the call. Errors: MO400.';

create or replace function memos_private.embedding_results(p_results jsonb)
returns table (
    ordinal int, user_id uuid, memory_id uuid, version int, model text, passage int, error text
)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    return query
    select e.ordinal::int, r.user_id, r.memory_id, r.version, r.model, r.passage, r.error
    from jsonb_array_elements(p_results) with ordinality as e (object, ordinal)
    cross join lateral jsonb_to_record(e.object) as r (
        user_id uuid, memory_id uuid, version int, model text, passage int, error text
    );
exception when data_exception or invalid_parameter_value then
    perform memos_private.refuse_argument('p_results', sqlerrm, 'a JSON array of claimed rows');
end
$body$;
comment on function memos_private.embedding_results is 'A worker''s JSON as rows. Errors: MO400.';

create or replace function memos_admin.fail_embeddings(p_worker text, p_failures jsonb)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_now constant timestamptz := clock_timestamp();
    v_max_attempts constant int := memos_private.setting('embedding_max_attempts');
    v_count int;
begin
    perform memos_private.require_worker(p_worker);
    if p_failures is null or jsonb_typeof(p_failures) <> 'array' then
        perform memos_private.refuse_argument('p_failures', 'it is no JSON array', 'an array of claimed rows with error');
    end if;
    with failures as (
        select r.user_id, r.memory_id, m.model_id, max(r.error) as error
        from memos_private.embedding_results(p_failures) as r
        join memos_private.embedding_model as m on m.name = r.model
        group by r.user_id, r.memory_id, m.model_id
    ),
    held as (
        select q.user_id, q.memory_id, q.model_id, f.error
        from memos_private.embedding_queue as q
        join failures as f using (user_id, memory_id, model_id)
        where q.worker = p_worker
        order by q.user_id, q.memory_id, q.model_id
        for update of q
    )
    update memos_private.embedding_queue as q
    set worker = null, last_error = left(h.error, 2000),
        failed_at = case when q.attempts >= v_max_attempts then v_now end,
        available_at = v_now + least(interval '1 hour', interval '1 second' * 5 * 2 ^ q.attempts)
    from held as h
    where q.user_id = h.user_id and q.memory_id = h.memory_id and q.model_id = h.model_id;
    get diagnostics v_count = row_count;
    return v_count;
end
$body$;
comment on function memos_admin.fail_embeddings is
    'Gives claimed memories back with what went wrong. They are handed out again after 10 s, 20 s, 40 s '
    '..., at most an hour, and given up after embedding_max_attempts (setting). p_failures: JSON array '
    'of {user_id, memory_id, model, error}. Returns how many were given back. Errors: MO400.';

create or replace function memos_admin.retry_embeddings(p_model text default null)
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_model memos_private.embedding_model;
    v_count int;
begin
    if p_model is not null then
        v_model := memos_private.require_embedding_model(p_model);
    end if;
    update memos_private.embedding_queue as q
    set failed_at = null, attempts = 0, available_at = clock_timestamp(), worker = null
    where (q.failed_at is not null or q.attempts > 0 and q.worker is null)
        and (p_model is null or q.model_id = v_model.model_id);
    get diagnostics v_count = row_count;
    return v_count;
end
$body$;
comment on function memos_admin.retry_embeddings is
    'Makes failed embeddings, and those that wait after a failure, pending again at once (of one model, '
    'or all); returns how many. Errors: MO400.';
