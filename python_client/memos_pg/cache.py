"""A cache in this process over the caches in the database.

A copy is served from memory while three things hold: it has not expired, the connection that
listens for invalidations is up, and its generation was compared with the database less than
`recheck` seconds ago. So a notification that is lost, for whatever reason, makes nobody see an old
value for longer than `recheck`; while the listener is down, every hit is compared first. Other
processes' changes usually arrive within milliseconds, this process's own through this object at
once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, Self
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo

from memos_pg.async_client import AsyncMemOS, AsyncUser
from memos_pg.calls.base import bad
from memos_pg.calls.cache import CacheLease
from memos_pg.client import MemOS, User
from memos_pg.errors import BadArgument, CacheUnavailable, MemOSError

logger = logging.getLogger(__name__)
CHANNEL = "memos_cache"
EVERYTHING = "everything"  # what is notified when all copies of all owners go
REMEMBERED = 1024  # changes; who asked the database longer ago than that keeps no copy
LISTEN_TIMEOUT = 0.5  # how long the listener sleeps before it looks whether it should end
REPORT_INTERVAL = 1.0
FIRST_WAIT, LONGEST_WAIT = 0.005, 0.2  # between two looks at what another one is filling
NO_LEASE = timedelta(0)
_MISSING = object()

Key = tuple[str | UUID | None, str, str, str]


@dataclass(frozen=True, slots=True)
class Filled:
    """What a `fill` may return instead of a plain value: the value and how to store it."""

    value: Any
    tags: Iterable[str] = ()
    ttl: timedelta | None = None
    success: bool = True
    confidence: float | None = None


@dataclass(slots=True)
class _Copy:
    text: str
    stamp: UUID
    expires: float
    checked: float
    ident: str
    owner: str


class _Copies:
    """The copies of this process, least recently used first. Safe to use from several threads."""

    def __init__(self, max_entries: int, max_bytes: int, recheck: float) -> None:
        if max_entries < 1 or max_bytes < 1 or not recheck >= 0:
            raise bad(
                "max_entries, max_bytes, recheck", "positive", (max_entries, max_bytes, recheck)
            )
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.recheck = recheck
        self.listening = False
        self.events = 0  # changes heard of so far: what was read before one may be of before it
        self._heard: deque[frozenset[str | Key]] = deque(
            maxlen=REMEMBERED
        )  # what the last concerned
        self.bytes = 0
        self.local_hits: Counter[str] = Counter()
        self.waits: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._copies: OrderedDict[Key, _Copy] = OrderedDict()
        self._keys: dict[str, set[Key]] = {}

    def __len__(self) -> int:
        return len(self._copies)

    def find(self, key: Key) -> tuple[Any, UUID | None]:
        """The value of a good copy, else _MISSING with the stamp of one to be compared."""
        now = time.monotonic()
        with self._lock:
            copy = self._copies.get(key)
            if copy is None:
                return _MISSING, None
            if copy.expires <= now:
                self._drop(key)
                return _MISSING, None
            if not self.listening or now - copy.checked >= self.recheck:
                return _MISSING, copy.stamp
            self._copies.move_to_end(key)
            self.local_hits[key[1]] += 1
            text = copy.text
        return json.loads(text), None  # a new object each time: nobody can change the copy

    def keep(self, key: Key, row: CacheLease, events: int, asked: float) -> Any:
        """Keep what the database answered at or after `asked`, and return its value."""
        with self._lock:
            copy = self._copies.get(key)
            if row.value is None:  # the copy compared is still good
                if copy is None or copy.stamp != row.stamp:
                    return _MISSING  # dropped meanwhile: ask again
                if not self._changed(events, key, row):
                    copy.checked = asked
                self._copies.move_to_end(key)
                return json.loads(copy.text)
            if copy is not None:
                self._drop(key)
            text = json.dumps(row.value)
            keeps = row.lifetime > 0 and len(text) <= self.max_bytes
            if keeps and not self._changed(events, key, row):
                self._copies[key] = _Copy(
                    text, row.stamp, asked + row.lifetime, asked, row.ident, row.owner
                )
                for name in (row.ident, row.owner):
                    self._keys.setdefault(name, set()).add(key)
                self.bytes += len(text)
                while len(self._copies) > self.max_entries or self.bytes > self.max_bytes:
                    self._drop(next(iter(self._copies)))
        return row.value

    def notified(self, payload: str) -> None:
        """Drop what a notification names: entries, all of an owner, or everything."""
        kind, *names = payload.split()
        with self._lock:
            self._happened(names or [EVERYTHING])
            if kind == EVERYTHING:
                self._copies.clear()
                self._keys.clear()
                self.bytes = 0
            for name in names:
                for key in self._keys.pop(name, set()).copy():
                    self._drop(key)

    def drop(self, key: Key) -> None:
        """Drop the copy of a key that this process changed itself."""
        with self._lock:
            self._happened([key])
            self._drop(key)

    def forget(self, key: Key) -> None:
        """Drop the copy of a key that the database no longer has."""
        with self._lock:
            self._drop(key)

    def waited(self, namespace: str) -> None:
        """Count one who waits for another's filling."""
        with self._lock:
            self.waits[namespace] += 1

    def doubt(self, listening: bool) -> None:
        """Compare every copy before it is served again: notifications may have been lost."""
        with self._lock:
            self._happened([EVERYTHING])
            self.listening = listening
            for copy in self._copies.values():
                copy.checked = float("-inf")

    def counts(self) -> list[tuple[str, int, int]]:
        """Namespace, local hits and waits since the last call."""
        with self._lock:
            hits, self.local_hits = self.local_hits, Counter()
            waits, self.waits = self.waits, Counter()
        return [(name, hits[name], waits[name]) for name in hits.keys() | waits.keys()]

    def _happened(self, what: Iterable[str | Key]) -> None:
        self.events += 1
        self._heard.append(frozenset(what))

    def _changed(self, events: int, key: Key, row: CacheLease) -> bool:
        """Whether anything since that many events concerned this entry, or may have."""
        since = self.events - events
        return since > len(self._heard) or any(
            not what.isdisjoint((EVERYTHING, row.ident, row.owner, key))
            for what in islice(reversed(self._heard), since)
        )

    def _drop(self, key: Key) -> None:
        copy = self._copies.pop(key, None)
        if copy is None:
            return
        self.bytes -= len(copy.text)
        for name in (copy.ident, copy.owner):
            keys = self._keys.get(name)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._keys[name]


