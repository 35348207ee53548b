"""What a database's schema is, as text and as identities, to compare two states of it."""

from __future__ import annotations

import itertools
import re
import subprocess
from typing import Any

from psycopg import Connection

from .catalog import SCHEMAS
from .postgres import Database

_ENTRY = re.compile(r"^--\n-- Name: .*\n--\n", re.MULTILINE)
_NOISE = re.compile(
    r"^(--.*|\\(un)?restrict .*|SET .*|SELECT pg_catalog\.set_config.*)?\n", re.MULTILINE
)


def dump(database: Database) -> list[str]:
    """The schema as pg_dump writes it, its objects sorted: oids decide their order in a dump."""
    run = subprocess.run(
        [database.server.program("pg_dump"), "--schema-only", "--dbname", database.dsn],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise RuntimeError(f"pg_dump failed: {run.stderr}")
    text = run.stdout
    starts = [match.start() for match in _ENTRY.finditer(text)]
    ends = [*starts, len(text)]
    return sorted(_normalised(text[start:end]) for start, end in itertools.pairwise(ends))


def _normalised(entry: str) -> str:
    title = entry.splitlines()[1]
    body = _NOISE.sub("", entry.split("--\n", 2)[2])
    if "Type: ACL" in title or "Type: DEFAULT ACL" in title:
        # Grants stand in the order in which they were given.
        body = "\n".join(sorted(body.splitlines()))
    return f"{title}\n{body}"


def differences(expected: list[str], found: list[str]) -> str:
    """What only one of two dumps has; empty when they are the same."""
    missing = [f"missing:\n{entry}" for entry in expected if entry not in found]
    extra = [f"unexpected:\n{entry}" for entry in found if entry not in expected]
    if not missing and not extra and expected != found:
        extra = ["an object is there twice"]
    return "\n".join(missing + extra)


def identities(connection: Connection[Any]) -> set[tuple[Any, ...]]:
    """Every catalog row of memOS with the transaction that wrote it, and every row of its books:
    any statement that changes or rewrites one shows."""
    catalogs = {
        "pg_proc": "pronamespace",
        "pg_class": "relnamespace",
        "pg_type": "typnamespace",
        "pg_constraint": "connamespace",
        "pg_ts_config": "cfgnamespace",
    }
    found: set[tuple[Any, ...]] = set()
    for name, namespace in catalogs.items():
        found |= set(
            connection.execute(
                f"""
                select '{name}', oid::text, xmin::text from {name}
                where {namespace}::regnamespace::text = any (%s)
                """,
                (SCHEMAS,),
            )
        )
    for name in ("pg_policy", "pg_trigger", "pg_namespace", "pg_extension", "pg_default_acl"):
        found |= set(connection.execute(f"select '{name}', oid::text, xmin::text from {name}"))
    for name in ("pg_description", "pg_init_privs"):
        found |= set(
            connection.execute(
                f"select %s, concat_ws('/', objoid, classoid, objsubid), xmin::text from {name}",
                (name,),
            )
        )
    for table in (
        "memos_private.repeatable",
        "memos_private.python_module",
        "memos_private.setting",
        "memos_private.context_key",
        "public._yoyo_migration",
        "partman.part_config",
    ):
        found |= set(
            connection.execute(f"select '{table}', md5(t::text), xmin::text from {table} as t")
        )
    return found
