"""Filters, budgets, and queries in other alphabets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import Connection, add, rows, value, vector
from support.postgres import Database


@pytest.fixture(scope="module")
def library(module_database: Database) -> Iterator[tuple[Connection, UUID]]:
    """Five memories that all have the word of the query."""
    user = uuid4()
    with module_database.connect("memos_app") as app:
        rows(
            app, "memos.add_memories", user,
            [
                {"content": "kiwi one", "kind": "fact", "tags": ["a", "b"], "session_id": "s1",
                 "metadata": {"page": 1, "deep": {"x": [1, 2]}},
                 "occurred_at": "2024-01-01T00:00:00Z"},
                {"content": "kiwi two", "kind": "fact", "tags": ["a"], "session_id": "s2",
                 "metadata": {"page": 2}, "occurred_at": "2024-02-01T00:00:00Z"},
                {"content": "kiwi three", "kind": "event", "tags": ["b"], "session_id": "s1",
                 "occurred_at": "2024-03-01T00:00:00Z"},
                {"content": "kiwi four", "kind": "plan", "occurred_at": "2024-04-01T00:00:00Z"},
                {"content": "kiwi five"},
            ],
        )  # fmt: skip
        yield app, user


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, "one two three four five"),
        ({"p_kinds": ["event", "plan"]}, "three four"),
        ({"p_kinds": ["nothing"]}, ""),
        ({"p_kinds": []}, ""),
        ({"p_tags": ["a"]}, "one two"),
        ({"p_tags": ["b", "a"]}, "one"),
        ({"p_tags": []}, "one two three four five"),
        ({"p_metadata": {"page": 2}}, "two"),
        ({"p_metadata": {"deep": {"x": [2]}}}, "one"),
        ({"p_session_id": "s1"}, "one three"),
        ({"p_session_id": "S1"}, ""),
        ({"p_from": "2024-02-01 00:00Z"}, "two three four five"),
        ({"p_until": "2024-02-01 00:00Z"}, "one"),
        ({"p_from": "2024-01-02 00:00Z", "p_until": "2024-03-01 00:00:01Z"}, "two three"),
        ({"p_kinds": ["fact"], "p_session_id": "s1", "p_tags": ["a"]}, "one"),
        ({"p_kinds": ["fact"], "p_session_id": "s1", "p_from": "2024-02-01 00:00Z"}, ""),
    ],
)
def test_a_filter_lets_through_what_it_names(
    library: Any, filters: dict[str, Any], expected: str
) -> None:
    app, user = library
    hits = rows(app, "memos.search_memories", user, "kiwi", **filters)
    assert sorted(hit[3].removeprefix("kiwi ") for hit in hits) == sorted(expected.split())


def test_cold_memories_are_searched_on_request_only(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app:
        add(app, user, "kiwi warm")
        cold = add(app, user, "kiwi cold")
        value(app, "memos.move_to_tier", user, cold, "cold")
        for include, expected in ((False, ["kiwi warm"]), (True, ["kiwi cold", "kiwi warm"])):
            hits = rows(app, "memos.search_memories", user, "kiwi", p_include_cold=include)
            assert sorted(hit[3] for hit in hits) == expected


def test_the_token_budget_is_kept_and_filled_in_order(app: Connection, user: UUID) -> None:
    for number in range(30):
        add(app, user, f"kiwi {number} " + "padding " * (number % 7))
    whole = [hit[3] for hit in rows(app, "memos.search_memories", user, "kiwi", p_limit=30)]

    def tokens(text: str) -> int:
        return -(-len(text.encode()) // 4)

    for budget in (1, 3, 20, 57, 10_000):
        for limit in (2, 30):
            packed: list[str] = []
            for text in whole:
                fits = sum(map(tokens, packed)) + tokens(text) <= budget
                if fits and len(packed) < limit:
                    packed.append(text)
            hits = rows(
                app, "memos.search_memories", user, "kiwi", p_limit=limit, p_token_budget=budget
            )
            if limit == 30:
                assert [hit[3] for hit in hits] == packed
            assert sum(tokens(hit[3]) for hit in hits) <= budget
            assert len(hits) <= limit
            assert [hit[0] for hit in hits] == list(range(1, len(hits) + 1))


@pytest.fixture(scope="module")
def babel(module_database: Database) -> Iterator[tuple[Connection, UUID]]:
    """Memories in many scripts, with hash vectors."""
    user = uuid4()
    with (
        module_database.connect("memos_app") as app,
        module_database.connect("memos_admin") as admin,
    ):
        rows(admin, "memos_admin.register_embedding_model", "hash", 256, "hash")
        for text, language in BABEL:
            add(app, user, text, p_language=language)
        admin.execute("call memos_admin.embed_pending(1000)")
        yield app, user


BABEL = [
    ("Die Übergrößen-Bäckerei in Köln verkauft süße Brötchen", "german"),
    ("Мою собаку зовут Шарик, она любит гулять", "russian"),
    ("我对花生过敏，不能吃花生酱", None),  # noqa: RUF001
    ("東京に住んでいます", None),
    ("أحب القهوة بدون سكر", "arabic"),
    ("Party tonight 🎉🎉 bring cake", None),
    ("The controller failed with ERR-4711 on unit J1", None),
    ("Part number AB-12/34.5 is out of stock", None),
    ("My sister plays the violin on Tuesdays", None),
]


@pytest.mark.parametrize(
    ("query", "expected", "lexical"),
    [
        ("Brötchen aus der Bäckerei", 0, True),
        ("broetchen BÄCKEREI", 0, True),
        ("backerei koln", 0, True),
        ("süßes Brötchen", 0, True),
        ("собака Шарик", 1, True),
        ("СОБАКУ", 1, True),
        ("花生", 2, False),
        ("我对花生过敏", 2, True),
        ("東京", 3, False),
        ("القهوة", 4, True),
        ("🎉", 5, False),
        ("ERR-4711", 6, True),
        ("j1", 6, True),
        ("AB-12/34.5", 7, True),
        ("violins", 8, True),
    ],
)
def test_words_are_found_in_their_own_script(
    babel: Any, query: str, expected: int, lexical: bool
) -> None:
    app, user = babel
    hits = rows(app, "memos.search_memories", user, query, p_explain=True)
    assert hits[0][3] == BABEL[expected][0]
    if lexical:
        by_words = rows(app, "memos.search_memories", user, query, p_weights={"dense": 0})
        assert by_words[0][3] == BABEL[expected][0]


@pytest.mark.parametrize("query", ["the of and", "!!!", "🎉", "?", "the"])
def test_a_query_without_a_word_is_no_error_and_finds_nothing_by_words(
    babel: Any, user: UUID, query: str
) -> None:
    app = babel[0]
    add(app, user, "The cat of the house and the dog", p_embedding=vector(*[1] * 256))
    assert rows(app, "memos.search_memories", user, query, p_weights={"dense": 0}) == []
    (hit,) = rows(app, "memos.search_memories", user, query, p_explain=True)
    assert "lexical" in hit[11]["lanes_off"]
    assert hit[4] == hit[4], "no NaN"


def test_a_user_without_memories_gets_no_rows(babel: Any) -> None:
    assert rows(babel[0], "memos.search_memories", uuid4(), "anything") == []


@pytest.mark.parametrize("query", ["\u200b", "\u00a0", "\u3000 \u2003"])
def test_a_query_of_invisible_characters_is_refused_or_empty_never_a_crash(
    babel: Any, query: str
) -> None:
    app, user = babel
    try:
        assert rows(app, "memos.search_memories", user, query) == []
    except psycopg.Error as caught:
        error = caught
    else:
        return
    assert error.sqlstate == "MO400"
    assert error.diag.message_hint
