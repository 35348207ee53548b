"""The change log: numbered as committed, without gaps, nothing turns up behind a listener."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from memory_support import at_once
from psycopg.types.json import Jsonb
from scratchpad_support import Pad
from support.postgres import Database


def test_every_operation_leaves_a_change_without_content(pad: Pad) -> None:
    question = pad.call("ask_question", "secret question")
    pad.call("add_finding", "secret finding", question, p_agent="a")
    pad.call("write_public", "a", "k", Jsonb("secret value"))
    pad.call("register_reference", "source", "u", "secret")
    pad.call("add_action", "search", "secret action")
    pad.call("claim_action", "b")
    pad.rows("close_scratchpad")
    changes = pad.rows("scratchpad_changes")
    assert [(c["subject"], c["operation"], c["status"], c["agent"]) for c in changes] == [
        ("question", "insert", "unanswered", None),
        ("finding", "insert", "unverified", "a"),
        ("question", "update", "partial", None),
        ("value", "insert", None, "a"),
        ("source", "insert", None, None),
        ("action", "insert", "pending", None),
        ("action", "update", "in_progress", "b"),
        ("scratchpad", "update", "completed", None),
    ]
    assert [c["sequence"] for c in changes] == list(range(1, 9))
    assert "secret" not in str(changes)
    assert pad.rows("scratchpad_changes", 6, 1)[0]["sequence"] == 7
    assert pad.rows("scratchpad_changes", 8) == []
    assert pad.one("get_scratchpad")["sequence"] == 8


def test_what_is_rolled_back_leaves_no_number(pad: Pad) -> None:
    pad.call("add_observation", "kept")
    with pad.connection.transaction(force_rollback=True):
        pad.call("add_observation", "dropped")
    with pad.connection.transaction():
        with pad.connection.transaction(force_rollback=True):
            pad.call("add_observation", "dropped, too")
        pad.call("add_observation", "kept, too")
    assert [c["sequence"] for c in pad.rows("scratchpad_changes")] == [1, 2]


def test_a_long_transaction_keeps_nobody_waiting_and_comes_last(
    pad: Pad, module_database: Database
) -> None:
    with (
        module_database.connect("memos_app", autocommit=False) as slow,
        module_database.connect("memos_app") as fast,
    ):
        fast.execute("set lock_timeout = '2s'")
        first = pad.on(slow).call("add_observation", "begun first")
        second = pad.on(fast).call("add_observation", "begun second")
        seen = [c["subject_id"] for c in pad.rows("scratchpad_changes")]
        assert seen == [str(second)]
        slow.commit()
    assert [c["subject_id"] for c in pad.rows("scratchpad_changes", 1)] == [str(first)]


def test_a_listener_misses_nothing_of_sixteen_writers(pad: Pad, module_database: Database) -> None:
    """It reads on from the last number it saw, while they write, roll back and take their time."""
    seen: list[Any] = []
    over = threading.Event()

    def listen() -> None:
        with module_database.connect("memos_app") as connection:
            mine = pad.on(connection)
            while True:
                last_round = over.is_set()
                seen.extend(mine.rows("scratchpad_changes", len(seen)))
                if last_round:
                    return

    listener = threading.Thread(target=listen)
    listener.start()

    def write(worker: int) -> list[str]:
        written = []
        with module_database.connect("memos_app") as connection:
            mine = pad.on(connection)
            for number in range(15):
                keep = number % 5 != 4
                with connection.transaction(force_rollback=not keep):
                    entry = mine.call("add_observation", f"{worker}/{number}")
                    connection.execute("select pg_sleep(random() * 0.01)")
                if keep:
                    written.append(str(entry))
        return written

    written = {entry for entries in at_once(16, write) for entry in entries}
    over.set()
    listener.join(30)
    assert [c["sequence"] for c in seen] == list(range(1, len(seen) + 1))
    assert {c["subject_id"] for c in seen} == written


def test_what_is_new_is_announced_once_until_it_is_read(
    pad: Pad, module_database: Database
) -> None:
    with module_database.connect("memos_app") as listener:
        listener.execute("listen memos_scratchpad")

        def heard() -> list[str]:
            return [n.payload for n in listener.notifies(timeout=0.2)]

        pad.call("add_observation", "secret")
        pad.call("add_observation", "secret, too")
        assert heard() == [f"{pad.id} 0"]
        assert len(pad.on(listener).rows("scratchpad_changes")) == 2
        with pad.connection.transaction(force_rollback=True):
            pad.call("add_observation", "never")
        assert heard() == []
        with pad.connection.transaction():
            for _ in range(3):
                pad.call("add_note", "a", "secret")
        assert heard() == [f"{pad.id} 2"]
        assert len(pad.on(listener).rows("scratchpad_changes", 2)) == 3


def test_a_listener_that_only_wakes_when_it_is_told_misses_nothing(
    pad: Pad, module_database: Database
) -> None:
    """No polling: were one announcement too few, it would wait for ever."""
    seen: list[Any] = []
    listening = threading.Event()

    def listen() -> None:
        with module_database.connect("memos_app") as connection:
            mine = pad.on(connection)
            connection.execute("listen memos_scratchpad")
            listening.set()
            while len(seen) < 16 * 20:
                if not (new := mine.rows("scratchpad_changes", len(seen))):
                    told = list(connection.notifies(timeout=20, stop_after=1))
                    assert told, f"not told after {len(seen)} changes"
                seen.extend(new)

    def write(worker: int) -> None:
        with module_database.connect("memos_app") as connection:
            mine = pad.on(connection)
            for number in range(20):
                mine.call("add_observation", f"{worker}/{number}")
                time.sleep(random.random() * 0.01)

    with ThreadPoolExecutor(1) as pool:
        listener = pool.submit(listen)
        assert listening.wait(20)
        at_once(16, write)
        listener.result(40)
    assert [c["sequence"] for c in seen] == list(range(1, 16 * 20 + 1))


def test_a_standby_shows_what_was_numbered(pad: Pad) -> None:
    pad.call("add_observation", "numbered")
    pad.rows("scratchpad_changes")
    pad.call("add_observation", "not yet")
    with pad.connection.transaction():
        pad.connection.execute("set transaction read only")
        assert [c["sequence"] for c in pad.rows("scratchpad_changes")] == [1]
    assert [c["sequence"] for c in pad.rows("scratchpad_changes")] == [1, 2]


def test_a_reader_with_an_old_snapshot_has_the_rest_announced(
    pad: Pad, module_database: Database
) -> None:
    with (
        module_database.connect("memos_app") as listener,
        module_database.connect("memos_app") as reader,
    ):
        listener.execute("listen memos_scratchpad")
        pad.call("add_observation", "seen")
        with reader.transaction():
            reader.execute("set transaction isolation level repeatable read")
            pad.on(reader).rows("list_entries")
            pad.call("add_observation", "not seen: later than the snapshot")
            assert len(pad.on(reader).rows("scratchpad_changes")) == 1
        heard = [n.payload for n in listener.notifies(timeout=0.2)]
        assert heard == [f"{pad.id} 0", f"{pad.id} 1"]
        assert len(pad.on(listener).rows("scratchpad_changes", 1)) == 1


def test_a_scratchpad_can_be_removed_by_who_has_just_written_on_it(
    pad: Pad, module_database: Database
) -> None:
    with module_database.connect() as superuser, superuser.transaction():
        superuser.execute("set local role memos_app")
        pad.on(superuser).call("add_observation", "soon gone")
        superuser.execute("reset role")
        superuser.execute(
            "delete from memos_private.scratchpad where scratchpad_id = %s", (pad.id,)
        )
    assert pad.fails("get_scratchpad") == "MO404"