def _key(
    user: str | UUID | None, namespace: str, key: str, settings: Mapping[str, Any] | None
) -> Key:
    return user, namespace, key, json.dumps(settings, sort_keys=True, default=str)


def _filled(value: Any) -> Filled:
    filled = value if isinstance(value, Filled) else Filled(value)
    if filled.value is None:
        raise bad("what fill returns", "a JSON value other than null", value)
    return filled


def _stored(filled: Filled, how: Mapping[str, Any]) -> dict[str, Any]:
    said = {"tags": filled.tags, "ttl": filled.ttl, "confidence": filled.confidence}
    return {"success": filled.success, **how, **{k: v for k, v in said.items() if v}}


def _listening_dsn(memos: MemOS | AsyncMemOS) -> str:
    pool = memos.pool
    if pool is None:
        raise BadArgument(
            "a local cache needs a client with a pool",
            detail="this client works on the caller's connection, in the caller's transaction",
            hint="Make a MemOS(dsn) for it.",
        )
    given = {k: v for k, v in pool.kwargs.items() if k != "autocommit" and isinstance(v, str | int)}
    return make_conninfo(pool.conninfo, **given, application_name="memos_pg cache listener")


def _waits() -> Iterator[float]:
    # With jitter, so that those who wait do not all ask at once.
    pause = FIRST_WAIT
    while True:
        yield pause * random.uniform(0.5, 1.5)
        pause = min(2 * pause, LONGEST_WAIT)


