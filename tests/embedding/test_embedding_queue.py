"""Missing vectors: pending, claimed, completed late or never, given up, tried again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from memory_support import (
    Connection,
    add,
    assert_every_memory_has_a_vector_or_waits,
    at_once,
    failure,
    rows,
    value,
    vector,
    vectors,
)
from support.postgres import Database


@pytest.fixture
def parties(database: Database) -> Iterator[tuple[Connection, Connection, Connection, UUID]]:
    """The bot, a worker, a superuser who looks on, and a user; model ext of 3 dimensions."""
    with (
        database.connect("memos_app") as app,
        database.connect("memos_admin") as admin,
        database.connect() as superuser,
    ):
        rows(admin, "memos_admin.register_embedding_model", "ext", 3, "external")
        yield app, admin, superuser, uuid4()


def claim(admin: Connection, worker: str, limit: int = 100, **named: Any) -> list[dict[str, Any]]:
    """What a worker gets, as it hands it back."""
    names = ("user_id", "memory_id", "version", "model", "passage")
    return [
        {
            name: str(item) if isinstance(item, UUID) else item
            for name, item in zip(names, row, strict=False)
        }
        for row in rows(admin, "memos_admin.claim_embeddings", worker, limit, **named)
    ]


def complete(admin: Connection, worker: str, results: list[Any], *given: Any) -> int:
    return value(
        admin, "memos_admin.complete_embeddings", worker, results,
        vectors(*(given or [(1, 2, 3)] * len(results))),
    )  # fmt: skip


def queue(superuser: Connection) -> list[Any]:
    return superuser.execute("""
        select attempts, worker, last_error, failed_at is not null
        from memos_private.embedding_queue
    """).fetchall()


def expire(superuser: Connection) -> None:
    """The lease, or the wait after a failure, is over."""
    superuser.execute(
        "update memos_private.embedding_queue set available_at = now() - interval '1 s'"
    )


def stored(superuser: Connection) -> list[str]:
    found = superuser.execute("select embedding::text from memos_private.embedding").fetchall()
    return [text for (text,) in found]


def test_a_missing_vector_is_visibly_pending_and_then_done(parties: Any) -> None:
    app, admin, superuser, user = parties
    memory = add(app, user, "hello")
    (status,) = rows(admin, "memos_admin.embedding_status")
    assert status[:8] == ("ext", "external", 3, True, "backfilling", 0, 1, 0)
    assert status[8] is not None
    assert rows(app, "memos.memory_stats", user)[0][7:10] == (0, 1, 0)
    (work,) = claim(admin, "w")
    assert work["memory_id"] == str(memory)
    assert complete(admin, "w", [work], (1, 2, 3)) == 1
    assert stored(superuser) == ["[1,2,3]"]
    (status,) = rows(admin, "memos_admin.embedding_status")
    assert status[4:] == ("complete", 1, 0, 0, None)
    assert rows(app, "memos.memory_stats", user)[0][7:10] == (1, 0, 0)


def test_a_vector_of_the_caller_is_passage_0_and_nothing_waits(parties: Any) -> None:
    app, admin, superuser, user = parties
    add(app, user, "given", p_embedding=vector(3, 4, 0))
    found = superuser.execute("select passage, embedding::text from memos_private.embedding")
    assert found.fetchall() == [(0, "[3,4,0]")]
    assert claim(admin, "w") == []
    rows(
        app, "memos.add_memories", user,
        [{"content": "inline", "embedding": [0.5, 0, 1]}, {"content": "none"}],
    )  # fmt: skip
    assert sorted(stored(superuser)) == ["[0.5,0,1]", "[3,4,0]"]
    assert len(claim(admin, "w")) == 1


def test_a_vector_given_later_for_pending_content_ends_the_wait(parties: Any) -> None:
    app, _, superuser, user = parties
    memory = add(app, user, "same")
    assert add(app, user, "same", p_embedding=vector(1, 0, 0)) == memory
    assert stored(superuser) == ["[1,0,0]"]
    assert queue(superuser) == []


def test_a_claim_is_nobody_elses_until_the_lease_ends(parties: Any) -> None:
    app, admin, superuser, user = parties
    add(app, user, "hello")
    (first,) = claim(admin, "one")
    assert claim(admin, "two") == []
    expire(superuser)
    (second,) = claim(admin, "two")
    assert second == first
    assert complete(admin, "one", [first], (1, 0, 0)) == 0, "too late"
    assert stored(superuser) == []
    assert complete(admin, "two", [second], (0, 1, 0)) == 1
    assert complete(admin, "two", [second], (0, 0, 1)) == 0, "it is done"
    assert stored(superuser) == ["[0,1,0]"]


def test_an_answer_for_content_that_changed_is_dropped(parties: Any) -> None:
    app, admin, _, user = parties
    memory = add(app, user, "before")
    (work,) = claim(admin, "w")
    value(app, "memos.update_memory", user, memory, {"content": "after"})
    assert complete(admin, "w", [work]) == 0
    (work,) = claim(admin, "w")
    assert work["version"] == 2
    value(app, "memos.update_memory", user, memory, {"tags": ["t"]})
    assert complete(admin, "w", [work]) == 1, "the text is the same"


def test_an_answer_for_a_deleted_memory_is_dropped(parties: Any) -> None:
    app, admin, superuser, user = parties
    memory = add(app, user, "gone soon")
    (work,) = claim(admin, "w")
    value(app, "memos.delete_memory", user, memory)
    assert complete(admin, "w", [work]) == 0
    assert (stored(superuser), queue(superuser)) == ([], [])


def test_an_update_of_the_content_makes_the_vector_pending_again(parties: Any) -> None:
    app, admin, superuser, user = parties
    memory = add(app, user, "before", p_embedding=vector(1, 0, 0))
    value(app, "memos.update_memory", user, memory, {"importance": 0.9})
    assert stored(superuser) == ["[1,0,0]"]
    value(app, "memos.update_memory", user, memory, {"content": "after"})
    assert stored(superuser) == []
    assert len(claim(admin, "w")) == 1


def test_failures_wait_then_end_as_dead_letters_and_can_be_retried(parties: Any) -> None:
    app, admin, superuser, user = parties
    rows(admin, "memos_admin.set_setting", "embedding_max_attempts", "2")
    add(app, user, "hard")
    for attempt in (1, 2):
        (work,) = claim(admin, "w")
        failed = [{**work, "error": f"broken {attempt}"}]
        assert value(admin, "memos_admin.fail_embeddings", "other", failed) == 0
        assert value(admin, "memos_admin.fail_embeddings", "w", failed) == 1
        assert claim(admin, "w") == [], "not at once"
        assert queue(superuser) == [(attempt, None, f"broken {attempt}", attempt == 2)]
        expire(superuser)
    assert claim(admin, "w") == []
    assert rows(admin, "memos_admin.embedding_status")[0][5:8] == (0, 0, 1)
    assert rows(app, "memos.memory_stats", user)[0][7:10] == (0, 0, 1)
    assert value(admin, "memos_admin.retry_embeddings") == 1
    (work,) = claim(admin, "w")
    assert complete(admin, "w", [work]) == 1


def test_a_worker_that_always_dies_makes_a_dead_letter_too(parties: Any) -> None:
    app, admin, superuser, user = parties
    rows(admin, "memos_admin.set_setting", "embedding_max_attempts", "3")
    add(app, user, "kills the worker")
    for _ in range(3):
        assert len(claim(admin, "w")) == 1
        expire(superuser)
    assert claim(admin, "w") == []
    assert queue(superuser)[0][3] is True


def test_one_bad_vector_refuses_all(parties: Any) -> None:
    app, admin, superuser, user = parties
    for number in range(3):
        add(app, user, f"text {number}")
    work = claim(admin, "w")
    for bad in ([0, 0, 0], [1, 2], [1, 2, 3, 4]):
        error = failure(
            admin, "memos_admin.complete_embeddings", "w", work,
            vectors((1, 0, 0), bad, (0, 1, 0)),
        )  # fmt: skip
        assert error.sqlstate == "MO400"
        assert "2" in str(error.diag.message_primary)
    for literal in ("[1,NaN,2]", "[1,Infinity,2]", "[1,70000,2]"):
        array = "{" + ",".join(f'"{v}"' for v in ("[1,0,0]", literal, "[0,1,0]")) + "}"
        error = failure(admin, "memos_admin.complete_embeddings", "w", work, array)
        assert error.sqlstate.startswith("22"), "the type itself refuses it"
    assert stored(superuser) == []
    assert len(queue(superuser)) == 3


def test_the_table_itself_takes_no_bad_vector(parties: Any) -> None:
    app, _, superuser, user = parties
    memory = add(app, user, "guarded")
    for literal in ("[0,0,0]", "[1,2]", "[1,NaN,2]"):
        with pytest.raises(Exception, match=r"violates|NaN"):
            superuser.execute(
                """
                insert into memos_private.embedding
                    (user_id, model_id, memory_id, passage, embedding)
                values (%s, 1, %s, 0, %s)
                """,
                (user, memory, literal),
            )
    assert stored(superuser) == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda work: [work, work], id="the same passage twice"),
        pytest.param(lambda work: [work | {"passage": 70000}], id="passage 70000"),
        pytest.param(lambda work: [work | {"passage": 1}], id="a passage that was not claimed"),
        pytest.param(lambda work: [work | {"passage": -1}], id="passage -1"),
        pytest.param(lambda work: [work | {"model": "other"}], id="an unknown model"),
        pytest.param(lambda work: [{"model": "ext"}], id="ids are missing"),
        pytest.param(lambda work: [work | {"user_id": "x"}], id="no uuid"),
        pytest.param(lambda work: [work | {"version": "x"}], id="no number"),
    ],
)
def test_results_that_were_never_claimed_like_this_are_refused_and_leave_it_pending(
    parties: Any, change: Any
) -> None:
    app, admin, superuser, user = parties
    add(app, user, "hello")
    (work,) = claim(admin, "w")
    results = change(work)
    error = failure(
        admin, "memos_admin.complete_embeddings", "w", results, vectors(*[(1, 2, 3)] * len(results))
    )
    assert error.sqlstate == "MO400"
    assert len(queue(superuser)) == 1
    assert stored(superuser) == []


def test_four_workers_never_get_the_same_row(database: Database, parties: Any) -> None:
    app, _, superuser, user = parties
    rows(app, "memos.add_memories", user, [{"content": f"text {n}"} for n in range(400)])

    def work(number: int) -> list[str]:
        mine: list[str] = []
        with database.connect("memos_admin") as admin:
            while batch := claim(admin, f"w{number}", limit=7):
                mine += [item["memory_id"] for item in batch]
                assert complete(admin, f"w{number}", batch) == len(batch)
        return mine

    shares = at_once(4, work)
    together = [memory for share in shares for memory in share]
    assert len(together) == len(set(together)) == 400
    assert len(stored(superuser)) == 400
    assert queue(superuser) == []


def test_a_model_registered_while_writers_write_loses_no_memory(
    database: Database, parties: Any
) -> None:
    _, _, superuser, _ = parties

    def work(number: int) -> None:
        if number == 0:
            with database.connect("memos_admin") as admin:
                for name in "abc":
                    rows(admin, "memos_admin.register_embedding_model", name, 3, "external")
            return
        with database.connect("memos_app") as app:
            user = uuid4()
            for turn in range(25):
                memory = add(app, user, f"{number} {turn}")
                rows(app, "memos.add_memories", user, [{"content": f"b {number} {turn}"}])
                value(app, "memos.update_memory", user, memory, {"content": f"u {number} {turn}"})

    at_once(4, work)
    assert_every_memory_has_a_vector_or_waits(superuser)


def test_a_write_under_an_old_snapshot_knows_a_new_model_or_fails(
    database: Database, parties: Any
) -> None:
    _, admin, superuser, user = parties
    with database.connect("memos_app", autocommit=False) as writer:
        writer.execute("set transaction isolation level repeatable read")
        rows(writer, "memos.list_memories", user)
        rows(admin, "memos_admin.register_embedding_model", "late", 3, "external")
        try:
            add(writer, user, "written under an old snapshot")
            writer.commit()
        except Exception as error:
            if getattr(error, "sqlstate", "") != "40001":
                raise
    assert_every_memory_has_a_vector_or_waits(superuser)
