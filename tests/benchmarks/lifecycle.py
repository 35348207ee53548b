"""What a pass of maintenance costs: when everything is new, when nothing is, when a little is."""

from __future__ import annotations

import time

from tests.benchmarks.corpus import BATCH, Workshop, add_memories, analyze, connect
from tests.benchmarks.measure import Ratio, Report, Row, say
from tests.support.postgres import Database

USERS, QUICK_USERS = 500, 10
SIZE = 200
CHANGED = 100  # one user in so many comes back
NEW = 10  # with so many new memories
AT_LEAST = 20
WAITING = """
    select exists (select from memos_private.link_queue)
        or exists (select from memos_private.note_block)
        or exists (select from memos_private.note_queue where available_at < 'infinity')
"""


def run(workshop: Workshop) -> list[Report]:
    """`run_maintenance` of many users until nothing is left: first, again, after a few writes."""
    users = QUICK_USERS if workshop.quick else USERS
    database = workshop.new_database()
    say(f"loading {users * SIZE:,} memories of {users} users")
    people = [workshop.person(database, f"ages {number}", SIZE + NEW) for number in range(users)]
    with connect(database) as connection:
        for number, person in enumerate(people):
            for start in range(0, SIZE, BATCH):
                add_memories(connection, person, slice(start, min(start + BATCH, SIZE)))
            if number == 4:
                analyze(database)
        analyze(database)
    passes = {"everything is new": _pass(database), "nothing has changed": _pass(database)}
    returned = people[::CHANGED]
    with connect(database) as connection:
        for person in returned:
            add_memories(connection, person, slice(SIZE, SIZE + NEW))
    passes[f"{len(returned)} users, {NEW} new memories each"] = _pass(database)
    database.drop()
    first, again, _ = passes.values()
    ratio = Ratio("maintenance, everything new", "nothing changed", first / again, None, AT_LEAST)
    rows: list[Row] = [
        {"what": what, "seconds": seconds, "of the first": seconds / first}
        for what, seconds in passes.items()
    ]
    return [
        Report(
            "lifecycle: a pass of maintenance",
            f"{users * SIZE:,} memories of {users} users with vectors; each pass is "
            "run_maintenance, called until no memory waits to be linked or to get its note.",
            rows,
            [ratio],
        )
    ]


def _pass(database: Database) -> float:
    start = time.perf_counter()
    with database.connect("memos_admin") as connection:
        while True:
            connection.execute("call memos_admin.run_maintenance()")
            if not database.value(WAITING):
                break
    seconds = time.perf_counter() - start
    say(f"maintained in {seconds:.1f} s")
    return seconds
