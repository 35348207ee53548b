"""Real sessions at once: movers against movers and against everybody else."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from cold_support import assert_nothing_is_kept_aside, assert_tiers_are_consistent, image, move
from memory_support import (
    Connection,
    add,
    assert_every_memory_has_a_vector_or_waits,
    assert_index_equals_a_recount,
    at_once,
    rows,
    value,
    vector,
)
from support.postgres import Database

MOVE = "select memos_private.move_to_tier(%s, %s, %s)"


class Session:
    """A call in a session of its own, given time to reach the lock that it has to wait for."""

    def __init__(self, database: Database, role: str, call: Callable[[Connection], Any]) -> None:
        self.result: Any = None
        self.error: psycopg.Error | None = None
        self._connection = database.connect(role)
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()
        self.waits = False
        pid = self._connection.info.backend_pid
        deadline = time.monotonic() + 10
        while self._thread.is_alive() and not self.waits and time.monotonic() < deadline:
            self.waits = database.value("select cardinality(pg_blocking_pids(%s)) > 0", pid)

    def _run(self, call: Callable[[Connection], Any]) -> None:
        try:
            self.result = call(self._connection)
        except psycopg.Error as error:
            self.error = error

    def end(self) -> Any:
        """What it answered in the end."""
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._connection.close()
        if self.error:
            raise self.error
        return self.result


@pytest.fixture
def mover(module_database: Database) -> Iterator[Connection]:
    """A job that commits when told to."""
    with module_database.connect(autocommit=False) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


@pytest.fixture(scope="module", autouse=True)
def model(module_database: Database) -> None:
    with module_database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.register_embedding_model", "ext", 2, "external")


CHANGES: dict[str, Callable[[Connection, UUID, UUID], Any]] = {
    "add": lambda c, user, memory: add(c, user, "kiwi"),
    "add a batch": lambda c, user, memory: rows(
        c,
        "memos.add_memories",
        user,
        [{"content": t, "embedding": [1, 2]} for t in ("new", "kiwi")],
    )[1][1],
    "update": lambda c, user, memory: value(
        c, "memos.update_memory", user, memory, {"importance": 0.25}
    ),
    "pin": lambda c, user, memory: value(c, "memos.pin_memory", user, memory),
    "delete": lambda c, user, memory: value(c, "memos.delete_memory", user, memory),
    "link": lambda c, user, memory: value(
        c, "memos.link_memories", user, memory, add(c, user, "other")
    ),
    "warm": lambda c, user, memory: value(c, "memos.move_to_tier", user, memory, "hot"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_a_change_waits_for_the_mover_and_finds_the_memory(
    module_database: Database, app: Connection, superuser: Connection, mover: Connection,
    user: UUID, change: str, ends: str,
) -> None:  # fmt: skip
    """In which place it finds it depends on how the move ends, what it does does not."""
    memory = add(app, user, "kiwi", p_embedding=vector(1, 0))
    assert move(mover, user, [memory], "cold") == 1
    session = Session(module_database, "memos_app", lambda c: CHANGES[change](c, user, memory))
    # Content that is there is known without its row.
    assert session.waits or ends == "rollback" or not change.startswith("add")
    getattr(mover, ends)()
    result = session.end()
    if change.startswith("add"):
        assert result == memory
    kept = rows(app, "memos.list_memories", user)
    expected = {"delete": 0, "add a batch": 2, "link": 2}.get(change, 1)
    assert len(kept) == expected
    if change == "delete":
        assert result is True
    else:
        assert memory in {row[0] for row in kept}
    assert_tiers_are_consistent(superuser)
    assert_nothing_is_kept_aside(superuser, user)
    assert_index_equals_a_recount(superuser)


@pytest.mark.parametrize(("change", "moved"), [("update", 1), ("link", 2)])
def test_a_job_passes_over_what_is_being_changed(
    module_database: Database, app: Connection, superuser: Connection, user: UUID, change: str,
    moved: int,
) -> None:  # fmt: skip
    """And over the other end of its link, which would have to wait for it."""
    memory, idle, end = (add(app, user, text) for text in ("kiwi", "mango", "tea"))
    value(app, "memos.link_memories", user, memory, end)
    with module_database.connect("memos_app", autocommit=False) as writer:
        CHANGES[change](writer, user, memory)
        assert move(superuser, user, [memory, idle, end], "cold") == moved
        writer.commit()
    assert rows(app, "memos.get_memory", user, idle)[0][-1] == "cold"
    assert move(superuser, user, [memory, idle, end], "cold") == 3 - moved
    assert_tiers_are_consistent(superuser)


def test_a_caller_waits_for_who_is_changing_it(
    module_database: Database, app: Connection, user: UUID
) -> None:
    memory = add(app, user, "kiwi")
    with module_database.connect("memos_app", autocommit=False) as writer:
        value(writer, "memos.update_memory", user, memory, {"importance": 0.25})
        session = Session(
            module_database, "memos_app",
            lambda c: value(c, "memos.move_to_tier", user, memory, "cold"),
        )  # fmt: skip
        assert session.waits
        writer.commit()
        assert session.end() is True
    (found,) = rows(app, "memos.get_memory", user, memory)
    assert (found[1], found[6], found[-1]) == (2, 0.25, "cold")


def test_both_ends_of_a_link_come_back_at_once(
    module_database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    """Of two that each bring back one end, one has to see that both are there."""
    a, b = add(app, user, "kiwi"), add(app, user, "mango")
    value(app, "memos.link_memories", user, a, b)
    before = image(superuser, user)
    move(superuser, user, [a, b], "cold")
    with module_database.connect(autocommit=False) as first:
        move(first, user, [a], "warm")
        second = Session(module_database, "", lambda c: move(c, user, [b], "warm"))
        assert second.waits
        first.commit()
    assert second.end() == 1
    assert image(superuser, user) == before
    assert_nothing_is_kept_aside(superuser, user)


def test_a_snapshot_from_before_the_move_is_refused_and_not_fooled(
    module_database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, "kiwi")
    with module_database.connect("memos_app", autocommit=False) as late:
        late.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        add(late, user, "something else")
        move(superuser, user, [memory], "cold")
        with pytest.raises(psycopg.errors.SerializationFailure):
            add(late, user, "kiwi")
        late.rollback()
        assert add(late, user, "kiwi") == memory
        late.commit()
    assert_tiers_are_consistent(superuser)


def test_two_movers_do_not_deadlock_or_move_twice(
    module_database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    batch = [{"content": f"memory {n}"} for n in range(60)]
    ids = [row[1] for row in rows(app, "memos.add_memories", user, batch)]
    for n in range(0, 50, 2):
        value(app, "memos.link_memories", user, ids[n], ids[n + 7])
    before = image(superuser, user)
    for tier in ("cold", "warm"):

        def work(number: int, tier: str = tier) -> int:
            order = random.Random(number).sample(ids, len(ids))
            with module_database.connect() as connection:
                return sum(move(connection, user, order[i : i + 6], tier) for i in range(0, 60, 6))

        moved = sum(at_once(4, work))
        # What one passes over because the other has it or its neighbour, a later run takes.
        moved += move(superuser, user, ids, tier)
        assert moved == len(ids)
    assert image(superuser, user) == before
    assert_nothing_is_kept_aside(superuser, user)


def test_everything_at_once_leaves_everything_consistent(database: Database) -> None:
    users = [uuid4() for _ in range(2)]
    texts = [f"kiwi number {n}" for n in range(25)]
    with database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.register_embedding_model", "ext", 2, "external")

    def jobs(connection: Connection, chance: random.Random) -> None:
        user = chance.choice(users)
        found = connection.execute(
            "select memory_id from memos_private.memory_of_any_tier where user_id = %s", (user,)
        ).fetchall()
        some = chance.sample(found, min(len(found), 8))
        move(connection, user, [row[0] for row in some], chance.choice(["cold", "cold", "warm"]))

    def bot(connection: Connection, chance: random.Random) -> None:
        user, roll = chance.choice(users), chance.random()
        mine = [r[0] for r in rows(connection, "memos.list_memories", user, p_include_cold=True)]
        if roll < 0.35 or len(mine) < 2:
            batch = [{"content": t, "embedding": [1, 2]} for t in chance.sample(texts, 5)]
            rows(connection, "memos.add_memories", user, batch)
        elif roll < 0.5:
            change = {"content": chance.choice(texts)}
            value(connection, "memos.update_memory", user, chance.choice(mine), change)
        elif roll < 0.6:
            value(connection, "memos.delete_memory", user, chance.choice(mine))
        elif roll < 0.75:
            value(connection, "memos.link_memories", user, *chance.sample(mine, 2))
        elif roll < 0.85:
            value(connection, "memos.move_to_tier", user, chance.choice(mine), "cold")
        else:
            hits = rows(
                connection, "memos.search_memories", user, "kiwi", p_include_cold=True, p_limit=50
            )
            contents = [hit[3] for hit in hits]
            assert len(contents) == len(set(contents)), (
                "in one snapshot each memory is in one place"
            )

    def work(number: int) -> list[str]:
        chance = random.Random(number)
        surprises = []
        with database.connect("" if number < 2 else "memos_app") as connection:
            for _ in range(40):
                try:
                    (jobs if number < 2 else bot)(connection, chance)
                except psycopg.Error as error:
                    if error.sqlstate not in ("MO404", "MO409"):
                        surprises.append(f"{error.sqlstate} {error}")
        return surprises

    surprises = [s for some in at_once(6, work) for s in some]
    # Updates to each other's contents in opposite order are a ring that the database has to break.
    assert [s for s in surprises if not s.startswith("40P01")] == []
    assert len(surprises) <= 3, surprises
    with database.connect() as superuser:
        assert_tiers_are_consistent(superuser)
        assert_index_equals_a_recount(superuser)
        assert_every_memory_has_a_vector_or_waits(superuser)
        for user in users:
            cold = [
                row[0]
                for row in superuser.execute(
                    "select memory_id from memos_private.cold_place where user_id = %s", (user,)
                )
            ]
            assert move(superuser, user, cold, "warm") == len(cold)
            assert_nothing_is_kept_aside(superuser, user)
        assert_index_equals_a_recount(superuser)
