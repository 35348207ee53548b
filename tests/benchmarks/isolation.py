"""What row-level security costs a search."""

from __future__ import annotations

from psycopg import sql

from tests.benchmarks.corpus import DIMENSIONS, Workshop, connect
from tests.benchmarks.measure import Report, compared, interleaved, say
from tests.benchmarks.search import LIMIT, searcher
from tests.support.postgres import Database


def run(workshop: Workshop) -> list[Report]:
    """The same search in two copies of a database, one of them without row-level security."""
    rounds = 20 if workshop.quick else 300
    crowd = workshop.large
    say("copying the database, without row-level security")
    unguarded = workshop.server.create_database(crowd.database)
    tables = _disable_row_security(unguarded)
    rows = []
    with connect(crowd.database) as on, connect(unguarded) as off:
        for size in workshop.sizes[1:]:
            say(f"searching a user of {size:,} memories in both, {rounds} rounds")
            person = crowd.people[f"user of {size}"]
            queries = person.queries(100)
            contenders = {
                f"{fusion}, {name}": searcher(connection, person, queries, fusion)
                for fusion in ("calibrated", "rrf")
                for name, connection in (("off", off), ("on", on))
            }
            seconds = interleaved(contenders, rounds)
            pairs = [(name, name.replace(", on", ", off")) for name in contenders]
            rows += compared(seconds, pairs, **{"user's rows": size})
    unguarded.drop()
    return [
        Report(
            "isolation: row-level security on and off",
            f"{crowd.total:,} rows of {len(crowd.people)} users, {DIMENSIONS} dimensions, limit "
            f"{LIMIT}. off: switched off for all {tables} tables, in a copy of the database.",
            rows,
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
