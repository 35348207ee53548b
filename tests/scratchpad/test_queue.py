"""The action queue: order, leases, parts, attempts; each action once with sixteen workers."""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from memory_support import at_once
from psycopg.types.json import Jsonb
from scratchpad_support import Pad
from support.postgres import Database

SHORT = timedelta(milliseconds=30)


def claim(pad: Pad, agent: str = "a", **named: Any) -> dict[str, Any] | None:
    """The next action, if there is one."""
    found = pad.rows("claim_action", agent, **named)
    return found[0] if found else None


def action(pad: Pad, action_id: UUID) -> dict[str, Any]:
    return next(row for row in pad.rows("list_actions") if row["action_id"] == action_id)


def test_the_most_urgent_is_taken_first_and_of_equals_the_oldest(pad: Pad) -> None:
    for name, priority in (("third", 5), ("first", 0), ("fourth", 5), ("second", 1)):
        pad.call("add_action", "search", name, priority)
    assert [row["description"] for row in pad.rows("list_actions")] == [
        "first", "second", "third", "fourth",
    ]  # fmt: skip
    taken = [claim(pad)["description"] for _ in range(4)]
    assert taken == ["first", "second", "third", "fourth"]
    assert claim(pad) is None


def test_types_and_agents_are_respected(pad: Pad) -> None:
    pad.call("add_action", "verify", "v", 0)
    pad.call("add_action", "search", "s for b", 1, p_for_agent="b")
    pad.call("add_action", "search", "s", 2, {"url": "u"})
    found = claim(pad, p_types=["search"])
    assert (found["description"], found["details"], found["attempt"]) == ("s", {"url": "u"}, 1)
    assert claim(pad, p_types=["search"]) is None
    assert claim(pad, "b", p_types=["search"])["description"] == "s for b"
    assert claim(pad, p_types=[]) is None


def test_an_action_is_finished_once_by_whoever_has_it(pad: Pad) -> None:
    id_ = pad.call("add_action", "search", "x")
    assert pad.fails("complete_action", id_, "a") == "MO409"
    claim(pad)
    assert pad.fails("complete_action", id_, "b") == "MO409"
    assert pad.fails("complete_action", id_, "a", None, 2) == "MO409"
    pad.call("complete_action", id_, "a", Jsonb([1]), 1)
    assert pad.fails("complete_action", id_, "a") == "MO409"
    assert pad.fails("fail_action", id_, "a", "x") == "MO409"
    found = action(pad, id_)
    assert (found["status"], found["result"], found["agent"]) == ("completed", [1], "a")
    assert claim(pad) is None
    assert pad.fails("complete_action", None, "a") == "MO400"
    assert pad.fails("complete_action", pad.id, "a") == "MO404"


def test_the_action_of_a_dead_worker_comes_back(pad: Pad) -> None:
    id_ = pad.call("add_action", "search", "x", p_max_attempts=2)
    first = claim(pad, "dead", p_lease=SHORT)
    assert claim(pad, "heir") is None
    time.sleep(0.05)
    second = claim(pad, "heir", p_lease=SHORT)
    assert (second["action_id"], first["attempt"], second["attempt"]) == (id_, 1, 2)
    # It was only slow. Its lease is over, and somebody else is at it.
    assert pad.fails("complete_action", id_, "dead", None, 1) == "MO409"
    assert pad.fails("extend_action", id_, "dead") == "MO409"
    time.sleep(0.05)
    assert claim(pad, "third") is None
    found = action(pad, id_)
    assert (found["status"], found["attempts"]) == ("failed", 2)
    assert "lease" in found["error"]


def test_a_replacement_of_the_same_name_is_told_apart_by_its_attempt(pad: Pad) -> None:
    id_ = pad.call("add_action", "search", "x")
    claim(pad, p_lease=SHORT)
    time.sleep(0.05)
    claim(pad)
    assert pad.fails("complete_action", id_, "a", None, 1) == "MO409"
    pad.call("complete_action", id_, "a", None, 2)


def test_a_lease_is_extended_by_its_owner(pad: Pad) -> None:
    id_ = pad.call("add_action", "search", "x")
    claim(pad, p_lease=SHORT)
    pad.call("extend_action", id_, "a", timedelta(hours=1))
    time.sleep(0.05)
    assert claim(pad, "b") is None
    pad.call("complete_action", id_, "a")


