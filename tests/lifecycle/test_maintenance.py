"""All jobs together: at once, and cut off in the middle."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any
from uuid import UUID, uuid4

import psycopg
from memory_support import assert_index_equals_a_recount, at_once, rows, value, vector
from memos_pg.migrate import migrate
from support.postgres import Database, Server

USERS = 6
MEMORIES = 40
MAINTAIN = "call memos_admin.run_maintenance()"
# What the jobs make, without when they made it.
STATE = {
    "tiers": "select user_id, memory_id, version, tier from memos_private.memory",
    "links": "select user_id, from_id, to_id, type, weight, origin from memos_private.memory_link",
    "uses": "select user_id, memory_id, uses, used_at, stability from memos_private.memory_usage",
    "notes": "select user_id, memory_id, keywords, tags, context from memos_private.memory_note",
    "searches": "select user_id, search_id from memos_private.search_record",
    "waiting": """
        select user_id, cardinality(memory_ids) from memos_private.link_queue
        union all select user_id, 1 from memos_private.memory_access
    """,
}


def fill(database: Database) -> list[UUID]:
    """Users for whom every job has something to do."""
    users = [uuid4() for _ in range(USERS)]
    with database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.register_embedding_model", "ext", 2, "external")
    with database.connect("memos_app") as app:
        for user in users:
            batch = [
                {
                    "content": f"memory number {n} is about subject {n % 7} of many",
                    "embedding": [1, n / 10],
                }
                for n in range(MEMORIES)
            ]
            ids = [row[1] for row in rows(app, "memos.add_memories", user, batch)]
            for _ in range(3):
                value(app, "memos.record_access", user, ids[:5])
            rows(app, "memos.search_memories", user, "subject", vector(1, 1), "ext", p_record=True)
    with database.connect() as superuser:
        superuser.execute("update memos_private.search_record set searched_at = '2001-01-01'")
    return users


def state(database: Database) -> dict[str, list[Any]]:
    """What the jobs have made of it."""
    with database.connect() as superuser:
        assert_index_equals_a_recount(superuser)
        return {
            name: sorted(map(repr, superuser.execute(query).fetchall()))
            for name, query in STATE.items()
        }


def maintain(database: Database) -> None:
    with database.connect("memos_admin") as admin:
        admin.execute(MAINTAIN)


def test_maintenances_at_once_come_to_the_same_as_one(database: Database) -> None:
    fill(database)
    crowded = database.server.create_database(database)
    maintain(database)
    expected = state(database)
    assert expected["links"]
    assert expected["waiting"] == expected["searches"] == []
    assert any("'hot'" in row for row in expected["tiers"])

    at_once(4, lambda _: maintain(crowded))
    # What one passed over because another was at it.
    maintain(crowded)
    assert state(crowded) == expected
    maintain(crowded)
    assert state(crowded) == expected
    crowded.drop()


def test_what_a_killed_maintenance_leaves_the_next_one_does(server: Server) -> None:
    database = server.create_database()
    migrate(database.dsn)
    users = fill(database)
    control = server.create_database(database)
    maintain(control)

    def until_it_is_killed() -> None:
        with contextlib.suppress(psycopg.Error):
            maintain(database)

    running = threading.Thread(target=until_it_is_killed)
    running.start()
    deadline = time.monotonic() + 30
    with contextlib.suppress(psycopg.Error):
        while (
            not database.value("select exists (select from memos_private.memory_link)")
            and time.monotonic() < deadline
        ):
            pass
    server.crash()
    running.join(30)
    server.start()
    with database.connect("memos_app") as app:
        for user in users:
            assert len(rows(app, "memos.list_memories", user, p_limit=1000)) == MEMORIES
    maintain(database)
    assert state(database) == state(control)
