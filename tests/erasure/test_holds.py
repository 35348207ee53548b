"""Under a legal hold nothing is deleted, dropped or erased; it says so, and life goes on."""

from __future__ import annotations

import threading
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from erasure_support import SECRET, call
from memory_support import Connection, add, failure, rows, value, vector
from psycopg.types.json import Jsonb
from support.postgres import Database


@pytest.fixture
def held(app: Connection, admin: Connection, user: UUID) -> dict[str, Any]:
    memory = add(app, user, SECRET, p_embedding=vector(1, 0))
    fact = rows(app, "memos.assert_fact", user, "Anna", "home", "Bonn", p_valid_from="2020-01-01")
    ((_, waiting),) = rows(app, "memos.quarantine_memories", user, [{"content": "odd"}], "a page")
    hold = value(admin, "memos_admin.place_legal_hold", user, "a lawsuit")
    return {"memory": memory, "fact": fact[0][0], "waiting": waiting, "hold": hold}


def test_deletion_and_erasure_are_refused_until_it_is_released(
    app: Connection, admin: Connection, user: UUID, held: dict[str, Any]
) -> None:
    refused = {
        "memos.delete_memory": (held["memory"],),
        "memos.retract_fact": (held["fact"],),
        "memos.reject_memory": (held["waiting"],),
        "memos.erase_memory": (held["memory"], "x"),
        "memos.erase_user": ("x",),
    }
    for function, arguments in refused.items():
        error = failure(app, function, user, *arguments)
        assert error.sqlstate == "MO451", function
        assert "legal hold" in error.diag.message_primary
        assert "release" in error.diag.message_hint
    value(admin, "memos_admin.release_legal_hold", user, held["hold"], "settled")
    for function, arguments in refused.items():
        assert rows(app, function, user, *arguments), function


def test_what_loses_nothing_goes_on(
    app: Connection, superuser: Connection, user: UUID, held: dict[str, Any]
) -> None:
    rows(app, "memos.update_memory", user, held["memory"], {"content": "said otherwise"})
    history = rows(app, "memos.memory_history", user, held["memory"])
    assert [row[1] for row in history] == [SECRET, "said otherwise"]
    # A correction and a merge take memories away, but not off the record.
    rows(app, "memos.assert_fact", user, "Anna", "home", "Köln", p_valid_from="2020-01-01")
    assert len(rows(app, "memos.fact_history", user, "Anna", "home")) == 2
    ids = [add(app, user, text, p_embedding=vector(1, 0)) for text in ("the tea", "a tea")]
    run = value(app, "memos.merge_memories", user, ids[0], [ids[1]])
    value(app, "memos.undo_consolidation", user, run)
    value(app, "memos.move_to_tier", user, held["memory"], "cold")
    texts = [f"Anna walks by the pond {word}" for word in ("early", "slowly", "gladly", "alone")]
    for text in texts:
        add(app, user, text)
    value(app, "memos.quarantine_memory", user, ids[0], "doubtful")


def test_maintenance_takes_nothing_away(
    app: Connection, admin: Connection, superuser: Connection, user: UUID, held: dict[str, Any]
) -> None:
    free = uuid4()
    pads = {}
    for owner in (user, free):
        memory = add(app, owner, "old enough")
        pad = pads[owner] = value(app, "memos.open_scratchpad", owner, "a goal")
        rows(app, "memos.write_public", owner, pad, "a", "k", Jsonb(1))
        value(app, "memos.add_note", owner, pad, "a", "a note")
        rows(app, "memos.close_scratchpad", owner, pad, False)
        rows(app, "memos.update_settings", owner, {"retention_days": 1})
        superuser.execute(
            "update memos_private.scratchpad set opened_at = '2020-01-01', closed_at = '2020-01-02'"
            " where user_id = %s", (owner,),
        )  # fmt: skip
        superuser.execute(
            "update memos_private.scratchpad_public_value set expires_at = '2020-01-02'"
            " where user_id = %s", (owner,),
        )  # fmt: skip
        assert memory
    admin.execute("call memos_admin.run_maintenance()")
    left = {
        owner: [
            call(superuser, f"select count(*) from memos_private.{t} where user_id = %s", owner)
            for t in ("scratchpad", "scratchpad_entry", "scratchpad_public_value")
        ]
        for owner in pads
    }
    assert left == {user: [1, 1, 1], free: [0, 0, 0]}


def test_a_hold_waits_for_what_is_being_deleted_and_then_holds(
    module_database: Database, app: Connection, admin: Connection, user: UUID
) -> None:
    """No deletion commits after the hold was placed."""
    memory, other = add(app, user, SECRET), add(app, user, "another")
    placed = threading.Event()
    with module_database.connect("memos_app", autocommit=False) as deleting:
        rows(deleting, "memos.delete_memory", user, memory)

        def place() -> None:
            value(admin, "memos_admin.place_legal_hold", user, "a lawsuit")
            placed.set()

        thread = threading.Thread(target=place)
        thread.start()
        time.sleep(0.3)
        assert not placed.is_set()
        deleting.commit()
        thread.join(30)
        assert placed.is_set()
        assert failure(deleting, "memos.delete_memory", user, other).sqlstate == "MO451"
