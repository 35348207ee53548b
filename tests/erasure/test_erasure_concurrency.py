"""Erasing beside writers, readers and jobs: nothing slips through, nobody is hurt."""

from __future__ import annotations

import random
import threading
import time
from uuid import UUID

import psycopg
import pytest
from erasure_support import SECRET, TOKEN, call, erase, found, holding
from memory_support import (
    Connection,
    add,
    assert_index_equals_a_recount,
    at_once,
    rows,
    value,
    vector,
)
from support.postgres import Database


def test_a_write_under_way_is_waited_for_and_taken(
    module_database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, SECRET)
    done = []
    with module_database.connect("memos_app", autocommit=False) as writer:
        add(writer, user, SECRET.upper())
        pad = value(writer, "memos.open_scratchpad", user, "a goal")
        value(writer, "memos.add_note", user, pad, "a", SECRET)
        thread = threading.Thread(target=lambda: done.append(erase(app, user, memory)))
        thread.start()
        time.sleep(0.3)
        assert not done
        writer.commit()
        thread.join(30)
    assert done[0][1][0] == 2
    assert holding(superuser, TOKEN, user) == {}


def test_a_write_meanwhile_waits_and_is_refused(
    module_database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, SECRET)
    outcomes = []

    def write() -> None:
        with module_database.connect("memos_app") as connection:
            try:
                outcomes.append(add(connection, user, SECRET.upper()))
            except psycopg.Error as error:
                outcomes.append(error.sqlstate)

    with module_database.connect("memos_app", autocommit=False) as eraser:
        erase(eraser, user, memory)
        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(0.3)
        assert not outcomes
        # Readers wait for nobody.
        assert rows(app, "memos.search_memories", user, TOKEN)[0][1] == memory
        eraser.commit()
        thread.join(30)
    assert outcomes == ["MO451"]
    assert holding(superuser, TOKEN, user) == {}


@pytest.mark.parametrize("whole", [False, True], ids=["memory", "user"])
def test_amid_everything(
    module_database: Database,
    app: Connection,
    admin: Connection,
    superuser: Connection,
    user: UUID,
    whole: bool,
) -> None:
    """Writers, readers and maintenance at once; only the database's own answers to rings and
    refusals may come, and in the end nothing of it is there."""
    ids = [
        add(app, user, f"{SECRET} {n}", p_embedding=vector(1, n / 10), p_session_id="s",
            p_position=n)
        for n in range(12)
    ]  # fmt: skip
    value(app, "memos.link_similar", user)
    pad = value(app, "memos.open_scratchpad", user, "a goal")
    allowed = {"MO404", "MO409", "MO451", "40P01", "40001", "55P03"}
    until = time.monotonic() + 6
    refused: dict[str, int] = {}
    receipts: list[UUID] = []

    def go(number: int) -> None:
        rng = random.Random(number)
        role = "memos_admin" if number == 7 else "memos_app"
        with module_database.connect(role) as connection:
            while time.monotonic() < until:
                memory, n = rng.choice(ids), rng.randrange(12)
                text = f"{SECRET} {n}"
                try:
                    if number == 0 and not whole:
                        receipts.append(erase(connection, user, memory)[0])
                    elif number == 0:
                        time.sleep(0.2)
                        receipts.append(value(connection, "memos.erase_user", user, "gone"))
                    elif number == 1:
                        add(connection, user, text.swapcase(), p_embedding=vector(1, n / 10))
                    elif number == 2:
                        change = rng.choice([{"content": text + "!"}, {"tags": ["x", str(n)]}])
                        rows(connection, "memos.update_memory", user, memory, change)
                    elif number == 3:
                        rows(connection, "memos.search_memories", user, TOKEN)
                        rows(connection, "memos.delete_memory", user, memory)
                    elif number == 4:
                        value(connection, "memos.add_note", user, pad, "a", text)
                        rows(connection, "memos.cache_put", user, "query", text, '{"a": 1}')
                    elif number == 5:
                        rows(connection, "memos.pin_memory", user, memory, rng.random() < 0.5)
                        value(connection, "memos.move_to_tier", user, memory,
                              rng.choice(["hot", "warm", "cold"]))  # fmt: skip
                    elif number == 6:
                        rows(connection, "memos.set_note", user, memory, ["k"], [], text)
                        value(connection, "memos.link_similar", user)
                    else:
                        connection.execute("call memos_admin.run_maintenance()")
                except psycopg.Error as error:
                    if error.sqlstate not in allowed:
                        raise
                    refused[error.sqlstate] = refused.get(error.sqlstate, 0) + 1

    at_once(8, go)
    for memory in ids:
        try:
            receipts.append(erase(app, user, memory)[0])
        except psycopg.Error as error:
            if error.sqlstate != "MO404":
                raise
    assert receipts
    for receipt in receipts:
        assert found(admin, receipt) == [], refused
    if whole:
        value(app, "memos.erase_user", user, "gone")
        assert holding(superuser, TOKEN, user) == {}
    # Deadlocks are for the rare order that nobody planned, not for every second call.
    assert refused.get("40P01", 0) <= 10, refused
    assert_index_equals_a_recount(superuser)
    assert call(superuser, "select count(*) from memos_private.embedding as e"
                " where not exists (select from memos_private.memory as m"
                " where m.user_id = e.user_id and m.memory_id = e.memory_id)") == 0  # fmt: skip
