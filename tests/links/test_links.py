"""Links that callers make: types, direction, both ends, and how they end."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from link_support import Edge, link, memories
from memory_support import Connection, add, at_once, failure, row_counts, rows, value
from support.postgres import Database

LINK, UNLINK = "memos.link_memories", "memos.unlink_memories"
SYMMETRIC = ("semantic", "related", "contradicts")
DIRECTED = ("reference", "supports", "derived_from", "answers", "caused_by")


def links(app: Connection, user: UUID, memory: UUID) -> list[tuple[Any, ...]]:
    """Other end, direction, type, weight and origin of each link."""
    return [
        (*row[:3], round(row[3], 5), row[4]) for row in rows(app, "memos.list_links", user, memory)
    ]


def related(app: Connection, user: UUID, memory: UUID, **named: Any) -> dict[UUID, Any]:
    """Depth, weight, path and types of each related memory."""
    found = rows(app, "memos.related_memories", user, memory, **named)
    assert len({row[0] for row in found}) == len(found), "a memory stands twice"
    order = [(-row[2], row[1], row[0]) for row in found]
    assert order == sorted(order)
    return {row[0]: row[1:5] for row in found}


@pytest.mark.parametrize("kind", SYMMETRIC)
def test_a_symmetric_link_is_one_link_whichever_end_is_named_first(
    app: Connection, user: UUID, kind: str
) -> None:
    a, b = memories(app, user, 2)
    assert value(app, LINK, user, b, a, kind, 0.5) is True
    assert value(app, LINK, user, a, b, kind, 0.25) is False
    assert links(app, user, a) == [(b, "both", kind, 0.25, "caller")]
    assert links(app, user, b) == [(a, "both", kind, 0.25, "caller")]
    assert value(app, UNLINK, user, b, a, kind) is True
    assert value(app, UNLINK, user, a, b, kind) is False
    assert links(app, user, a) == []


@pytest.mark.parametrize("kind", DIRECTED)
def test_a_directed_link_keeps_its_direction(app: Connection, user: UUID, kind: str) -> None:
    a, b = memories(app, user, 2)
    assert value(app, LINK, user, b, a, kind, 0.5) is True
    assert links(app, user, a) == [(b, "from", kind, 0.5, "caller")]
    assert links(app, user, b) == [(a, "to", kind, 0.5, "caller")]
    assert value(app, LINK, user, a, b, kind, 1) is True
    assert links(app, user, a) == [
        (b, "to", kind, 1, "caller"),
        (b, "from", kind, 0.5, "caller"),
    ]
    assert value(app, UNLINK, user, a, b, kind) is True
    assert links(app, user, a) == [(b, "from", kind, 0.5, "caller")]


def test_defaults_are_related_and_strong(app: Connection, user: UUID) -> None:
    a, b = memories(app, user, 2)
    assert value(app, LINK, user, a, b) is True
    assert links(app, user, a) == [(b, "both", "related", 0.9, "caller")]
    assert value(app, UNLINK, user, a, b) is True


def test_two_memories_may_be_linked_in_several_ways(app: Connection, user: UUID) -> None:
    a, b = memories(app, user, 2)
    link(app, user, [a, b], [(0, 1, "supports", 0.4), (0, 1, "related", 0.8)])
    assert related(app, user, a) == {b: (1, pytest.approx(0.8), [a, b], ["related"])}
    assert related(app, user, a, p_types=["supports"])[b][3] == ["supports"]


def test_a_link_says_what_is_at_its_other_end(app: Connection, user: UUID) -> None:
    a, b = add(app, user, "first"), add(app, user, "second")
    value(app, LINK, user, a, b)
    assert rows(app, "memos.list_links", user, a)[0][6] == "second"
    assert rows(app, "memos.related_memories", user, b)[0][5] == "first"


def test_paths_multiply_their_weights_and_are_followed_both_ways(
    app: Connection, user: UUID
) -> None:
    a, b, c, d, e = memories(app, user, 5)
    link(
        app, user, [a, b, c, d, e],
        [
            (0, 1, "supports", 0.5), (2, 1, "answers", 0.5),
            (2, 3, "related", 1), (3, 4, "related", 1),
        ],
    )  # fmt: skip
    assert related(app, user, a, p_min_weight=0.1) == {
        b: (1, 0.5, [a, b], ["supports"]),
        c: (2, 0.25, [a, b, c], ["supports", "answers"]),
        d: (3, 0.25, [a, b, c, d], ["supports", "answers", "related"]),
    }
    assert set(related(app, user, a)) == {b}
    assert set(related(app, user, a, p_min_weight=0.25, p_max_depth=6)) == {b, c, d, e}
    assert set(related(app, user, a, p_min_weight=0.25, p_max_depth=2)) == {b, c}
    assert set(related(app, user, a, p_min_weight=0, p_types=["supports"])) == {b}
    assert related(app, user, a, p_types=["unheard_of"]) == {}
    assert related(app, user, e, p_max_depth=1) == {d: (1, 1, [e, d], ["related"])}


def test_a_longer_way_that_is_stronger_wins_and_of_equal_ones_the_shorter(
    app: Connection, user: UUID
) -> None:
    a, b, c, d = memories(app, user, 4)
    edges: list[Edge] = [(0, 3, "related", 0.4), (0, 1, "related", 1), (1, 3, "related", 0.5)]
    link(app, user, [a, b, c, d], edges)
    assert related(app, user, a)[d][:3] == (2, 0.5, [a, b, d])
    link(app, user, [a, b, c, d], [(0, 2, "related", 0.5), (2, 3, "related", 1)])
    assert related(app, user, a)[d][:3] == (2, 0.5, [a, b, d])
    link(app, user, [a, b, c, d], [(0, 3, "related", 0.5)])
    assert related(app, user, a)[d][:3] == (1, 0.5, [a, d])


def test_a_cycle_ends(app: Connection, user: UUID) -> None:
    ids = memories(app, user, 4)
    link(app, user, ids, [(n, (n + 1) % 4, "reference", 1) for n in range(4)])
    found = related(app, user, ids[0], p_max_depth=6)
    assert {memory: row[0] for memory, row in found.items()} == {ids[1]: 1, ids[2]: 2, ids[3]: 1}


def test_a_link_of_weight_zero_is_not_followed_unless_asked_for(
    app: Connection, user: UUID
) -> None:
    a, b = memories(app, user, 2)
    link(app, user, [a, b], [(0, 1, "related", 0)])
    assert related(app, user, a) == {}
    assert related(app, user, a, p_min_weight=0)[b][1] == 0


def test_links_go_with_either_memory(app: Connection, user: UUID) -> None:
    a, b, c = memories(app, user, 3)
    link(app, user, [a, b, c], [(0, 1, "related", 1), (1, 2, "supports", 1)])
    assert value(app, "memos.delete_memory", user, b) is True
    assert links(app, user, a) == links(app, user, c) == []
    assert related(app, user, a) == {}
    assert failure(app, "memos.list_links", user, b).sqlstate == "MO404"
    assert failure(app, "memos.related_memories", user, b).sqlstate == "MO404"
    assert value(app, UNLINK, user, a, b) is False


def test_a_new_version_keeps_what_callers_linked(app: Connection, user: UUID) -> None:
    a, b = memories(app, user, 2)
    value(app, LINK, user, a, b, "supports")
    value(app, "memos.update_memory", user, a, {"content": "changed"})
    assert links(app, user, a) == [(b, "to", "supports", 0.9, "caller")]


def test_nobody_reaches_the_memories_of_another(app: Connection, user: UUID) -> None:
    other = uuid4()
    (mine,) = memories(app, user, 1)
    theirs, more = memories(app, other, 2)
    value(app, LINK, other, theirs, more)
    for call in (
        (LINK, user, mine, theirs),
        (LINK, user, theirs, mine),
        (LINK, user, theirs, more),
        ("memos.list_links", user, theirs),
        ("memos.related_memories", user, theirs),
    ):
        assert failure(app, *call).sqlstate == "MO404"
    assert value(app, UNLINK, user, theirs, more) is False
    assert len(links(app, other, theirs)) == 1


def test_a_signed_context_links_its_own_memories_only(
    module_database: Database, app: Connection, user: UUID
) -> None:
    a, b = memories(app, user, 2)
    with module_database.connect("memos_user") as session:
        assert failure(session, LINK, user, a, b).sqlstate == "MO001"
        session.execute("select memos.use_context(%s, false)", (module_database.token(user),))
        assert value(session, LINK, user, a, b) is True
        assert set(related(session, user, b)) == {a}
        assert failure(session, "memos.related_memories", uuid4(), a).sqlstate == "MO403"


LONG = "'" + "t" * 65 + "'"
BAD = [
    *(
        f"{function}({arguments})"
        for function in (LINK, UNLINK)
        for arguments in (
            "null, %(a)s, %(b)s", "%(user)s, null, %(b)s", "%(user)s, %(a)s, null",
            "%(user)s, %(a)s, %(a)s", "%(user)s, %(a)s, %(b)s, null", "%(user)s, %(a)s, %(b)s, ''",
            "%(user)s, %(a)s, %(b)s, 'Two words'", f"%(user)s, %(a)s, %(b)s, {LONG}",
        )
    ),
    *(
        f"{LINK}(%(user)s, %(a)s, %(b)s, p_weight => {weight})"
        for weight in ("null", "-0.1", "1.1", "'NaN'", "'Infinity'")
    ),
    "memos.list_links(null, %(a)s)",
    "memos.list_links(%(user)s, null)",
    "memos.related_memories(null, %(a)s)",
    "memos.related_memories(%(user)s, null)",
    *(
        f"memos.related_memories(%(user)s, %(a)s, {argument})"
        for argument in (
            "p_types => '{}'", "p_types => '{null}'", "p_types => '{Bad}'", "p_types => '{a,Bad}'",
            "p_max_depth => null", "p_max_depth => 0", "p_max_depth => 7", "p_max_depth => -1",
            "p_min_weight => null", "p_min_weight => -0.1", "p_min_weight => 1.5",
            "p_min_weight => 'NaN'",
        )
    ),
    "memos.link_similar(null)",
    *(
        f"memos.link_similar(%(user)s, {argument})"
        for argument in (
            "null", "0", "-1", "10001", "p_min_similarity => -0.1", "p_min_similarity => 1.1",
            "p_min_similarity => 'NaN'", "p_max_links => 0", "p_max_links => 1001",
        )
    ),
    "memos_admin.link_similar_batch(null)",
]  # fmt: skip


@pytest.mark.parametrize("call", BAD)
def test_a_bad_argument_is_refused_and_nothing_written(
    module_database: Database, app: Connection, admin: Connection, user: UUID, call: str
) -> None:
    a, b = memories(app, user, 2)
    role = admin if call.startswith("memos_admin.") else app
    with module_database.connect() as superuser:
        before = row_counts(superuser)
        with pytest.raises(psycopg.Error) as caught:
            role.execute(f"select * from {call}", {"user": user, "a": a, "b": b})
        assert caught.value.sqlstate == "MO400"
        assert caught.value.diag.message_detail
        assert caught.value.diag.message_hint
        assert row_counts(superuser) == before


def test_the_same_link_at_once_is_made_once(
    module_database: Database, app: Connection, user: UUID
) -> None:
    a, b = memories(app, user, 2)

    def work(number: int) -> bool:
        ends = (a, b) if number % 2 else (b, a)
        with module_database.connect("memos_app") as session:
            return value(session, LINK, user, *ends, "related", number / 10)

    assert sorted(at_once(8, work)) == [False] * 7 + [True]
    assert len(links(app, user, a)) == 1


def test_linking_and_deleting_at_once_leaves_no_loose_end(
    module_database: Database, app: Connection, user: UUID
) -> None:
    for _ in range(10):
        ids = memories(app, user, 3)

        def work(number: int, ids: list[UUID] = ids) -> Any:
            with module_database.connect("memos_app") as session:
                try:
                    if number == 0:
                        return value(session, "memos.delete_memory", user, ids[1])
                    return value(session, LINK, user, ids[1], ids[2 * (number % 2)])
                except psycopg.Error as error:
                    return error.sqlstate

        assert set(at_once(4, work)) <= {True, False, "MO404"}
        assert links(app, user, ids[0]) == links(app, user, ids[2]) == []
        for memory in (ids[0], ids[2]):
            value(app, "memos.delete_memory", user, memory)


def bounded(app: Connection, user: UUID, memory: UUID, **named: Any) -> int:
    """How many related memories; walking every path would take longer than anybody waits."""
    app.execute("set statement_timeout = '1min'")
    try:
        return len(rows(app, "memos.related_memories", user, memory, **named))
    finally:
        app.execute("reset statement_timeout")


def test_a_hub_of_ten_thousand_links_is_searched_in_bounded_time(
    app: Connection, user: UUID
) -> None:
    ids = memories(app, user, 10_000)
    link(app, user, ids, [(0, n, "related", 0.9) for n in range(1, 10_000)])
    assert bounded(app, user, ids[0]) == 9_999
    assert bounded(app, user, ids[77], p_max_depth=6) == 9_999


def test_a_complete_graph_is_searched_in_bounded_time(app: Connection, user: UUID) -> None:
    ids = memories(app, user, 200)
    edges = [
        (a, b, "related", 0.9 + (a * 7 + b * 13) % 100 / 1000) for a in range(200) for b in range(a)
    ]
    link(app, user, ids, edges)
    assert bounded(app, user, ids[0], p_max_depth=6) == 199


def best_paths(edges: list[Edge], start: int, depth: int, least: float, kinds: set[str]) -> Any:
    """Every simple path, tried out: the strongest to each node, of equal ones the shortest."""
    best: dict[int, tuple[float, int]] = {}

    def walk(path: list[int], weight: float) -> None:
        for a, b, kind, strength in edges:
            for here, there in ((a, b), (b, a)):
                product = weight * strength
                if here != path[-1] or there in path or kind not in kinds or product < least:
                    continue
                if there not in best or (-product, len(path)) < (-best[there][0], best[there][1]):
                    best[there] = (product, len(path))
                if len(path) < depth:
                    walk([*path, there], product)

    walk([start], 1.0)
    return best


KINDS = ["related", "supports", "contradicts"]
#: Powers of two: their products are exact, in real and in double precision.
GRAPH = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.integers(0, 6),
        st.sampled_from(KINDS),
        st.sampled_from([1, 0.5, 0.25]),
    ).filter(lambda edge: edge[0] != edge[1]),
    max_size=14,
    unique_by=lambda edge: (frozenset(edge[:2]), edge[2]),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    edges=GRAPH,
    start=st.integers(0, 6),
    depth=st.integers(1, 6),
    least=st.sampled_from([0, 0.0625, 0.25, 0.5, 1]),
    kinds=st.none() | st.lists(st.sampled_from(KINDS), min_size=1, unique=True),
)
def test_related_memories_are_those_a_brute_force_search_finds(
    app: Connection, edges: list[Edge], start: int, depth: int, least: float, kinds: Any
) -> None:
    user = uuid4()
    ids = memories(app, user, 7)
    link(app, user, ids, edges)
    named = {"p_max_depth": depth, "p_min_weight": float(least), "p_types": kinds}
    found = related(app, user, ids[start], **named)
    expected = best_paths(edges, start, depth, least, set(kinds or KINDS))
    assert {memory: (row[1], row[0]) for memory, row in found.items()} == {
        ids[node]: answer for node, answer in expected.items()
    }
    strength = {(frozenset((ids[a], ids[b])), kind): weight for a, b, kind, weight in edges}
    for memory, (length, weight, path, types) in found.items():
        assert (path[0], path[-1], len(path)) == (ids[start], memory, length + 1)
        product = 1.0
        for ends, kind in zip(pairwise(path), types, strict=True):
            product *= strength[frozenset(ends), kind]
        assert product == weight
