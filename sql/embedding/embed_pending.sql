create or replace function memos_private.call_provider(
    p_model memos_private.embedding_model, p_texts text[]
)
returns public.halfvec[]
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_detail text;
    v_hint text;
begin
    case p_model.provider
        when 'hash' then
            return memos_private.hash_embedding(p_texts, p_model.dimensions);
        when 'http' then
            return memos_private.http_embedding(p_texts, p_model.dimensions, p_model.options);
        else
            return null;
    end case;
exception when sqlstate 'MO400' or io_error then
    -- PL/Python puts the name of its exception class before the message.
    get stacked diagnostics v_detail = pg_exception_detail, v_hint = pg_exception_hint;
    raise exception '%', regexp_replace(sqlerrm, '^plpy\.Error: ', '')
        using errcode = sqlstate, detail = v_detail, hint = v_hint;
end
$body$;
comment on function memos_private.call_provider is
    'Vectors from a provider that the database can call (hash, http); null for an external one. '
    'Errors: MO400 for a text or options it cannot take, 58030 when an http provider fails.';

create or replace function memos_admin.embed_texts(p_model text, p_texts text[])
returns public.halfvec[]
language plpgsql
volatile
security definer
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_model memos_private.embedding_model;
    v_embeddings halfvec[];
    v_embedding halfvec;
begin
    if p_texts is null or cardinality(p_texts) = 0 or array_position(p_texts, null) > 0 then
        perform memos_private.refuse_argument('p_texts', 'it is null, empty or has a null', 'an array of texts');
    end if;
    v_model := memos_private.require_embedding_model(p_model);
    v_embeddings := memos_private.call_provider(v_model, p_texts);
    if v_embeddings is null then
        perform memos_private.refuse_argument(
            'p_model', format('the vectors of model "%s" come from outside', v_model.name),
            'run a worker: memos worker --embedder module:callable'
        );
    end if;
    if cardinality(v_embeddings) <> cardinality(p_texts) then
        raise exception 'the provider gave another number of vectors than texts'
            using errcode = 'MO500',
                detail = format('%s for %s', cardinality(v_embeddings), cardinality(p_texts)),
                hint = 'this is a defect of the provider';
    end if;
    foreach v_embedding in array v_embeddings loop
        perform memos_private.require_embedding('p_texts', v_embedding, v_model);
    end loop;
    return v_embeddings;
end
$body$;
comment on function memos_admin.embed_texts is
    'Vectors of texts by a model whose provider the database can call (hash, http). Needs plpython3u. '
    'Errors: MO400, 58030 when an http provider fails.';

create or replace function memos_admin.embed_claimed(
    p_worker text, p_model text, p_results jsonb, p_texts text[]
)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_error text;
    v_detail text;
    v_memories constant bigint := (
        select count(distinct r ->> 'memory_id') from jsonb_array_elements(p_results) as r
    );
begin
    perform memos_admin.complete_embeddings(
        p_worker, p_results, memos_admin.embed_texts(p_model, p_texts)
    );
    return true;
exception when others then
    if sqlstate = 'MO400' and v_memories > 1 then
        -- One text that no vector can be made of must not hold up the others.
        return (
            select bool_and(memos_admin.embed_claimed(p_worker, p_model, m.results, m.texts))
            from (
                select jsonb_agg(r.object order by r.ordinal) as results,
                    array_agg(p_texts[r.ordinal] order by r.ordinal) as texts
                from jsonb_array_elements(p_results) with ordinality as r (object, ordinal)
                group by r.object ->> 'memory_id'
            ) as m
        );
    end if;
    get stacked diagnostics v_error = message_text, v_detail = pg_exception_detail;
    v_error := concat_ws(': ', v_error, nullif(v_detail, ''));
    raise warning 'embedding with model "%" failed', p_model
        using detail = v_error, hint = 'what failed stays pending: see memos_admin.embedding_status()';
    perform memos_admin.fail_embeddings(
        p_worker,
        (
            select jsonb_agg(r || jsonb_build_object('error', v_error))
            from jsonb_array_elements(p_results) as r
        )
    );
    return sqlstate = 'MO400';
end
$body$;
comment on function memos_admin.embed_claimed is
    'Embeds and stores what a worker has claimed of one model, and gives back what fails, with a warning. '
    'False when the provider failed, so that there is no point in going on now.';

-- A procedure that commits can neither be a definer nor pin its search_path in a clause; it pins it
-- itself in each transaction and does nothing but call functions that are definers.
create or replace procedure memos_admin.embed_pending(p_limit int default 1000)
language plpgsql
as $body$
declare
    v_worker constant text := pg_catalog.format(
        'embed_pending %s %s', pg_catalog.pg_backend_pid(), pg_catalog.clock_timestamp()
    );
    v_model record;
    v_left int := p_limit;
    v_memories int;
    v_batch int;
    v_results pg_catalog.jsonb;
    v_texts pg_catalog.text[];
    v_go_on pg_catalog.bool;
begin
    if p_limit is null or p_limit < 1 then
        raise exception 'bad argument: p_limit'
            using errcode = 'MO400', detail = 'it is null or less than 1', hint = 'a whole number from 1';
    end if;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    for v_model in
        select s.model, s.batch from memos_admin.callable_models() as s
    loop
        loop
            exit when v_left <= 0;
            v_batch := least(v_left, v_model.batch);
            select jsonb_agg(to_jsonb(c) - 'content'), array_agg(c.content), count(distinct c.memory_id)
            into v_results, v_texts, v_memories
            from memos_admin.claim_embeddings(v_worker, v_batch, '15 minutes', v_model.model) as c;
            -- The claim is committed before a provider is called: no lock is held while it thinks.
            commit;
            perform set_config('search_path', 'pg_catalog, pg_temp', true);
            exit when v_memories = 0;
            v_left := v_left - v_memories;
            v_go_on := memos_admin.embed_claimed(v_worker, v_model.model, v_results, v_texts);
            commit;
            perform set_config('search_path', 'pg_catalog, pg_temp', true);
            exit when not v_go_on;
        end loop;
    end loop;
end
$body$;
comment on procedure memos_admin.embed_pending is
    'Embeds at most p_limit pending memories with the models whose provider the database can call '
    '(hash, http), committing batch by batch. What a provider fails at stays pending, with a warning.';

create or replace function memos_admin.callable_models()
returns table (model text, batch int)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select m.name, coalesce((m.options ->> 'batch')::int, case m.provider when 'hash' then 500 else 32 end)
    from memos_private.embedding_model as m
    where m.provider in ('hash', 'http') and m.retired_at is null
    order by m.model_id
$body$;
comment on function memos_admin.callable_models is
    'Models that embed_pending can run, and how many memories it claims at a time.';
