"""The client's side: agents, values, and the commands."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from memos_pg import BadArgument, MemOS, NotYours, User
from memos_pg.cli import app as command_line
from support.postgres import Database
from typer.testing import CliRunner


@pytest.fixture
def ann(module_database: Database, request: pytest.FixtureRequest) -> Iterator[User]:
    """A user of the test's own."""
    with MemOS(module_database.app_dsn, min_size=1, max_size=4) as memos:
        yield memos.for_user(request.node.name)


def test_one_scratchpad_through_the_client(ann: User) -> None:
    pad = ann.open_scratchpad("goal", project="p", metadata={"a": 1})
    seen = ann.add_observation(pad, "the log says SRVO-062", source="log", quality=0.9)
    question = ann.ask_question(pad, "Which fault?", "a code")
    found = ann.add_finding(pad, "SRVO-062", question, confidence=0.9, evidence=[seen])
    thought = ann.add_reasoning(pad, "so it is the battery", premises=[found], confidence=0.8)
    ann.add_example(pad, "SRVO-062", "change the battery", success=0.9)
    ann.add_step(pad, "read", "a", {"x": [1]}, duration=timedelta(seconds=1))
    ann.set_question_status(pad, question, "answered")
    assert ann.get_scratchpad(pad).metadata == {"a": 1}
    assert ann.list_entries(pad, ["reasoning"])[0].basis == [found]
    assert ann.list_questions(pad)[0].confidence == pytest.approx(0.9)
    assert ann.find_examples("srvo 062")[0].output == "change the battery"
    assert ann.find_answers(pad, "which fault?")[0].finding == "SRVO-062"
    assert ann.scratchpad_quality(pad).coverage == 1
    action = ann.add_action(pad, "search", "x", details={"u": 1})
    taken = ann.claim_action(pad, "a")
    assert (taken.action_id, taken.details) == (action, {"u": 1})
    ann.complete_action(pad, action, "a", {"n": 2}, taken.attempt)
    assert ann.claim_action(pad, "a") is None
    assert ann.list_actions(pad)[0].result == {"n": 2}
    ann.write_public(pad, "a", "k", [1, "two"])
    for write in (ann.write_public, ann.write_private):
        with pytest.raises(BadArgument, match="value"):
            write(pad, "a", "k", None)
    assert ann.read_public(pad, "k") == [1, "two"]
    assert ann.read_public(pad, "other") is None
    assert ann.register_reference(pad, "content", "cafe", "u") is True
    assert ann.scratchpad_changes(pad, 3, 1)[0].sequence == 4
    assert {line.section for line in ann.agent_context(pad, "a")} >= {"goal", "findings"}
    made = {p.entry_id: p.memory_id for p in ann.close_scratchpad(pad)}
    assert ann.get_memory(made[thought]).content == "so it is the battery"
    with pytest.raises(BadArgument):
        ann.add_reasoning(pad, "x", premises="no list")


def test_an_agent_is_bound_in_every_call(ann: User) -> None:
    pad = ann.open_scratchpad("goal")
    token = ann.register_agent(pad, "planner")
    planner = ann.with_agent(token)
    planner.write_private(pad, "planner", "k", {"plan": 1})
    assert planner.read_private(pad, "planner", "k") == {"plan": 1}
    with pytest.raises(NotYours):
        ann.read_private(pad, "planner", "k")
    with pytest.raises(NotYours):
        planner.add_note(pad, "searcher", "x")
    with pytest.raises(BadArgument):
        ann.with_agent(None)  # type: ignore[arg-type]


def test_an_agent_of_a_bound_user(module_database: Database, ann: User) -> None:
    pad = ann.open_scratchpad("goal")
    token = ann.register_agent(pad, "planner")
    context = module_database.token(ann.user_id())
    with MemOS(module_database.user_dsn, min_size=1, max_size=1) as memos:
        own = memos.with_context(context).for_user(ann.user)
        own.with_agent(token).write_private(pad, "planner", "k", 1)
        with pytest.raises(NotYours):
            own.read_private(pad, "planner", "k")
        assert own.with_agent(token).read_private(pad, "planner", "k") == 1


def run(database: Database, *arguments: Any) -> str:
    named = ["--dsn", database.dsn, "scratchpad", *map(str, arguments)]
    result = CliRunner().invoke(command_line, named)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_commands(module_database: Database, ann: User) -> None:
    pad = ann.open_scratchpad("repair [bold]cell[/] 4")
    question = ann.ask_question(pad, "Which fault?")
    ann.add_finding(pad, "SRVO-062 [on] J1", question, confidence=0.9)
    ann.add_action(pad, "search", "the manual")
    ann.write_public(pad, "a", "k", {"v": "[x]"})
    shown = run(module_database, "show", pad, "-u", ann.user)
    for part in (
        "repair [bold]cell[/] 4",
        "Which fault?",
        "SRVO-062 [on] J1",
        "search: the manual",
    ):
        assert part in shown
    data = json.loads(run(module_database, "show", pad, "-u", ann.user, "--json"))
    assert data["questions"][0]["status"] == "partial"
    assert str(pad) in run(module_database, "list", "-u", ann.user)
    assert run(module_database, "list", "-u", "nobody here").strip() == "No scratchpads."
    closed = run(module_database, "close", pad, "-u", ann.user)
    assert "SRVO-062" in closed
    listed = json.loads(run(module_database, "list", "-u", ann.user, "--json"))
    assert [row["status"] for row in listed] == ["completed"]


def test_watching_shows_what_happens_until_it_is_closed(
    module_database: Database, ann: User
) -> None:
    pad = ann.open_scratchpad("goal")

    def work() -> None:
        time.sleep(0.5)
        ann.add_finding(pad, "found while watched", confidence=0.9)
        time.sleep(0.3)
        ann.close_scratchpad(pad)

    worker = threading.Thread(target=work)
    worker.start()
    shown = run(module_database, "watch", pad, "-u", ann.user, "--seconds", 30)
    worker.join()
    assert "found while watched" in shown
    assert "completed" in shown
