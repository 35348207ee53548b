-- Identifiers of a person in texts, by what the privacy level of each does not allow.
-- Stable, not immutable: a new version may find more.
create or replace function memos_private.find_identifiers(p_texts text[], p_levels text[])
returns table (ordinal int, type text, first int, last int, evidence text)
language plpython3u
stable
parallel restricted
security invoker
rows 5
set search_path = pg_catalog, pg_temp
as $$
if "plan" not in SD:
    SD["plan"] = plpy.prepare("select memos_private.ensure_python_package()")
plpy.execute(SD["plan"])
from memos_pl import errors, identifiers
return errors.call(plpy, identifiers.find_all, p_texts, p_levels)
$$;

comment on function memos_private.find_identifiers(text[], text[]) is
    'Identifiers in each text (by its place) that its level does not allow, never their values.';

create or replace function memos_private.mask_identifiers(p_texts text[], p_levels text[])
returns text[]
language plpython3u
stable
parallel restricted
security invoker
set search_path = pg_catalog, pg_temp
as $$
if "plan" not in SD:
    SD["plan"] = plpy.prepare("select memos_private.ensure_python_package()")
plpy.execute(SD["plan"])
from memos_pl import errors, identifiers
return errors.call(plpy, identifiers.mask_all, p_texts, p_levels)
$$;

comment on function memos_private.mask_identifiers(text[], text[]) is
    'Each text with the names of classes in place of what its level does not allow.';
