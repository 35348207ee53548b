"""Long memories become passages, cut at sentence ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_support import Connection, add, failure, rows, value, vector, vectors
from support.postgres import Database

SENTENCE = st.sampled_from(
    ["Yes.", "Who?", "One two three.", "No end", "“Quoted!”", "3.14 is pi.", "Zeile\nzwei.",
     "我对花生过敏。", "ß" * 40 + ".", "…", "\n\n"]
)  # fmt: skip


@pytest.fixture(scope="module")
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


def passages(superuser: Connection, text: str, window: int | None) -> list[str]:
    found = rows(superuser, "memos_private.passages", text, window)
    assert [row[0] for row in found] == list(range(len(found)))
    return [row[1] for row in found]


def test_sentences_are_kept_whole_while_they_fit(superuser: Connection) -> None:
    text = "The first one. The second one! Is this the third? A fourth without an end"
    assert passages(superuser, text, 32) == [
        "The first one. The second one!",
        "Is this the third?",
        "A fourth without an end",
    ]
    assert passages(superuser, text, 1000) == [text]
    assert passages(superuser, text, None) == [text]


def test_a_sentence_longer_than_the_window_is_cut_at_the_window(superuser: Connection) -> None:
    assert passages(superuser, "x" * 45, 20) == ["x" * 20, "x" * 20, "x" * 5]


@settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    text=st.lists(SENTENCE, min_size=1, max_size=25).map(" ".join).filter(str.strip),
    window=st.integers(16, 90),
)
def test_no_letter_is_lost_and_every_passage_fits(
    superuser: Connection, text: str, window: int
) -> None:
    found = passages(superuser, text, window)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(len(passage) <= window for passage in found)
    assert all(passage.strip() for passage in found)


def test_every_passage_is_claimed_and_the_memory_waits_for_all(
    database: Database,
) -> None:
    user = uuid4()
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        register = ("memos_admin.register_embedding_model", "short", 3, "external")
        rows(admin, *register, {"window_chars": 40})
        add(app, user, "A first sentence, quite long. And then a second one. And a third at last.")
        claimed = rows(admin, "memos_admin.claim_embeddings", "w")
        assert [row[4] for row in claimed] == list(range(len(claimed)))
        assert len(claimed) >= 2
        assert all(len(row[5]) <= 40 for row in claimed)
        results = [
            {"user_id": str(r[0]), "memory_id": str(r[1]), "version": r[2], "model": r[3],
             "passage": r[4]}
            for r in claimed
        ]  # fmt: skip
        axes = [(1, 0, 0), (0, 1, 0), (0, 0, 1)][: len(results)]
        complete = ("memos_admin.complete_embeddings", "w")
        assert value(admin, *complete, results[:1], vectors(axes[0])) == 1
        status = rows(admin, "memos_admin.embedding_status")[0]
        assert status[4:8] == ("backfilling", 0, 1, 0), "not done before its last passage"
        assert value(admin, *complete, results[1:], vectors(*axes[1:])) == len(results) - 1
        assert rows(admin, "memos_admin.embedding_status")[0][4:8] == ("complete", 1, 0, 0)
        for axis in axes:
            (hit,) = rows(
                app, "memos.search_memories", user, None, vector(*axis), p_explain=True,
                p_fusion="rrf",
            )  # fmt: skip
            assert hit[11]["lanes"]["dense"]["raw"] == pytest.approx(1)


@pytest.mark.parametrize("window", [0, 15, -1, 100.5, "100", None, 10**7])
def test_a_window_that_could_not_be_used_is_refused(database: Database, window: Any) -> None:
    with database.connect("memos_admin") as admin:
        register = ("memos_admin.register_embedding_model", "short", 3, "external")
        assert failure(admin, *register, {"window_chars": window}).sqlstate == "MO400"


def test_the_smallest_window_takes_a_long_memory_in_time(database: Database) -> None:
    user = uuid4()
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        register = ("memos_admin.register_embedding_model", "tiny", 3, "external")
        rows(admin, *register, {"window_chars": 16})
        add(app, user, "ab cd efgh ij. " * 6_000)
        start = time.monotonic()
        claimed = rows(admin, "memos_admin.claim_embeddings", "w")
        assert len(claimed) == 6_000
        assert time.monotonic() - start < 5, "a claim must not take as long as its lease"
