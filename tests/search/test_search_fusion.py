"""Fusion, recomputed here from vectors and words."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from memory_support import Connection, add, failure, rows, value, vector, vectors
from support.postgres import Database

WORDS = ["kiwi", "gecko", "quartz", "tundra", "fjord", "lynx", "vodka"]
QUERY = "kiwi fjord"
DIMENSIONS = 6
NOTHING_ELSE = {"context": 0, "graph": 0, "time": 0, "importance": 0, "recency": 0}


@pytest.fixture(scope="module")
def corpus(module_database: Database) -> Iterator[tuple[Connection, UUID, dict[UUID, float]]]:
    """A user with 60 memories, 10 of which have no vector yet, and the cosines of the others."""
    chance = random.Random(7)
    user = uuid4()
    with (
        module_database.connect("memos_app") as app,
        module_database.connect("memos_admin") as admin,
        module_database.connect() as superuser,
    ):
        rows(admin, "memos_admin.register_embedding_model", "ext", DIMENSIONS, "external")
        given = [[chance.gauss(0, 1) for _ in range(DIMENSIONS)] for _ in range(50)]
        for number in range(60):
            text = " ".join(chance.choices(WORDS, k=chance.randint(1, 9))) + f" nr{number}"
            embedding = {"p_embedding": vector(*given[number])} if number < 50 else {}
            add(app, user, text, **embedding)
        add(app, uuid4(), "kiwi fjord of somebody else", p_embedding=vector(*QUERY_VECTOR))
        stored = superuser.execute(
            "select memory_id, embedding::text from memos_private.embedding where user_id = %s",
            (user,),
        ).fetchall()
        cosines = {memory: cosine(json.loads(text), QUERY_VECTOR) for memory, text in stored}
        assert len(cosines) == 50
        yield app, user, cosines


QUERY_VECTOR = [0.5, -0.25, 1.0, 0.125, -0.75, 0.5]  # exact as halves


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def search(app: Connection, user: UUID, **named: Any) -> list[Any]:
    named = {"p_embedding": vector(*QUERY_VECTOR), "p_limit": 1000, "p_explain": True} | named
    return rows(app, "memos.search_memories", user, QUERY, **named)


def lexical_scores(app: Connection, user: UUID) -> dict[UUID, float]:
    """BM25 of the lexical lane alone, which test_search_bm25 checks."""
    hits = search(app, user, p_weights={"dense": 0}, p_fusion="rrf")
    return {hit[1]: hit[11]["lanes"]["lexical"]["raw"] for hit in hits}


def places(scores: dict[UUID, float]) -> dict[UUID, int]:
    ordered = sorted(scores, key=lambda memory: (-scores[memory], memory))
    return {memory: place for place, memory in enumerate(ordered, start=1)}


def test_the_dense_lane_is_exact_cosine(corpus: Any) -> None:
    app, user, cosines = corpus
    hits = search(app, user, p_weights={"lexical": 0}, p_fusion="rrf")
    raw = {hit[1]: hit[11]["lanes"]["dense"]["raw"] for hit in hits}
    assert raw == pytest.approx(cosines, abs=1e-5)
    assert [hit[1] for hit in hits] == list(places(cosines))


@pytest.mark.parametrize(
    ("k", "weights"),
    [
        (60, {}),
        (1, {}),
        (60, {"dense": 2, "lexical": 0.5}),
        (7, {"dense": 0.1}),
        (60, {"lexical": 0}),
    ],
)
def test_rrf_is_the_sum_of_weights_over_k_plus_rank(
    corpus: Any, k: int, weights: dict[str, float]
) -> None:
    app, user, cosines = corpus
    weight = {"dense": 1, "lexical": 1} | weights
    expected: dict[UUID, float] = {}
    for lane, scores in (("dense", cosines), ("lexical", lexical_scores(app, user))):
        for memory, place in places(scores).items():
            if weight[lane]:
                expected[memory] = expected.get(memory, 0) + weight[lane] / (k + place)
    hits = search(app, user, p_fusion="rrf", p_rrf_k=k, p_weights=weights)
    assert {hit[1]: hit[4] for hit in hits} == pytest.approx(expected, rel=1e-12)
    assert [hit[0] for hit in hits] == list(range(1, len(expected) + 1))
    assert [(-hit[4], hit[1]) for hit in hits] == sorted((-hit[4], hit[1]) for hit in hits)
    expected_places = {
        "dense": places(cosines),
        "lexical": places(lexical_scores(app, user)),
    }
    for hit in hits:
        for lane, said in hit[11]["lanes"].items():
            assert said["rank"] == expected_places[lane][hit[1]]
        assert sum(lane["share"] for lane in hit[11]["lanes"].values()) == pytest.approx(hit[4])


@pytest.mark.parametrize("weights", [{}, {"dense": 3}, {"dense": 0.2, "lexical": 7}])
def test_calibrated_is_the_weighted_mean_of_standard_scores(
    corpus: Any, weights: dict[str, float]
) -> None:
    app, user, cosines = corpus
    memories = [row[0] for row in rows(app, "memos.list_memories", user, p_limit=1000)]
    lexical = lexical_scores(app, user)
    weight = {"dense": 0.7, "lexical": 0.3} | weights

    def standard(scores: dict[UUID, float]) -> dict[UUID, float]:
        mean = sum(scores.values()) / len(scores)
        deviation = math.sqrt(sum((x - mean) ** 2 for x in scores.values()) / len(scores))
        return {memory: (x - mean) / deviation for memory, x in scores.items()}

    dense_z = standard(cosines)
    lexical_z = standard({memory: lexical.get(memory, 0.0) for memory in memories})
    expected = {
        memory: (weight["dense"] * dense_z.get(memory, 0) + weight["lexical"] * lexical_z[memory])
        / (weight["dense"] + weight["lexical"])
        for memory in set(cosines) | set(lexical)
    }
    hits = search(app, user, p_weights=NOTHING_ELSE | weights)
    assert {hit[1]: hit[4] for hit in hits} == pytest.approx(expected, abs=1e-4)
    for hit in hits:
        shares = [lane["share"] for lane in hit[11]["lanes"].values()]
        assert sum(shares) == pytest.approx(hit[4], abs=1e-9), "the shares add up"


def test_the_limit_cuts_the_same_order(corpus: Any) -> None:
    app, user, _ = corpus
    for fusion in ("rrf", "calibrated"):
        whole = [hit[1] for hit in search(app, user, p_fusion=fusion)]
        for limit in (1, 2, 17):
            cut = search(app, user, p_fusion=fusion, p_limit=limit)
            assert [hit[1] for hit in cut] == whole[:limit]


def test_without_explanation_the_answer_is_the_same(corpus: Any) -> None:
    app, user, _ = corpus
    plain = search(app, user, p_explain=False)
    assert [hit[:11] for hit in plain] == [hit[:11] for hit in search(app, user)]
    assert {hit[11] for hit in plain} == {None}
    assert {hit[12] for hit in plain} == {None}


@pytest.mark.parametrize("fusion", ["rrf", "calibrated"])
def test_equals_come_in_the_order_of_their_ids(corpus: Any, user: UUID, fusion: str) -> None:
    app = corpus[0]
    batch = [{"content": f"kiwi nr{number}"} for number in range(20)]
    answer = rows(
        app, "memos.add_memories", user, batch,
        p_embeddings=vectors(*[QUERY_VECTOR] * 20),
    )  # fmt: skip
    hits = search(app, user, p_fusion=fusion, p_limit=7)
    assert [hit[1] for hit in hits] == sorted(row[1] for row in answer)[:7]


def test_the_best_passage_counts(corpus: Any, module_database: Database, user: UUID) -> None:
    app = corpus[0]
    memory = add(app, user, "in two passages", p_embedding=vector(0, 1, 0, 0, 0, 0))
    with module_database.connect() as superuser:
        superuser.execute(
            """
            insert into memos_private.embedding (user_id, model_id, memory_id, passage, embedding)
            values (%s, 1, %s, 1, %s)
            """,
            (user, memory, vector(*QUERY_VECTOR)),
        )
    (hit,) = search(app, user, p_fusion="rrf")
    assert hit[11]["lanes"]["dense"]["raw"] == pytest.approx(1, abs=1e-6)


def test_a_lane_that_cannot_work_is_off_and_says_so(corpus: Any, user: UUID) -> None:
    app = corpus[0]
    add(app, user, "kiwi")
    (hit,) = rows(app, "memos.search_memories", user, "kiwi", p_explain=True)
    assert "dense" in hit[11]["lanes_off"]
    assert "dense" not in hit[11]["lanes"]
    value(app, "memos.update_memory", user, hit[1], {"content": "the kiwi"})


def test_weights_of_one_lane_give_that_lane(corpus: Any) -> None:
    app, user, cosines = corpus
    for fusion, others in (("rrf", {}), ("calibrated", NOTHING_ELSE)):
        dense = search(app, user, p_fusion=fusion, p_weights=others | {"lexical": 0})
        assert [hit[1] for hit in dense] == list(places(cosines))
        lexical = search(app, user, p_fusion=fusion, p_weights=others | {"dense": 0})
        assert [hit[1] for hit in lexical] == list(places(lexical_scores(app, user)))


def test_a_profile_sets_weights_and_k_and_the_caller_has_the_last_word(corpus: Any) -> None:
    app, user, _ = corpus
    profiled = search(app, user, p_fusion="rrf", p_profile="error_code")
    spelled = search(
        app, user, p_fusion="rrf", p_rrf_k=35, p_weights={"dense": 0.2, "lexical": 0.7}
    )
    assert profiled == spelled
    changed = search(app, user, p_fusion="rrf", p_profile="error_code", p_weights={"dense": 0.5})
    assert changed == search(
        app, user, p_fusion="rrf", p_rrf_k=35, p_weights={"dense": 0.5, "lexical": 0.7}
    )


def test_an_operator_changes_a_profile(corpus: Any, module_database: Database) -> None:
    app, user, _ = corpus
    with module_database.connect("memos_admin") as admin:
        rows(
            admin, "memos_admin.set_search_profile", "mine", "My own", {"lexical": 0}, p_rrf_k=7
        )  # fmt: skip
        assert ("mine", "My own", {"lexical": 0}, 7) in rows(admin, "memos_admin.search_profiles")
        for arguments in (
            ("Mine", "x", {}), (None, "x", {}), ("mine", "x", {"context": 1}), ("mine", "x", None),
            ("mine", "x", {"dense": 0, "lexical": 0}), ("mine", "x", {}, 0),
        ):  # fmt: skip
            assert failure(admin, "memos_admin.set_search_profile", *arguments).sqlstate == "MO400"
    assert search(app, user, p_fusion="rrf", p_profile="mine") == search(
        app, user, p_fusion="rrf", p_rrf_k=7, p_weights={"lexical": 0}
    )
    assert failure(app, "memos.search_memories", user, "x", p_profile="none").sqlstate == "MO400"
