"""Consent: what was recorded, what follows from it, and from when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import Connection, add, at_once, failure, rows, value
from support.postgres import Database

Calls = dict[str, tuple[str, tuple[Any, ...]]]
STORING: Calls = {
    "add_memory": ("memos.add_memory", ("again",)),
    "add_memories": ("memos.add_memories", ([{"content": "again"}],)),
}
RECALLING: Calls = {"search_memories": ("memos.search_memories", ("tea",))}
DERIVING: Calls = {"link_similar": ("memos.link_similar", ())}
OPERATIONS = {
    "memory_collection": STORING,
    "memory_recall": RECALLING,
    "derived_memories": DERIVING,
}


def standing(app: Connection, user: UUID, kind: str) -> tuple[bool, str]:
    (row,) = [r for r in rows(app, "memos.consents", user) if r[0] == kind]
    return row[5], row[6]


def test_nothing_is_required_unless_an_operator_says_so(app: Connection, user: UUID) -> None:
    for kind, calls in OPERATIONS.items():
        assert standing(app, user, kind) == (True, "not asked")
        for function, arguments in calls.values():
            rows(app, function, user, *arguments)
    assert standing(app, user, "care_team_sharing") == (False, "not asked")


@pytest.mark.parametrize("kind", list(OPERATIONS))
def test_a_withdrawal_counts_from_the_next_statement(
    app: Connection, user: UUID, kind: str
) -> None:
    memory = add(app, user, "likes tea")
    with app.transaction():
        rows(app, "memos.set_consent", user, kind, True, "1.0")
        for function, arguments in OPERATIONS[kind].values():
            rows(app, function, user, *arguments)
        rows(app, "memos.withdraw_consent", user, kind)
        for function, arguments in OPERATIONS[kind].values():
            with app.transaction(force_rollback=True):
                error = failure(app, function, user, *arguments)
                assert error.sqlstate == "MO451"
                assert error.diag.message_detail == f'consent "{kind}" was withdrawn'
    assert standing(app, user, kind) == (False, "withdrawn")
    for other in set(OPERATIONS) - {kind}:
        for function, arguments in OPERATIONS[other].values():
            rows(app, function, user, *arguments)
    # What is there stays the user's to see and to delete.
    assert rows(app, "memos.get_memory", user, memory)
    assert rows(app, "memos.list_memories", user)
    assert value(app, "memos.delete_memory", user, memory)
    rows(app, "memos.set_consent", user, kind, True, "1.1")
    for function, arguments in OPERATIONS[kind].values():
        rows(app, function, user, *arguments)
    states = [(r[0], r[1], r[2]) for r in rows(app, "memos.consent_history", user, kind)]
    assert states == [(kind, "granted", "1.0"), (kind, "withdrawn", None), (kind, "granted", "1.1")]


def test_an_update_is_storing(app: Connection, user: UUID) -> None:
    memory = add(app, user, "likes tea")
    rows(app, "memos.withdraw_consent", user, "memory_collection")
    error = failure(app, "memos.update_memory", user, memory, {"content": "likes coffee"})
    assert error.sqlstate == "MO451"


def test_another_users_withdrawal_is_not_mine(app: Connection, user: UUID) -> None:
    rows(app, "memos.withdraw_consent", uuid4(), "memory_collection")
    add(app, user, "likes tea")


def test_expired_is_withdrawn(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app:
        soon = datetime.now(UTC) + timedelta(seconds=0.5)
        rows(app, "memos.set_consent", user, "memory_recall", True, "1.0", soon)
        rows(app, "memos.search_memories", user, "tea")
        app.execute("select pg_sleep(0.6)")
        error = failure(app, "memos.search_memories", user, "tea")
        assert error.sqlstate == "MO451"
        assert error.diag.message_detail == 'consent "memory_recall" has expired'
        assert standing(app, user, "memory_recall") == (False, "expired")
        rows(app, "memos.set_consent", user, "memory_recall", True, "1.0")
        (row,) = [r for r in rows(app, "memos.consents", user) if r[0] == "memory_recall"]
        assert row[9] - row[8] > timedelta(days=180)  # six months, unless said otherwise


def test_required_means_that_silence_is_a_no(database: Database, user: UUID) -> None:
    asked = uuid4()
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        rows(app, "memos.set_consent", asked, "crisis_detection", True, "1.0")
        rows(admin, "memos_admin.set_consent_type", "memory_collection", True)
        for someone in (user, asked):
            error = failure(app, "memos.add_memory", someone, "likes tea")
            assert error.sqlstate == "MO451"
            assert "is required and was not given" in error.diag.message_detail
            rows(app, "memos.set_consent", someone, "memory_collection", True, "1.0")
            add(app, someone, "likes tea")
        rows(admin, "memos_admin.set_consent_type", "memory_collection", False)
        add(app, uuid4(), "likes tea")


def test_consent_to_a_kind(app: Connection, user: UUID) -> None:
    rows(app, "memos.set_consent", user, "clinical_data", False, "1.0")
    add(app, user, "likes tea")
    batch = [{"content": "a"}, {"content": "takes 8 mg", "kind": "clinical"}]
    error = failure(app, "memos.add_memories", user, batch)
    assert (error.sqlstate, error.diag.message_detail) == (
        "MO451",
        "memory 2 of the batch is of kind clinical",
    )


def test_a_type_of_the_operators_own(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        named = {"p_operation": "storing", "p_description": "family stories", "p_kinds": ["family"]}
        rows(admin, "memos_admin.set_consent_type", "family_stories", True, **named)
        error = failure(app, "memos.add_memory", user, "aunt Jo", p_kind="family")
        assert error.sqlstate == "MO451"
        rows(app, "memos.set_consent", user, "family_stories", True, "2")
        add(app, user, "aunt Jo", p_kind="family")
        for bad in ({}, {**named, "p_operation": "selling"}, {**named, "p_kinds": []}):
            error = failure(admin, "memos_admin.set_consent_type", "other", True, **bad)
            assert error.sqlstate == "MO400"


def test_bad_arguments(app: Connection, user: UUID) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    calls = [
        ("memos.set_consent", (user, "selling", True, "1.0")),
        ("memos.set_consent", (user, None, True, "1.0")),
        ("memos.set_consent", (user, "memory_recall", None, "1.0")),
        ("memos.set_consent", (user, "memory_recall", True, None)),
        ("memos.set_consent", (user, "memory_recall", True, " ")),
        ("memos.set_consent", (user, "memory_recall", True, "1" * 51)),
        ("memos.set_consent", (user, "memory_recall", True, "1.0", past)),
        ("memos.set_consent", (user, "memory_recall", True, "1.0", "infinity")),
        ("memos.withdraw_consent", (user, "selling")),
        ("memos.withdraw_consent", (None, "memory_recall")),
    ]
    for function, arguments in calls:
        assert failure(app, function, *arguments).sqlstate == "MO400", arguments


def test_the_record_is_only_added_to(
    module_database: Database, app: Connection, user: UUID
) -> None:
    rows(app, "memos.set_consent", user, "memory_recall", True, "1.0")
    with module_database.connect() as superuser:
        for statement in (
            "update memos_private.consent set state = 'refused'",
            "delete from memos_private.consent",
            "truncate memos_private.consent",
        ):
            with pytest.raises(psycopg.Error) as caught:
                superuser.execute(statement)
            assert caught.value.sqlstate == "MO500"


def test_consents_recorded_at_once_are_all_on_record(module_database: Database, user: UUID) -> None:
    def answer(number: int) -> None:
        with module_database.connect("memos_app") as connection:
            for _ in range(5):
                rows(connection, "memos.set_consent", user, "memory_recall", number % 2 == 0, "1.0")

    at_once(4, answer)
    with module_database.connect("memos_app") as connection:
        history = rows(connection, "memos.consent_history", user)
        assert len(history) == 20
        assert standing(connection, user, "memory_recall")[1] == history[-1][1]
