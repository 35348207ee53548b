"""The blackboard: questions, findings, contradictions, notes, values, references, context."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import UUID

import pytest
from memory_support import Connection, at_once, failure
from psycopg.types.json import Jsonb
from scratchpad_support import Pad
from support.postgres import Database


def status_of(pad: Pad, question: UUID) -> str:
    return {row["question_id"]: row["status"] for row in pad.rows("list_questions")}[question]


def test_findings_answer_a_question_and_never_demote_it(pad: Pad) -> None:
    question = pad.call("ask_question", "Which fault?", "a code", "planner")
    assert status_of(pad, question) == "unanswered"
    pad.call("set_question_status", question, "searching")
    pad.call("add_finding", "SRVO-062", question, "fact", "log", 0.6, "searcher")
    assert status_of(pad, question) == "partial"
    pad.call("add_finding", "on J1", question, p_confidence=0.9)
    pad.call("add_finding", "some day", question, p_confidence=0.1)
    pad.call("set_question_status", question, "answered")
    pad.call("add_finding", "and on Tuesday too", question, p_confidence=0.2)
    (row,) = pad.rows("list_questions")
    assert (row["status"], row["findings"], row["criteria"]) == ("answered", 4, "a code")
    assert row["confidence"] == pytest.approx(0.9)
    found = pad.rows("list_entries", p_question_id=question)
    assert [r["content"] for r in found][-1] == "SRVO-062"


def test_the_state_of_a_question_is_set_with_its_gaps(pad: Pad) -> None:
    question = pad.call("ask_question", "why?")
    assert pad.fails("update_entry", question, Jsonb({"status": "answered"})) == "MO400"
    pad.call("update_entry", question, Jsonb({"quality": 0.5}))
    assert pad.one("list_questions")["status"] == "unanswered"


def test_an_answer_without_findings_is_as_sure_as_it_is_said_to_be(pad: Pad) -> None:
    one, two = pad.call("ask_question", "one?"), pad.call("ask_question", "two?")
    pad.call("set_question_status", one, "answered")
    pad.call("set_question_status", two, "answered", 0.55)
    confidences = [row["confidence"] for row in pad.rows("list_questions")]
    assert confidences == [pytest.approx(0.8), pytest.approx(0.55)]


def test_the_gaps_of_a_partial_answer_are_queued_once(pad: Pad) -> None:
    question = pad.call("ask_question", "Which parts?")
    pad.call("set_question_status", question, "partial", None, ["the price", "the number"])
    pad.call("set_question_status", question, "partial", None, ["the price"])
    assert pad.rows("list_questions")[0]["gaps"] == ["the price"]
    actions = [(a["type"], a["description"], a["priority"]) for a in pad.rows("list_actions")]
    assert actions == [("fill_gap", "the price", 2), ("fill_gap", "the number", 2)]
    assert pad.fails("set_question_status", question, "answered", None, ["x"]) == "MO400"
    assert pad.fails("set_question_status", question, "partial", None, [" "]) == "MO400"


def test_a_contradiction_is_open_until_it_is_resolved(pad: Pad) -> None:
    question = pad.call("ask_question", "When?")
    one = pad.call("add_finding", "on Monday", question, p_confidence=0.8)
    two = pad.call("add_finding", "on Tuesday", question, p_confidence=0.9)
    pad.call("set_question_status", question, "answered")
    clash = pad.call("add_contradiction", one, two, "two days", "verifier")
    assert pad.call("add_contradiction", two, one, "two days") == clash
    assert status_of(pad, question) == "conflict"
    (action,) = pad.rows("list_actions", p_statuses=["pending"])
    assert (action["type"], action["priority"], action["subject_id"]) == (
        "resolve_contradiction", 1, clash,
    )  # fmt: skip
    assert pad.fails("resolve_contradiction", clash, "x", question) == "MO400"
    pad.call("resolve_contradiction", clash, "the log says so", two, "verifier")
    assert status_of(pad, question) == "answered"
    by_id = {row["entry_id"]: row["status"] for row in pad.rows("list_entries")}
    assert (by_id[one], by_id[two]) == ("retracted", "unverified")
    assert pad.rows("list_actions", p_statuses=["pending"]) == []
    (resolved,) = pad.rows("list_contradictions", p_resolved=True)
    assert (resolved["kept"], resolved["resolution"]) == (two, "the log says so")
    assert pad.rows("list_contradictions", p_resolved=False) == []
    assert pad.fails("resolve_contradiction", clash, "again") == "MO409"
    assert pad.call("add_contradiction", one, two, "no, really") == clash
    assert status_of(pad, question) == "conflict"
    pad.call("resolve_contradiction", clash, "both: two weeks")
    assert status_of(pad, question) == "answered"


def test_what_cannot_contradict_is_refused(pad: Pad) -> None:
    finding = pad.call("add_finding", "x")
    seen = pad.call("add_observation", "y")
    assert pad.fails("add_contradiction", finding, finding, "x") == "MO400"
    assert pad.fails("add_contradiction", finding, seen, "x") == "MO404"
    assert pad.fails("add_contradiction", finding, None, "x") == "MO400"
    refused = failure(
        pad.connection, "memos.add_contradiction", pad.user, pad.id, finding, None, "x"
    )
    assert refused.diag.message_primary == "bad argument: p_finding_2"
    assert pad.fails("resolve_contradiction", finding, "x") == "MO404"


def test_public_values_are_read_until_they_expire(pad: Pad, app: Connection) -> None:
    pad.call("write_public", "a", "plan", Jsonb({"steps": 3}))
    pad.call("write_public", "a", "short", Jsonb("gone soon"), timedelta(milliseconds=50))
    pad.call("write_public", "b", "for ever", Jsonb(None), None)
    assert pad.call("read_public", "plan") == {"steps": 3}
    pad.call("write_public", "b", "plan", Jsonb({"steps": 4}))
    time.sleep(0.1)
    assert pad.call("read_public", "plan") == {"steps": 4}
    assert pad.call("read_public", "short") is None
    assert pad.call("read_public", "never written") is None
    listed = {row["key"]: row["agent"] for row in pad.rows("list_values")}
    assert listed == {"plan": "b", "for ever": "b"}
    assert "short" not in str(pad.rows("agent_context", "c"))
    assert "plan" in str(pad.rows("agent_context", "c"))
    pad.call("write_public", "a", "short", Jsonb("back"))
    assert pad.call("read_public", "short") == "back"


def test_values_of_names_that_nobody_registered_are_apart(pad: Pad) -> None:
    pad.call("write_private", "a", "k", Jsonb("of a"))
    assert pad.call("read_private", "a", "k") == "of a"
    assert pad.call("read_private", "b", "k") is None
    assert pad.fails("read_public", None) == "MO400"
    assert pad.call("read_public", "k") is None


def test_references_are_new_once(pad: Pad, module_database: Database) -> None:
    assert pad.call("register_reference", "search", "Battery of J1?") is True
    assert pad.call("register_reference", "search", "  battery OF j1 ") is False
    assert pad.call("register_reference", "source", "http://a/B") is True
    assert pad.call("register_reference", "source", "http://a/b") is True
    assert pad.call("register_reference", "content", "cafe", "http://a/B") is True
    assert pad.call("register_reference", "content", "cafe", "http://other") is False
    (content,) = pad.rows("list_references", "content", "cafe")
    assert content["value"] == "http://a/B"
    assert pad.call("register_reference", "kv_cache", "cafe", "slot-1") is True
    assert pad.call("register_reference", "kv_cache", "cafe", "slot-2") is False
    assert pad.one("list_references", "kv_cache")["value"] == "slot-2"
    pad.call("register_reference", "artifact", "out.csv", "table", "a", {"from": ["cafe"]})
    assert pad.one("list_references", "artifact")["metadata"] == {"from": ["cafe"]}
    assert pad.rows("list_references", "search", "something else") == []
    assert len(pad.rows("list_references", "search", "BATTERY of J1")) == 1

    def register(_: int) -> bool:
        with module_database.connect("memos_app") as connection:
            return pad.on(connection).call("register_reference", "search", "one of sixteen")

    assert sorted(at_once(16, register)) == [False] * 15 + [True]


def test_has_this_been_answered(pad: Pad) -> None:
    question = pad.call("ask_question", "Which battery does the encoder of J1 need?")
    pad.call("add_finding", "a D cell", question, p_confidence=0.5)
    best = pad.call("add_finding", "A98L-0031-0005", question, "fact", "manual", 0.9)
    pad.call("ask_question", "Who was on shift?")
    pad.call("register_reference", "search", "encoder battery for J1")
    exact, *near = pad.rows("find_answers", "which battery does the encoder of j1 need")
    assert exact["similarity"] == pytest.approx(1)
    assert (exact["kind"], exact["status"], exact["finding_id"]) == ("question", "partial", best)
    assert (exact["finding"], exact["source"]) == ("A98L-0031-0005", "manual")
    assert [row["text"] for row in near] == ["encoder battery for J1"]
    other = pad.rows("find_answers", "J1's encoders need which batteries?")
    assert other[0]["id"] == question
    assert pad.rows("find_answers", "What is the weather like?") == []
    assert pad.rows("find_answers", "the of and") == []


def test_an_agent_sees_what_concerns_it_within_its_budget(pad: Pad) -> None:
    question = pad.call("ask_question", "Which fault?", "a code is named")
    done = pad.call("ask_question", "Is it on?")
    pad.call("set_question_status", done, "answered")
    kept = pad.call("add_finding", "SRVO-062", question, p_source="log", p_confidence=0.9)
    retracted = pad.call("add_finding", "SRVO-068", question, p_confidence=0.3)
    pad.call("update_entry", retracted, {"status": "retracted"})
    pad.call("add_note", "planner", "for you", "searcher")
    pad.call("add_note", "planner", "for all")
    pad.call("add_note", "planner", "for the verifier", "verifier")
    pad.call("add_note", "searcher", "my own")
    pad.call("write_private", "searcher", "mine", Jsonb(1))
    pad.call("write_private", "verifier", "not mine", Jsonb(1))
    pad.call("add_action", "search", "the manual", 3)
    pad.call("add_action", "verify", "not for it", 1, p_for_agent="verifier")
    pad.call("add_step", "opened the log", "searcher", p_success=False, p_error="timeout")
    pad.call("register_reference", "search", "fault codes")
    lines = pad.rows("agent_context", "searcher")
    assert [(row["section"], row["content"]) for row in lines] == [
        ("goal", "find out what is wrong with cell 4"),
        ("questions", "Which fault? (partial; answered when: a code is named)"),
        ("notes", "planner: for all"),
        ("notes", "planner: for you"),
        ("findings", "SRVO-062 (unverified, 0.90, log)"),
        ("private values", "mine = 1"),
        ("next actions", "search: the manual"),
        ("searches made", "fault codes"),
        ("failed steps", "opened the log: timeout"),
    ]
    assert lines[4]["id"] == kept
    claimed = pad.one("claim_action", "searcher")
    mine = [
        row for row in pad.rows("agent_context", "searcher") if row["id"] == claimed["action_id"]
    ]
    assert [row["section"] for row in mine] == ["your actions"]


@pytest.mark.parametrize("budget", [1, 10, 40, 200, 100000])
def test_a_context_never_exceeds_its_budget_and_leaves_no_part_out(pad: Pad, budget: int) -> None:
    for number in range(30):
        pad.call("add_finding", f"finding {number} " + "x" * 40, p_confidence=0.9)
    pad.call("add_note", "b", "short note")
    lines = pad.rows("agent_context", "a", budget)
    assert sum(row["tokens"] for row in lines) <= budget
    sections = [row["section"] for row in lines]
    if budget >= 40:
        assert {"goal", "notes", "findings"} <= set(sections)
    assert sections.count("findings") <= 20
    assert budget < 100000 or sections.count("findings") == 20
    assert budget > 1 or lines == []


def test_an_empty_scratchpad_shows_its_goal(pad: Pad) -> None:
    (line,) = pad.rows("agent_context", "a")
    assert line["section"] == "goal"
