"""Automatic links: which memories get them, how many, and when they go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from memory_support import Connection, add, at_once, failure, rows, value, vector
from memos_pg.migrate import migrate, rollback, state
from support.postgres import Database

DIMENSIONS = 8
LEAST, MOST = 0.7, 10


@pytest.fixture(scope="module", autouse=True)
def model(module_database: Database) -> None:
    """The default model, and one beside it."""
    with module_database.connect("memos_admin") as admin:
        for name in ("first", "second"):
            rows(
                admin, "memos_admin.register_embedding_model", name, DIMENSIONS, "external"
            )  # fmt: skip


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


def toward(angle: float) -> str:
    """A unit vector; the similarity of two is the cosine of the angle between them."""
    return vector(float(np.cos(angle)), float(np.sin(angle)), *[0.0] * (DIMENSIONS - 2))


def remember(app: Connection, user: UUID, name: str, angle: float) -> UUID:
    """A memory long enough to be linked."""
    return add(app, user, f"a memory about something: {name}", p_embedding=toward(angle))


def random_memories(app: Connection, user: UUID, count: int, seed: int) -> dict[UUID, np.ndarray]:
    """Memories in clusters, with their vectors as halfvec rounds them."""
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(4, DIMENSIONS))
    points = centres[chance.integers(0, 4, count)] + 0.5 * chance.normal(size=(count, DIMENSIONS))
    points = points.astype(np.float16).astype(float)
    batch = [
        {"content": f"memory of {user}: {seed} {number}", "embedding": point.tolist()}
        for number, point in enumerate(points)
    ]
    ids = [row[1] for row in sorted(rows(app, "memos.add_memories", user, batch))]
    return dict(zip(ids, points, strict=True))


def automatic(superuser: Connection, user: UUID) -> dict[tuple[UUID, UUID], float]:
    """The automatic links of a user."""
    found = superuser.execute(
        "select from_id, to_id, weight, type from memos_private.memory_link"
        " where user_id = %s and origin = 'automatic'",
        (user,),
    ).fetchall()
    assert {row[3] for row in found} <= {"semantic"}
    return {(a, b): weight for a, b, weight, _ in found}


def mutual_neighbours(vectors: dict[UUID, np.ndarray]) -> dict[tuple[UUID, UUID], float]:
    """Pairs that are among each other's nearest, compared one by one."""
    nearest = {}
    for a, x in vectors.items():
        others = [
            (float(x @ y / np.sqrt((x @ x) * (y @ y))), b) for b, y in vectors.items() if b != a
        ]
        others = sorted(((s, b) for s, b in others if s >= LEAST), reverse=True)[:MOST]
        nearest[a] = {b: s for s, b in others}
    return {(a, b): s for a in nearest for b, s in nearest[a].items() if a < b and a in nearest[b]}


def degrees(links: dict[tuple[UUID, UUID], float]) -> dict[UUID, int]:
    ends = [end for pair in links for end in pair]
    return {end: ends.count(end) for end in set(ends)}


