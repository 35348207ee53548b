-- Writers share this lock and registering a model takes it alone: a memory is written either before
-- the backfill, which then finds it, or after, when the writer knows the model.
create or replace function memos_private.share_embedding_models()
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform pg_advisory_xact_lock_shared(hashtextextended('memos.embedding_model', 0));
    -- A snapshot from before a registration would not see the model; this row makes that a
    -- serialization failure instead of a memory without a vector.
    if current_setting('transaction_isolation') <> 'read committed' then
        perform from memos_private.setting where name = 'embedding_models' for share;
    end if;
end
$body$;
comment on function memos_private.share_embedding_models is
    'Held by writers until they commit, so that no model is registered between their look and their write.';

create or replace function memos_private.require_embedding_model(p_model text)
returns memos_private.embedding_model
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_model memos_private.embedding_model;
begin
    select * into v_model
    from memos_private.embedding_model as m
    where (m.name = p_model or (p_model is null and m.is_default)) and m.retired_at is null;
    if not found then
        perform memos_private.refuse_argument(
            'p_model',
            case when p_model is null then 'it is null and there is no default model'
                else format('there is no model "%s"', left(p_model, 200)) end,
            coalesce(
                'one of: ' || (
                    select string_agg(m.name, ', ' order by m.name) from memos_private.embedding_model as m
                    where m.retired_at is null
                ),
                'register one with memos_admin.register_embedding_model'
            )
        );
    end if;
    return v_model;
end
$body$;
comment on function memos_private.require_embedding_model is
    'The model of that name, the default one for null. Errors: MO400.';

create or replace function memos_private.require_embedding(
    p_argument text, p_embedding public.halfvec, p_model memos_private.embedding_model
)
returns void
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $body$
begin
    if vector_dims(p_embedding) <> p_model.dimensions then
        perform memos_private.refuse_argument(
            p_argument,
            format('it has %s dimensions; model "%s" has %s',
                vector_dims(p_embedding), p_model.name, p_model.dimensions),
            'pass a vector of that model, or name the model it is of'
        );
    end if;
    if l2_norm(p_embedding) = 0 then
        perform memos_private.refuse_argument(
            p_argument, 'every component is zero', 'leave the vector out: the embedding is then pending'
        );
    end if;
end
$body$;
comment on function memos_private.require_embedding is
    'Raises MO400 for a vector of another length than the model''s, or of zeros. (The type itself '
    'refuses NaN and infinity.)';

create or replace function memos_private.require_embeddings(
    p_memories memos_private.memory_input[], p_model text
)
returns smallint
language plpgsql
stable
set search_path = pg_catalog, public, pg_temp
as $body$
declare
    v_model constant memos_private.embedding_model := memos_private.require_embedding_model(p_model);
    v_bad record;
begin
    select m.ordinal, m.embedding into v_bad
    from unnest(p_memories) as m
    where m.embedding is not null
        and (vector_dims(m.embedding) <> v_model.dimensions or l2_norm(m.embedding) = 0)
    order by m.ordinal
    limit 1;
    if found then
        perform memos_private.require_embedding(
            case when cardinality(p_memories) = 1 then 'p_embedding'
                else format('p_embeddings[%s]', v_bad.ordinal) end,
            v_bad.embedding, v_model
        );
    end if;
    return v_model.model_id;
end
$body$;
comment on function memos_private.require_embeddings is
    'Checks the vectors of a batch against their model and returns its id. Errors: MO400.';
