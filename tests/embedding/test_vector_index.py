"""The vector index of the largest users: built, used, rebuilt, dropped, not trusted too far."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest
from memory_support import Connection, failure, rows, value
from support.postgres import Database

DIMENSIONS = 128
LARGE, SMALL = uuid.UUID(int=1), uuid.UUID(int=2)
SIZES = {LARGE: 3_000, SMALL: 300}


def literal(vector: np.ndarray) -> str:
    return "[" + ",".join(f"{x:.6g}" for x in vector) + "]"


@pytest.fixture(scope="module")
def stored(module_database: Database) -> dict[UUID, dict[UUID, np.ndarray]]:
    """A large and a small user's vectors of model ext; a user of 1,000 memories counts as large."""
    rng = np.random.default_rng(5)
    topics = rng.standard_normal((40, DIMENSIONS))
    found: dict[UUID, dict[UUID, np.ndarray]] = {}
    with module_database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.register_embedding_model", "ext", DIMENSIONS, "external")
        rows(admin, "memos_admin.set_setting", "dense_hnsw_memories", "1000")
        rows(admin, "memos_admin.set_setting", "dense_exact_memories", "100")
    with module_database.connect() as superuser:
        superuser.execute("set session_replication_role = replica")
        for user, size in SIZES.items():
            vectors = topics[rng.integers(40, size=size)] + rng.standard_normal((size, DIMENSIONS))
            found[user] = {
                UUID(int=(n + 1 << 80) + int(rng.integers(2**60))): vector
                for n, vector in enumerate(vectors)
            }
            with superuser.cursor().copy(
                "copy memos_private.embedding (user_id, model_id, memory_id, passage, embedding)"
                " from stdin"
            ) as copy:
                for memory, vector in found[user].items():
                    copy.write_row((user, 1, memory, 0, literal(vector)))
            superuser.execute(
                "insert into memos_private.corpus"
                " values (%s, 'english', gen_random_uuid(), %s, 0, 0)",
                [user, size],
            )
        superuser.execute("vacuum analyze memos_private.embedding")
    return found


@pytest.fixture
def indexed(
    module_database: Database, stored: dict[UUID, dict[UUID, np.ndarray]]
) -> Iterator[Connection]:
    """An operator; the model has a vector index."""
    with module_database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.create_vector_index", "ext")
        yield admin
        rows(admin, "memos_admin.drop_vector_index", "ext")


def lane(database: Database, user: UUID, question: np.ndarray, depth: int = 20) -> Any:
    """What the dense lane finds, in a session of its own, where pgvector is not loaded yet."""
    with database.connect() as owner:
        owner.execute("set role memos_owner")
        owner.execute("select set_config('memos.user_id', %s, false)", [str(user)])
        return owner.execute(
            "select * from memos_private.dense_candidates("
            "%s, 1::smallint, %s::public.halfvec, null, false, %s)",
            [user, literal(question), depth],
        ).fetchone()


def nearest(vectors: dict[UUID, np.ndarray], question: np.ndarray) -> set[UUID]:
    cosine = {
        memory: float(vector @ question / np.linalg.norm(vector))
        for memory, vector in vectors.items()
    }
    return set(sorted(cosine, key=lambda memory: -cosine[memory])[:10])


def recall(database: Database, stored: Any, user: UUID, path: str) -> float:
    hits = 0
    questions = [v + 0.5 * np.roll(v, 1) for v in list(stored[user].values())[:300:15]]
    for question in questions:
        ids, scores, mean, deviation, found_by = lane(database, user, question)
        assert found_by.startswith(path)
        assert len(ids) == len(set(ids)) == 20
        assert scores == sorted(scores, reverse=True)
        similarity = np.array([v @ question / np.linalg.norm(v) for v in stored[user].values()])
        similarity /= np.linalg.norm(question)
        assert mean == pytest.approx(similarity.mean(), abs=0.3 * similarity.std())
        assert deviation == pytest.approx(similarity.std(), rel=0.3)
        hits += len(nearest(stored[user], question) & set(ids[:10]))
    return hits / (10 * len(questions))


def test_a_large_user_is_searched_by_the_index_and_a_small_one_is_not(
    module_database: Database, stored: Any, indexed: Connection
) -> None:
    assert recall(module_database, stored, LARGE, "hnsw index") >= 0.98
    assert recall(module_database, stored, SMALL, "binary codes") >= 0.98


def test_without_an_index_codes_find_the_same(module_database: Database, stored: Any) -> None:
    assert recall(module_database, stored, LARGE, "binary codes") >= 0.98


