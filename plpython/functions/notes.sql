-- Notes by statistics and rules: local and the same each time.
create or replace function memos_private.rules_notes(
    p_memories jsonb, p_frequencies jsonb, p_documents int
)
returns jsonb
language plpython3u
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
if "plan" not in SD:
    SD["plan"] = plpy.prepare("select memos_private.ensure_python_package()")
plpy.execute(SD["plan"])
from memos_pl import errors, notes
return errors.call(plpy, notes.extract_notes, p_memories, p_frequencies, p_documents)
$$;
comment on function memos_private.rules_notes(jsonb, jsonb, int) is
    'The notes of memories (objects with content, occurred_at, session_id, provenance), in order. '
    'p_frequencies: in how many of the user''s p_documents memories a word is.';

-- For jobs: these wait for the network while their transaction is open, and hold no lock.
create or replace function memos_private.ask_note(p_memory jsonb, p_options jsonb)
returns jsonb
language plpython3u
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
if "plan" not in SD:
    SD["plan"] = plpy.prepare("select memos_private.ensure_python_package()")
plpy.execute(SD["plan"])
from memos_pl import errors, notes
check = plpy.prepare("select 1").execute  # notices that the statement was cancelled
return errors.call(plpy, notes.ask_note, p_memory, p_options, check)
$$;
comment on function memos_private.ask_note(jsonb, jsonb) is
    'The note of one memory by a language model. Errors: MO400 for the options, 58030 when the '
    'provider fails or its answer is not a note.';

create or replace function memos_private.ask_evolution(
    p_memory jsonb, p_neighbours jsonb, p_options jsonb
)
returns jsonb
language plpython3u
volatile
parallel unsafe
security invoker
set search_path = pg_catalog, pg_temp
as $$
if "plan" not in SD:
    SD["plan"] = plpy.prepare("select memos_private.ensure_python_package()")
plpy.execute(SD["plan"])
from memos_pl import errors, notes
check = plpy.prepare("select 1").execute
return errors.call(plpy, notes.ask_evolution, p_memory, p_neighbours, p_options, check)
$$;
comment on function memos_private.ask_evolution(jsonb, jsonb, jsonb) is
    'What a language model would change about a memory''s neighbours, named by id. Errors: as of '
    'memos_private.ask_note.';

create or replace function memos_private.check_chat_options(p_options jsonb)
returns void
language plpython3u
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
import json
if "plan" not in SD:
    SD["plan"] = plpy.prepare("select memos_private.ensure_python_package()")
plpy.execute(SD["plan"])
from memos_pl import chat, errors
errors.call(plpy, chat.provider, json.loads(p_options))
$$;
comment on function memos_private.check_chat_options(jsonb) is
    'Raises MO400 for options that no text provider can be called with.';
