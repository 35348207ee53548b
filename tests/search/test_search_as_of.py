"""Two axes of time: what was true then, what was known then. Inside both lanes."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID

import pytest
from memory_support import Connection, add, failure, now, rows, value, vector, vectors
from support.postgres import Database

OLD, NEW = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
BEFORE = "2020-01-01 00:00Z"


@pytest.fixture(scope="module", autouse=True)
def model(module_database: Database) -> None:
    with module_database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.register_embedding_model", "ext", 3, "external")


def get(app: Connection, user: UUID, memory: UUID, **at: Any) -> str | None:
    """The content as of then; None when there was none."""
    try:
        return rows(app, "memos.get_memory", user, memory, **at)[0][2]
    except Exception as error:
        if getattr(error, "sqlstate", None) != "MO404":
            raise
        return None


def texts(app: Connection, user: UUID, query: str | None, **named: Any) -> list[str]:
    return [hit[3] for hit in rows(app, "memos.search_memories", user, query, **named)]


def embed(admin: Connection, user: UUID, memory: UUID, version: int, numbers: list[float]) -> None:
    """What a worker does."""
    claimed = [
        row for row in rows(admin, "memos_admin.claim_embeddings", "w", 1000) if row[1] == memory
    ]
    assert [row[2] for row in claimed] == [version]
    result = {
        "user_id": str(user), "memory_id": str(memory), "version": version, "model": "ext",
        "passage": 0,
    }  # fmt: skip
    literal = '{"' + vector(*numbers) + '"}'
    assert value(admin, "memos_admin.complete_embeddings", "w", [result], literal) == 1


def test_after_an_update_the_old_text_and_vector_are_found_as_of_then_and_not_now(
    app: Connection, admin: Connection, user: UUID
) -> None:
    memory = add(app, user, "lives in Berlin", p_embedding=vector(*OLD), p_occurred_at=BEFORE)
    other = add(app, user, "filler words", p_embedding=vector(0, 0, 1), p_occurred_at=BEFORE)
    then = now(app)
    value(app, "memos.update_memory", user, memory, {"content": "lives in Hamburg"})
    embed(admin, user, memory, 2, NEW)

    lexical = {"p_weights": {"dense": 0}}
    assert texts(app, user, "Berlin", **lexical) == []
    assert texts(app, user, "Hamburg", **lexical) == ["lives in Hamburg"]
    for at in ({"p_recorded_at": then}, {"p_valid_at": then}):
        assert texts(app, user, "Berlin", **lexical, **at) == ["lives in Berlin"]
        assert texts(app, user, "Hamburg", **lexical, **at) == []

    for at, near, expected in (
        ({}, NEW, "lives in Hamburg"),
        ({"p_recorded_at": then}, OLD, "lives in Berlin"),
        ({"p_valid_at": then}, OLD, "lives in Berlin"),
    ):
        (first, *_) = rows(
            app, "memos.search_memories", user, None, p_embedding=vector(*near), p_explain=True,
            p_fusion="rrf", **at,
        )  # fmt: skip
        assert first[3] == expected
        assert first[11]["lanes"]["dense"]["raw"] == pytest.approx(1)
    now_rows = rows(
        app, "memos.search_memories", user, None, p_embedding=vector(*OLD), p_explain=True,
        p_fusion="rrf",
    )  # fmt: skip
    raw = {hit[1]: hit[11]["lanes"]["dense"]["raw"] for hit in now_rows}
    assert raw == {memory: pytest.approx(0), other: pytest.approx(0)}, "the old vector is gone"


def test_after_a_deletion_it_is_found_as_known_then_only(app: Connection, user: UUID) -> None:
    memory = add(app, user, "kiwi secret", p_embedding=vector(*OLD), p_occurred_at=BEFORE)
    add(app, user, "kiwi stays", p_embedding=vector(*NEW), p_occurred_at=BEFORE)
    then = now(app)
    value(app, "memos.delete_memory", user, memory)
    both = ["kiwi secret", "kiwi stays"]
    assert texts(app, user, "kiwi", p_embedding=vector(*OLD)) == ["kiwi stays"]
    assert texts(app, user, "kiwi", p_embedding=vector(*OLD), p_recorded_at=then) == both
    assert texts(app, user, "kiwi", p_embedding=vector(*OLD), p_valid_at=then) == ["kiwi stays"]


def test_a_correction_holds_for_all_time_but_not_for_what_was_known(
    app: Connection, user: UUID
) -> None:
    memory = add(app, user, "born in May", p_occurred_at=BEFORE)
    then = now(app)
    value(
        app, "memos.update_memory", user, memory,
        {"content": "born in June", "valid_from": "2020-01-01T00:00:00Z"},
    )  # fmt: skip
    at = {"p_valid_at": "2021-01-01 00:00Z"}
    assert get(app, user, memory, **at) == "born in June"
    assert get(app, user, memory, **at, p_recorded_at=then) == "born in May"
    assert texts(app, user, "born", **at) == ["born in June"]
    assert texts(app, user, "May", **at) == []
    assert texts(app, user, "May", **at, p_recorded_at=then) == ["born in May"]


def test_a_chain_of_changes_answers_for_every_time_and_every_knowledge(
    app: Connection, user: UUID
) -> None:
    memory = add(app, user, "works at A", p_occurred_at="2020-01-01 00:00Z")
    known = [now(app)]
    for content, since in (("works at B", "2021-01-01"), ("works at C", "2022-01-01")):
        change = {"content": content, "valid_from": f"{since}T00:00:00Z"}
        value(app, "memos.update_memory", user, memory, change)
        known.append(now(app))
    value(app, "memos.update_memory", user, memory, {"valid_until": "2023-01-01T00:00:00Z"})
    known.append(now(app))
    value(app, "memos.delete_memory", user, memory)
    known.append(now(app))
    # What was true in mid-2019 to mid-2023, as known after each of the writes.
    expected = [
        [None, "A", "A", "A", "A"],
        [None, "A", "B", "B", "B"],
        [None, "A", "B", "C", "C"],
        [None, "A", "B", "C", None],
        [None, None, None, None, None],
    ]
    for knowledge, line in zip(known, expected, strict=True):
        for year, letter in zip(range(2019, 2024), line, strict=True):
            at = {"p_valid_at": f"{year}-06-01 00:00Z", "p_recorded_at": knowledge}
            text = letter and f"works at {letter}"
            assert get(app, user, memory, **at) == text, (year, knowledge)
            assert texts(app, user, "works", **at) == ([text] if text else [])
    assert failure(app, "memos.get_memory", user, memory).sqlstate == "MO404"


def test_before_it_was_recorded_nothing_was_known(app: Connection, user: UUID) -> None:
    early = now(app)
    memory = add(app, user, "long true", p_occurred_at=BEFORE)
    assert get(app, user, memory, p_recorded_at=early) is None
    assert get(app, user, memory, p_valid_at="2020-06-01 00:00Z") == "long true"
    assert get(app, user, memory, p_valid_at="2019-06-01 00:00Z") is None
    assert texts(app, user, "long", p_recorded_at=early) == []


def test_filters_apply_to_the_version_of_then(app: Connection, user: UUID) -> None:
    memory = add(app, user, "kiwi", p_kind="fact", p_tags=["old"])
    then = now(app)
    value(app, "memos.update_memory", user, memory, {"kind": "event", "tags": ["new"]})
    assert texts(app, user, "kiwi", p_kinds=["fact"]) == []
    assert texts(app, user, "kiwi", p_kinds=["fact"], p_recorded_at=then) == ["kiwi"]
    assert texts(app, user, "kiwi", p_tags=["old"], p_recorded_at=then) == ["kiwi"]
    assert texts(app, user, "kiwi", p_tags=["new"], p_recorded_at=then) == []


def test_an_ended_statement_is_not_found_now(app: Connection, user: UUID) -> None:
    memory = add(app, user, "parking permit", p_occurred_at=BEFORE)
    value(app, "memos.update_memory", user, memory, {"valid_until": "2021-01-01T00:00:00Z"})
    assert texts(app, user, "parking") == []
    assert texts(app, user, "parking", p_valid_at="2020-06-01 00:00Z") == ["parking permit"]
    assert texts(app, user, "parking", p_valid_at="2021-01-01 00:00Z") == []


def scored(app: Connection, user: UUID, **named: Any) -> list[tuple[Any, ...]]:
    hits = rows(
        app, "memos.search_memories", user, "kiwi fjord", p_embedding=vector(0.5, 1, 2), **named
    )
    return [(hit[0], hit[1], hit[2], hit[3], pytest.approx(hit[4], rel=1e-9)) for hit in hits]


@pytest.mark.parametrize("fusion", ["rrf", "calibrated"])
def test_a_search_as_known_then_is_the_search_of_then(
    app: Connection, user: UUID, fusion: str
) -> None:
    kept = add(app, user, "kiwi kiwi fjord", p_embedding=vector(*OLD))
    gone = add(app, user, "kiwi tundra lynx vodka gecko", p_embedding=vector(*NEW))
    add(app, user, "fjord " * 9, p_embedding=vector(0, 0, 1))
    before, then = scored(app, user, p_fusion=fusion), now(app)
    value(app, "memos.update_memory", user, kept, {"content": "entirely different and longer"})
    value(app, "memos.delete_memory", user, gone)
    for number in range(20):
        add(app, user, f"kiwi later number {number}")
    assert scored(app, user, p_fusion=fusion, p_recorded_at=then) == before


def test_as_known_then_has_scores_even_when_everything_is_deleted_now(
    app: Connection, user: UUID
) -> None:
    first = add(app, user, "kiwi with a lot of other words that make it long")
    second = add(app, user, "kiwi kiwi")
    assert first < second
    then = now(app)
    value(app, "memos.delete_memory", user, first)
    value(app, "memos.delete_memory", user, second)
    hits = rows(
        app, "memos.search_memories", user, "kiwi", p_recorded_at=then, p_fusion="rrf",
        p_explain=True,
    )  # fmt: skip
    assert [hit[1] for hit in hits] == [second, first]
    assert all(hit[11]["lanes"]["lexical"]["raw"] > 0 for hit in hits)


def test_what_had_ended_then_is_not_in_a_search_as_known_then(app: Connection, user: UUID) -> None:
    memory = add(app, user, "parking permit", p_occurred_at=BEFORE)
    value(app, "memos.update_memory", user, memory, {"valid_until": "2021-01-01T00:00:00Z"})
    assert texts(app, user, "parking") == []
    assert texts(app, user, "parking", p_recorded_at=now(app)) == []


def test_times_without_end_are_times_to_search_as_of(app: Connection, user: UUID) -> None:
    memory = add(app, user, "kiwi")
    for named, found in (
        ({"p_recorded_at": "infinity"}, [memory]),
        ({"p_valid_at": "infinity"}, [memory]),
        ({"p_valid_at": "infinity", "p_recorded_at": "infinity"}, [memory]),
        ({"p_recorded_at": "-infinity"}, []),
        ({"p_valid_at": "-infinity"}, []),
        ({"p_valid_at": "4713-01-02 BC"}, []),
    ):
        for query in ("kiwi", "kiwi last year, in May"):
            hits = rows(app, "memos.search_memories", user, query, **named)
            assert [hit[1] for hit in hits] == found, named


@pytest.mark.parametrize("seed", range(3))
def test_every_search_of_the_past_is_the_search_of_then(
    app: Connection, user: UUID, seed: int
) -> None:
    """Random histories in two languages and three sessions: few and many have changed since."""
    chance = random.Random(seed)
    words = ["kiwi", "fjord", "tundra", "lynx", "vodka", "Häuser", "houses", "running", "Rennen"]

    def memory() -> dict[str, Any]:
        return {
            "content": " ".join(chance.choices(words, k=chance.randint(1, 30))),
            "session_id": chance.choice(["a", "b", "c", None]),
            "position": chance.randint(1, 9),
            "language": chance.choice(["english", "german"]),
            "tags": chance.sample(["x", "y"], k=chance.randint(0, 2)),
        }

    def search(**named: Any) -> list[tuple[Any, ...]]:
        return [
            (hit[1], hit[2], hit[3], pytest.approx(hit[4], rel=1e-9))
            for arguments in ({}, {"p_fusion": "rrf"}, {"p_weights": {"dense": 0}})
            for hit in rows(
                app, "memos.search_memories", user, "house lynx kiwi run",
                p_embedding=vector(0.5, 1, 2), p_now="2026-01-01Z", p_limit=15,
                **arguments, **named,
            )
        ]  # fmt: skip

    living: list[UUID] = []
    seen = []
    for count in (20, 1, 1, 40):
        memories = [memory() for _ in range(count)]
        coordinates = [[chance.gauss(0, 1) for _ in range(3)] for _ in memories]
        added = rows(app, "memos.add_memories", user, memories, p_embeddings=vectors(*coordinates))
        living += [row[1] for row in added if row[2]]
        for number in range(2):
            change = memory()
            change["content"] += f" in year {count} month {number}"
            value(app, "memos.update_memory", user, chance.choice(living), change)
            gone = chance.choice(living)
            value(app, "memos.delete_memory", user, gone)
            living.remove(gone)
        seen.append((now(app), search()))
    for then, found in seen:
        assert found
        assert search(p_recorded_at=then) == found
