"""RAISE: observations, reasoning, examples, steps; reading them; quality and its parts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from memory_support import Connection, failure, rows, value
from psycopg.types.json import Jsonb
from scratchpad_support import Pad

NAN, INFINITY = float("nan"), float("inf")


def test_what_is_put_down_is_read_back_newest_first(pad: Pad) -> None:
    seen = pad.call("add_observation", "SRVO-062 on J1", "tool_output", "log", 0.9, {"line": 7})
    thought = pad.call("add_reasoning", "the battery", "abduction", [seen], 0.6, "thinker")
    example = pad.call("add_example", "SRVO-062", "change the battery", "fault code", 0.8)
    step = pad.call(
        "add_step", "read the log", "reader", Jsonb({"file": "log"}), Jsonb(["x"]), True, None,
        timedelta(seconds=2),
    )  # fmt: skip
    note = pad.call("add_note", "reader", "the log is long", "thinker")
    found = pad.rows("list_entries")
    assert [row["entry_id"] for row in found] == [note, step, example, thought, seen]
    note_row, step_row, example_row, thought_row, seen_row = found
    assert (seen_row["type"], seen_row["source"], seen_row["metadata"]) == (
        "tool_output", "log", {"line": 7},
    )  # fmt: skip
    assert (thought_row["basis"], thought_row["agent"]) == ([seen], "thinker")
    assert thought_row["uncertainty"] == "medium_confidence"
    assert (example_row["output"], example_row["type"]) == ("change the battery", "fault code")
    assert (step_row["input"], step_row["output"]) == ({"file": "log"}, ["x"])
    assert (step_row["status"], step_row["duration"]) == ("succeeded", timedelta(seconds=2))
    assert (note_row["for_agent"], note_row["content"]) == ("thinker", "the log is long")


def test_entries_are_read_by_kind_type_status_quality_and_agent(pad: Pad) -> None:
    for quality in (0.2, 0.5, 0.8):
        pad.call("add_observation", f"seen {quality}", p_quality=quality)
    pad.call("add_observation", "said", "user_input")
    pad.call("add_step", "good", "a")
    pad.call("add_step", "bad", "b", p_success=False, p_error="timeout")
    pad.call("add_note", "a", "for all")
    pad.call("add_note", "a", "for b", "b")

    def contents(**named: Any) -> list[str]:
        return [row["content"] for row in pad.rows("list_entries", **named)]

    assert contents(p_kinds=["observation"], p_min_quality=0.5) == ["said", "seen 0.8", "seen 0.5"]
    assert contents(p_max_quality=0.4) == ["seen 0.2"]
    assert contents(p_types=["user_input"]) == ["said"]
    assert contents(p_statuses=["failed"]) == ["bad"]
    assert contents(p_kinds=["step"], p_agent="a") == ["good"]
    assert contents(p_for_agent="b") == ["for b", "for all"]
    assert contents(p_for_agent="c") == ["for all"]
    first, second, *_ = pad.rows("list_entries", p_limit=2)
    rest = pad.rows("list_entries", p_after=second["entry_id"])
    assert len(rest) == 6
    assert first["entry_id"] > second["entry_id"] > rest[0]["entry_id"]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("add_observation", [None]),
        ("add_observation", [" "]),
        ("add_observation", ["x", "rumour"]),
        ("add_observation", ["x", None]),
        ("add_observation", ["x", "document", " "]),
        ("add_observation", ["x", "document", None, 1.5]),
        ("add_observation", ["x", "document", None, NAN]),
        ("add_observation", ["x", "document", None, -INFINITY]),
        ("add_observation", ["x", "document", None, None]),
        ("add_observation", ["x" * (2**20 + 1)]),
        ("add_observation", ["x", "document", None, 0.5, Jsonb([])]),
        ("add_observation", ["x", "document", None, 0.5, Jsonb({"a": "x" * 70000})]),
        ("add_reasoning", ["x", "guess"]),
        ("add_reasoning", ["x", "deduction", [], 2]),
        ("add_reasoning", ["x", "deduction", [], 0.5, " "]),
        ("add_reasoning", ["x", "deduction", [], 0.5, None, "low_confidence"]),
        ("add_reasoning", ["x", "deduction", [None]]),
        ("add_example", ["x", None]),
        ("add_example", ["x", "y", ""]),
        ("add_step", ["x", None]),
        ("add_step", ["x", "a", None, None, None]),
        ("add_step", ["x", "a", None, None, True, "an error"]),
        ("add_step", ["x", "a", None, None, True, None, timedelta(seconds=-1)]),
        ("add_note", [None, "x"]),
        ("add_note", ["a", "x", ""]),
        ("list_entries", [None, None, None, None, None, None, None, None, 0]),
        ("ask_question", [None]),
        ("add_finding", ["x", None, "rumour"]),
        ("add_action", ["Search!", "x"]),
        ("add_action", ["search", "x", -1]),
        ("add_action", ["search", "x", 5, Jsonb({}), None, None, 0]),
        ("claim_action", ["a", None, timedelta(0)]),
        ("write_public", ["a", "k", Jsonb(1), timedelta(0)]),
        ("write_public", ["a", None, Jsonb(1)]),
        ("write_public", ["a", "k", None]),
        ("write_private", [None, "k", Jsonb(1)]),
        ("register_reference", ["rumour", "k"]),
        ("register_reference", ["kv_cache", "k"]),
        ("register_agent", [""]),
        ("find_answers", ["x", NAN]),
        ("agent_context", ["a", 0]),
        ("scratchpad_changes", [None]),
        ("close_scratchpad", [None]),
        ("set_question_status", [None, "conflict"]),
    ],
)
def test_bad_arguments_are_refused_and_nothing_is_written(
    pad: Pad, function: str, arguments: list[Any]
) -> None:
    assert pad.fails(function, *arguments) == "MO400"
    assert pad.rows("list_entries") == []
    assert pad.rows("scratchpad_changes") == []


def test_unknown_and_foreign_ids_are_not_found(pad: Pad, app: Connection) -> None:
    other = Pad.open(app, pad.user)
    entry = other.call("add_observation", "on another scratchpad")
    assert pad.fails("add_reasoning", "x", "deduction", [entry]) == "MO404"
    assert pad.fails("add_finding", "x", entry) == "MO404"
    assert pad.fails("update_entry", entry, {"quality": 1}) == "MO404"
    assert pad.fails("update_entry", None, {"quality": 1}) == "MO400"
    assert pad.fails("use_example", entry) == "MO404"
    stranger = Pad(app, uuid4(), pad.id)
    assert stranger.fails("add_observation", "x") == "MO404"
    assert stranger.fails("list_entries") == "MO404"
    assert stranger.fails("close_scratchpad") == "MO404"
    assert Pad(app, pad.user, None).fails("add_observation", "x") == "MO400"  # type: ignore[arg-type]


def test_a_goal_is_text(app: Connection, user: UUID) -> None:
    for goal in (None, "", " \n"):
        assert failure(app, "memos.open_scratchpad", user, goal).sqlstate == "MO400"
    assert failure(app, "memos.open_scratchpad", user, "g", "").sqlstate == "MO400"


def test_entries_are_judged(pad: Pad) -> None:
    seen = pad.call("add_observation", "x")
    thought = pad.call("add_reasoning", "y", p_confidence=0.9)
    pad.call("update_entry", seen, {"quality": 0.25, "status": "irrelevant"})
    pad.call("update_entry", thought, {"uncertainty": "conflicting_evidence"})
    judged, seen_row = pad.rows("list_entries")
    assert (seen_row["quality"], seen_row["status"]) == (0.25, "irrelevant")
    assert judged["uncertainty"] == "conflicting_evidence"
    for changes in (
        {}, {"content": "z"}, {"quality": 2}, {"quality": "x"}, {"quality": None},
        {"status": "verified"}, {"uncertainty": "unverified"}, {"metadata": 1},
    ):  # fmt: skip
        assert pad.fails("update_entry", seen, Jsonb(changes)) == "MO400", changes
    assert pad.fails("update_entry", seen, None) == "MO400"


def test_examples_come_from_all_scratchpads_of_the_user(
    pad: Pad, app: Connection, user: UUID
) -> None:
    other = Pad.open(app, user)
    pad.call("add_example", "the alarm SRVO-062 on the robot", "change the encoder battery")
    pad.call("add_example", "the alarm of the clock on the wall", "wind it up")
    far = other.call("add_example", "greasing the wrists of robots", "1920 hours", "procedure")

    def find(query: str, **named: Any) -> list[str]:
        return [row[3] for row in rows(app, "memos.find_examples", user, query, **named)]

    assert find("srvo 062 is shown")[0] == "change the encoder battery"
    assert find("the robot greased its wrist")[0] == "1920 hours"
    assert find("robot", p_pattern="procedure") == ["1920 hours"]
    assert find("wrists", p_scratchpad_id=pad.id) == []
    assert find("the on of") == []
    assert find("wrists", p_min_success=0.9) == []
    assert other.call("use_example", far, True) == pytest.approx(0.86)
    assert other.call("use_example", far, False) == pytest.approx(0.602)
    assert other.call("use_example", far) == pytest.approx(0.602)
    assert other.one("list_entries")["uses"] == 3


def quality(pad: Pad) -> dict[str, Any]:
    return pad.one("scratchpad_quality")


def test_quality_weighs_observations_reasoning_and_answered_questions(pad: Pad) -> None:
    assert quality(pad)["quality"] == 0
    for value_ in (0.5, 1.0):
        pad.call("add_observation", "seen", p_quality=value_)
    useless = pad.call("add_observation", "useless", p_quality=0.0)
    pad.call("update_entry", useless, {"status": "irrelevant"})
    pad.call("add_reasoning", "so", p_confidence=0.5)
    found = quality(pad)
    assert found["coverage"] is None
    assert found["quality"] == pytest.approx((0.4 * 0.75 + 0.4 * 0.5) / 0.8)

    questions = [pad.call("ask_question", f"question {n}") for n in range(4)]
    for _ in range(10):
        pad.call("add_finding", "many findings on one question", questions[0], p_confidence=0.9)
    assert quality(pad)["coverage"] == pytest.approx(0.125)
    pad.call("set_question_status", questions[0], "answered")
    pad.call("add_finding", "a part", questions[1])
    found = quality(pad)
    assert found["coverage"] == pytest.approx((1 + 0.5) / 4)
    assert found["quality"] == pytest.approx(0.4 * 0.75 + 0.4 * 0.5 + 0.2 * 0.375)
    assert (found["questions"], found["answered"], found["complete"]) == (4, 1, False)
    assert found["weights"] == {"observations": 0.4, "reasoning": 0.4, "coverage": 0.2}
    missing = [
        u["text"] for u in found["uncertainties"] if u["uncertainty"] == "missing_information"
    ]
    assert missing == ["question 2", "question 3"]
    assert "answer the questions that are open or partial" in found["recommendations"]
    for question in questions:
        pad.call("set_question_status", question, "answered")
    found = quality(pad)
    assert (found["coverage"], found["complete"]) == (1, True)


def test_quality_says_what_is_uncertain(pad: Pad) -> None:
    doubt = pad.call("add_reasoning", "perhaps", p_confidence=0.3)
    pad.call("add_reasoning", "sure", p_confidence=0.9)
    contested = pad.call("add_reasoning", "hm", "hypothesis", [], 0.9, None, "missing_information")
    one, two = (pad.call("add_finding", text, p_confidence=0.9) for text in ("yes", "no"))
    clash = pad.call("add_contradiction", one, two, "yes and no")
    rumour = pad.call("add_finding", "rumour", p_confidence=0.1)
    found = {(u["uncertainty"], UUID(u["id"])) for u in quality(pad)["uncertainties"]}
    assert found == {
        ("low_confidence", doubt), ("missing_information", contested),
        ("conflicting_evidence", clash), ("unverified", rumour),
    }  # fmt: skip
    assert "resolve the open contradictions" in quality(pad)["recommendations"]


def test_weights_are_kept_for_a_user_or_a_project(app: Connection, user: UUID) -> None:
    pads = {name: Pad.open(app, user, p_project=name) for name in (None, "robots", "garden")}
    for pad in pads.values():
        pad.call("add_observation", "x", p_quality=1)
    value(app, "memos.set_scratchpad_weights", user, 0.5, 0.5, 0)
    value(app, "memos.set_scratchpad_weights", user, 1, 0, 0, "robots")
    assert {name: quality(pad)["quality"] for name, pad in pads.items()} == {
        None: 0.5, "robots": 1, "garden": 0.5,
    }  # fmt: skip
    stranger = Pad.open(app, uuid4(), p_project="robots")
    assert quality(stranger)["weights"]["observations"] == 0.4
    for weights in ((0, 0, 0), (2, 0, 0), (NAN, 1, 1), (-1, 1, 1), (None, 1, 1)):
        state = failure(app, "memos.set_scratchpad_weights", user, *weights).sqlstate
        assert state == "MO400", weights
    value(app, "memos.set_scratchpad_weights", user, 0, 0, 1)
    assert quality(pads["garden"])["quality"] == 0


def test_a_closed_scratchpad_is_read_and_no_longer_written(pad: Pad) -> None:
    entry = pad.call("add_observation", "x")
    pad.rows("close_scratchpad")
    assert pad.one("get_scratchpad")["status"] == "completed"
    assert pad.one("list_entries")["entry_id"] == entry
    for function, arguments in {
        "add_observation": ["x"], "add_step": ["x", "a"], "ask_question": ["x"],
        "add_action": ["search", "x"], "claim_action": ["a"], "add_note": ["a", "x"],
        "write_public": ["a", "k", Jsonb(1)], "write_private": ["a", "k", Jsonb(1)],
        "register_reference": ["search", "x"], "register_agent": ["a"],
        "update_entry": [entry, {"quality": 1}],
    }.items():  # fmt: skip
        assert pad.fails(function, *arguments) == "MO409", function


def test_scratchpads_are_listed_newest_first(app: Connection, user: UUID) -> None:
    pads = [Pad.open(app, user, f"goal {n}", p_session_id="s") for n in range(3)]
    pads[1].rows("close_scratchpad", p_reason="enough")

    def goals(**named: Any) -> list[str]:
        marks = "".join(f", {name} => %s" for name in named)
        query = f"select goal from memos.list_scratchpads(%s{marks})"
        return [row[0] for row in app.execute(query, (user, *named.values()))]

    assert goals() == ["goal 2", "goal 1", "goal 0"]
    assert goals(p_statuses=["open"]) == ["goal 2", "goal 0"]
    assert goals(p_after=pads[1].id) == ["goal 0"]
    assert goals(p_limit=1) == ["goal 2"]
    assert pads[1].one("get_scratchpad")["reason"] == "enough"


@pytest.mark.parametrize(
    ("function", "argument", "word"),
    [
        ("list_entries", "p_kinds", "finding"),
        ("list_entries", "p_statuses", "verified"),
        ("list_actions", "p_statuses", "pending"),
        ("list_questions", "p_statuses", "conflict"),
    ],
)
def test_a_filter_that_nothing_can_pass_is_no_empty_answer(
    pad: Pad, function: str, argument: str, word: str
) -> None:
    assert pad.rows(function, **{argument: [word]}) == []
    for wrong in ([word, "closed"], [None]):
        assert pad.fails(function, **{argument: wrong}) == "MO400"
    error = failure(pad.connection, "memos.list_scratchpads", pad.user, ["closed"])
    assert error.sqlstate == "MO400"
    assert "open, completed, abandoned" in error.diag.message_hint
