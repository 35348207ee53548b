"""What surrounds a memory counts too: recomputed here from the lanes' own scores."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_support import Connection, rows, value, vector, vectors
from support.postgres import Database

QUERY = "kiwi fjord"
QUERY_VECTOR = [1, 0.5, -0.5]
NOW = datetime(2026, 3, 1, 15, tzinfo=UTC)
OTHERS_OFF = {"time": 0, "importance": 0, "recency": 0}

memory_st = st.fixed_dictionaries(
    {
        "words": st.lists(st.sampled_from(["kiwi", "fjord", "lynx", "moss"]), max_size=5),
        "session_id": st.sampled_from([None, "a", "b"]),
        "position": st.one_of(st.none(), st.integers(0, 12)),
        "importance": st.sampled_from([0.0, 0.5, 0.75, 1.0]),
        "days": st.integers(0, 400),
        "vector": st.lists(st.sampled_from([-1.0, -0.5, 0.25, 1.0]), min_size=3, max_size=3),
    }
)


@pytest.fixture(scope="module", autouse=True)
def model(module_database: Database) -> None:
    with module_database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.register_embedding_model", "ext", 3, "external")


def store(app: Connection, user: UUID, memories: list[dict[str, Any]]) -> list[UUID]:
    batch = [
        {
            "content": f"nr{number} " + " ".join(memory.get("words", [])),
            "session_id": memory.get("session_id"),
            "position": memory.get("position"),
            "importance": memory.get("importance", 0.5),
            "occurred_at": (NOW - timedelta(days=memory.get("days", 0))).isoformat(),
        }
        for number, memory in enumerate(memories)
    ]
    stored = rows(
        app, "memos.add_memories", user, batch,
        p_embeddings=vectors(*[memory.get("vector", [0, 0, 1]) for memory in memories]),
    )  # fmt: skip
    return [row[1] for row in stored]


def search(app: Connection, user: UUID, **named: Any) -> list[Any]:
    named = {
        "p_embedding": vector(*QUERY_VECTOR), "p_limit": 1000, "p_explain": True, "p_now": NOW
    } | named  # fmt: skip
    return rows(app, "memos.search_memories", user, QUERY, **named)


@given(
    memories=st.lists(memory_st, min_size=1, max_size=25), weight=st.sampled_from([0, 0.5, 1, 2])
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_scores_are_what_the_documentation_says(
    app: Connection, memories: list[dict[str, Any]], weight: float
) -> None:
    user = uuid4()
    ids = store(app, user, memories)
    own = {hit[1]: hit[4] for hit in search(app, user, p_weights=OTHERS_OFF | {"context": 0})}
    assert set(own) == set(ids), "every memory has a vector, so all are found"
    lifted = dict(own)
    by_session = defaultdict(list)
    for memory, said in zip(ids, memories, strict=True):
        if said["session_id"]:
            by_session[said["session_id"]].append((memory, said["position"]))
    for members in by_session.values():
        for memory, place in members:
            for other, where in members:
                if other != memory and place is not None and where is not None and own[other] > 0:
                    distance = abs(place - where)
                    share = {0: 0.3, 1: 0.3, 2: 0.09}.get(distance, 0) * weight
                    lifted[memory] += share * own[other]
    final = dict(lifted)
    for members in by_session.values():
        best = max(lifted[memory] for memory, _ in members)
        for memory, _ in members:
            final[memory] += 0.4 * weight * max(best, 0)
    today = NOW.replace(hour=0)
    for memory, said in zip(ids, memories, strict=True):
        age = abs((today - (NOW - timedelta(days=said["days"]))).total_seconds()) / 2592000
        factor = (1 + 0.2 * (said["importance"] - 0.5)) * (1 + 0.05 * math.exp(-min(age, 50)))
        final[memory] *= factor if final[memory] > 0 else 1 / factor
    hits = search(app, user, p_weights={"context": weight})
    assert {hit[1]: hit[4] for hit in hits} == pytest.approx(final, abs=1e-6)
    assert [(-hit[4], hit[1]) for hit in hits] == sorted((-hit[4], hit[1]) for hit in hits)
    for hit in hits:
        shares = [lane["share"] for lane in hit[11]["lanes"].values()]
        assert sum(shares) == pytest.approx(hit[4], abs=1e-9), "the shares add up"


def conversation(chance: random.Random, length: int) -> list[dict[str, Any]]:
    """One in which only the third memory has to do with the query."""
    far = {"words": ["moss"], "vector": [-1.0, -0.5, 0.25]}
    memories = [
        far | {"session_id": "s", "position": place, "words": [chance.choice("xyz")]}
        for place in range(length)
    ]
    memories[2] |= {"words": ["kiwi", "fjord"], "vector": QUERY_VECTOR}
    return memories


def test_neighbours_come_before_strangers(app: Connection, user: UUID) -> None:
    store(app, user, conversation(random.Random(1), 9))
    places = [hit[9] for hit in search(app, user)]
    assert places[0] == 2
    assert set(places[1:3]) == {1, 3}
    assert set(places[3:5]) == {0, 4}


def test_a_neighbour_outside_the_filter_stays_outside(app: Connection, user: UUID) -> None:
    memories = conversation(random.Random(2), 9)
    ids = store(app, user, memories)
    value(app, "memos.update_memory", user, ids[2], {"tags": ["wanted"]})
    value(app, "memos.update_memory", user, ids[6], {"tags": ["wanted"]})
    assert {hit[1] for hit in search(app, user, p_tags=["wanted"])} == {ids[2], ids[6]}


def test_the_past_has_its_own_neighbours(app: Connection, user: UUID) -> None:
    ids = store(app, user, conversation(random.Random(3), 9))
    then = value(app, "clock_timestamp")
    before = search(app, user, p_recorded_at=then)
    value(app, "memos.delete_memory", user, ids[3])
    value(app, "memos.update_memory", user, ids[1], {"session_id": "elsewhere"})
    assert ids[3] not in {hit[1] for hit in search(app, user)}
    after = search(app, user, p_recorded_at=then)
    assert [(hit[1], hit[4]) for hit in after] == [(hit[1], hit[4]) for hit in before]
    assert {hit[1] for hit in before[1:3]} == {ids[1], ids[3]}


def test_age_alone_never_buries_the_answer(app: Connection, user: UUID) -> None:
    """A perfect match of years ago against fresh memories about other things."""
    answer = {"words": ["kiwi", "fjord"], "vector": QUERY_VECTOR, "days": 3000, "importance": 0}
    others = [
        {"words": ["lynx", str(n)], "vector": [-1.0, 0.25, 0.5], "importance": 1.0}
        for n in range(30)
    ]
    ids = store(app, user, [answer, *others])
    assert search(app, user)[0][1] == ids[0]


def test_importance_and_recency_decide_between_equals(app: Connection, user: UUID) -> None:
    same = {"words": ["kiwi"], "vector": QUERY_VECTOR, "days": 100}
    ids = store(
        app, user, [same, same | {"importance": 0.9}, same | {"days": 1}, {"words": ["moss"]}]
    )
    found = [hit[1] for hit in search(app, user)]
    assert found[:3] == [ids[1], ids[2], ids[0]]
    switched_off = search(app, user, p_weights=OTHERS_OFF)
    assert [hit[1] for hit in switched_off[:3]] == sorted(ids[:3])


def test_the_same_state_gives_the_same_answer_all_day(app: Connection, user: UUID) -> None:
    store(app, user, conversation(random.Random(4), 9))
    assert search(app, user, p_now=NOW) == search(app, user, p_now=NOW - timedelta(hours=14))


def test_a_long_user_gets_as_many_rows_as_asked_for(app: Connection, user: UUID) -> None:
    """More memories than compete, in sessions longer than the neighbourhood."""
    chance = random.Random(5)
    memories = [
        {
            "words": chance.choices(["kiwi", "fjord", "lynx", "moss"], k=4),
            "session_id": f"s{number // 40}",
            "position": number % 40,
            "vector": [chance.gauss(0, 1) for _ in range(3)],
        }
        for number in range(400)
    ]
    store(app, user, memories)
    for fusion in ("calibrated", "rrf"):
        whole = search(app, user, p_fusion=fusion)
        assert len(whole) == 400
        for limit in (1, 10, 60, 150):
            assert len(search(app, user, p_fusion=fusion, p_limit=limit)) == limit


def linked(app: Connection, user: UUID, **link: Any) -> tuple[UUID, UUID, UUID]:
    """An answer, a memory linked to it and one that is not, neither of which has to do with it."""
    far = {"words": ["moss"], "vector": [-1.0, -0.5, 0.25]}
    answer, other, stranger = store(
        app, user, [{"words": ["kiwi", "fjord"], "vector": QUERY_VECTOR}, far, far]
    )
    rows(app, "memos.link_memories", user, other, answer, **link)
    return answer, other, stranger


@pytest.mark.parametrize("kind", ["related", "answers"])
def test_a_linked_memory_comes_before_strangers(app: Connection, user: UUID, kind: str) -> None:
    answer, other, stranger = linked(app, user, p_type=kind, p_weight=0.5)
    off = {hit[1]: hit[4] for hit in search(app, user, p_weights=OTHERS_OFF | {"graph": 0})}
    hits = search(app, user, p_weights=OTHERS_OFF)
    assert [hit[1] for hit in hits] == [answer, other, stranger]
    assert hits[1][11]["lanes"]["graph"]["share"] == pytest.approx(0.3 * 0.5 * off[answer])
    assert {hit[1]: hit[4] for hit in hits} == pytest.approx(
        off | {other: off[other] + 0.3 * 0.5 * off[answer]}
    )


def test_an_automatic_link_is_not_followed(
    app: Connection, user: UUID, module_database: Database
) -> None:
    _, other, _ = linked(app, user)
    with module_database.connect() as superuser:
        superuser.execute(
            "update memos_private.memory_link set origin = 'automatic' where user_id = %s", (user,)
        )
    assert "graph" not in next(hit for hit in search(app, user) if hit[1] == other)[11]["lanes"]


def test_a_link_reaches_beyond_the_lanes_but_not_beyond_the_filter(
    app: Connection, user: UUID
) -> None:
    answer, other, _ = linked(app, user)
    words_only = {"p_embedding": None, "p_weights": {"dense": 0}}
    assert [hit[1] for hit in search(app, user, **words_only)] == [answer, other]
    value(app, "memos.update_memory", user, answer, {"tags": ["wanted"]})
    assert [hit[1] for hit in search(app, user, p_tags=["wanted"], **words_only)] == [answer]


def test_the_past_follows_no_links_and_says_so(app: Connection, user: UUID) -> None:
    linked(app, user)
    (hit, *_) = search(app, user, p_recorded_at=value(app, "clock_timestamp"))
    assert "graph" in hit[11]["lanes_off"]


@pytest.mark.parametrize(
    ("query", "first"),
    [("what about the kiwi in May 2024?", 1), ("what about the kiwi in June 2025?", 2)],
)
def test_the_time_of_the_question_lifts_what_happened_then(
    app: Connection, user: UUID, query: str, first: int
) -> None:
    same = {"words": ["kiwi"], "vector": QUERY_VECTOR}
    days = [
        (NOW - datetime(*day, tzinfo=UTC)).days
        for day in ((2023, 1, 9), (2024, 5, 9), (2025, 6, 9))
    ]
    ids = store(app, user, [same | {"days": day} for day in days] + [{"words": ["moss"]}])
    named = {"p_embedding": vector(*QUERY_VECTOR), "p_explain": True, "p_now": NOW}
    hits = rows(app, "memos.search_memories", user, query, **named)
    assert hits[0][1] == ids[first]
    assert hits[0][11]["lanes"]["time"]["share"] == pytest.approx(2)
    assert "period" in hits[0][11]
    unmoved = rows(app, "memos.search_memories", user, query, p_weights={"time": 0}, **named)
    assert "period" not in unmoved[0][11]
