-- An encrypted memory is its row with other contents: content is 'memos:sealed:1:', the number of the
-- user's key, ':' and base64 of content and metadata; metadata is empty; content_hash is keyed, since short
-- texts can be guessed. Whoever copies rows copies no plaintext, and whoever forgets to decrypt shows none.
-- A key is at hand as memos_private.opened_key gives it: its number (4 bytes) and 32 secret bytes.
create or replace function memos_private.is_sealed(p_content text)
returns boolean
language sql
immutable
parallel safe
return starts_with(p_content, 'memos:sealed:');
comment on function memos_private.is_sealed is
    'Whether this is what a text became by encryption: no text that comes in may begin like that.';

create or replace function memos_private.locked_content()
returns text
language sql
immutable
parallel safe
return '[memos: encrypted, the key is not at hand]';
comment on function memos_private.locked_content is
    'What is shown in place of an encrypted content; no content that comes in may say this.';

create or replace function memos_private.seal_context(p_user_id uuid, p_memory_id uuid, p_key_id int)
returns text
language sql
immutable
return 'memory 1 ' || p_user_id || ' ' || p_memory_id || ' ' || p_key_id;
comment on function memos_private.seal_context is
    'Binds a ciphertext to its format, user, memory and key.';

create or replace function memos_private.key_number(p_key bytea)
returns int
language sql
immutable
return ('x' || encode(substr(p_key, 1, 4), 'hex'))::bit(32)::int;
comment on function memos_private.key_number is 'The key_id of an opened key.';

create or replace function memos_private.seal(
    p_user_id uuid, p_memory_id uuid, p_content text, p_metadata jsonb, p_key bytea
)
returns text
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_key_id constant int := memos_private.key_number(p_key);
begin
    return 'memos:sealed:1:' || v_key_id || ':' || translate(encode(
        memos_private.encrypt(
            substr(p_key, 5),
            convert_to(jsonb_build_object('content', p_content, 'metadata', p_metadata)::text, 'UTF8'),
            memos_private.seal_context(p_user_id, p_memory_id, v_key_id)
        ), 'base64'
    ), E'\n', '');
end
$body$;
comment on function memos_private.seal is 'Content and metadata of a memory as one encrypted text.';

create or replace function memos_private.sealed_hash(p_content text, p_key bytea)
returns bytea
language sql
stable
set search_path = pg_catalog, pg_temp
as $body$
    select public.hmac(
        memos_private.content_hash(p_content),
        public.hmac('memos identity'::bytea, substr(p_key, 5), 'sha256'), 'sha256'
    )
$body$;
comment on function memos_private.sealed_hash is
    'The identity of an encrypted memory within its user: tells nothing to who has not the key.';

create or replace function memos_private.unseal(
    p_user_id uuid, p_memory_id uuid, p_content text, p_key bytea, p_required boolean
)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_base64 constant text := substring(p_content from '^memos:sealed:1:[0-9]{1,9}:([A-Za-z0-9+/]+={0,2})$');
    v_key_id int;
    v_destroyed_at timestamptz;
    v_plain bytea;
begin
    if length(v_base64) % 4 = 0 then
        v_key_id := split_part(p_content, ':', 4);
        if v_key_id = memos_private.key_number(p_key) then
            v_plain := memos_private.decrypt(
                substr(p_key, 5), decode(v_base64, 'base64'),
                memos_private.seal_context(p_user_id, p_memory_id, v_key_id)
            );
            if v_plain is not null then
                return convert_from(v_plain, 'UTF8')::jsonb;
            end if;
        else
            select k.destroyed_at into v_destroyed_at
            from memos_private.user_key as k
            where k.user_id = p_user_id and k.key_id = v_key_id
                and (k.destroyed_at is not null or p_key is null);
            if found and not p_required then
                return null;
            elsif found then
                perform memos_private.refuse_without_key(
                    format('memory %s is encrypted', p_memory_id), v_destroyed_at
                );
            end if;
        end if;
    end if;
    raise exception 'an encrypted memory was changed outside of memOS'
        using errcode = memos_private.audit_failure('MO500'),
            detail = format('memory %s of user %s does not pass its authentication', p_memory_id, p_user_id),
            hint = 'restore it from a backup, and find out who wrote to the table';
end
$body$;
comment on function memos_private.unseal is
    'Content and metadata of an encrypted memory. Without its key null, or with p_required MO403. '
    'Errors: MO403, MO500.';

-- Plain SQL, to become part of its caller's plan: rows that are not encrypted cost one comparison, and
-- nobody opens a key (a sub-select, evaluated when first needed) that no row asks for.
create or replace function memos_private.revealed_content(
    p_user_id uuid, p_memory_id uuid, p_content text, p_key bytea, p_required boolean default false
)
returns text
language sql
stable
return case when memos_private.is_sealed(p_content)
    then coalesce(
        memos_private.unseal(p_user_id, p_memory_id, p_content, p_key, p_required) ->> 'content',
        memos_private.locked_content()
    )
    else p_content end;
comment on function memos_private.revealed_content is
    'The content of a memory, decrypted where it has to be; without the key locked_content(), or with '
    'p_required MO403. p_key: (select memos_private.opened_key(p_user_id)).';

create or replace function memos_private.revealed_metadata(
    p_user_id uuid, p_memory_id uuid, p_content text, p_metadata jsonb, p_key bytea
)
returns jsonb
language sql
stable
return case when memos_private.is_sealed(p_content)
    then coalesce(
        memos_private.unseal(p_user_id, p_memory_id, p_content, p_key, false) -> 'metadata', p_metadata
    )
    else p_metadata end;
comment on function memos_private.revealed_metadata is
    'The metadata of a memory, from its encrypted content where that holds it; without the key {}.';

create or replace function memos_private.revealed_memory(p_memory memos_private.memory)
returns memos_private.memory
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_plain jsonb;
begin
    if memos_private.is_sealed(p_memory.content) then
        v_plain := memos_private.unseal(
            p_memory.user_id, p_memory.memory_id, p_memory.content,
            memos_private.opened_key(p_memory.user_id), true
        );
        p_memory.content := v_plain ->> 'content';
        p_memory.metadata := v_plain -> 'metadata';
    end if;
    return p_memory;
end
$body$;
comment on function memos_private.revealed_memory is
    'A row with content and metadata in clear, for who is to change them. Errors: MO403, MO500.';

create or replace function memos.reveal_memory(p_user_id uuid, p_memory_id uuid, p_content text)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set memos.user_id = ''
as $body$
declare
    v_plain jsonb;
begin
    perform memos_private.enter_user_context(p_user_id);
    if p_content is null or not memos_private.is_sealed(p_content) then
        perform memos_private.refuse_argument(
            'p_content', 'it is not encrypted', 'what memos_private.memory holds of an encrypted memory'
        );
    end if;
    v_plain := memos_private.unseal(
        p_user_id, p_memory_id, p_content, memos_private.opened_key(p_user_id), false
    );
    return coalesce(
        v_plain, jsonb_build_object('content', memos_private.locked_content(), 'metadata', '{}'::jsonb)
    );
end
$body$;
comment on function memos.reveal_memory is
    'Content and metadata of an encrypted memory, for the read views; without the key at hand a text that '
    'says so, and {}. Errors: MO001, MO400, MO403, MO500.';
