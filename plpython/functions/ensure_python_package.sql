-- Imports package memos_pl from the database, once a session and again when it was changed there.
-- Definer on purpose: callers execute the package, only the owner reads the table. Who may write
-- memos_private.python_module can run anything as the server's operating system user.
create or replace function memos_private.ensure_python_package()
returns void
language plpython3u
volatile
parallel restricted
security definer
set search_path = pg_catalog, pg_temp
as $$
import sys

if "plan" not in SD:
    SD["plan"] = plpy.prepare("""
        select string_agg(m.name || ' ' || m.sha256, ',' order by m.name collate "C") as checksum
        from memos_private.python_module as m
    """)
checksum = plpy.execute(SD["plan"])[0]["checksum"]
if getattr(sys.modules.get("memos_pl"), "__checksum__", "") != checksum:
    rows = plpy.execute("select name, source, sha256 from memos_private.python_module")
    sources = {row["name"]: row["source"] for row in rows}
    if "memos_pl.package" not in sources:
        plpy.error(
            "the Python package memos_pl is not in the database",
            detail=f"memos_private.python_module has {len(sources)} rows.",
            hint="Run memos migrate.",
            sqlstate="MO500",
        )
    importer = {"__name__": "memos_pl.package"}
    exec(compile(sources["memos_pl.package"], "<memos_pl.package>", "exec"), importer)
    importer["load"](rows, checksum, plpy.error)
$$;

comment on function memos_private.ensure_python_package() is
    'Makes `import memos_pl` mean the version in memos_private.python_module. '
    'Every PL/Python function of memOS calls it first.';
