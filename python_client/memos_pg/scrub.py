"""Rewrite the files of the database, so that nothing of what was erased is left in them.

Vacuum gives the room of deleted rows free without writing over it; only a rewritten file has
nothing of them. This is no function of the database, because VACUUM runs in no transaction.
"""

from __future__ import annotations

from collections.abc import Callable

import psycopg
from psycopg import sql

_TABLES = """
    select t.name from memos_private.user_tables() as t where t.on_erase <> 'keep' order by t.name
"""


def scrub(dsn: str, log: Callable[[str], None] = lambda line: None) -> list[str]:
    """Rewrite every table with contents of users, and what the planner knows about them; returns
    their names. Each is locked while it is rewritten, and needs room for a copy of itself. For a
    superuser, or whoever installed memOS (then without the planner's own table)."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        names = [sql.Identifier("memos_private", name) for (name,) in connection.execute(_TABLES)]
        superuser = "select rolsuper from pg_roles where rolname = current_user"
        if connection.execute(superuser).fetchone() == (True,):
            names.append(sql.Identifier("pg_catalog", "pg_statistic"))
        done = []
        for name in names:
            done.append(name.as_string(connection).replace('"', ""))
            log(f"rewrite {done[-1]}")
            connection.execute(sql.SQL("vacuum (full, analyze) {}").format(name))
    return done