def test_what_fails_is_tried_again_until_it_has_failed_often_enough(pad: Pad) -> None:
    id_ = pad.call("add_action", "search", "x", p_max_attempts=2)
    claim(pad)
    assert pad.call("fail_action", id_, "a", "timeout") == "pending"
    claim(pad, "b")
    assert pad.call("fail_action", id_, "b", "timeout again") == "failed"
    assert action(pad, id_)["error"] == "timeout again"
    other = pad.call("add_action", "search", "y")
    claim(pad)
    assert pad.call("fail_action", other, "a", "no use", False) == "failed"
    assert claim(pad) is None


def test_an_action_waits_for_its_parts(pad: Pad) -> None:
    whole = pad.call("add_action", "synthesise", "all", 0)
    parts = [pad.call("add_action", "search", f"part {n}", p_parent_id=whole) for n in range(3)]
    assert [a["action_id"] for a in pad.rows("list_actions", p_parent_id=whole)] == parts
    taken = [claim(pad)["action_id"] for _ in range(3)]
    assert taken == parts
    pad.call("complete_action", parts[0], "a")
    pad.call("fail_action", parts[1], "a", "x", False)
    assert claim(pad) is None
    pad.call("complete_action", parts[2], "a")
    assert claim(pad)["action_id"] == whole
    pad.call("add_action", "search", "one more", p_parent_id=whole)
    pad.call("complete_action", whole, "a")
    assert pad.fails("add_action", "search", "late", p_parent_id=whole) == "MO404"


def test_what_is_blocked_or_skipped_is_not_handed_out(pad: Pad) -> None:
    id_ = pad.call("add_action", "search", "x")
    pad.call("set_action_status", id_, "blocked")
    assert claim(pad) is None
    pad.call("set_action_status", id_, "pending")
    pad.call("set_action_status", id_, "skipped")
    assert claim(pad) is None
    for status in ("pending", "blocked"):
        assert pad.fails("set_action_status", id_, status) == "MO409"
    assert pad.fails("set_action_status", id_, "completed") == "MO400"


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_sixteen_workers_lose_nothing_and_do_nothing_twice(
    pad: Pad, module_database: Database, isolation: str
) -> None:
    """Each worker writes, claims, completes, fails and dies a little, as fast as it can."""
    count = 160
    with pad.connection.transaction():
        for number in range(count):
            pad.call("add_action", "search", f"action {number}", number % 5, p_max_attempts=100)
    question = pad.call("ask_question", "everything?")
    before = len(pad.rows("scratchpad_changes"))

    def work(worker: int) -> list[UUID]:
        agent, done, idle = f"worker {worker}", [], 0
        with module_database.connect("memos_app") as connection:
            connection.execute(f"set default_transaction_isolation = '{isolation}'")
            mine = pad.on(connection)
            while idle < 30:
                lease = SHORT if len(done) == 2 else timedelta(minutes=5)
                if (found := _retried(claim, mine, agent, p_lease=lease)) is None:
                    idle += 1
                    time.sleep(0.01)
                    continue
                id_, attempt = found["action_id"], found["attempt"]
                if lease is SHORT:
                    done.append(None)  # type: ignore[arg-type]
                    continue  # never finishes it: somebody else has to
                if found["description"].endswith("7") and attempt == 1:
                    _retried(mine.call, "fail_action", id_, agent, "again", True, attempt)
                    continue
                _retried(mine.call, "add_finding", f"{agent}: {id_}", question, p_agent=agent)
                _retried(mine.call, "complete_action", id_, agent, Jsonb(agent), attempt)
                done.append(id_)
        return [id_ for id_ in done if id_ is not None]

    finished = Counter(id_ for done in at_once(16, work) for id_ in done)
    assert max(finished.values()) == 1
    actions = pad.rows("list_actions", p_limit=1000)
    assert {a["status"] for a in actions} == {"completed"}
    assert set(finished) == {a["action_id"] for a in actions}
    assert len(pad.rows("list_entries", p_kinds=["finding"], p_limit=1000)) == count
    changes: list[Any] = []
    while page := pad.rows("scratchpad_changes", len(changes), 1000):
        changes += page
    assert [c["sequence"] for c in changes] == list(range(1, len(changes) + 1))
    # A claim and an end each, a finding each.
    assert len(changes) >= before + 3 * count


def _retried(call: Any, *arguments: Any, **named: Any) -> Any:
    """As a client in repeatable read has to."""
    import psycopg

    while True:
        try:
            return call(*arguments, **named)
        except psycopg.errors.SerializationFailure:
            continue
