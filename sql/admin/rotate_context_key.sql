create or replace function memos_admin.rotate_context_key(p_grace interval default '30 days')
returns int
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_key_id int;
begin
    if p_grace is null or p_grace < interval '0' or p_grace > interval '30 days' then
        perform memos_private.refuse_argument(
            'p_grace', memos_private.it_is(p_grace),
            'from 0 to 30 days, which is as long as a context can live'
        );
    end if;
    perform memos_private.audit(null, 'memos_admin.rotate_context_key');
    -- One rotation at a time: each gets a key of its own, and every key but the newest retires.
    lock table memos_private.context_key in exclusive mode;
    delete from memos_private.context_key where retires_at <= clock_timestamp();
    update memos_private.context_key
    set retires_at = least(retires_at, clock_timestamp() + p_grace);
    insert into memos_private.context_key (key_id)
    select max(k.key_id) + 1 from memos_private.context_key as k
    returning key_id into v_key_id;
    return v_key_id;
end
$body$;
comment on function memos_admin.rotate_context_key is
    'A new key signs contexts from now on; contexts of the keys before it are good for p_grace more. '
    'Returns the new key''s id. Errors: MO400.';

create or replace function memos_admin.retire_context_key(p_key_id int)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    if p_key_id is null then
        perform memos_private.refuse_argument('p_key_id', 'it is null', 'see memos_admin.context_keys()');
    end if;
    perform memos_private.audit(null, 'memos_admin.retire_context_key');
    lock table memos_private.context_key in exclusive mode;
    if p_key_id = (select max(k.key_id) from memos_private.context_key as k) then
        raise exception 'this key signs contexts'
            using errcode = memos_private.audit_failure('MO409'),
                detail = format('key %s is the newest', p_key_id),
                hint = 'call memos_admin.rotate_context_key first';
    end if;
    delete from memos_private.context_key where key_id = p_key_id;
    return found;
end
$body$;
comment on function memos_admin.retire_context_key is
    'Forgets a key at once: its contexts are refused from the next statement on. False when there is no '
    'such key. Errors: MO400, MO409 for the key that signs.';

create or replace function memos_admin.context_keys()
returns table (key_id int, created_at timestamptz, retires_at timestamptz)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
    select k.key_id, k.created_at, k.retires_at
    from memos_private.context_key as k
    where k.retires_at is null or k.retires_at > clock_timestamp()
    order by k.key_id desc
$body$;
comment on function memos_admin.context_keys is
    'The keys whose contexts are good, the one that signs first, and until when. Never a secret.';