class LocalCache:
    """`with MemOS(dsn) as memos, LocalCache(memos) as cache:` then
    `cache.get_or_fill("alice", "query", question, lambda: answer(question))`.

    `user` is a uuid, any outside id, or None for the entries that all users share. On a server
    without a cache (a standby) everything is a miss, which is logged.
    """

    def __init__(
        self,
        memos: MemOS,
        *,
        max_entries: int = 10_000,
        max_bytes: int = 64 * 2**20,
        recheck: float = 1.0,
    ) -> None:
        self._memos = memos
        self._dsn = _listening_dsn(memos)
        self.copies = _Copies(max_entries, max_bytes, recheck)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="memos cache", daemon=True)
        self._thread.start()

    def get(
        self,
        user: str | UUID | None,
        namespace: str,
        key: str,
        default: Any = None,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> Any:
        """The value of a key, or `default`."""
        try:
            value, _ = self._look(user, namespace, key, settings, None)
        except CacheUnavailable as error:
            logger.warning("%s: a miss", error.message)
            return default
        return default if value is _MISSING else value

    def put(
        self, user: str | UUID | None, namespace: str, key: str, value: Any, **how: Any
    ) -> bool:
        """Store a value in the database; `how` as for `cache_put`."""
        stored = self._of(user).cache_put(namespace, key, value, **how)
        self.copies.drop(_key(user, namespace, key, how.get("settings")))
        return stored

    def invalidate(self, user: str | UUID | None, **what: Any) -> int:
        """Remove entries here and in the database; `what` as for `cache_invalidate`."""
        count = self._of(user).cache_invalidate(**what)
        self.copies.notified(EVERYTHING)
        return count

    def get_or_fill(
        self,
        user: str | UUID | None,
        namespace: str,
        key: str,
        fill: Callable[[], Any],
        *,
        settings: Mapping[str, Any] | None = None,
        lease: timedelta = timedelta(seconds=30),
        wait: float = 60.0,
        stale: bool = False,
        **how: Any,
    ) -> Any:
        """The value of a key; where it is missing, one calls `fill` and the others wait for it.

        `stale`: rather take an expired value, if there is one, than wait for another's. Who has
        waited for `wait` seconds fills for itself and stores nothing. `how` (ttl, tags, ...) as for
        `cache_put`; what depends on the value, `fill` returns in a `Filled`.
        """
        deadline = time.monotonic() + wait
        waited = False
        for pause in _waits():
            try:
                value, row = self._look(user, namespace, key, settings, lease)
            except CacheUnavailable as error:
                logger.warning("%s: going on without it", error.message)
                return _filled(fill()).value
            if value is not _MISSING:
                return value
            if row is not None and row.lease is not None:
                return self._fill(user, namespace, key, fill, settings, row.lease, how)
            if row is not None and stale and row.stale is not None:
                return row.stale
            if time.monotonic() >= deadline:
                logger.warning("waited %s s for another to fill namespace %s", wait, namespace)
                return _filled(fill()).value
            if not waited:
                self.copies.waited(namespace)
                waited = True
            time.sleep(pause)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Stop listening, and write down what was counted."""
        self._stop.set()
        self._thread.join()
        self._report()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _of(self, user: str | UUID | None) -> User:
        return self._memos.for_everyone() if user is None else self._memos.for_user(user)

    def _look(
        self,
        user: str | UUID | None,
        namespace: str,
        key: str,
        settings: Mapping[str, Any] | None,
        lease: timedelta | None,
    ) -> tuple[Any, CacheLease | None]:
        name = _key(user, namespace, key, settings)
        value, stamp = self.copies.find(name)
        if value is not _MISSING:
            return value, None
        while value is _MISSING:
            events, asked = self.copies.events, time.monotonic()
            row = self._of(user).cache_lease(
                namespace, key, lease=lease or NO_LEASE, settings=settings, stamp=stamp
            )
            if not row.hit:
                self.copies.forget(name)
                return _MISSING, row
            value = self.copies.keep(name, row, events, asked)
            stamp = None  # should the copy be gone meanwhile
        return value, None

    def _fill(
        self,
        user: str | UUID | None,
        namespace: str,
        key: str,
        fill: Callable[[], Any],
        settings: Mapping[str, Any] | None,
        lease: UUID,
        how: dict[str, Any],
    ) -> Any:
        try:
            filled = _filled(fill())
            self._of(user).cache_put(
                namespace, key, filled.value, settings=settings, lease=lease, **_stored(filled, how)
            )
        except BaseException:
            with contextlib.suppress(MemOSError, psycopg.Error):
                self._of(user).cache_release(namespace, key, lease, settings)
            raise
        return filled.value

    def _listen(self) -> None:
        pause = 0.05
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._dsn, autocommit=True) as connection:
                    connection.execute(f"listen {CHANNEL}")
                    self.copies.doubt(listening=True)
                    pause = 0.05
                    self._hear(connection)
            except psycopg.Error as error:
                if not self._stop.is_set():
                    logger.warning("the cache listener lost its connection: %s", error)
            finally:
                self.copies.doubt(listening=False)
            self._stop.wait(pause)
            pause = min(2 * pause, 5.0)

    def _hear(self, connection: psycopg.Connection[Any]) -> None:
        reported = time.monotonic()
        while not self._stop.is_set():
            for notification in connection.notifies(timeout=LISTEN_TIMEOUT, stop_after=1):
                self.copies.notified(notification.payload)
            if time.monotonic() - reported >= REPORT_INTERVAL:
                self._report()
                reported = time.monotonic()

    def _report(self) -> None:
        for namespace, hits, waits in self.copies.counts():
            try:
                self._memos.for_everyone().cache_report(namespace, hits, waits)
            except (MemOSError, psycopg.Error) as error:
                logger.warning("the numbers of a cache are lost: %s", error)


class AsyncLocalCache:
    """The same, awaited: `async with AsyncMemOS(dsn) as memos, AsyncLocalCache(memos) as cache:`.

    `fill` is a coroutine function.
    """

    def __init__(
        self,
        memos: AsyncMemOS,
        *,
        max_entries: int = 10_000,
        max_bytes: int = 64 * 2**20,
        recheck: float = 1.0,
    ) -> None:
        self._memos = memos
        self._dsn = _listening_dsn(memos)
        self.copies = _Copies(max_entries, max_bytes, recheck)
        self._task: asyncio.Task[None] | None = None

    async def get(
        self,
        user: str | UUID | None,
        namespace: str,
        key: str,
        default: Any = None,
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> Any:
        """The value of a key, or `default`."""
        try:
            value, _ = await self._look(user, namespace, key, settings, None)
        except CacheUnavailable as error:
            logger.warning("%s: a miss", error.message)
            return default
        return default if value is _MISSING else value

    async def put(
        self, user: str | UUID | None, namespace: str, key: str, value: Any, **how: Any
    ) -> bool:
        """Store a value in the database; `how` as for `cache_put`."""
        stored = await self._of(user).cache_put(namespace, key, value, **how)
        self.copies.drop(_key(user, namespace, key, how.get("settings")))
        return stored

    async def invalidate(self, user: str | UUID | None, **what: Any) -> int:
        """Remove entries here and in the database; `what` as for `cache_invalidate`."""
        count = await self._of(user).cache_invalidate(**what)
        self.copies.notified(EVERYTHING)
        return count

    async def get_or_fill(
        self,
        user: str | UUID | None,
        namespace: str,
        key: str,
        fill: Callable[[], Awaitable[Any]],
        *,
        settings: Mapping[str, Any] | None = None,
        lease: timedelta = timedelta(seconds=30),
        wait: float = 60.0,
        stale: bool = False,
        **how: Any,
    ) -> Any:
        """The value of a key; where it is missing, one process awaits `fill()`; see LocalCache."""
        deadline = time.monotonic() + wait
        waited = False
        for pause in _waits():
            try:
                value, row = await self._look(user, namespace, key, settings, lease)
            except CacheUnavailable as error:
                logger.warning("%s: going on without it", error.message)
                return _filled(await fill()).value
            if value is not _MISSING:
                return value
            if row is not None and row.lease is not None:
                return await self._fill(user, namespace, key, fill, settings, row.lease, how)
            if row is not None and stale and row.stale is not None:
                return row.stale
            if time.monotonic() >= deadline:
                logger.warning("waited %s s for another to fill namespace %s", wait, namespace)
                return _filled(await fill()).value
            if not waited:
                self.copies.waited(namespace)
                waited = True
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen(), name="memos cache")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening, and write down what was counted."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self._report()

    def _of(self, user: str | UUID | None) -> AsyncUser:
        return self._memos.for_everyone() if user is None else self._memos.for_user(user)

    async def _look(
        self,
        user: str | UUID | None,
        namespace: str,
        key: str,
        settings: Mapping[str, Any] | None,
        lease: timedelta | None,
    ) -> tuple[Any, CacheLease | None]:
        name = _key(user, namespace, key, settings)
        value, stamp = self.copies.find(name)
        if value is not _MISSING:
            return value, None
        while value is _MISSING:
            events, asked = self.copies.events, time.monotonic()
            row = await self._of(user).cache_lease(
                namespace, key, lease=lease or NO_LEASE, settings=settings, stamp=stamp
            )
            if not row.hit:
                self.copies.forget(name)
                return _MISSING, row
            value = self.copies.keep(name, row, events, asked)
            stamp = None  # should the copy be gone meanwhile
        return value, None

    async def _fill(
        self,
        user: str | UUID | None,
        namespace: str,
        key: str,
        fill: Callable[[], Awaitable[Any]],
        settings: Mapping[str, Any] | None,
        lease: UUID,
        how: dict[str, Any],
    ) -> Any:
        try:
            filled = _filled(await fill())
            await self._of(user).cache_put(
                namespace, key, filled.value, settings=settings, lease=lease, **_stored(filled, how)
            )
        except BaseException:
            with contextlib.suppress(MemOSError, psycopg.Error):
                await self._of(user).cache_release(namespace, key, lease, settings)
            raise
        return filled.value

    async def _listen(self) -> None:
        pause = 0.05
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._dsn, autocommit=True
                ) as connection:
                    await connection.execute(f"listen {CHANNEL}")
                    self.copies.doubt(listening=True)
                    pause = 0.05
                    await self._hear(connection)
            except psycopg.Error as error:
                logger.warning("the cache listener lost its connection: %s", error)
            finally:
                self.copies.doubt(listening=False)
            await asyncio.sleep(pause)
            pause = min(2 * pause, 5.0)

    async def _hear(self, connection: psycopg.AsyncConnection[Any]) -> None:
        reported = time.monotonic()
        while True:
            async for notification in connection.notifies(timeout=LISTEN_TIMEOUT, stop_after=1):
                self.copies.notified(notification.payload)
            if time.monotonic() - reported >= REPORT_INTERVAL:
                await self._report()
                reported = time.monotonic()

    async def _report(self) -> None:
        for namespace, hits, waits in self.copies.counts():
            try:
                await self._memos.for_everyone().cache_report(namespace, hits, waits)
            except (MemOSError, psycopg.Error) as error:
                logger.warning("the numbers of a cache are lost: %s", error)
