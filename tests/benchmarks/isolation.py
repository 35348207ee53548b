"""What row-level security costs a search, and a signed context a call."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
from psycopg import Connection, sql

from tests.benchmarks.corpus import DIMENSIONS, Workshop, connect
from tests.benchmarks.measure import Ratio, Report, compared, interleaved, p50_ratio, say
from tests.benchmarks.search import LIMIT, asker
from tests.support.postgres import Database

MOST = 1.05
CALLS = 500  # in one statement, so that the way to the server counts for little
MOST_MICROSECONDS = 50


def run(workshop: Workshop) -> list[Report]:
    """The same search in two copies of a database, one of them without row-level security."""
    crowd = workshop.large
    say("copying the database, without row-level security")
    unguarded = workshop.copy_of(crowd.database, "unguarded")
    tables = _disable_row_security(unguarded)
    rows, ratios = [], []
    with connect(crowd.database) as on, connect(unguarded) as off:
        for size in workshop.sizes[-3:]:
            rounds = workshop.rounds(size)
            say(f"searching a user of {size:,} memories in both, {rounds} rounds")
            guarded, bare = (asker(workshop, crowd, connection, size) for connection in (on, off))
            contenders = {
                f"{fusion}, {name}": ask.search(name, fusion)
                for fusion in ("calibrated", "rrf")
                for name, ask in (("off", bare), ("on", guarded))
            }
            seconds = interleaved(contenders, rounds)
            pairs = [(name, name.replace(", on", ", off")) for name in contenders]
            rows += compared(seconds, pairs, **{"user's rows": size})
            value = p50_ratio(seconds, "calibrated, on", "calibrated, off")
            ratios.append(Ratio(f"p50, user of {size:,}, row security on", "off", value, MOST))
    unguarded.drop()
    return [
        _contexts(workshop),
        Report(
            "isolation: row-level security on and off",
            f"{crowd.total:,} rows of {crowd.users} users, {DIMENSIONS:,} dimensions, limit "
            f"{LIMIT}. off: switched off for all {tables} tables, in a copy of the database.",
            rows,
            ratios,
        ),
    ]


def _contexts(workshop: Workshop) -> Report:
    """The same calls by the bot, which names the user, and in sessions bound to her."""
    crowd = workshop.large
    user = crowd.people[workshop.sizes[0]].user_id
    token = crowd.database.token(user)
    say(f"{CALLS} calls in a statement, with and without a signed context")
    with ExitStack() as stack:
        sessions = {
            name: stack.enter_context(connect(crowd.database, role))
            for name, role in (
                ("memos_app, no context", "memos_app"),
                ("memos_app, bound", "memos_app"),
                ("memos_user, bound", "memos_user"),
            )
        }
        free, *bound = sessions
        for name in bound:
            sessions[name].execute("select memos.use_context(%s, false)", (token,))
        contenders = {
            name: partial(_list_often, connection, user) for name, connection in sessions.items()
        }
        seconds = interleaved(contenders, workshop.rounds(1_000))
    added = {name: float(np.median(seconds[name] - seconds[free]) * 1e6 / CALLS) for name in bound}
    return Report(
        "isolation: a signed context",
        f"{CALLS} calls of list_memories for one memory, in one statement.",
        compared(seconds, [(name, free) for name in sessions]),
        [
            Ratio(
                f"microseconds that a context adds to a call, {name}",
                "none",
                value,
                MOST_MICROSECONDS,
            )
            for name, value in added.items()
        ],
    )


def _list_often(connection: Connection[Any], user: UUID, _: int) -> None:
    connection.execute(
        "select count(*) from generate_series(1, %s) as i "
        "cross join lateral memos.list_memories(%s, p_limit => least(i, 1)) as m",
        (CALLS, user),
    )


def _disable_row_security(database: Database) -> int:
    with database.connect() as connection:
        tables = connection.execute(
            "select c.relname from pg_class as c "
            "where c.relnamespace = 'memos_private'::regnamespace and c.relrowsecurity"
        ).fetchall()
        for (table,) in tables:
            connection.execute(
                sql.SQL("alter table {} disable row level security").format(
                    sql.Identifier("memos_private", table)
                )
            )
        connection.execute("vacuum analyze")
    return len(tables)
