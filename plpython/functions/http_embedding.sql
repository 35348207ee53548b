-- Embeddings from an Ollama or OpenAI-compatible server. For jobs: it waits for the network while
-- its transaction is open. A cancelled statement or statement_timeout ends the wait.
create or replace function memos_private.http_embedding(
    p_texts text[], p_dimensions int, p_options jsonb
)
returns public.halfvec[]
language plpython3u
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
import json
if "plan" not in SD:
    SD["plan"] = plpy.prepare("select memos_private.ensure_python_package()")
plpy.execute(SD["plan"])
from memos_pl import errors, http
options = json.loads(p_options or "null")
check = plpy.prepare("select 1").execute  # notices that the statement was cancelled
return errors.call(plpy, http.embed_texts, p_texts, p_dimensions, options, check)
$$;

comment on function memos_private.http_embedding(text[], int, jsonb) is
    'One vector a text, as the server gave it. A bad argument or option is MO400 (with no texts '
    'only the options are checked), a failure of the server 58030 with a detail and a hint.';
