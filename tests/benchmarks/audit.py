"""What the audit costs the calls that it writes down, and how long it takes to verify."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from psycopg import Connection

from tests.benchmarks.corpus import Workshop, connect
from tests.benchmarks.measure import Ratio, Report, compared, interleaved, p50_ratio, say
from tests.benchmarks.search import LIMIT, asker
from tests.support.postgres import Database

MOST_OF_A_READ = 1.15
SIZE, QUICK_SIZE = 1_000, 100
BATCH = 1_000
ENTRIES, QUICK_ENTRIES = 100_000, 1_000
# The same calls, but for what they write down.
SILENT = """
    create or replace function memos_private.audit_read(
        p_user_id uuid, p_action text, p_object_ids uuid[] default null,
        p_digest_of text default null, p_purpose text default null, p_recipient uuid default null
    )
    returns void language plpgsql volatile set search_path = pg_catalog, pg_temp
    as $body$ begin end $body$;
    create or replace function memos_private.audit(
        p_user_id uuid, p_action text, p_object_ids uuid[] default null,
        p_digest_of text default null, p_purpose text default null
    )
    returns memos_private.audit_place language plpgsql volatile
    set search_path = pg_catalog, pg_temp
    as $body$ begin return null; end $body$;
"""


def run(workshop: Workshop) -> list[Report]:
    """The same calls in two copies of a database, one of them without an audit."""
    size = QUICK_SIZE if workshop.quick else SIZE
    crowd = workshop.crowd([size], 3 * size)
    say("copying the database, without the audit")
    silent = workshop.copy_of(crowd.database, "silent")
    with silent.connect() as connection:
        connection.execute(SILENT)
    rounds = workshop.rounds(size)
    with connect(crowd.database) as on, connect(silent) as off:
        say(f"searching a user of {size:,} memories in both, {rounds} rounds")
        contenders: dict[str, Callable[[int], Any]] = {}
        for name, connection in (("off", off), ("on", on)):
            ask = asker(workshop, crowd, connection, size)
            contenders[f"search, {name}"] = ask.search(name)
            contenders[f"get_memory, {name}"] = _get(connection, ask.person.user_id)
            contenders[f"add_memory, {name}"] = _add(connection, ask.person.user_id)
        seconds = interleaved(contenders, rounds)
        say(f"storing {BATCH:,} memories a call in both")
        batches = {
            f"add_memories of {BATCH:,}, {name}": _add_many(connection)
            for name, connection in (("off", off), ("on", on))
        }
        seconds |= interleaved(batches, 4 if workshop.quick else 20, warm_up=2)
    silent.drop()
    pairs = [(name, name.replace(", on", ", off")) for name in seconds]
    goals = {"search": MOST_OF_A_READ}
    return [
        Report(
            "audit: on and off",
            f"A user of {size:,} memories, limit {LIMIT}. off: a copy of the database in which the "
            "functions that write the audit do nothing.",
            compared(seconds, pairs),
            [
                Ratio(
                    f"p50, {on}", "without an audit", p50_ratio(seconds, on, off), goals.get(on[:6])
                )
                for on, off in pairs
                if on != off
            ],
        ),
        _verification(workshop),
    ]


def _get(connection: Connection[Any], user: UUID) -> Callable[[int], None]:
    [(memory,)] = connection.execute(
        "select memory_id from memos.list_memories(%s, p_limit => 1)", (user,)
    ).fetchall()

    def run(_: int) -> None:
        connection.execute("select * from memos.get_memory(%s, %s)", (user, memory))

    return run


def _add(connection: Connection[Any], user: UUID) -> Callable[[int], None]:
    def run(number: int) -> None:
        connection.execute("select memos.add_memory(%s, %s)", (user, f"the audit's {number}"))

    return run


def _add_many(connection: Connection[Any]) -> Callable[[int], None]:
    def run(number: int) -> None:
        connection.execute(
            "select count(*) from memos.add_memories(memos.user_id('batch ' || %(number)s), ("
            "select jsonb_agg(jsonb_build_object('content', format('%%s of %%s', i, %(number)s)))"
            " from generate_series(1, %(batch)s) as i))",
            {"number": str(number), "batch": BATCH},
        )

    return run


def _verification(workshop: Workshop) -> Report:
    entries = QUICK_ENTRIES if workshop.quick else ENTRIES
    database = workshop.new_database()
    say(f"writing {entries:,} rows of the audit, and verifying them")
    _fill(database, entries)
    with connect(database, "memos_admin") as connection:
        start = time.perf_counter()
        problems = connection.execute("select * from memos_admin.verify_audit()").fetchall()
        seconds = time.perf_counter() - start
    database.drop()
    return Report(
        "audit: verification",
        "memos_admin.verify_audit() over what one process wrote.",
        [
            {
                "entries": entries,
                "seconds": seconds,
                "microseconds an entry": seconds / entries * 1e6,
            }
        ],
        failures=[f"the audit is not intact: {problems[:3]}"] if problems else [],
    )


def _fill(database: Database, entries: int) -> None:
    with connect(database) as connection:
        user = database.user_id("ann")
        connection.execute("select memos.add_memory(%s, 'one')", (user,))
        connection.execute(
            "select count(*) from generate_series(1, %s) as i "
            "cross join lateral memos.list_memories(%s, p_limit => least(i, 1)) as m",
            (entries, user),
        )
    with connect(database, "memos_admin") as connection:
        connection.execute("select memos_admin.move_audited_reads()")
