"""Real sessions at once."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import (
    Connection,
    add,
    assert_index_equals_a_recount,
    at_once,
    rows,
    value,
    vector,
    vectors,
)
from support.postgres import Database

SESSIONS = 8


def each(database: Database, work: Callable[[Connection, int], Any]) -> list[Any]:
    """Run in 8 sessions of the bot at once."""

    def session(number: int) -> Any:
        with database.connect("memos_app") as app:
            return work(app, number)

    return at_once(SESSIONS, session)


@pytest.mark.parametrize("turn", range(3))
def test_the_same_content_at_once_is_one_memory(
    module_database: Database, user: UUID, turn: int
) -> None:
    ids = each(module_database, lambda app, _: [add(app, user, f"same {n}") for n in range(10)])
    assert all(answer == ids[0] for answer in ids)
    assert len(set(ids[0])) == 10


@pytest.mark.parametrize("turn", range(3))
def test_the_same_request_id_at_once_is_one_memory_and_one_answer(
    module_database: Database, app: Connection, user: UUID, turn: int
) -> None:
    ids = each(
        module_database,
        lambda session, n: add(session, user, f"different {n}", p_request_id="r"),
    )
    assert len(set(ids)) == 1
    assert [row[0] for row in rows(app, "memos.list_memories", user)] == [ids[0]]


def test_overlapping_batches_in_any_order_do_not_deadlock(
    module_database: Database, app: Connection, user: UUID
) -> None:
    def work(session: Connection, number: int) -> set[UUID]:
        chance = random.Random(number)
        answers: set[UUID] = set()
        for turn in range(6):
            batch = [
                {"content": f"shared {turn} {n}", "request_id": f"{turn} {n}"} for n in range(60)
            ]
            chance.shuffle(batch)
            answers |= {row[1] for row in rows(session, "memos.add_memories", user, batch)}
        return answers

    answers = each(module_database, work)
    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0]) == 6 * 60 == rows(app, "memos.memory_stats", user)[0][0]


def test_concurrent_updates_number_their_versions_without_a_gap(
    module_database: Database, app: Connection, user: UUID
) -> None:
    memory = add(app, user, "start")
    versions = each(
        module_database,
        lambda session, n: [
            value(session, "memos.update_memory", user, memory, {"content": f"by {n}: {turn}"})
            for turn in range(10)
        ],
    )
    assert sorted(v for some in versions for v in some) == list(range(2, 82))
    history = rows(app, "memos.memory_history", user, memory)
    assert [row[0] for row in history] == list(range(1, 82))


def test_of_updates_with_the_same_expected_version_one_wins(
    module_database: Database, app: Connection, user: UUID
) -> None:
    memory = add(app, user, "start")

    def work(session: Connection, number: int) -> int | str | None:
        try:
            change = {"content": f"by {number}"}
            return value(session, "memos.update_memory", user, memory, change, 1)
        except psycopg.Error as error:
            return error.sqlstate

    assert sorted(map(str, each(module_database, work))) == ["2"] + ["MO409"] * 7


def test_postings_and_statistics_stay_exact_under_concurrent_writers_and_folding(
    database: Database,
) -> None:
    users = [uuid4() for _ in range(2)]
    languages = [None, "german", "simple"]
    done = threading.Event()

    def fold() -> int:
        with database.connect("memos_admin") as admin:
            return sum(
                value(admin, "memos_admin.fold_postings", user)
                for _ in iter(done.is_set, True)
                for user in users
            )

    def work(session: Connection, number: int) -> None:
        chance = random.Random(number)
        for _ in range(40):
            user = chance.choice(users)
            text = " ".join(chance.choices(["Haus", "running", "the", "Äpfel", "code7"], k=6))
            roll = chance.random()
            mine = rows(session, "memos.list_memories", user, p_limit=20)
            try:
                if roll < 0.4 or not mine:
                    add(session, user, text, p_language=chance.choice(languages))
                elif roll < 0.6:
                    batch = [{"content": f"{text} {n}"} for n in range(5)]
                    rows(session, "memos.add_memories", user, batch)
                elif roll < 0.85:
                    memory = chance.choice(mine)[0]
                    change = {"content": text, "language": chance.choice(languages) or "english"}
                    value(session, "memos.update_memory", user, memory, change)
                else:
                    value(session, "memos.delete_memory", user, chance.choice(mine)[0])
            except psycopg.Error as error:
                if error.sqlstate not in ("MO404", "MO409"):
                    raise

    with ThreadPoolExecutor(1) as pool:
        folder = pool.submit(fold)
        try:
            each(database, work)
        finally:
            done.set()
        assert folder.result() > 0
    with database.connect() as superuser:
        assert_index_equals_a_recount(superuser)


class Waiting:
    """A call in a session of its own that has to wait for somebody."""

    def __init__(self, database: Database, role: str, call: Callable[[Connection], Any]) -> None:
        self.result: Any = None
        self.error: psycopg.Error | None = None
        self._connection = database.connect(role)
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()
        pid = self._connection.info.backend_pid
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if database.value("select cardinality(pg_blocking_pids(%s)) > 0", pid):
                return
            if not self._thread.is_alive():
                return
            time.sleep(0.01)
        raise TimeoutError("it neither waits nor ends")

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


def test_a_write_is_not_lost_when_its_twin_is_deleted_meanwhile(
    module_database: Database, app: Connection, user: UUID
) -> None:
    texts = sorted(("one", "two"), key=lambda text: hashlib.sha256(text.encode()).digest())
    twin = add(app, user, texts[0])
    with module_database.connect("memos_app", autocommit=False) as other:
        add(other, user, texts[1])
        batch = [{"content": text} for text in texts]
        write = Waiting(
            module_database, "memos_app", lambda c: rows(c, "memos.add_memories", user, batch)
        )
        value(app, "memos.delete_memory", user, twin)
        other.commit()
    try:
        answer = write.end()
    except psycopg.errors.SerializationFailure:
        return  # loud, and right when repeated
    remembered = {row[0] for row in rows(app, "memos.list_memories", user)}
    assert {row[1] for row in answer} == remembered
    assert len(remembered) == 2


def claimed(admin: Connection, worker: str, user: UUID) -> list[dict[str, Any]]:
    return [
        {"user_id": str(r[0]), "memory_id": str(r[1]), "version": r[2], "model": r[3], "passage": 0}
        for r in rows(admin, "memos_admin.claim_embeddings", worker, 10_000)
        if r[0] == user
    ]


@pytest.mark.parametrize("last", ["update", "delete"])
def test_a_worker_that_completes_does_not_deadlock_with_a_writer(
    database: Database, user: UUID, last: str
) -> None:
    with (
        database.connect("memos_admin") as admin,
        database.connect("memos_app", autocommit=False) as writer,
    ):
        rows(admin, "memos_admin.register_embedding_model", "ext", 3, "external")
        memory = add(writer, user, "before")
        writer.commit()
        work = claimed(admin, "w", user)
        value(writer, "memos.update_memory", user, memory, {"importance": 0.9})
        worker = Waiting(
            database, "memos_admin",
            lambda c: value(c, "memos_admin.complete_embeddings", "w", work, vectors((1, 0, 0))),
        )  # fmt: skip
        if last == "update":
            value(writer, "memos.update_memory", user, memory, {"content": "after"})
        else:
            value(writer, "memos.delete_memory", user, memory)
        writer.commit()
        assert worker.end() == 0, "dropped: the content changed"


def test_a_worker_that_completes_does_not_deadlock_with_a_caller_who_brings_the_vector(
    database: Database, user: UUID
) -> None:
    with (
        database.connect("memos_admin") as admin,
        database.connect("memos_app") as app,
        database.connect(autocommit=False) as blocker,
    ):
        rows(admin, "memos_admin.register_embedding_model", "ext", 3, "external")
        first, second = (add(app, user, text) for text in ("one", "two"))
        work = [item for item in claimed(admin, "w", user) if item["memory_id"] == str(first)]
        # Holds the caller between its vectors and the queue, where it would be for a moment only.
        blocker.execute(
            "select from memos_private.memory where memory_id = %s for update", (second,)
        )
        batch = [{"content": "one"}, {"content": "two"}]
        writer = Waiting(
            database, "memos_app",
            lambda c: rows(
                c, "memos.add_memories", user, batch, vectors((1, 0, 0), (0, 1, 0))
            ),
        )  # fmt: skip
        worker = Waiting(
            database, "memos_admin",
            lambda c: value(c, "memos_admin.complete_embeddings", "w", work, vectors((0, 0, 1))),
        )  # fmt: skip
        blocker.commit()
        writer.end()
        worker.end()
        hits = rows(app, "memos.search_memories", user, None, vector(1, 0, 0))
        assert {hit[1] for hit in hits} == {first, second}


def test_registering_a_model_does_not_deadlock_with_a_writer(
    database: Database, user: UUID
) -> None:
    with database.connect("memos_app", autocommit=False) as writer:
        memory = add(writer, user, "before")
        writer.commit()
        value(writer, "memos.update_memory", user, memory, {"importance": 0.9})
        register = ("memos_admin.register_embedding_model", "ext", 3, "external")
        operator = Waiting(database, "memos_admin", lambda c: rows(c, *register))
        value(writer, "memos.update_memory", user, memory, {"content": "after"})
        writer.commit()
        operator.end()
