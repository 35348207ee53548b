"""The lexical lane is BM25: against one written here from the paper."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_support import Connection, add, assert_index_equals_a_recount, rows, value
from support.postgres import Database

WORDS = ["kiwi", "gecko", "quartz", "tundra", "fjord", "lynx", "vodka"]  # their own stems
TEXT = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
LANGUAGE = st.sampled_from([None, "simple", "german"])
OPERATION = st.one_of(
    st.tuples(st.just("add"), TEXT, LANGUAGE),
    st.tuples(st.just("batch"), st.lists(TEXT, min_size=1, max_size=4), LANGUAGE),
    st.tuples(st.just("update"), st.integers(0, 20), TEXT),
    st.tuples(st.just("relanguage"), st.integers(0, 20), LANGUAGE),
    st.tuples(st.just("delete"), st.integers(0, 20), st.none()),
)
LEXICAL_ONLY = {"dense": 0}


def bm25(
    texts: dict[UUID, str], query: list[str], k1: float = 1.2, b: float = 0.75
) -> dict[UUID, float]:
    """Robertson and Zaragoza 2009, 3.4, with 1 added inside the logarithm of the IDF."""
    counts = {key: Counter(text.split()) for key, text in texts.items()}
    lengths = {key: sum(count.values()) for key, count in counts.items()}
    mean = sum(lengths.values()) / len(lengths) if lengths else 0.0
    scores: dict[UUID, float] = {}
    for word in set(query):
        matching = [key for key, count in counts.items() if word in count]
        idf = math.log(1 + (len(texts) - len(matching) + 0.5) / (len(matching) + 0.5))
        for key in matching:
            frequency = counts[key][word]
            norm = k1 * (1 - b + b * lengths[key] / mean)
            scores[key] = scores.get(key, 0.0) + idf * frequency * (k1 + 1) / (frequency + norm)
    return scores


def found(app: Connection, user: UUID, query: str, **named: object) -> list[tuple[UUID, float]]:
    """Memories with their BM25, in the order of the search."""
    hits = rows(
        app, "memos.search_memories", user, query, p_limit=1000, p_fusion="rrf",
        p_weights=LEXICAL_ONLY, p_explain=True, **named,
    )  # fmt: skip
    return [(hit[1], hit[11]["lanes"]["lexical"]["raw"]) for hit in hits]


def assert_bm25(app: Connection, user: UUID, texts: dict[UUID, str], query: list[str]) -> None:
    hits = found(app, user, " ".join(query))
    assert dict(hits) == pytest.approx(bm25(texts, query), rel=1e-9)
    assert hits == sorted(hits, key=lambda hit: (-hit[1], hit[0])), "best first, ties by id"


@pytest.fixture(scope="module")
def connections(module_database: Database) -> Iterator[tuple[Connection, Connection]]:
    with module_database.connect("memos_app") as app, module_database.connect() as superuser:
        yield app, superuser


def test_the_words_are_their_own_stems(connections: tuple[Connection, Connection]) -> None:
    for language in ("english", "simple", "german"):
        lexemes = connections[1].execute(
            "select tsvector_to_array(to_tsvector(('memos.' || %s)::regconfig, %s))",
            (language, " ".join(WORDS)),
        )
        assert sorted(lexemes.fetchone()[0]) == sorted(WORDS)


@settings(
    max_examples=30, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    operations=st.lists(OPERATION, max_size=12),
    query=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
)
def test_scores_are_bm25_after_any_inserts_updates_and_deletes(
    connections: tuple[Connection, Connection], operations: list, query: list[str]
) -> None:
    app, superuser = connections
    user = uuid4()
    texts: dict[UUID, str] = {}
    for kind, first, second in operations:
        if kind == "add":
            texts[add(app, user, first, p_language=second)] = first
        elif kind == "batch":
            batch = [{"content": text, "language": second} for text in first]
            answer = rows(app, "memos.add_memories", user, batch)
            texts |= {row[1]: text for row, text in zip(answer, first, strict=True)}
        elif texts:
            memory = sorted(texts)[first % len(texts)]
            if kind == "update" and second not in texts.values():
                value(app, "memos.update_memory", user, memory, {"content": second})
                texts[memory] = second
            elif kind == "relanguage":
                value(app, "memos.update_memory", user, memory, {"language": second})
            elif kind == "delete":
                value(app, "memos.delete_memory", user, memory)
                del texts[memory]
        assert_bm25(app, user, texts, query)
    assert_index_equals_a_recount(superuser)


def test_a_filter_hides_memories_but_counts_them(app: Connection, user: UUID) -> None:
    texts = {
        add(app, user, text, p_kind=kind): text
        for text, kind in [
            ("kiwi gecko", "fact"),
            ("kiwi kiwi lynx", "event"),
            ("lynx", "fact"),
            ("kiwi fjord fjord fjord", "fact"),
        ]
    }
    everything = bm25(texts, ["kiwi"])
    event = found(app, user, "kiwi", p_kinds=["event"])
    assert len(event) == 1
    assert dict(event) == pytest.approx({key: everything[key] for key, _ in event})


def test_other_constants_apply_at_once(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        texts = {add(app, user, t): t for t in ("kiwi kiwi lynx", "kiwi", "lynx fjord kiwi lynx")}
        rows(admin, "memos_admin.set_setting", "bm25_k1", "0.9")
        rows(admin, "memos_admin.set_setting", "bm25_b", "0.4")
        expected = bm25(texts, ["kiwi"], k1=0.9, b=0.4)
        assert dict(found(app, user, "kiwi")) == pytest.approx(expected)
