-- Lines of the audit that outlive a transaction that fails, in a file of this database in the data
-- directory: memos_audit/<oid of the database>.
create or replace function memos_private.spool(p_database text, p_do text, p_argument text default null)
returns text[]
language plpython3u
volatile
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
if "plan" not in SD:
    SD["plan"] = plpy.prepare("select memos_private.ensure_python_package()")
plpy.execute(SD["plan"])
from memos_pl import spool
if p_do == "append":
    return ["done"] if spool.append(p_database, p_argument) else []
if p_do == "take":
    return spool.take(p_database)
if p_do == "read":
    return spool.read(p_database, p_argument)
if p_do == "remove":
    spool.remove(p_database, p_argument)
    return []
return [str(spool.size(p_database))]
$$;

comment on function memos_private.spool(text, text, text) is
    'append a line (nothing: the file is too large), take the file aside (all that are), read one, remove '
    'one, or the size of what waits.';