def test_settings_of_the_session_are_left_alone(
    module_database: Database, stored: Any, indexed: Connection
) -> None:
    names = ("hnsw.iterative_scan", "hnsw.ef_search", "enable_sort", "enable_seqscan")
    with module_database.connect(autocommit=False) as owner:
        owner.execute("set role memos_owner")
        owner.execute("select set_config('memos.user_id', %s, false)", [str(LARGE)])
        owner.execute("select '[1]'::public.halfvec; set hnsw.ef_search = 77")
        before = [owner.execute(f"show {name}").fetchone() for name in names]
        owner.execute(
            "select memos_private.dense_candidates("
            "%s, 1::smallint, %s::public.halfvec, null, false, 5)",
            [LARGE, literal(next(iter(stored[LARGE].values())))],
        )
        assert [owner.execute(f"show {name}").fetchone() for name in names] == before


def test_when_the_index_ends_short_codes_take_over(
    module_database: Database, stored: Any, indexed: Connection
) -> None:
    """An iterative scan gives up after hnsw.max_scan_tuples; no memory may be lost to that."""
    question = list(stored[LARGE].values())[7]
    with module_database.connect() as owner:
        owner.execute("set role memos_owner")
        owner.execute("select set_config('memos.user_id', %s, false)", [str(LARGE)])
        owner.execute("select '[1]'::public.halfvec; set hnsw.max_scan_tuples = 1")
        ids, *_, path = owner.execute(
            "select * from memos_private.dense_candidates("
            "%s, 1::smallint, %s::public.halfvec, null, false, 2000)",
            [LARGE, literal(question)],
        ).fetchone()
    assert path.startswith("binary codes")
    assert len(ids) == 2000
    assert nearest(stored[LARGE], question) <= set(ids)


def test_status_and_reindex(module_database: Database, indexed: Connection) -> None:
    def oid() -> int:
        return module_database.value(
            "select 'memos_private.embedding_hnsw_1'::regclass::oid::bigint"
        )

    before = oid()
    (status,) = rows(indexed, "memos_admin.vector_index_status")
    assert status[:3] == ("ext", "valid", sum(SIZES.values()))
    assert status[3] > 0
    assert status[4:] == (16, 64)
    indexed.execute("call memos_admin.reindex_vector_index('ext')")
    assert oid() != before
    assert rows(indexed, "memos_admin.vector_index_status")[0][4:] == (16, 64)
    assert failure(indexed, "memos_admin.create_vector_index", "ext").sqlstate == "MO409"


def test_a_model_without_an_index_has_none_to_drop_or_rebuild(
    module_database: Database, stored: Any
) -> None:
    with module_database.connect("memos_admin") as admin:
        assert rows(admin, "memos_admin.vector_index_status")[0][1] == "none"
        assert failure(admin, "memos_admin.drop_vector_index", "ext").sqlstate == "MO404"
        with pytest.raises(psycopg.Error) as caught:
            admin.execute("call memos_admin.reindex_vector_index('ext')")
        assert caught.value.sqlstate == "MO404"


@pytest.mark.parametrize(
    "named",
    [{"p_model": "other"}, {"p_m": 1}, {"p_m": None}, {"p_ef_construction": 31}, {"p_m": 101}],
)
def test_options_an_index_cannot_have_are_refused(
    module_database: Database, stored: Any, named: dict[str, Any]
) -> None:
    with module_database.connect("memos_admin") as admin:
        for function in ("create_vector_index", "vector_index_statements"):
            error = failure(admin, f"memos_admin.{function}", **named)
            assert error.sqlstate == "MO400"
            assert error.diag.message_detail
            assert error.diag.message_hint


def test_the_statements_build_it_while_vectors_are_written(
    module_database: Database, stored: Any
) -> None:
    with module_database.connect("memos_admin") as admin, module_database.connect() as superuser:
        for (statement,) in rows(admin, "memos_admin.vector_index_statements", "ext"):
            superuser.execute(statement)
        assert rows(admin, "memos_admin.vector_index_status")[0][1] == "valid"
        assert lane(module_database, LARGE, next(iter(stored[LARGE].values())))[4].startswith(
            "hnsw"
        )
        rows(admin, "memos_admin.drop_vector_index")


def test_only_operators_build_indexes(module_database: Database, stored: Any) -> None:
    with module_database.connect("memos_app") as app:
        assert failure(app, "memos_admin.create_vector_index", "ext").sqlstate == "42501"
    with module_database.connect("memos_admin") as admin:
        assert value(admin, "memos_admin.create_vector_index", "ext") == ""
        assert value(admin, "memos_admin.drop_vector_index", "ext") == ""
