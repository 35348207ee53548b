"""Searches that include the cold answer as if nothing were cold; others as if it were not there."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from cold_support import move, results
from memory_support import Connection, add, now, rows, value, vector, vectors
from support.postgres import Database

COUNT = 200
CLOCK = "2026-06-15 12:00Z"
NEAR = vector(1, 0.2, 0, 0, 0.4, 0, 0, -0.1)
SEARCHES: dict[str, dict[str, Any]] = {
    "words and meaning": {},
    "words": {"p_embedding": None},
    "meaning": {"p_query": None},
    "many": {"p_limit": 60},
    "rrf": {"p_fusion": "rrf", "p_limit": 30},
    "a kind": {"p_kinds": ["episodic"]},
    "tags and metadata": {"p_tags": ["even"], "p_metadata": {"third": 1}},
    "a session": {"p_session_id": "s3"},
    "a period": {"p_from": "2026-05-01Z", "p_until": "2026-06-01Z"},
    "a budget": {"p_token_budget": 60},
    "a prefix": {"p_query": "stra* kiwi"},
    "a phrase": {"p_query": '"yellow kiwi" mango'},
    "an exclusion": {"p_query": "kiwi -yellow"},
    "a time": {"p_query": "what about the kiwi in May 2026?"},
    "a word of cold ones only": {"p_query": "rare"},
    "no lane but words": {"p_weights": {"dense": 0, "context": 0, "graph": 0}},
    "nothing": {"p_query": "nonexistent", "p_embedding": None},
}


@pytest.fixture(scope="module")
def filled(module_database: Database) -> Iterator[tuple[Connection, Connection, UUID, list[UUID]]]:
    """A user with a few hundred memories of all kinds, all of them warm."""
    chance = random.Random(7)
    user = uuid4()
    words = [
        "kiwi",
        "mango",
        "yellow",
        "Straße",
        "Strand",
        "running",
        "bread",
        "the",
        "tea",
        "salt",
    ]
    batch = [
        {
            "content": " ".join(chance.choices(words, k=chance.randint(2, 14))) + f" {n}",
            "kind": chance.choice(["semantic", "episodic"]),
            "tags": ["even"] if n % 2 == 0 else [],
            "metadata": {"third": n % 3},
            "importance": chance.random(),
            "language": chance.choice([None, None, "german"]),
            "session_id": f"s{n // 20}" if n % 5 else None,
            "position": n % 20,
            "occurred_at": f"2026-{chance.randint(1, 6):02}-{chance.randint(1, 28):02}T10:00:00Z",
        }
        for n in range(COUNT)
    ]
    batch[11]["content"] += " rare"
    with (
        module_database.connect("memos_admin") as admin,
        module_database.connect("memos_app") as app,
        module_database.connect() as superuser,
    ):
        rows(admin, "memos_admin.register_embedding_model", "ext", 8, "external")
        ids = [
            row[1]
            for row in rows(
                app, "memos.add_memories", user, batch,
                p_embeddings=vectors(*[[chance.gauss(0, 1) for _ in range(8)] for _ in batch]),
            )
        ]  # fmt: skip
        for n in range(40):
            value(app, "memos.link_memories", user, ids[n], ids[COUNT - 1 - n], "supports")
        for n in (5, 6, 7, 150, 151):
            until = "2026-06-20Z" if n % 2 else "2999-01-01Z"
            superuser.execute(
                "update memos_private.memory set valid_until = %s where memory_id = %s",
                (until, ids[n]),
            )
        yield app, superuser, user, ids


def search(app: Connection, user: UUID, named: dict[str, Any], **more: Any) -> list[Any]:
    arguments = {
        "p_query": "yellow kiwi running", "p_embedding": NEAR, "p_limit": 12, "p_now": CLOCK,
        "p_explain": True, **named, **more,
    }  # fmt: skip
    return rows(app, "memos.search_memories", user, **arguments)


def comparable(hits: list[Any]) -> Any:
    """Rows with their numbers rounded: sums in another order differ in the last digits."""

    def rounded(given: Any) -> Any:
        if isinstance(given, dict):
            return {key: rounded(inner) for key, inner in given.items()}
        return round(given, 9) + 0.0 if isinstance(given, float) else given

    # explanation, without what tells the two searches apart
    return [
        (*hit[:4], rounded(hit[4]), *hit[5:11], rounded(json.loads(json.dumps(hit[11]["lanes"]))))
        for hit in hits
    ]


def test_searches_of_the_past_and_replays_know_no_tiers(filled: Any) -> None:
    app, superuser, user, ids = filled
    then = now(app)
    past = {"p_recorded_at": then, "p_explain": True}
    asked = {"p_valid_at": "2026-06-10Z"}
    before = [comparable(search(app, user, named)) for named in (past, asked)]
    recorded = search(app, user, {"p_record": True})
    seen = rows(app, "memos.get_memory", user, ids[0], p_recorded_at=then)[0]
    move(superuser, user, ids[::2], "cold")
    try:
        assert [comparable(search(app, user, named)) for named in (past, asked)] == before
        assert rows(app, "memos.replay_search", user, recorded[0][12]) == recorded
        assert rows(app, "memos.get_memory", user, ids[0], p_recorded_at=then)[0] == (
            *seen[:-1], "cold"
        )  # fmt: skip
        again = search(app, user, {"p_record": True, "p_include_cold": True})
        assert comparable(again) == comparable(recorded)
    finally:
        move(superuser, user, ids[::2], "warm")
    assert rows(app, "memos.replay_search", user, again[0][12]) == again


@pytest.fixture(scope="module", params=["a third", "most", "all"])
def cooled(module_database: Database, filled: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The answers before; then some of the memories are cold; then all are warm again."""
    app, superuser, user, ids = filled
    going = {"a third": ids[::3], "most": ids[10:], "all": ids}[request.param]
    before = {n: comparable(search(app, user, named)) for n, named in SEARCHES.items()}
    delete = "delete from memos_private.memory where user_id = %s and memory_id = any (%s)"
    with module_database.connect() as deleting, deleting.transaction(force_rollback=True):
        deleting.execute(delete, (user, going))
        deleting.execute("set local role memos_app")
        without = {n: comparable(search(deleting, user, named)) for n, named in SEARCHES.items()}
    assert move(superuser, user, going, "cold") == len(going)
    yield app, superuser, user, going, before, without
    assert move(superuser, user, going, "warm") == len(going)


