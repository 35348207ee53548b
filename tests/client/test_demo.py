"""The demo: its data, and what it shows."""

from __future__ import annotations

import json

import pytest
from memos_pg.cli import app
from memos_pg.demo import SHOWN_QUESTIONS, conversation, questions
from support.postgres import Database
from typer.testing import CliRunner


def test_the_conversation_is_in_order() -> None:
    turns = conversation()
    assert len(turns) > 100
    assert len({(turn.session, turn.position) for turn in turns}) == len(turns)
    assert [turn.occurred_at for turn in turns] == sorted(turn.occurred_at for turn in turns)
    assert all(turn.text.strip() and turn.speaker.strip() for turn in turns)


def test_every_piece_of_evidence_is_in_the_conversation() -> None:
    said = {(turn.session, turn.position): turn for turn in conversation()}
    for question in questions():
        assert question.evidence
        assert question.evidence <= said.keys(), question.question
        if question.as_of:
            times = [said[place].occurred_at for place in question.evidence]
            assert min(times) <= question.as_of
    assert max(SHOWN_QUESTIONS) < len(questions())


@pytest.fixture
def report(database: Database) -> dict:
    result = CliRunner().invoke(app, ["demo", "--dsn", database.dsn, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_demo_finds_answers_keeps_versions_and_users_apart(
    report: dict, database: Database
) -> None:
    assert report["created"] == report["turns"] == len(conversation())
    assert report["embedded"] >= report["created"]
    assert report["hit_rate_10"] >= 0.5
    assert report["hit_rate_3"] >= 0.4
    contents = list(report["fact"].values())
    assert [("75 mg" in content) for content in contents] == [True, False, False]
    assert report["stranger_found"] == 0
    assert report["stranger_refused"] == ["MO404", "MO403"]

    again = CliRunner().invoke(app, ["demo", "--dsn", database.dsn])
    assert again.exit_code == 0, again.output
    assert "0 of them new" in again.stdout
    assert "\x1b" not in again.stdout
    assert max(map(len, again.stdout.splitlines())) <= 100
    assert again.stdout.count("✓") > 5
