-- Reads the command itself: nobody who calls it says what is run.
create or replace function memos_private.run_key_command(p_user_id uuid)
returns bytea
language plpython3u
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
if "plan" not in SD:
    SD["plan"] = plpy.prepare("select memos_private.ensure_python_package()")
    SD["command"] = plpy.prepare("select argv, timeout_seconds from memos_private.key_command")
plpy.execute(SD["plan"])
from memos_pl import errors, keys
command = plpy.execute(SD["command"])[0]
return errors.call(plpy, keys.run_command, command["argv"], command["timeout_seconds"], p_user_id)
$$;

comment on function memos_private.run_key_command(uuid) is
    'The 32 bytes that the key command prints for a user; null when it prints nothing. Errors: MO500.';
