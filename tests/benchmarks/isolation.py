"""What row-level security costs a search."""

from __future__ import annotations

from psycopg import sql

from tests.benchmarks.corpus import DIMENSIONS, Workshop, connect
from tests.benchmarks.measure import Ratio, Report, compared, interleaved, p50_ratio, say
from tests.benchmarks.search import LIMIT, asker
from tests.support.postgres import Database

MOST = 1.05


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
        Report(
            "isolation: row-level security on and off",
            f"{crowd.total:,} rows of {crowd.users} users, {DIMENSIONS:,} dimensions, limit "
            f"{LIMIT}. off: switched off for all {tables} tables, in a copy of the database.",
            rows,
            ratios,
        )
    ]


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
