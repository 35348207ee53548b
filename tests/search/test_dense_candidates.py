"""The dense lane against exact search in numpy: the same memories whichever path finds them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from memos_pg.migrate import migrate, rollback
from support.postgres import Database

Connection = psycopg.Connection[Any]

DIMENSIONS = 256
SIZES = {"small": 100, "middle": 1_000, "large": 10_000}
DEPTH = 50


@dataclass
class Crowd:
    """Users of very different sizes in one table, and what is near in it."""

    owner: Connection
    watched: Connection
    vectors: dict[str, np.ndarray]
    ids: dict[str, list[UUID]]
    questions: dict[str, np.ndarray]

    def lane(
        self,
        name: str,
        question: np.ndarray,
        scope: list[UUID] | None = None,
        depth: int = DEPTH,
        owner: Connection | None = None,
    ) -> Any:
        """What the database finds, as an API function would: in the user's context."""
        owner = owner or self.owner
        owner.execute("select set_config('memos.user_id', %s, false)", [str(user_id(name))])
        return owner.execute(
            """
            select c.* from memos_private.dense_candidates(
                %s, 1::smallint, %s::public.halfvec,
                (
                    select array_agg(row(i, 1, null)::memos_private.version_key)
                    from unnest(%s::uuid[]) as i
                ), false, %s
            ) as c
            """,
            [user_id(name), literal(question), scope, depth],
        ).fetchone()

    def exact(self, name: str, question: np.ndarray) -> np.ndarray:
        """Cosine similarity of every memory, in the order of ids."""
        return self.vectors[name].astype(np.float64) @ question / np.linalg.norm(question)


def user_id(name: str) -> UUID:
    return uuid.uuid5(uuid.NAMESPACE_DNS, name)


def literal(vector: np.ndarray) -> str:
    return "[" + ",".join(f"{x:.8g}" for x in vector) + "]"


def store(superuser: Connection, name: str, ids: list[UUID], vectors: np.ndarray) -> None:
    """Vectors without their memories, which the lane does not read."""
    with superuser.cursor().copy(
        "copy memos_private.embedding (user_id, model_id, memory_id, passage, embedding) from stdin"
    ) as copy:
        for memory_id, vector in zip(ids, vectors, strict=True):
            copy.write_row((user_id(name), 1, memory_id, 0, literal(vector)))
    superuser.execute(
        "insert into memos_private.corpus values (%s, 'english', gen_random_uuid(), %s, %s, 0)",
        [user_id(name), len(ids), 20 * len(ids)],
    )


@pytest.fixture(scope="module")
def crowd(module_database: Database) -> Iterator[Crowd]:
    """Vectors like those of real models: topics, a decaying spectrum, a common direction."""
    rng = np.random.default_rng(11)
    rotation = np.linalg.qr(rng.standard_normal((DIMENSIONS, DIMENSIONS)))[0]
    spectrum = np.arange(1, DIMENSIONS + 1) ** -0.5

    def noise(count: int) -> np.ndarray:
        return rng.standard_normal((count, DIMENSIONS)) * spectrum

    common, topics = 1.2 * noise(1), 0.8 * noise(200)

    def unit(latent: np.ndarray) -> np.ndarray:
        rotated = latent @ rotation
        return (rotated / np.linalg.norm(rotated, axis=1, keepdims=True)).astype(np.float16)

    found = Crowd(module_database.connect(), module_database.connect(), {}, {}, {})
    with module_database.connect() as superuser:
        superuser.execute("set session_replication_role = replica")
        superuser.execute(
            "insert into memos_private.embedding_model"
            " values (1, 'ext', %s, 'external', '{}', true)",
            [DIMENSIONS],
        )
        for name, size in [*SIZES.items(), *((f"other {n}", 200) for n in range(20))]:
            own = topics[rng.choice(200, 30)]
            latent = common + own[rng.integers(30, size=size)] + 0.9 * noise(size)
            found.vectors[name] = unit(latent)
            found.questions[name] = unit(0.75 * latent[:20] + 0.6 * noise(20)).astype(np.float64)
            found.ids[name] = sorted(UUID(bytes=rng.bytes(16), version=4) for _ in range(size))
            store(superuser, name, found.ids[name], found.vectors[name])
        superuser.execute("vacuum analyze memos_private.embedding")
    found.owner.execute("set role memos_owner")
    found.watched.execute("""
        load 'auto_explain';
        set auto_explain.log_min_duration = 0;
        set auto_explain.log_nested_statements = on;
        set auto_explain.log_analyze = on;
        set auto_explain.log_format = json;
        set client_min_messages = log;
        set role memos_owner;
    """)
    with found.owner, found.watched:
        yield found


