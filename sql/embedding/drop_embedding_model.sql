-- Small transactions, so that a model with many vectors goes while writers and searches go on. A
-- procedure that commits can neither be a definer nor pin its search_path in a clause.
create or replace procedure memos_admin.drop_embedding_model(p_name text)
language plpgsql
as $body$
declare
    v_model_id pg_catalog.int2;
    v_user_id pg_catalog.uuid := '00000000-0000-0000-0000-000000000000';
begin
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    v_model_id := memos_admin.retire_embedding_model(p_name);
    loop
        commit;
        perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        v_user_id := memos_admin.delete_model_vectors(v_model_id, v_user_id, 100);
        exit when v_user_id is null;
    end loop;
    commit;
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    perform memos_admin.forget_embedding_model(v_model_id);
end
$body$;
comment on procedure memos_admin.drop_embedding_model is
    'Drops a model that is not the default: its vector index, its vectors, those of the past too (a '
    'search of the past by that model finds nothing by meaning from then on), and what is pending, 100 '
    'users a transaction. Stopped half way, it is called again. Not inside a transaction block; then '
    'vacuum memos_private.embedding. Errors: MO400, MO409 for the default model, 55P03.';

create or replace function memos_admin.retire_embedding_model(p_name text)
returns smallint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_model memos_private.embedding_model;
begin
    if p_name is null then
        perform memos_private.refuse_argument('p_name', 'it is null', 'the name of a registered model');
    end if;
    perform memos_private.audit(null, 'memos_admin.retire_embedding_model');
    perform set_config('lock_timeout', '5s', true);
    -- Who writes now may know the model; who writes after this commit does not.
    perform pg_advisory_xact_lock(hashtextextended('memos.embedding_model', 0));
    select * into v_model from memos_private.embedding_model as m where m.name = p_name;
    if not found then
        perform memos_private.require_embedding_model(p_name);
    end if;
    if v_model.is_default then
        raise exception 'the default embedding model cannot be dropped'
            using errcode = memos_private.audit_failure('MO409'), detail = format('model "%s"', p_name),
                hint = 'switch to another one with memos_admin.set_default_embedding_model first';
    end if;
    update memos_private.embedding_model
    set retired_at = coalesce(retired_at, now())
    where model_id = v_model.model_id;
    perform memos_private.drop_vector_index(memos_private.vector_index_name(v_model.model_id));
    return v_model.model_id;
end
$body$;
comment on function memos_admin.retire_embedding_model is
    'First step of drop_embedding_model: from now on nobody finds the model or gives it vectors. Returns '
    'its id. Errors: MO400, MO409, 55P03.';

create or replace function memos_admin.delete_model_vectors(
    p_model_id smallint, p_after uuid, p_users int
)
returns uuid
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_user_ids constant uuid[] := array(
        select distinct c.user_id
        from memos_private.corpus as c
        where c.user_id > p_after
        order by c.user_id
        limit p_users
    );
begin
    perform memos_private.require_retired_model(p_model_id);
    delete from memos_private.embedding_queue as q
    where q.user_id = any (v_user_ids) and q.model_id = p_model_id;
    delete from memos_private.embedding as e
    where e.user_id = any (v_user_ids) and e.model_id = p_model_id;
    delete from memos_private.embedding_history as h
    where h.user_id = any (v_user_ids) and h.model_id = p_model_id;
    delete from memos_private.embedding_cold as c
    where c.user_id = any (v_user_ids) and c.model_id = p_model_id;
    return v_user_ids[cardinality(v_user_ids)];
end
$body$;
comment on function memos_admin.delete_model_vectors is
    'A middle step of drop_embedding_model: the next p_users users after p_after. Returns the last of '
    'them, null when there was none.';

create or replace function memos_admin.forget_embedding_model(p_model_id smallint)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    perform memos_private.require_retired_model(p_model_id);
    perform memos_private.audit(null, 'memos_admin.forget_embedding_model');
    -- What users without statistics have, and what was being written during the steps before.
    delete from memos_private.embedding_queue as q where q.model_id = p_model_id;
    delete from memos_private.embedding as e where e.model_id = p_model_id;
    delete from memos_private.embedding_history as h where h.model_id = p_model_id;
    delete from memos_private.embedding_cold as c where c.model_id = p_model_id;
    delete from memos_private.embedding_model as m where m.model_id = p_model_id;
end
$body$;
comment on function memos_admin.forget_embedding_model is
    'Last step of drop_embedding_model: the rest, and the model itself.';

create or replace function memos_private.require_retired_model(p_model_id smallint)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if not exists (
        select from memos_private.embedding_model as m
        where m.model_id = p_model_id and m.retired_at is not null
    ) then
        perform memos_private.refuse_argument(
            'p_model_id', memos_private.it_is(p_model_id),
            'call memos_admin.drop_embedding_model'
        );
    end if;
end
$body$;
comment on function memos_private.require_retired_model is
    'Raises MO400 for a model that is not being dropped.';
