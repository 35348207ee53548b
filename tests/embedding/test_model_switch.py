"""From one embedding model to the next while searches and writes go on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import (
    Connection,
    add,
    assert_every_memory_has_a_vector_or_waits,
    failure,
    rows,
    vector,
)
from support.postgres import Database

MEMORIES = 60


@pytest.fixture
def parties(database: Database) -> Iterator[tuple[Connection, Connection, Connection, UUID]]:
    """The bot, an operator, a superuser who looks on, and a user with vectors of model old."""
    with (
        database.connect("memos_app") as app,
        database.connect("memos_admin") as admin,
        database.connect() as superuser,
    ):
        rows(admin, "memos_admin.register_embedding_model", "old", 64, "hash")
        user = uuid4()
        for number in range(MEMORIES):
            add(app, user, f"{number} bottles of wine number {number} on shelf {number % 7}")
        admin.execute("call memos_admin.embed_pending()")
        yield app, admin, superuser, user


def findings(admin: Connection, model: str) -> dict[str, tuple[bool, float]]:
    return {
        finding: (passed, measured)
        for finding, passed, measured, _ in rows(admin, "memos_admin.verify_embedding_model", model)
    }


def model_ids(superuser: Connection) -> set[int]:
    """Models of which anything is left."""
    found = superuser.execute("""
        select model_id from memos_private.embedding
        union select model_id from memos_private.embedding_history
        union select model_id from memos_private.embedding_queue
        union select model_id from memos_private.embedding_model
    """).fetchall()
    return {model_id for (model_id,) in found}


def test_no_search_notices_the_switch(database: Database, parties: Any) -> None:
    """Register, backfill, verify, switch, drop; every search meanwhile finds the memory by its
    vector alone, by one model or the other."""
    _, admin, superuser, user = parties
    stop = threading.Event()
    answers: list[tuple[str, str]] = []
    errors: list[BaseException] = []

    def search() -> None:
        try:
            with database.connect("memos_app") as app:
                while not stop.is_set():
                    ((content, explanation),) = app.execute(
                        "select content, explanation from memos.search_memories("
                        "%s, '33 bottles of wine number 33 on shelf 5', p_limit => 1,"
                        " p_weights => %s, p_explain => true)",
                        [user, '{"lexical": 0, "dense": 1}'],
                    ).fetchall()
                    answers.append((content, explanation["model"]))
        except BaseException as error:
            errors.append(error)

    def write() -> None:
        try:
            with database.connect("memos_app") as app:
                number = 0
                while not stop.wait(0.01):
                    number += 1
                    add(app, user, f"a cork {number}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for work in (search, search, write)]
    for thread in threads:
        thread.start()
    try:
        rows(admin, "memos_admin.register_embedding_model", "new", 96, "hash")
        admin.execute("call memos_admin.embed_pending()")
        found = findings(admin, "new")
        assert found["neither a vector nor pending"] == (True, 0)
        assert found["neighbours in common"][0]
        rows(admin, "memos_admin.set_default_embedding_model", "new", p_force=True)
        seen = len(answers)
        while len(answers) < seen + 10 and not errors:
            stop.wait(0.01)
        admin.execute("call memos_admin.drop_embedding_model('old')")
        seen = len(answers)
        while len(answers) < seen + 10 and not errors:
            stop.wait(0.01)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert errors == []
    assert {content for content, _ in answers} == {"33 bottles of wine number 33 on shelf 5"}
    models = [model for _, model in answers]
    assert set(models) == {"old", "new"}
    assert models[-5:] == ["new"] * 5
    admin.execute("call memos_admin.embed_pending()")
    assert_every_memory_has_a_vector_or_waits(superuser)
    assert [row[0] for row in rows(admin, "memos_admin.embedding_status")] == ["new"]
    assert model_ids(superuser) == {2}


def test_the_default_model_is_not_dropped(parties: Any) -> None:
    _, admin, superuser, _ = parties
    with pytest.raises(psycopg.Error) as caught:
        admin.execute("call memos_admin.drop_embedding_model('old')")
    assert caught.value.sqlstate == "MO409"
    assert caught.value.diag.message_hint
    assert model_ids(superuser) == {1}
    for unknown in ("nobody", None):
        with pytest.raises(psycopg.Error) as caught:
            admin.execute("call memos_admin.drop_embedding_model(%s)", [unknown])
        assert caught.value.sqlstate == "MO400"


def test_a_dropped_model_leaves_nothing_and_its_id_is_not_used_again(parties: Any) -> None:
    app, admin, superuser, user = parties
    rows(admin, "memos_admin.register_embedding_model", "ext", 3, "external")
    memory = add(app, user, "before", p_embedding=vector(1, 0, 0), p_model="ext")
    rows(app, "memos.update_memory", user, memory, {"content": "after"})
    rows(admin, "memos_admin.create_vector_index", "ext")
    assert model_ids(superuser) == {1, 2}
    admin.execute("call memos_admin.drop_embedding_model('ext')")
    assert model_ids(superuser) == {1}
    assert [row[0] for row in rows(admin, "memos_admin.vector_index_status")] == ["old"]
    rows(admin, "memos_admin.register_embedding_model", "ext", 4, "external")
    assert model_ids(superuser) == {1, 3}


def test_a_drop_that_was_stopped_half_way(parties: Any) -> None:
    """The model is not found any more, takes no vectors, and is dropped by the next call."""
    app, admin, superuser, user = parties
    rows(admin, "memos_admin.register_embedding_model", "ext", 3, "external")
    rows(admin, "memos_admin.retire_embedding_model", "ext")
    assert failure(app, "memos.search_memories", user, "x", p_model="ext").sqlstate == "MO400"
    assert failure(
        app, "memos.add_memory", user, "x", p_embedding=vector(1, 0, 0), p_model="ext"
    ).sqlstate == "MO400"  # fmt: skip
    add(app, user, "a memory that only the other model will embed")
    assert rows(admin, "memos_admin.embedding_status")[1][4] == "dropping"
    waiting = "select count(*) from memos_private.embedding_queue where model_id = 2"
    assert superuser.execute(waiting).fetchone() == (MEMORIES,)
    admin.execute("call memos_admin.drop_embedding_model('ext')")
    assert model_ids(superuser) == {1}


def test_what_verify_finds(parties: Any) -> None:
    """A backfill that is not complete, one vector for everything, and vectors of other memories."""
    _, admin, superuser, _ = parties
    assert all(passed for passed, _ in findings(admin, "old").values())

    rows(admin, "memos_admin.register_embedding_model", "shuffled", 64, "external")
    assert findings(admin, "shuffled")["without a vector"] == (False, MEMORIES)
    superuser.execute("delete from memos_private.embedding_queue where model_id = 2")
    assert findings(admin, "shuffled")["neither a vector nor pending"] == (False, MEMORIES)
    superuser.execute("""
        insert into memos_private.embedding (user_id, model_id, memory_id, passage, embedding)
        select a.user_id, 2, b.memory_id, 0, a.embedding
        from (
            select *, row_number() over (order by memory_id) as n from memos_private.embedding
        ) as a
        join (
            select *, row_number() over (order by md5(memory_id::text)) as n
            from memos_private.embedding
        ) as b using (n)
    """)
    found = findings(admin, "shuffled")
    assert found["neither a vector nor pending"] == (True, 0)
    assert found["share of equal vectors"] == (True, 0)
    assert not found["neighbours in common"][0]

    superuser.execute("""
        update memos_private.embedding
        set embedding = array_fill(1, array[64])::public.vector::public.halfvec
        where model_id = 2
    """)
    assert not findings(admin, "shuffled")["share of equal vectors"][0]


@pytest.mark.parametrize("named", [{"p_name": None}, {"p_name": "?"}, {"p_sample": 0}])
def test_bad_arguments_of_verify(parties: Any, named: dict[str, Any]) -> None:
    _, admin, _, _ = parties
    error = failure(admin, "memos_admin.verify_embedding_model", **({"p_name": "old"} | named))
    assert error.sqlstate == "MO400"
    assert error.diag.message_detail
    assert error.diag.message_hint


def test_a_search_that_its_model_left_goes_on_with_the_next(
    database: Database, parties: Any
) -> None:
    """Between the choice of the model and the look at its vectors, it is replaced and dropped."""
    _, admin, superuser, user = parties
    rows(admin, "memos_admin.register_embedding_model", "new", 96, "hash")
    admin.execute("call memos_admin.embed_pending()")
    superuser.execute(
        """
        create or replace function memos_private.query_embedding(
            p_model memos_private.embedding_model, p_query text
        ) returns public.halfvec language plpgsql stable set search_path = pg_catalog, pg_temp
        as $$
        begin
            perform pg_advisory_xact_lock_shared(42);
            return (memos_private.call_provider(p_model, array[p_query]))[1];
        end
        $$
        """
    )
    superuser.execute("select pg_advisory_lock(42)")
    found: list[Any] = []

    def search() -> None:
        with database.connect("memos_app") as app:
            found.extend(
                app.execute(
                    "select content, explanation ->> 'model' from memos.search_memories(%s, %s,"
                    " p_limit => 1, p_weights => %s, p_explain => true)",
                    [user, "33 bottles of wine number 33 on shelf 5", '{"lexical": 0, "dense": 1}'],
                )
            )

    searching = threading.Thread(target=search)
    searching.start()
    waiting = "select exists (select from pg_locks where locktype = 'advisory' and not granted)"
    while not superuser.execute(waiting).fetchone()[0]:
        searching.join(0.01)
    rows(admin, "memos_admin.set_default_embedding_model", "new")
    admin.execute("call memos_admin.drop_embedding_model('old')")
    superuser.execute("select pg_advisory_unlock(42)")
    searching.join(30)
    assert found == [("33 bottles of wine number 33 on shelf 5", "new")]