def test_one_run_links_who_is_among_each_others_nearest(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    vectors = random_memories(app, user, 150, seed=1)
    assert value(app, "memos.link_similar", user, 1000) == 150
    links, expected = automatic(superuser, user), mutual_neighbours(vectors)
    assert links.keys() == expected.keys()
    assert max(abs(links[pair] - expected[pair]) for pair in links) < 1e-5
    assert max(degrees(links).values()) == MOST, "nobody had more neighbours: this tests nothing"
    assert value(app, "memos.link_similar", user) == 0
    assert automatic(superuser, user) == links


def test_linking_little_by_little_finds_them_too_and_nobody_has_too_many(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    vectors: dict[UUID, np.ndarray] = {}
    for seed in range(6):
        vectors |= random_memories(app, user, 25, seed)
        while value(app, "memos.link_similar", user, 7):
            pass
    links = automatic(superuser, user)
    assert links.keys() >= mutual_neighbours(vectors).keys()
    assert max(degrees(links).values()) <= MOST
    assert min(links.values()) >= LEAST - 1e-6


def test_only_what_is_alike_enough_is_linked(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    a, b = remember(app, user, "a", 0), remember(app, user, "b", 0.7)
    remember(app, user, "c", 1.6)
    assert value(app, "memos.link_similar", user) == 3
    ((other, direction, kind, weight, origin, *_),) = rows(app, "memos.list_links", user, a)
    assert (other, direction, kind, origin) == (b, "both", "semantic", "automatic")
    assert weight == pytest.approx(np.cos(0.7), abs=1e-3)
    assert rows(app, "memos.related_memories", user, b)[0][0] == a


def test_a_greeting_is_linked_to_nothing(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    for content in ("Thanks!", "See you!", "Thanks! Take care!"):
        add(app, user, content, p_embedding=toward(0))
    remember(app, user, "a", 0)
    assert value(app, "memos.link_similar", user) == 4
    assert automatic(superuser, user) == {}


def test_a_memory_without_a_vector_of_the_default_model_does_not_wait(
    app: Connection, user: UUID
) -> None:
    add(app, user, "a memory without any vector at all")
    add(app, user, "a memory with another vector", p_embedding=toward(0), p_model="second")
    assert value(app, "memos.link_similar", user) == 0


def test_the_closest_passages_of_long_memories_count(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    a, b = remember(app, user, "a", 0), remember(app, user, "b", 1.5)
    superuser.execute(
        "insert into memos_private.embedding (user_id, model_id, memory_id, passage, embedding)"
        " values (%s, 1, %s, 1, %s)",
        (user, b, toward(0.1)),
    )
    assert value(app, "memos.link_similar", user) == 2
    assert automatic(superuser, user) == {(a, b): pytest.approx(np.cos(0.1), abs=1e-3)}


def test_new_content_is_linked_anew(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    a, b, c = (remember(app, user, name, angle) for name, angle in (("a", 0), ("b", 0), ("c", 1.5)))
    value(app, "memos.link_memories", user, a, b, "supports")
    value(app, "memos.link_similar", user)
    assert automatic(superuser, user).keys() == {(a, b)}

    value(app, "memos.update_memory", user, a, {"importance": 0.9})
    assert automatic(superuser, user).keys() == {(a, b)}
    value(app, "memos.update_memory", user, a, {"content": "something else altogether, now"})
    assert automatic(superuser, user) == {}, "the old links go with the old content"
    assert value(app, "memos.link_similar", user) == 0
    assert [row[2] for row in rows(app, "memos.list_links", user, a)] == ["supports"]

    claimed = rows(admin, "memos_admin.claim_embeddings", "w", 100, p_model="first")
    (claim,) = [row for row in claimed if row[0] == user]
    keys = ("user_id", "memory_id", "version", "model", "passage")
    result = {key: str(item) for key, item in zip(keys, claim, strict=False)}
    value(admin, "memos_admin.complete_embeddings", "w", [result], "{" + f'"{toward(1.5)}"' + "}")
    assert value(app, "memos.link_similar", user) == 1
    assert automatic(superuser, user).keys() == {(a, c)}


def test_a_deleted_memory_takes_its_links_along_and_is_not_linked_again(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    a, b = remember(app, user, "a", 0), remember(app, user, "b", 0)
    value(app, "memos.link_similar", user)
    c = remember(app, user, "c", 0)
    for memory in (a, c):
        assert value(app, "memos.delete_memory", user, memory) is True
    assert automatic(superuser, user) == {}
    assert value(app, "memos.link_similar", user) == 1
    assert value(app, "memos.link_similar", user) == 0
    assert rows(app, "memos.list_links", user, b) == []


def test_what_is_no_longer_there_leaves_the_queue(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    superuser.execute("select memos_private.queue_links(%s, %s)", (user, [uuid4()]))
    assert value(app, "memos.link_similar", user) == 1
    assert value(app, "memos.link_similar", user) == 0


def test_what_a_caller_says_about_a_link_holds(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    a, b = remember(app, user, "a", 0), remember(app, user, "b", 0)
    value(app, "memos.link_similar", user)
    assert value(app, "memos.link_memories", user, a, b, "semantic", 0) is False
    assert value(admin, "memos_admin.relink_memories", user) == 2
    assert value(app, "memos.link_similar", user) == 2
    assert [row[2:5] for row in rows(app, "memos.list_links", user, a)] == [
        ("semantic", 0, "caller")
    ]
    assert rows(app, "memos.related_memories", user, a) == []


def test_links_stay_within_a_user(app: Connection, superuser: Connection, user: UUID) -> None:
    other = uuid4()
    for owner in (user, other):
        remember(app, owner, "the same", 0)
    for owner in (user, other):
        assert value(app, "memos.link_similar", owner) == 1
        assert automatic(superuser, owner) == {}


def test_settings_and_arguments_decide(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    ids = [remember(app, user, str(n), n / 10) for n in range(6)]
    value(app, "memos.link_similar", user, p_min_similarity=0.99, p_max_links=1)
    links = automatic(superuser, user)
    assert links
    assert set(degrees(links).values()) == {1}
    try:
        rows(admin, "memos_admin.set_setting", "link_max_per_memory", "2")
        rows(admin, "memos_admin.set_setting", "link_min_similarity", "0.5")
        assert value(admin, "memos_admin.relink_memories", user) == len(ids)
        assert value(app, "memos.link_similar", user) == len(ids)
        assert max(degrees(automatic(superuser, user)).values()) == 2
        assert failure(admin, "memos_admin.set_setting", "link_max_per_memory", "0.5").sqlstate == (
            "MO400"
        )
    finally:
        rows(admin, "memos_admin.set_setting", "link_max_per_memory", str(MOST))
        rows(admin, "memos_admin.set_setting", "link_min_similarity", str(LEAST))


def test_all_users_take_turns(app: Connection, admin: Connection, superuser: Connection) -> None:
    large, small = sorted(uuid4() for _ in range(2))
    random_memories(app, large, 120, 1)
    random_memories(app, small, 10, 2)
    admin.execute("call memos_admin.link_similar(p_limit => 64)")
    (first_of_small, last_of_large) = superuser.execute(
        "select min(created_at) filter (where user_id = %(small)s),"
        " max(created_at) filter (where user_id = %(large)s) from memos_private.memory_link",
        {"small": small, "large": large},
    ).fetchone()
    assert first_of_small < last_of_large


def test_maintenance_links_all_users_and_then_has_nothing_to_do(
    app: Connection, admin: Connection, superuser: Connection
) -> None:
    users = [uuid4() for _ in range(3)]
    for number, owner in enumerate(users):
        random_memories(app, owner, 120, number)
    waiting = {row[0] for row in rows(admin, "memos_admin.users_to_link")}
    assert waiting >= set(users)
    admin.execute("call memos_admin.link_similar(%s, 50)", (users[0],))
    assert {row[0] for row in rows(admin, "memos_admin.users_to_link")} == waiting - {users[0]}
    admin.execute("call memos_admin.run_maintenance()")
    assert rows(admin, "memos_admin.users_to_link") == []
    made = [automatic(superuser, owner) for owner in users]
    assert all(made)
    admin.execute("call memos_admin.run_maintenance()")
    assert [automatic(superuser, owner) for owner in users] == made


def test_two_jobs_and_writers_at_once_neither_deadlock_nor_double(
    module_database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    vectors = random_memories(app, user, 120, seed=3)
    ids = list(vectors)
    done = threading.Event()

    def work(number: int) -> Any:
        try:
            if number < 2:
                with module_database.connect("memos_admin") as session:
                    while not done.is_set():
                        session.execute("call memos_admin.link_similar(%s, 5)", (user,))
                return None
            with module_database.connect("memos_app") as session:
                for turn in range(30):
                    memory = ids[(number - 2) * 40 + turn]
                    change = {"content": f"changed: {memory} {turn}"}
                    if turn % 3 == 0:
                        value(session, "memos.delete_memory", user, memory)
                    elif turn % 3 == 1:
                        value(session, "memos.update_memory", user, memory, change)
                    else:
                        value(session, "memos.link_memories", user, memory, ids[119], "semantic", 1)
        finally:
            if number >= 2:
                done.set()
        return None

    at_once(5, work)
    while value(app, "memos.link_similar", user):
        pass
    embedded = {
        row[0]
        for row in superuser.execute(
            "select memory_id from memos_private.embedding where user_id = %s", (user,)
        )
    }
    links = automatic(superuser, user)
    left = {memory: vectors[memory] for memory in embedded}
    assert 0 < len(left) < 120
    assert {end for pair in links for end in pair} <= embedded
    assert max(degrees(links).values()) <= MOST


def test_a_memory_that_somebody_is_changing_waits_for_the_next_run(
    module_database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    a, b = remember(app, user, "a", 0), remember(app, user, "b", 0)
    with module_database.connect("memos_app", autocommit=False) as session:
        value(session, "memos.update_memory", user, a, {"content": "changed: not about that"})
        assert value(app, "memos.link_similar", user) == 0
        session.rollback()
    assert value(app, "memos.link_similar", user) == 2
    assert automatic(superuser, user).keys() == {(a, b)}


def test_existing_vectors_are_put_in_the_queue_by_the_migration(
    database: Database,
) -> None:
    user = uuid4()
    with database.connect("memos_admin") as admin, database.connect("memos_app") as app:
        rows(admin, "memos_admin.register_embedding_model", "first", DIMENSIONS, "external")
        remember(app, user, "a", 0)
    later = [name for name in state(database.dsn).applied if name >= "0011"]
    rollback(database.dsn, len(later))
    with database.connect("memos_app") as app, pytest.raises(psycopg.Error):
        value(app, "memos.link_similar", user)
    migrate(database.dsn)
    with database.connect("memos_app") as app:
        remember(app, user, "b", 0)
        assert value(app, "memos.link_similar", user) == 2


def test_a_run_that_has_had_its_time_leaves_the_rest_for_the_next(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    for number in range(5):
        remember(app, user, str(number), 0)
    admin.execute("call memos_admin.link_similar(%s, p_limit => 2, p_at_most => '0')", (user,))
    waiting = superuser.execute(
        "select sum(cardinality(memory_ids)) from memos_private.link_queue where user_id = %s",
        (user,),
    ).fetchone()
    assert waiting == (3,)
    admin.execute("call memos_admin.link_similar(%s, p_at_most => '1 hour')", (user,))
    assert value(app, "memos.link_similar", user) == 0
    assert len(automatic(superuser, user)) == 10
