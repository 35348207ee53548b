create or replace function memos_private.refuse_unencrypted(p_user_id uuid)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
begin
    if memos_private.setting('restricted_encryption') = 'required' then
        raise exception 'restricted memories have to be encrypted'
            using errcode = memos_private.audit_failure('MO451'),
                detail = format('user %s has no key', p_user_id),
                hint = 'make one with memos.create_user_key (setting restricted_encryption)';
    end if;
end
$body$;
comment on function memos_private.refuse_unencrypted is
    'Raises MO451 for restricted contents of a user without a key, where the operator wants them encrypted.';

-- The last step on the way in, after everything that looks at the text.
create or replace function memos_private.seal_memories(
    p_user_id uuid, p_memories memos_private.memory_input[]
)
returns memos_private.memory_input[]
language plpgsql
volatile
set search_path = pg_catalog, public, pg_temp
set plan_cache_mode = force_generic_plan
as $body$
declare
    v_key bytea;
    v_with_vector int;
begin
    if not exists (select from unnest(p_memories) as m where m.privacy_level = 'restricted') then
        return p_memories;
    end if;
    perform memos_private.lock_user_key(p_user_id);
    perform from memos_private.user_key as k
    where k.user_id = p_user_id and k.destroyed_at is null
    for key share;
    if not found then
        perform memos_private.refuse_unencrypted(p_user_id);
        return p_memories;
    end if;
    v_key := memos_private.opened_key(p_user_id);
    if v_key is null then
        perform memos_private.refuse_without_key('what is restricted is stored encrypted');
    end if;
    v_with_vector := (
        select min(m.ordinal)
        from unnest(p_memories) as m
        where m.privacy_level = 'restricted' and m.embedding is not null
    );
    if v_with_vector is not null then
        perform memos_private.refuse_argument(
            'p_embedding', format('memory %s of the batch is restricted and encrypted', v_with_vector),
            'leave it out: a vector tells much of its text, and would lie there in clear'
        );
    end if;
    return array(
        select case when m.privacy_level = 'restricted' then row(
                m.ordinal, m.memory_id,
                memos_private.seal(p_user_id, m.memory_id, m.content, m.metadata, v_key),
                memos_private.sealed_hash(m.content, v_key), m.language, m.kind, m.tags, '{}'::jsonb,
                m.importance, m.confidence, m.privacy_level, m.provenance, m.session_id, m.position,
                m.occurred_at, m.valid_from, m.valid_until, m.request_id, null
            )::memos_private.memory_input else m end
        from unnest(p_memories) as m
    );
end
$body$;
comment on function memos_private.seal_memories is
    'Admitted memories as they are stored: what is restricted, encrypted if the user has a key. '
    'Errors: MO400, MO403, MO451.';
