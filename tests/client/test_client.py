"""The synchronous client on a database."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import psycopg
import pytest
from memos_pg import (
    BadArgument,
    Conflict,
    MemOS,
    NewMemory,
    NotFound,
    NotYours,
    NoUserContext,
    User,
)
from psycopg_pool import PoolTimeout
from support.postgres import Database


def test_a_memory_comes_back_as_it_was_given(alice: User) -> None:
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    memory_id = alice.add_memory(
        "Pilchard is a Bedlington cross 🐕",
        kind="episodic",
        tags=["dog", 'it\'s "quoted", {braced}'],
        metadata={"nested": {"list": [1, 2.5, None, True]}},
        importance=0.75,
        confidence=0.5,
        privacy_level="minimal",
        provenance="model",
        session_id="s1",
        position=7,
        occurred_at=when,
    )
    assert isinstance(memory_id, UUID)
    memory = alice.get_memory(memory_id)
    assert memory.memory_id == memory_id
    assert memory.version == 1
    assert memory.content == "Pilchard is a Bedlington cross 🐕"
    assert memory.kind == "episodic"
    assert memory.tags == ["dog", 'it\'s "quoted", {braced}']
    assert memory.metadata == {"nested": {"list": [1, 2.5, None, True]}}
    assert (memory.importance, memory.confidence) == (0.75, 0.5)
    assert (memory.privacy_level, memory.provenance) == ("minimal", "model")
    assert (memory.session_id, memory.position) == ("s1", 7)
    assert memory.occurred_at == when
    assert memory.recorded_at.utcoffset() is not None
    assert memory.valid_until is None
    assert memory.pinned is False


def test_sql_defaults_hold_for_what_is_not_given(alice: User) -> None:
    memory = alice.get_memory(alice.add_memory("plain"))
    assert (memory.kind, memory.tags, memory.metadata) == ("semantic", [], {})
    assert (memory.importance, memory.confidence) == (0.5, 1.0)


def test_a_user_is_the_same_by_outside_id_and_by_uuid(memos: MemOS, alice: User) -> None:
    memory_id = alice.add_memory("seen either way")
    user_id = alice.user_id()
    assert memos.for_user(user_id).user_id() == user_id
    assert memos.for_user(user_id).get_memory(memory_id).content == "seen either way"


def test_a_batch_is_numbered_and_stored_once(alice: User) -> None:
    first = alice.add_memories([NewMemory("one"), {"content": "two", "tags": ["t"]}])
    assert [(row.ordinal, row.created) for row in first] == [(1, True), (2, True)]
    again = alice.add_memories([{"content": "two"}, {"content": "three"}])
    assert [row.created for row in again] == [False, True]
    assert again[0].memory_id == first[1].memory_id
    assert alice.add_memories([]) == []


def test_links_lead_from_memory_to_memory(alice: User) -> None:
    a, b, c = (alice.add_memory(f"linked {name}") for name in "abc")
    assert alice.link_memories(a, b, "supports") is True
    assert alice.link_memories(b, str(c), weight=0.5) is True
    assert alice.link_memories(c, b, weight=0.75) is False
    (link,) = alice.list_links(a)
    assert (link.memory_id, link.direction, link.type) == (b, "to", "supports")
    found = alice.related_memories(a, max_depth=2)
    assert [(row.memory_id, row.path) for row in found] == [(b, [a, b]), (c, [a, b, c])]
    assert found[1].weight == pytest.approx(0.675)
    assert alice.unlink_memories(a, b, "supports") is True
    assert alice.related_memories(a) == []
    assert alice.link_similar() == 0


def test_uses_keep_a_memory_and_pins_put_it_into_every_prompt(alice: User) -> None:
    a, b = (alice.add_memory(f"retained {name}") for name in "ab")
    later = datetime.now(UTC) + timedelta(days=40)
    before = alice.memory_retention(b, later)
    assert alice.record_access([a, str(b)], datetime.now(UTC) - timedelta(days=9)) == 2
    assert alice.record_access([b]) == 1
    assert alice.memory_retention(b, later) > before
    assert [(row.memory_id, row.uses) for row in alice.memory_usage(1)] == [(b, 2)]
    alice.pin_memory(a)
    (hot,) = alice.hot_memories(token_budget=100)
    assert (hot.memory_id, hot.content, hot.pinned) == (a, "retained a", True)
    assert alice.memory_retention(a) == 1


def test_what_is_warm_elsewhere_is_on_record(alice: User) -> None:
    assert alice.register_prefix("system", "llama3:8b", "You are kind.") == "cold"
    alice.report_prefix("system", "llama3:8b", "warm", warm_ms=700, ttl=timedelta(minutes=5))
    (prefix,) = alice.list_prefixes(content="You are kind.")
    assert (prefix.state, prefix.warm_ms, prefix.uses) == ("warm", 700, 1)
    assert alice.record_latency("web_search", 2000) == timedelta(seconds=2.6)
    until = alice.pin_prefix("system", "llama3:8b", "web_search")
    assert until > datetime.now(UTC)
    assert alice.tool_pin("web_search") == timedelta(seconds=2.6)
    assert alice.evict_prefixes(0) == [], "it is pinned"
    alice.register_prefix("other", "llama3:8b", "Be brief.")
    alice.report_prefix("other", "llama3:8b", "warm")
    assert [row.name for row in alice.evict_prefixes(0)] == ["other"]


def test_operators_read_and_set_how_long_kinds_last(operator: MemOS) -> None:
    operator.set_retention("weather", 2, "it changes")
    found = {row.kind: row.stability_days for row in operator.retention_parameters()}
    assert found["weather"] == 2
    assert found["default"] == 30


def test_a_bad_memory_in_a_batch_stores_none(alice: User) -> None:
    with pytest.raises(BadArgument):
        alice.add_memories([{"content": "good"}, {"content": "bad", "colour": "red"}])
    assert alice.list_memories() == []


def test_vectors_are_stored_and_searched(alice: User, operator: MemOS) -> None:
    operator.register_embedding_model("three", 3, "external")
    rows = alice.add_memories(
        [{"content": "north"}, {"content": "east"}, {"content": "later"}],
        embeddings=[[0, 1, 0], np.array([1, 0, 0], np.float32), None],
        model="three",
    )
    alice.add_memory("up", embedding=(0.0, 0.0, 1.0))
    (status,) = operator.embedding_status()
    assert (status.model, status.dimensions, status.is_default) == ("three", 3, True)
    assert (status.done, status.pending) == (3, 1)
    found = alice.search_memories("", embedding=[0.9, 0.1, 0], limit=1, weights={"lexical": 0})
    assert found[0].memory_id == rows[1].memory_id
    with pytest.raises(BadArgument):
        alice.add_memory("too short", embedding=[1.0, 2.0])


def test_search_finds_limits_and_explains(alice: User) -> None:
    alice.add_memories([{"content": f"the dog Pilchard, day {day}"} for day in range(5)])
    alice.add_memory("a cat")
    found = alice.search_memories("pilchard", limit=3, explain=True)
    assert [row.rank for row in found] == [1, 2, 3]
    assert all("Pilchard" in row.content for row in found)
    assert all(isinstance(row.explanation, dict) for row in found)
    assert alice.search_memories("pilchard", limit=1)[0].explanation is None


def test_a_recorded_search_is_replayed(alice: User) -> None:
    alice.add_memory("the dog Pilchard")
    found = alice.search_memories("dog", record=True, purpose="test")
    alice.add_memory("a dog more, dog, dog")
    replayed = alice.replay_search(found[0].search_id)
    assert [row.memory_id for row in replayed] == [row.memory_id for row in found]


def test_an_update_keeps_the_version_before(alice: User) -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    memory_id = alice.add_memory("lives in Leith", occurred_at=start)
    before = alice.get_memory(memory_id).recorded_at
    moved = datetime(2025, 6, 1, tzinfo=UTC)
    changes = {"content": "lives in Dundee", "valid_from": moved}
    assert alice.update_memory(memory_id, changes, expected_version=1, reason="moved") == 2
    first, second = alice.memory_history(memory_id)
    assert (first.content, first.change, first.reason) == ("lives in Leith", "update", "moved")
    assert (second.content, second.change, second.recorded_until) == (
        "lives in Dundee",
        "current",
        None,
    )
    assert alice.get_memory(memory_id).content == "lives in Dundee"
    then = alice.get_memory(memory_id, valid_at=start + timedelta(days=1))
    assert then.content == "lives in Leith"
    assert alice.get_memory(memory_id, recorded_at=before).content == "lives in Leith"
    with pytest.raises(Conflict):
        alice.update_memory(memory_id, {"content": "lost update"}, expected_version=1)


def test_pages_of_a_list_follow_each_other(alice: User) -> None:
    ids = [alice.add_memory(f"memory {number}", tags=["t"]) for number in range(5)]
    page = alice.list_memories(tags=["t"], limit=3)
    rest = alice.list_memories(tags=["t"], limit=3, after=page[-1].memory_id)
    assert [memory.memory_id for memory in page + rest] == ids[::-1]


def test_pinning_and_deleting(alice: User) -> None:
    memory_id = alice.add_memory("allergic to penicillin")
    alice.pin_memory(memory_id)
    assert alice.get_memory(memory_id).pinned is True
    alice.pin_memory(memory_id, pinned=False)
    assert alice.get_memory(memory_id).pinned is False
    assert alice.delete_memory(memory_id, reason="mistake") is True
    assert alice.delete_memory(memory_id) is False
    with pytest.raises(NotFound) as caught:
        alice.get_memory(memory_id)
    assert caught.value.detail
    assert caught.value.hint
    with pytest.raises(NotFound):
        alice.pin_memory(uuid4())


def test_statistics_are_typed(alice: User) -> None:
    alice.add_memory("Grüße", kind="episodic", session_id="s")
    stats = alice.memory_stats()
    assert (stats.memories, stats.versions, stats.sessions) == (1, 1, 1)
    assert stats.kinds == {"episodic": 1}
    assert stats.content_bytes == len("Grüße".encode())
    assert stats.oldest.utcoffset() is not None
    assert alice.memos.for_user("nobody").memory_stats().memories == 0


@pytest.mark.parametrize(
    "arguments",
    [
        {"content": "a\0b"},
        {"content": "x", "metadata": {"key": "a\0b"}},
        {"content": "x", "metadata": {"a\0b": 1}},
        {"content": "x", "tags": ["a\0b"]},
        {"content": "lone \ud800 surrogate"},
        {"content": ""},
        {"content": "x", "importance": 2.0},
        {"content": "x", "importance": float("nan")},
    ],
)
def test_what_postgresql_cannot_hold_is_a_bad_argument(alice: User, arguments: dict) -> None:
    with pytest.raises(BadArgument):
        alice.add_memory(**arguments)
    assert alice.list_memories() == []


def test_users_do_not_see_each_other(memos: MemOS, alice: User) -> None:
    memory_id = alice.add_memory("a secret about dogs")
    bob = memos.for_user("bob")
    assert bob.search_memories("dogs") == []
    assert bob.list_memories() == []
    assert bob.delete_memory(memory_id) is False
    with pytest.raises(NotFound):
        bob.get_memory(memory_id)


def test_a_signed_context_binds_every_call(
    memos: MemOS, operator: MemOS, database: Database, alice: User
) -> None:
    memory_id = alice.add_memory("mine")
    token = operator.mint_context(alice.user_id(), ttl=timedelta(minutes=5))
    with MemOS(database.user_dsn, min_size=1, max_size=2) as end_user:
        with pytest.raises(NoUserContext):
            end_user.for_user(alice.user_id()).get_memory(memory_id)
        bound = end_user.with_context(token)
        assert bound.for_user(alice.user_id()).get_memory(memory_id).content == "mine"
        with pytest.raises(NotYours):
            bound.for_user(uuid4()).list_memories()
        # The context ended with its transaction: the next borrower of the connection has none.
        with pytest.raises(NoUserContext):
            end_user.for_user(alice.user_id()).get_memory(memory_id)
    with pytest.raises(NotYours):
        memos.with_context("forged").for_user("alice").list_memories()


# The pool -----------------------------------------------------------------------------------------


def test_the_pool_has_the_settings_of_the_audit(database: Database) -> None:
    with MemOS(database.app_dsn) as memos:
        pool = memos.pool
        assert (pool.min_size, pool.max_size) == (10, 30)
        assert (pool.max_lifetime, pool.timeout) == (1800, 30)
        assert pool._check is not None
        pool.wait(30)
        assert pool.get_stats()["pool_size"] == 10


def test_a_broken_connection_is_noticed_at_check_out(memos: MemOS, database: Database) -> None:
    alice = memos.for_user("alice")
    alice.add_memory("before")
    killed = database.value(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity "
        "where usename = 'memos_app' and datname = current_database()"
    )
    assert killed >= 1
    alice.add_memory("after")
    assert {memory.content for memory in alice.list_memories()} == {"before", "after"}


def test_a_pool_that_is_empty_says_so_in_time(database: Database) -> None:
    with MemOS(database.app_dsn, min_size=1, max_size=1, timeout=0.2) as memos:
        start = time.monotonic()
        with memos.pool.connection(), pytest.raises(PoolTimeout):
            memos.for_user("alice").list_memories()
        assert time.monotonic() - start < 5


def test_connections_act_as_the_role_that_was_named(database: Database) -> None:
    with (
        MemOS(database.dsn, role="memos_app", min_size=1, max_size=1) as memos,
        memos.pool.connection() as connection,
    ):
        assert connection.execute("select current_user").fetchone() == ("memos_app",)
        # Not even after a rollback, as a `set role` in a transaction would.
        connection.execute("reset all")
        assert connection.execute("select current_user").fetchone() == ("memos_app",)


def test_a_closed_client_refuses(database: Database) -> None:
    memos = MemOS(database.app_dsn, min_size=1, max_size=1)
    derived = memos.with_context("token")
    derived.close()
    memos.for_user("alice").memory_stats()  # a derived client closes nothing
    memos.close()
    with pytest.raises(psycopg.OperationalError):
        memos.for_user("alice").memory_stats()


# The caller's own connection ----------------------------------------------------------------------


def test_memory_joins_the_callers_transaction(
    connection: psycopg.Connection, database: Database
) -> None:
    alice = MemOS.on(connection).for_user("alice")
    memory_id = alice.add_memory("rolled back with the order")
    assert alice.search_memories("order")[0].memory_id == memory_id
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    connection.rollback()
    assert alice.list_memories() == []
    connection.rollback()

    alice.add_memory("committed with the order")
    with MemOS(database.app_dsn, min_size=1, max_size=1) as other:
        assert other.for_user("alice").list_memories() == []
        connection.commit()
        contents = [memory.content for memory in other.for_user("alice").list_memories()]
    assert contents == ["committed with the order"]


def test_a_savepoint_of_the_caller_survives_an_error(connection: psycopg.Connection) -> None:
    alice = MemOS.on(connection).for_user("alice")
    alice.add_memory("kept")
    with pytest.raises(BadArgument), connection.transaction():
        alice.add_memory("")
    assert [memory.content for memory in alice.list_memories()] == ["kept"]


def test_the_callers_connection_keeps_its_own_ways(
    connection: psycopg.Connection, operator: MemOS
) -> None:
    operator.register_embedding_model("three", 3, "external")
    connection.row_factory = psycopg.rows.dict_row
    memos = MemOS.on(connection)
    memos.for_user("alice").add_memory("with a vector", embedding=[1, 2, 3])
    assert connection.adapters.types.get("halfvec") is None
    assert connection.execute("select 1 as one").fetchone() == {"one": 1}
    memos.close()
    assert not connection.closed


def test_an_autocommit_connection_commits_each_call(database: Database) -> None:
    with database.connect("memos_app") as connection:
        MemOS.on(connection).for_user("alice").add_memory("at once")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    count = "select memories from memos.memory_stats(memos.user_id('alice'))"
    assert database.value(count, role="memos_app") == 1


def test_a_signed_context_on_an_autocommit_connection(
    database: Database, operator: MemOS, alice: User
) -> None:
    alice.add_memory("mine")
    user_id = alice.user_id()
    with database.connect("memos_user") as connection:
        bound = MemOS.on(connection).with_context(operator.mint_context(user_id))
        assert [memory.content for memory in bound.for_user(user_id).list_memories()] == ["mine"]
        with pytest.raises(NoUserContext):
            MemOS.on(connection).for_user(user_id).list_memories()