@pytest.mark.parametrize("name", SIZES)
def test_the_nearest_memories_are_found_at_every_size(crowd: Crowd, name: str) -> None:
    """Recall@10 of at least 0.98, exact scores in order, mean and deviation near enough."""
    hits = 0
    for question in crowd.questions[name]:
        exact = crowd.exact(name, question)
        scores = dict(zip(crowd.ids[name], exact, strict=True))
        ids, found, mean, deviation, _ = crowd.lane(name, question)
        assert len(ids) == len(set(ids)) == DEPTH
        assert found == pytest.approx([scores[memory] for memory in ids], abs=2e-3)
        assert list(zip(found, ids, strict=True)) == sorted(
            zip(found, ids, strict=True), key=lambda pair: (-pair[0], pair[1])
        )
        assert mean == pytest.approx(exact.mean(), abs=0.25 * exact.std())
        assert deviation == pytest.approx(exact.std(), rel=0.25)
        best = {crowd.ids[name][place] for place in np.argsort(-exact)[:10]}
        hits += len(best & set(ids[:10]))
    assert hits >= 0.98 * 10 * len(crowd.questions[name])


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.95])
def test_a_scope_is_searched_as_well(crowd: Crowd, name: str, share: float) -> None:
    rng = np.random.default_rng(5)
    hits = wanted = 0
    for question in crowd.questions[name][:8]:
        places = rng.permutation(SIZES[name])[: max(3, int(share * SIZES[name]))]
        scope = [crowd.ids[name][place] for place in places]
        exact = crowd.exact(name, question)[places]
        ids, found, mean, *_ = crowd.lane(name, question, scope)
        assert set(ids) <= set(scope)
        assert len(ids) == len(found) == min(DEPTH, len(scope))
        assert mean == pytest.approx(exact.mean(), abs=0.3 * exact.std())
        best = {scope[place] for place in np.argsort(-exact)[:10]}
        hits += len(best & set(ids[:10]))
        wanted += len(best)
    assert hits >= 0.98 * wanted


def plans(crowd: Crowd, name: str, scope: list[UUID] | None = None) -> list[dict[str, Any]]:
    """Scans of the vectors' table in a search, as they ran."""
    notices: list[str] = []
    handler = lambda diagnostic: notices.append(diagnostic.message_primary)  # noqa: E731
    crowd.watched.add_notice_handler(handler)
    try:
        crowd.lane(name, crowd.questions[name][0], scope, owner=crowd.watched)
    finally:
        crowd.watched.remove_notice_handler(handler)
    found = []
    waiting = [json.loads(n.split("plan:\n", 1)[1])["Plan"] for n in notices if "plan:\n" in n]
    while waiting:
        node = waiting.pop(0)
        waiting += node.get("Plans", [])
        if node.get("Relation Name") == "embedding":
            found.append(node)
    return found


def test_codes_are_read_from_the_key_alone(crowd: Crowd) -> None:
    """Under row-level security, too: index-only scans of codes, then a few vectors."""
    rescored, scan, first = plans(crowd, "large")
    for codes in (first, scan):
        assert (codes["Node Type"], codes["Index Name"]) == ("Index Only Scan", "embedding_pkey")
        assert codes["Heap Fetches"] == 0
    assert first["Actual Rows"] == 512
    assert scan["Actual Rows"] + scan["Rows Removed by Filter"] == SIZES["large"]
    assert scan["Actual Rows"] < SIZES["large"] / 2
    assert (rescored["Node Type"], rescored["Index Name"]) == ("Index Scan", "embedding_pkey")
    assert rescored["Actual Rows"] < 1_000
    (small,) = plans(crowd, "small")
    assert (small["Node Type"], small["Index Name"]) == ("Index Scan", "embedding_pkey")


def test_a_small_scope_is_looked_up_by_key(crowd: Crowd) -> None:
    (scan,) = plans(crowd, "large", crowd.ids["large"][:50])
    assert (scan["Node Type"], scan["Index Name"]) == ("Index Scan", "embedding_pkey")
    assert scan["Actual Rows"] == 50


def test_no_vectors_are_an_empty_lane(crowd: Crowd) -> None:
    assert crowd.lane("stranger", crowd.questions["small"][0])[:4] == ([], [], None, None)