@pytest.mark.parametrize("name", SEARCHES)
def test_with_the_cold_ones_the_answer_is_that_of_before(cooled: Any, name: str) -> None:
    app, _, user, going, before, _ = cooled
    found = search(app, user, SEARCHES[name], p_include_cold=True)
    assert comparable(found) == before[name]
    if name != "nothing":
        assert found, "nothing to compare"
        assert found[0][11]["cold"] <= len(going)


@pytest.mark.parametrize("name", SEARCHES)
def test_without_them_it_is_as_if_they_were_not_there(cooled: Any, name: str) -> None:
    app, _, user, going, _, without = cooled
    found = search(app, user, SEARCHES[name])
    assert not {hit[1] for hit in found} & set(going)
    assert comparable(found) == without[name]


def test_without_them_nothing_cold_is_read(cooled: Any) -> None:
    _, superuser, user, *_ = cooled

    def scans() -> int:
        return superuser.execute(
            "select coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0)::int"
            " from pg_stat_xact_all_tables where relname ~ 'cold'"
        ).fetchone()[0]

    def reads(**named: Any) -> int:
        with superuser.transaction():
            before = scans()
            search(superuser, user, {}, **named)
            return scans() - before

    superuser.execute("set role memos_app")
    try:
        search(superuser, user, {})
        assert reads() == 0
        assert reads(p_include_cold=True) > 0
    finally:
        superuser.execute("reset role")


def test_the_best_passage_of_a_cold_memory_counts(database: Database, user: UUID) -> None:
    with (
        database.connect("memos_admin") as admin,
        database.connect("memos_app") as app,
        database.connect() as superuser,
    ):
        rows(admin, "memos_admin.register_embedding_model", "ext", 2, "external",
             p_options={"window_chars": 16})  # fmt: skip
        memory = add(app, user, "first sentence. second sentence. third sentence.")
        add(app, user, "other", p_embedding=vector(1, 1))
        work = [r for r in rows(admin, "memos_admin.claim_embeddings", "w") if r[1] == memory]
        literal = vectors([1, 0], [0, 1], [-1, 0])
        assert value(admin, "memos_admin.complete_embeddings", "w", results(work), literal) == 3
        move(superuser, user, [memory], "cold")
        named = {"p_embedding": vector(0, 1), "p_include_cold": True, "p_explain": True}
        hits = rows(app, "memos.search_memories", user, None, p_fusion="rrf", **named)
        assert hits[0][1] == memory
        assert hits[0][11]["lanes"]["dense"]["raw"] == pytest.approx(1)
        assert len(hits) == 2, "once, by its best passage"


def test_cold_rows_of_others_are_not_read(database: Database) -> None:
    users = [uuid4() for _ in range(30)]
    with (
        database.connect("memos_admin") as admin,
        database.connect("memos_app") as app,
        database.connect() as superuser,
    ):
        rows(admin, "memos_admin.register_embedding_model", "ext", 2, "external")
        for user in users:
            batch = [
                {"content": f"kiwi {n} " + "long " * 60, "embedding": [1, n]} for n in range(40)
            ]
            ids = [row[1] for row in rows(app, "memos.add_memories", user, batch)]
            move(superuser, user, ids[:30], "cold")
        superuser.execute("vacuum analyze")
        superuser.execute("set role memos_app")
        with superuser.transaction():
            named = {"p_embedding": vector(1, 0), "p_include_cold": True}
            assert rows(superuser, "memos.search_memories", users[3], "kiwi", **named)
            read = superuser.execute(
                "select relname, seq_tup_read from pg_stat_xact_all_tables"
                " where relname ~ 'cold' and seq_tup_read >= 900"
            ).fetchall()
        assert read == []
