create or replace function memos_admin.register_embedding_model(
    p_name       text,
    p_dimensions int,
    p_provider   text,
    p_options    jsonb default '{}'
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_known constant text[] := array['window_chars'] || case p_provider
        when 'http' then array['url', 'api', 'model', 'api_key_env', 'timeout_seconds', 'batch']
        else '{}'::text[] end;
    v_model_id smallint;
begin
    if p_name is null or p_name !~ '^\S(.{0,126}\S)?$' then
        perform memos_private.refuse_argument('p_name', 'it is null, blank or too long', '1 to 128 characters');
    end if;
    if p_dimensions is null or p_dimensions not between 1 and 4000 then
        perform memos_private.refuse_argument(
            'p_dimensions', memos_private.it_is(p_dimensions),
            '1 to 4000: a longer halfvec does not fit a page'
        );
    end if;
    if p_provider is null or p_provider not in ('hash', 'http', 'external') then
        perform memos_private.refuse_argument(
            'p_provider', memos_private.it_is(p_provider),
            'hash, http or external'
        );
    end if;
    if p_options is null or jsonb_typeof(p_options) <> 'object' or p_options - v_known <> '{}' then
        perform memos_private.refuse_argument(
            'p_options', memos_private.it_is(p_options),
            format('a JSON object with any of the keys %s', array_to_string(v_known, ', '))
        );
    end if;
    if p_options ? 'window_chars' and not coalesce(
        jsonb_typeof(p_options -> 'window_chars') = 'number'
        and (p_options ->> 'window_chars') ~ '^\d{1,7}$'
        and (p_options ->> 'window_chars')::int >= 16, false
    ) then
        perform memos_private.refuse_argument(
            'p_options', format('window_chars is %s', p_options -> 'window_chars'),
            'a whole number from 16 to 9999999'
        );
    end if;
    perform memos_private.audit(null, 'memos_admin.register_embedding_model');
    if p_provider in ('hash', 'http')
        and to_regprocedure(format('memos_private.%s_embedding', p_provider)::text || case p_provider
            when 'hash' then '(text[], integer)' else '(text[], integer, jsonb)' end) is null
    then
        raise exception 'this server cannot call an embedding provider'
            using errcode = 'feature_not_supported',
                detail = format('provider %s needs the language plpython3u', p_provider),
                hint = 'install postgresql-plpython3 and run memos migrate, or register it as external';
    end if;
    if p_provider = 'http' then
        -- No text at all: only checks the options, in the words of the provider.
        perform memos_private.call_provider(
            row(0, p_name, p_dimensions, p_provider, p_options, false, now(), null)::memos_private.embedding_model,
            '{}'
        );
    end if;

    -- Loudly rather than long: a queue of writers behind this lock would be an outage.
    perform set_config('lock_timeout', '5s', true);
    perform pg_advisory_xact_lock(hashtextextended('memos.embedding_model', 0));
    if exists (select from memos_private.embedding_model as m where m.name = p_name) then
        raise exception 'the embedding model is registered already'
            using errcode = memos_private.audit_failure('MO409'), detail = format('model "%s"', p_name),
                hint = 'register a changed model under a new name: vectors of both would not compare';
    end if;
    insert into memos_private.embedding_model (
        model_id, name, dimensions, provider, options, is_default
    )
    -- Never an id again: a dropped model's may still stand in the history of an open transaction.
    select memos_private.setting('embedding_models')::int + 1, p_name, p_dimensions, p_provider, p_options,
        not exists (select from memos_private.embedding_model)
    returning model_id into v_model_id;

    update memos_private.setting set value = v_model_id where name = 'embedding_models';
    insert into memos_private.embedding_queue (
        user_id, memory_id, model_id, version, enqueued_at, available_at
    )
    select m.user_id, m.memory_id, v_model_id, m.version, now(), now()
    from memos_private.memory as m
    where not memos_private.is_sealed(m.content);
end
$body$;
comment on function memos_admin.register_embedding_model is
    'Registers a model and marks every memory (that is not encrypted) as pending for it; the first model becomes the default. '
    'p_dimensions: 1 to 4000. p_provider: hash (feature hashing in the database), http (Ollama or '
    'OpenAI-compatible, called by embed_pending), external (vectors come from callers and workers). '
    'p_options: window_chars (longer content is embedded as several passages); for http also url, api '
    '(ollama, openai), model, api_key_env (name of an environment variable of the server), '
    'timeout_seconds, batch. Errors: MO400, MO409, 55P03 when writers hold the registry for 5 seconds.';

create or replace function memos_admin.set_default_embedding_model(
    p_name  text,
    p_force boolean default false
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_model memos_private.embedding_model;
    v_missing bigint;
begin
    if p_name is null then
        perform memos_private.refuse_argument('p_name', 'it is null', 'the name of a registered model');
    end if;
    perform memos_private.audit(null, 'memos_admin.set_default_embedding_model');
    v_model := memos_private.require_embedding_model(p_name);
    perform set_config('lock_timeout', '5s', true);
    perform pg_advisory_xact_lock(hashtextextended('memos.embedding_model', 0));
    select count(*) into v_missing
    from memos_private.embedding_queue as q
    where q.model_id = v_model.model_id;
    if v_missing > 0 and not coalesce(p_force, false) then
        raise exception 'the backfill of the embedding model is not complete'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('%s memories have no vector of model "%s"', v_missing, p_name),
                hint = 'run call memos_admin.embed_pending() or a worker first, or pass p_force => true';
    end if;
    update memos_private.embedding_model set is_default = false where is_default;
    update memos_private.embedding_model set is_default = true where model_id = v_model.model_id;
end
$body$;
comment on function memos_admin.set_default_embedding_model is
    'Switches searches and writes to another model, at once for everybody. Refuses (MO409) while '
    'vectors are pending or failed, unless p_force. Errors: MO400, MO409, 55P03.';

create or replace function memos_admin.embedding_status()
returns table (
    model text, provider text, dimensions int, is_default boolean, state text, done bigint,
    pending bigint, failed bigint, oldest_pending timestamptz
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select m.name, m.provider, m.dimensions, m.is_default,
        case when m.retired_at is not null then 'dropping' when q.total > 0 then 'backfilling'
            else 'complete' end,
        (
            select count(distinct (e.user_id, e.memory_id))
            from memos_private.embedding as e
            where e.model_id = m.model_id and not exists (
                select from memos_private.embedding_queue as q
                where q.user_id = e.user_id and q.memory_id = e.memory_id and q.model_id = e.model_id
            )
        ),
        q.pending, q.total - q.pending, q.oldest
    from memos_private.embedding_model as m
    cross join lateral (
        select count(*) as total, count(*) filter (where failed_at is null) as pending,
            min(enqueued_at) filter (where failed_at is null) as oldest
        from memos_private.embedding_queue as q
        where q.model_id = m.model_id
    ) as q
    order by m.model_id
$body$;
comment on function memos_admin.embedding_status is
    'One row a model: memories that have its vector (done), wait for it (pending, the oldest since '
    'oldest_pending) or were given up (failed). state: complete, backfilling or dropping.';
