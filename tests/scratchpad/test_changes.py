"""The change log: numbered as committed, without gaps, nothing turns up behind a listener."""

from __future__ import annotations

import threading
from typing import Any

from memory_support import at_once, value
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
        ("scratchpad", "insert", "open", None),
        ("question", "insert", "unanswered", None),
        ("finding", "insert", "unverified", "a"),
        ("question", "update", "partial", None),
        ("value", "insert", None, "a"),
        ("source", "insert", None, None),
        ("action", "insert", "pending", None),
        ("action", "update", "in_progress", "b"),
        ("scratchpad", "update", "completed", None),
    ]
    assert [c["sequence"] for c in changes] == list(range(1, 10))
    assert "secret" not in str(changes)
    assert pad.rows("scratchpad_changes", 7, 1)[0]["sequence"] == 8
    assert pad.rows("scratchpad_changes", 9) == []
    assert pad.one("get_scratchpad")["sequence"] == 9


def test_what_is_rolled_back_leaves_no_number(pad: Pad) -> None:
    pad.call("add_observation", "kept")
    with pad.connection.transaction(force_rollback=True):
        pad.call("add_observation", "dropped")
    with pad.connection.transaction():
        with pad.connection.transaction(force_rollback=True):
            pad.call("add_observation", "dropped, too")
        pad.call("add_observation", "kept, too")
    assert [c["sequence"] for c in pad.rows("scratchpad_changes")] == [1, 2, 3]


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
        seen = [c["subject_id"] for c in pad.rows("scratchpad_changes")][1:]
        assert seen == [str(second)]
        slow.commit()
    assert [c["subject_id"] for c in pad.rows("scratchpad_changes", 2)] == [str(first)]


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
    assert {c["subject_id"] for c in seen[1:]} == written


def test_changes_are_announced_with_their_number_only(pad: Pad, module_database: Database) -> None:
    with module_database.connect("memos_app") as listener:
        listener.execute("listen memos_scratchpad")
        pad.call("add_observation", "secret")
        with pad.connection.transaction(force_rollback=True):
            pad.call("add_observation", "never")
        pad.call("add_note", "a", "secret")
        heard = [n.payload for n in listener.notifies(timeout=5, stop_after=2)]
    assert heard == [f"{pad.id} 2", f"{pad.id} 3"]


def test_announcements_can_be_switched_off(pad: Pad, database: Database) -> None:
    with database.connect("memos_admin") as admin, database.connect("memos_app") as app:
        value(admin, "memos_admin.set_setting", "scratchpad_notify", "off")
        quiet = Pad.open(app, pad.user)
        app.execute("listen memos_scratchpad")
        quiet.call("add_observation", "x")
        assert list(app.notifies(timeout=0.2)) == []
        assert quiet.rows("scratchpad_changes")[-1]["sequence"] == 2
