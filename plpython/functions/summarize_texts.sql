-- The most central sentences of some texts, verbatim. Local and the same each time.
create or replace function memos_private.summarize_texts(p_texts jsonb, p_longest int)
returns text
language plpython3u
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
if "plan" not in SD:
    SD["plan"] = plpy.prepare("select memos_private.ensure_python_package()")
plpy.execute(SD["plan"])
from memos_pl import errors, summary
return errors.call(plpy, summary.summarize_json, p_texts, p_longest)
$$;
comment on function memos_private.summarize_texts(jsonb, int) is
    'A summary by extraction of a JSON array of texts, of at most about p_longest characters.';
