-- Embeddings by feature hashing: local, fast, without a model and without understanding.
-- Not immutable, though it depends on its arguments only: a new version may hash differently.
create or replace function memos_private.hash_embedding(p_texts text[], p_dimensions int)
returns public.halfvec[]
language plpython3u
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
if "plan" not in SD:
    SD["plan"] = plpy.prepare("select memos_private.ensure_python_package()")
plpy.execute(SD["plan"])
from memos_pl import errors, hashing
return errors.call(plpy, hashing.embed_texts, p_texts, p_dimensions)
$$;

comment on function memos_private.hash_embedding(text[], int) is
    'One unit vector a text, near those of texts with the same words or spelling. '
    'A blank text is MO400, never a zero vector.';
