"""The client's copies: served from memory, and never older than promised."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import Connection, add
from memos_pg import AsyncLocalCache, AsyncMemOS, BadArgument, Filled, LocalCache, MemOS
from memos_pg.calls.cache import CacheLease
from support.postgres import Database


@pytest.fixture(scope="module")
def memos(module_database: Database) -> Iterator[MemOS]:
    with MemOS(module_database.app_dsn, min_size=2, max_size=8) as memos:
        yield memos


@pytest.fixture
def cache(memos: MemOS) -> Iterator[LocalCache]:
    """A process whose copies may be compared rarely: only notifications make them go."""
    with LocalCache(memos, recheck=60) as cache:
        until(lambda: cache.copies.listening)
        yield cache


def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Wait for something that another thread does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def terminate_listeners(database: Database) -> None:
    with database.connect() as superuser:
        superuser.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'memos_pg cache listener' and datname = current_database()"
        )


def copied(cache: LocalCache, user: UUID, key: str, held: Any, **how: Any) -> None:
    """Have the cache hold a copy."""
    cache.put(user, "query", key, held, **how)
    assert cache.get(user, "query", key) == held
    assert len(cache.copies) >= 1


def test_a_copy_is_served_without_asking_and_cannot_be_changed(
    cache: LocalCache, memos: MemOS, user: UUID
) -> None:
    copied(cache, user, "key", {"a": [1]})
    hits = cache.copies.local_hits["query"]
    for _ in range(20):
        found = cache.get(user, "query", "key")
        found["a"].append(2)
    assert cache.get(user, "query", "key") == {"a": [1]}
    assert cache.copies.local_hits["query"] == hits + 21


@pytest.mark.parametrize("how", ["memory", "put", "key", "tag", "namespace", "user", "everything"])
def test_a_change_elsewhere_reaches_the_copy(
    module_database: Database, cache: LocalCache, app: Connection, user: UUID, how: str
) -> None:
    memory = add(app, user, "old")
    copied(cache, user, "key", "old", tags=[str(memory)])
    drop = "select memos.cache_invalidate"
    elsewhere = {
        "memory": ('select memos.update_memory(%s, %s, \'{"content": "new"}\')', (user, memory)),
        "put": ("select memos.cache_put(%s, 'query', 'key', '\"new\"')", (user,)),
        "key": (f"{drop}(%s, 'query', 'KEY')", (user,)),
        "tag": (f"{drop}(%s, p_tag => %s)", (user, str(memory))),
        "namespace": (f"{drop}(%s, 'query')", (user,)),
        "user": (f"{drop}(%s)", (user,)),
    }
    if how == "everything":
        with module_database.connect("memos_admin") as admin:
            admin.execute("select memos_admin.cache_clear()")
    else:
        app.execute(*elsewhere[how])
    expected = "new" if how == "put" else None
    until(lambda: cache.get(user, "query", "key") == expected)


def test_a_lost_notification_is_noticed_at_the_next_comparison(
    memos: MemOS, app: Connection, user: UUID
) -> None:
    with LocalCache(memos, recheck=0.2) as cache:
        until(lambda: cache.copies.listening)
        copied(cache, user, "key", "old")
        cache.copies.notified = lambda payload: None  # whatever comes is lost
        app.execute("select memos.cache_put(%s, 'query', 'key', '\"new\"')", (user,))
        changed = time.monotonic()
        until(lambda: cache.get(user, "query", "key") == "new")
        assert time.monotonic() - changed < 5


def test_without_its_listener_every_hit_is_compared_first(
    module_database: Database, cache: LocalCache, app: Connection, user: UUID
) -> None:
    copied(cache, user, "key", 0)
    for number in range(1, 6):
        terminate_listeners(module_database)
        app.execute("select memos.cache_put(%s, 'query', 'key', %s)", (user, str(number)))
        # Either it is down already, or it heard of the change before it went down.
        time.sleep(0.1)
        assert cache.get(user, "query", "key") == number
        until(lambda: cache.copies.listening)
    assert cache.get(user, "query", "key") == 5


@pytest.mark.parametrize(
    ("heard", "kept"),
    [
        (["entry other", "owner other"], True),
        (["entry other mine"], False),
        (["owner me"], False),
        (["everything"], False),
        (["entry other"] * 5_000, False),
    ],
)  # fmt: skip
def test_only_what_concerns_an_answer_on_its_way_spoils_it(
    memos: MemOS, user: UUID, heard: list[str], kept: bool
) -> None:
    with LocalCache(memos, recheck=60) as cache:
        until(lambda: cache.copies.listening)
        events = cache.copies.events
        for payload in heard:
            cache.copies.notified(payload)
        row = CacheLease(1, True, None, uuid4(), 60.0, "mine", "me", None, None)
        key = (user, "query", "key", "null")
        assert cache.copies.keep(key, row, events, time.monotonic()) == 1
        assert len(cache.copies) == kept


def test_a_value_whose_end_nobody_would_tell_is_not_kept(
    cache: LocalCache, app: Connection, user: UUID
) -> None:
    cache.put(user, "query", "key", 1)
    with app.transaction():
        # Locks the entry, so that the reader cannot note down its copy.
        app.execute("select memos.cache_record_outcome(%s, 'query', 'key', true)", (user,))
        assert cache.get(user, "query", "key") == 1
        assert len(cache.copies) == 0
    assert cache.get(user, "query", "key") == 1
    assert len(cache.copies) == 1


def test_copies_expire_and_are_bounded(memos: MemOS, user: UUID) -> None:
    with LocalCache(memos, max_entries=3, max_bytes=1_000, recheck=60) as cache:
        until(lambda: cache.copies.listening)
        for number in range(5):
            copied(cache, user, f"{number}", number)
        assert len(cache.copies) == 3
        cache.put(user, "query", "long", "x" * 900)
        cache.get(user, "query", "long")
        assert cache.copies.bytes <= 1_000
        cache.put(user, "query", "huge", "x" * 2_000)
        assert cache.get(user, "query", "huge") == "x" * 2_000
        assert cache.copies.bytes <= 1_000
        copied(cache, user, "short", 1, ttl=timedelta(milliseconds=300))
        time.sleep(0.31)
        assert cache.get(user, "query", "short", "gone") == "gone"


def test_one_fills_and_the_others_wait(memos: MemOS, cache: LocalCache, user: UUID) -> None:
    fills: list[int] = []

    def fill() -> Any:
        fills.append(1)
        time.sleep(0.1)
        return Filled({"made": len(fills)}, tags=["t"])

    with LocalCache(memos) as second:
        found: list[Any] = []
        threads = [
            threading.Thread(
                target=lambda c=c: found.append(c.get_or_fill(user, "query", "q", fill))
            )
            for c in (cache, second, cache, second)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert found == [{"made": 1}] * 4
    assert len(fills) == 1
    assert memos.for_user(user).cache_invalidate(tag="t") == 1


def test_a_fill_that_fails_is_not_waited_for(cache: LocalCache, memos: MemOS, user: UUID) -> None:
    with pytest.raises(ZeroDivisionError):
        cache.get_or_fill(user, "query", "q", lambda: 1 / 0)
    with pytest.raises(BadArgument):
        cache.get_or_fill(user, "query", "q", lambda: None)
    start = time.monotonic()
    assert cache.get_or_fill(user, "query", "q", lambda: 7) == 7
    assert time.monotonic() - start < 10


def test_who_does_not_want_to_wait_takes_the_stale_value_or_fills_alone(
    cache: LocalCache, memos: MemOS, user: UUID
) -> None:
    someone = memos.for_user(user)
    someone.cache_put("query", "q", "old", ttl=timedelta(milliseconds=1))
    time.sleep(0.01)
    assert someone.cache_lease("query", "q").lease is not None
    assert cache.get_or_fill(user, "query", "q", lambda: "new", stale=True) == "old"
    assert cache.get_or_fill(user, "query", "q", lambda: "alone", wait=0.05) == "alone"
    assert someone.cache_get("query", "q").hit is False


def test_shared_entries_and_the_connection_of_a_caller(
    module_database: Database, cache: LocalCache, user: UUID
) -> None:
    assert cache.get_or_fill(None, "content", "https://e.example/", lambda: "page") == "page"
    assert cache.get(user, "content", "https://E.example") == "page"
    assert cache.invalidate(None, namespace="content") == 1
    assert cache.get(user, "content", "https://E.example") is None
    with module_database.connect("memos_app") as connection, pytest.raises(BadArgument):
        LocalCache(MemOS.on(connection))


def test_local_hits_and_waits_are_reported(
    module_database: Database, memos: MemOS, admin: Connection, user: UUID
) -> None:
    before = "select local_hits from memos_admin.cache_statistics where namespace = 'expansion'"
    (had,) = admin.execute(before).fetchone()
    with LocalCache(memos, recheck=60) as cache:
        until(lambda: cache.copies.listening)
        cache.put(user, "expansion", "words", ["terms"])
        for _ in range(6):
            cache.get(user, "expansion", "words")
    assert admin.execute(before).fetchone()[0] == had + 5


def test_the_same_awaited(module_database: Database, app: Connection, user: UUID) -> None:
    async def main() -> None:
        fills: list[int] = []

        async def fill() -> Any:
            fills.append(1)
            await asyncio.sleep(0.05)
            return "made"

        async with (
            AsyncMemOS(module_database.app_dsn, min_size=2) as memos,
            AsyncLocalCache(memos, recheck=60) as cache,
        ):
            asked = [cache.get_or_fill(user, "query", "q", fill) for _ in range(4)]
            assert await asyncio.gather(*asked) == ["made"] * 4
            assert len(fills) == 1
            assert await cache.get(user, "query", "q") == "made"
            assert len(cache.copies) == 1
            app.execute("select memos.cache_invalidate(%s)", (user,))
            for _ in range(500):
                if await cache.get(user, "query", "q") is None:
                    break
                await asyncio.sleep(0.01)
            assert await cache.get(user, "query", "q", "gone") == "gone"
            assert await cache.put(user, "query", "q", 1) is True
            assert await cache.invalidate(user, namespace="query") == 1
            with pytest.raises(ZeroDivisionError):
                await cache.get_or_fill(user, "query", "q", failing)

    async def failing() -> Any:
        raise ZeroDivisionError

    asyncio.run(main())


def test_a_broken_database_is_no_miss(database: Database, user: UUID) -> None:
    with MemOS(database.app_dsn, min_size=1, timeout=1) as memos, LocalCache(memos) as cache:
        cache.put(user, "query", "q", 1)
        database.drop()
        with pytest.raises(psycopg.Error):
            cache.get(user, "query", "q")
    database.server.create_database(name=database.name)