def test_one_vector_has_no_deviation(crowd: Crowd) -> None:
    (found,) = crowd.ids["small"][:1]
    ids, scores, mean, deviation, _ = crowd.lane("small", crowd.questions["small"][0], [found])
    assert (ids, scores, deviation) == ([found], [mean], None)


def test_another_users_context_shows_nothing(crowd: Crowd) -> None:
    """Row-level security holds inside the lane, too."""
    crowd.owner.execute("select set_config('memos.user_id', %s, false)", [str(user_id("middle"))])
    found = crowd.owner.execute(
        "select (memos_private.dense_candidates(%s, 1::smallint, %s, null, false, 9)).memory_ids",
        [user_id("small"), literal(crowd.questions["small"][0])],
    ).fetchone()
    assert found == ([],)


def test_passages_of_long_memories_do_not_crowd_the_others_out(crowd: Crowd) -> None:
    """20 memories of 200 passages each, all nearer than anything else: the rest is still found."""
    rng = np.random.default_rng(2)
    question = crowd.questions["large"][0]
    near = [uuid.uuid4() for _ in range(20)]
    with crowd.owner.transaction(force_rollback=True):
        crowd.owner.execute("reset role; set local session_replication_role = replica")
        with crowd.owner.cursor().copy(
            "copy memos_private.embedding (user_id, model_id, memory_id, passage, embedding)"
            " from stdin"
        ) as copy:
            for memory in near:
                for passage in range(200):
                    vector = question + 0.01 * rng.standard_normal(DIMENSIONS)
                    copy.write_row((user_id("large"), 1, memory, passage, literal(vector)))
        crowd.owner.execute("set local role memos_owner")
        ids, scores, *_ = crowd.lane("large", question)
    crowd.owner.execute("set role memos_owner")
    assert set(ids[:20]) == set(near)
    assert len(set(ids)) == len(ids) == DEPTH
    best = np.argsort(-crowd.exact("large", question))[:10]
    assert {crowd.ids["large"][place] for place in best} <= set(ids)
    assert scores == sorted(scores, reverse=True)


def test_vectors_stored_before_the_codes_get_theirs(database: Database) -> None:
    """Rolled back and migrated again on a filled database."""
    with database.connect("memos_admin") as admin:
        admin.execute("select memos_admin.register_embedding_model('ext', 3, 'external')")
    database.value(
        "select memos.add_memory(%s, 'filled', p_embedding => '[1,-2,3]')",
        user_id("x"),
        role="memos_app",
    )
    while not any("0008" in name for name in rollback(database.dsn, 1).rolled_back):
        pass
    assert database.value("select embedding::text from memos_private.embedding") == "[1,-2,3]"
    migrate(database.dsn)
    assert database.value("select code::text from memos_private.embedding") == "101"


@pytest.mark.parametrize("first_are_near", [True, False])
def test_the_nearest_codes_are_found_whatever_the_first_ones_are_like(
    crowd: Crowd, first_are_near: bool
) -> None:
    """The first 512 say how far is too far; when they mislead, all codes are looked at."""
    rng = np.random.default_rng(7)
    size, limit = 2_000, 20
    name = f"first ones near: {first_are_near}"
    question = rng.standard_normal(DIMENSIONS)
    vectors = rng.standard_normal((size, DIMENSIONS))
    near = slice(0, 15) if first_are_near else slice(size - 15, size)
    vectors[near] += question
    ids = sorted(uuid.uuid4() for _ in range(size))
    differing = ((vectors > 0) != (question > 0)).sum(axis=1)
    with crowd.owner.transaction(force_rollback=True):
        crowd.owner.execute("reset role; set local session_replication_role = replica")
        store(crowd.owner, name, ids, vectors)
        crowd.owner.execute("set local role memos_owner")
        crowd.owner.execute("select set_config('memos.user_id', %s, true)", [str(user_id(name))])
        (found,) = crowd.owner.execute(
            "select memos_private.nearest_codes(%s, 1::smallint, public.binary_quantize(%s::public"
            f".halfvec({DIMENSIONS})), null, false, %s, -2147483648, %s)",
            [user_id(name), literal(question), size, limit],
        ).fetchone()
    assert len(set(found)) == limit
    bits = dict(zip(ids, differing, strict=True))
    assert sorted(bits[memory] for memory in found) == sorted(differing)[:limit]
