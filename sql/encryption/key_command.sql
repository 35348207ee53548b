-- Invoker on purpose: only a superuser may write the table, since the command runs as the account of the
-- server.
create or replace function memos_admin.set_key_command(p_argv text[] default null, p_timeout_seconds int default 5)
returns void
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $body$
begin
    if not (select r.rolsuper from pg_roles as r where r.rolname = current_user) then
        raise exception 'only a superuser sets the key command'
            using errcode = 'MO403', detail = format('role %s', current_user),
                hint = 'it runs as the operating system account of the server';
    end if;
    perform memos_private.audit(null, 'memos_admin.set_key_command');
    if p_argv is null then
        delete from memos_private.key_command;
        return;
    end if;
    if (
        case when array_ndims(p_argv) = 1 then p_argv[1] not like '/%' or array_position(p_argv, null) > 0
            else true end
    ) then
        perform memos_private.refuse_argument(
            'p_argv', left(format('it is %s', p_argv), 200),
            'the absolute path of a program and its first arguments, or null for no command'
        );
    end if;
    if p_timeout_seconds is null or p_timeout_seconds not between 1 and 60 then
        perform memos_private.refuse_argument(
            'p_timeout_seconds', coalesce(format('it is %s', p_timeout_seconds), 'it is null'), '1 to 60'
        );
    end if;
    insert into memos_private.key_command (argv, timeout_seconds)
    values (p_argv, p_timeout_seconds)
    on conflict (only_one) do update
    set argv = excluded.argv, timeout_seconds = excluded.timeout_seconds;
end
$body$;
comment on function memos_admin.set_key_command is
    'The program that tells the key of a user wherever memos.use_key was not called: started by the '
    'server, without a shell, with the user''s id as its last argument; it prints 64 hexadecimal digits, '
    'or nothing when the user has no key there. Any other answer, exit status or p_timeout_seconds is an '
    'error of the call. Null: none. For superusers only. Errors: MO400, MO403.';

create or replace function memos_private.has_key_command()
returns boolean
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $body$
begin
    return exists (select from memos_private.key_command);
end
$body$;
comment on function memos_private.has_key_command is 'Whether there is a key command.';

create or replace function memos_private.commanded_key(p_user_id uuid)
returns bytea
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $body$
declare
    v_given bytea;
    v_key bytea;
begin
    if not memos_private.has_key_command() or not memos_private.has_user_key(p_user_id) then
        return null;
    end if;
    if to_regprocedure('memos_private.run_key_command(uuid)') is null then
        raise exception 'the key command cannot be run'
            using errcode = 'feature_not_supported', detail = 'it needs the language plpython3u',
                hint = 'give the key with memos.use_key, or take the command away';
    end if;
    v_given := memos_private.run_key_command(p_user_id);
    if v_given is null then
        return null;
    end if;
    v_key := memos_private.unwrap(p_user_id, 'what the key command printed', v_given);
    perform memos_private.open_key(p_user_id, v_key, true);
    return v_key;
end
$body$;
comment on function memos_private.commanded_key is
    'The user''s key by the key command, once a transaction; null when there is no command, or it knows no '
    'key. Errors: MO403, MO500.';
