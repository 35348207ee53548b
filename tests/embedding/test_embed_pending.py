"""embed_pending with good providers and bad ones: nothing wrong is stored, nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from memory_support import (
    Connection,
    add,
    assert_every_memory_has_a_vector_or_waits,
    failure,
    rows,
    value,
)
from misbehaving_server import MisbehavingServer
from support.postgres import Database

BAD = [
    "slow", "slow_drip", "server_error", "overloaded", "unauthorized", "wrong_dimension", "nan",
    "infinity", "too_large_number", "null_vector", "zero_vector", "vanishing_vector", "dropped",
    "dropped_at_once", "not_json", "too_few", "too_many",
]  # fmt: skip


@pytest.fixture
def parties(database: Database) -> Iterator[tuple[Connection, Connection, Connection]]:
    with (
        database.connect("memos_app") as app,
        database.connect("memos_admin") as admin,
        database.connect() as superuser,
    ):
        yield app, admin, superuser


def register(admin: Connection, server: MisbehavingServer, **options: Any) -> None:
    settings = {"url": server.url, "model": "m", "timeout_seconds": 0.4, **options}
    rows(admin, "memos_admin.register_embedding_model", "remote", 8, "http", settings)


def status(admin: Connection) -> tuple[int, int, int]:
    """done, pending, failed"""
    (row,) = rows(admin, "memos_admin.embedding_status")
    return row[5:8]


def due(superuser: Connection) -> None:
    superuser.execute("update memos_private.embedding_queue set available_at = now()")


@pytest.mark.parametrize("mode", BAD)
def test_a_bad_answer_stores_nothing_stays_pending_and_is_made_good_later(
    parties: Any, mode: str
) -> None:
    app, admin, superuser = parties
    user = uuid4()
    for number in range(3):
        add(app, user, f"text {number}")
    warnings: list[str] = []
    admin.add_notice_handler(lambda diagnostic: warnings.append(diagnostic.message_detail or ""))
    with MisbehavingServer(mode, dimensions=8) as server:
        register(admin, server)
        admin.execute("call memos_admin.embed_pending(10)")
        assert status(admin) == (0, 3, 0)
        assert any(warnings), "and it says so"
        errors = superuser.execute("select last_error, worker from memos_private.embedding_queue")
        assert all(error and worker is None for error, worker in errors)
        server.modes[:] = ["good"]
        admin.execute("call memos_admin.embed_pending(10)")
        assert status(admin) == (0, 3, 0), "not at once"
        due(superuser)
        admin.execute("call memos_admin.embed_pending(10)")
        assert status(admin) == (3, 0, 0)
    norms = superuser.execute(
        "select public.l2_norm(embedding), dimensions from memos_private.embedding"
    )
    assert [(pytest.approx(norm, abs=0.01), n) for norm, n in norms] == [(1, 8)] * 3


def test_a_search_without_words_says_that_vectors_are_missing(parties: Any) -> None:
    app, admin, _ = parties
    user = uuid4()
    with MisbehavingServer("server_error", dimensions=8) as server:
        register(admin, server)
        add(app, user, "found by words")
        admin.execute("call memos_admin.embed_pending(10)")
        (hit,) = rows(app, "memos.search_memories", user, "words", p_explain=True)
        assert "dense" in hit[11]["lanes_off"]
        assert len(server.requests) == 1, "a search never calls a server"


def test_batches_commit_one_by_one_and_a_failure_keeps_those_before(parties: Any) -> None:
    app, admin, _ = parties
    user = uuid4()
    rows(app, "memos.add_memories", user, [{"content": f"t {n}"} for n in range(10)])
    with MisbehavingServer("good", "good", "server_error", dimensions=8) as server:
        register(admin, server, batch=3)
        admin.execute("call memos_admin.embed_pending(100)")
        assert status(admin) == (6, 4, 0)
        assert [len(request.body["input"]) for request in server.requests] == [3, 3, 3]


def test_the_limit_counts_memories(parties: Any) -> None:
    app, admin, _ = parties
    rows(admin, "memos_admin.register_embedding_model", "hash", 64, "hash")
    rows(app, "memos.add_memories", uuid4(), [{"content": f"t {n}"} for n in range(10)])
    admin.execute("call memos_admin.embed_pending(4)")
    assert status(admin) == (4, 6, 0)
    admin.execute("call memos_admin.embed_pending()")
    assert status(admin) == (10, 0, 0)


def test_one_text_without_a_vector_holds_up_no_other(parties: Any) -> None:
    app, admin, superuser = parties
    rows(admin, "memos_admin.register_embedding_model", "hash", 64, "hash")
    user = uuid4()
    add(app, user, "\u200b\u200b invisible".replace("invisible", "\u200b"))
    batch = [{"content": f"visible {n}"} for n in range(1200)]
    rows(app, "memos.add_memories", user, batch)
    admin.execute("call memos_admin.embed_pending(5000)")
    assert status(admin) == (1200, 1, 0)
    assert_every_memory_has_a_vector_or_waits(superuser)


def test_the_hash_provider_makes_unit_vectors_that_find_spelling(parties: Any) -> None:
    app, admin, superuser = parties
    rows(admin, "memos_admin.register_embedding_model", "hash", 256, "hash")
    user = uuid4()
    for text in ("penicillin allergy", "loves hiking in the Alps", "born in 1987", "🎉", "過敏"):
        add(app, user, text)
    admin.execute("call memos_admin.embed_pending(100)")
    norms = superuser.execute("select public.l2_norm(embedding) from memos_private.embedding")
    assert [norm for (norm,) in norms] == [pytest.approx(1, abs=0.01)] * 5
    search = ("memos.search_memories", user)
    assert rows(app, *search, "peniciline alergy")[0][3] == "penicillin allergy"
    assert rows(app, *search, "過敏", p_weights={"lexical": 0})[0][3] == "過敏"


def test_a_second_model_is_backfilled_and_switched_when_complete(parties: Any) -> None:
    app, admin, superuser = parties
    user = uuid4()
    rows(admin, "memos_admin.register_embedding_model", "one", 32, "hash")
    for number in range(5):
        add(app, user, f"text {number}")
    admin.execute("call memos_admin.embed_pending(100)")
    rows(admin, "memos_admin.register_embedding_model", "two", 64, "hash")
    add(app, user, "text 6")
    assert_every_memory_has_a_vector_or_waits(superuser)
    error = failure(admin, "memos_admin.set_default_embedding_model", "two")
    assert error.sqlstate == "MO409"
    (hit, *_) = rows(app, "memos.search_memories", user, "text", p_explain=True)
    assert hit[11]["model"] == "one"
    admin.execute("call memos_admin.embed_pending(100)")
    rows(admin, "memos_admin.set_default_embedding_model", "two")
    (hit, *_) = rows(app, "memos.search_memories", user, "text", p_explain=True)
    assert hit[11]["model"] == "two"
    assert [row[3] for row in rows(admin, "memos_admin.embedding_status")] == [False, True]


def test_embed_texts_answers_for_local_models_only(parties: Any) -> None:
    _, admin, _ = parties
    rows(admin, "memos_admin.register_embedding_model", "hash", 16, "hash")
    rows(admin, "memos_admin.register_embedding_model", "ext", 16, "external")
    assert value(admin, "memos_admin.embed_texts", "hash", ["a", "b"]).count("[") == 2
    assert failure(admin, "memos_admin.embed_texts", "ext", ["a"]).sqlstate == "MO400"
