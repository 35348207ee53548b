"""Is an old value ever served? Processes that read through their copies and through the function,
one that changes what the values are made from, and connections and processes that are killed."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Sequence
from ctypes import c_double, c_int64
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import RawArray
from typing import Any
from uuid import UUID

import psycopg
from memos_pg import LocalCache, MemOS, MemOSError
from psycopg_pool import PoolTimeout

MEMORIES = 100
MOST_VERSIONS = 20_000  # of one memory
PAUSE = 0.025  # between two changes
RECHECK = 1.0
KINDS = ("copy or fill", "copy", "function")
_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened in a run; `stale` is what must be 0."""

    operations: int
    by_kind: dict[str, int]
    failed: int
    changes: int
    rolled_back: int
    connections_killed: int
    processes_killed: int
    seconds: float
    late: int
    latest: float
    stale: int


@dataclass(slots=True)
class _Shared:
    """What all processes see. Times are of CLOCK_MONOTONIC, which is one for the machine."""

    dsn: str
    user: UUID
    ids: list[UUID]
    workers: int
    # The newest version of each memory whose commit is known, and since when each one was.
    committed: Any = field(default_factory=lambda: RawArray(c_int64, MEMORIES))
    since: Any = field(default_factory=lambda: RawArray(c_double, MEMORIES * MOST_VERSIONS))
    writes: Any = field(default_factory=lambda: RawArray(c_int64, 2))  # committed, rolled back
    stop: Any = field(default_factory=lambda: RawArray(c_int64, 1))
    counts: Any = None  # for each worker: those of KINDS, failed, late, stale
    latest: Any = None

    def __post_init__(self) -> None:
        self.counts = RawArray(c_int64, self.workers * (len(KINDS) + 3))
        self.latest = RawArray(c_double, self.workers)

    def add(self, worker: int, what: int) -> None:
        self.counts[worker * (len(KINDS) + 3) + what] += 1

    def total(self, what: int) -> int:
        return sum(self.counts[what :: len(KINDS) + 3])

    def operations(self) -> int:
        return sum(self.total(kind) for kind in range(len(KINDS)))


def _write(shared: _Shared) -> None:
    chance = random.Random(0)
    with psycopg.connect(shared.dsn, application_name="writer") as app:
        while not shared.stop[0]:
            n = chance.randrange(MEMORIES)
            version = shared.committed[n] + 1
            if version == MOST_VERSIONS:
                break
            app.execute(
                "select memos.update_memory(%s, %s, jsonb_build_object('content', %s::text))",
                (shared.user, shared.ids[n], f"{n}: {version}"),
            )
            if chance.random() < 0.1:
                app.rollback()
                shared.writes[1] += 1
            else:
                app.commit()
                shared.since[n * MOST_VERSIONS + version] = time.monotonic()
                shared.committed[n] = version
                shared.writes[0] += 1
            time.sleep(PAUSE)


def _read(shared: _Shared, worker: int, seed: int) -> None:
    chance = random.Random(seed)
    failed, late, stale = (len(KINDS) + n for n in range(3))
    with (
        MemOS(shared.dsn, min_size=1, max_size=4, timeout=5) as memos,
        LocalCache(memos, recheck=RECHECK) as cache,
    ):
        mine = memos.for_user(shared.user)

        def content(n: int) -> int:
            return int(mine.get_memory(shared.ids[n]).content.split()[-1])

        def look(kind: int, n: int) -> int | None:
            key = f"memory {n}"
            if kind == 0:
                return cache.get_or_fill(
                    shared.user, "query", key, lambda: content(n), tags=[str(shared.ids[n])],
                    lease=timedelta(seconds=0.3), wait=10,
                )  # fmt: skip
            if kind == 1:
                return cache.get(shared.user, "query", key)
            return mine.cache_get("query", key).value

        while not shared.stop[0]:
            n, kind = chance.randrange(MEMORIES), chance.choices((0, 1, 2), (80, 17, 3))[0]
            known, asked = shared.committed[n], time.monotonic()
            try:
                seen = look(kind, n)
            except (psycopg.Error, MemOSError, PoolTimeout):
                shared.add(worker, failed)
                continue
            shared.add(worker, kind)
            if seen is not None and seen < known:
                age = asked - shared.since[n * MOST_VERSIONS + seen + 1]
                shared.latest[worker] = max(shared.latest[worker], age)
                # The function checks the generation itself: it has no bound.
                shared.add(worker, stale if kind == 2 or age > RECHECK else late)


def hammer(
    app_dsn: str,
    superuser_dsn: str,
    user: UUID,
    *,
    operations: int,
    seconds: float,
    workers: int = 4,
    kill_connection_every: float = 0.5,
    kill_process_every: float = 15.0,
) -> Outcome:
    """Run until so many operations are done or so many seconds have passed."""
    with psycopg.connect(app_dsn, autocommit=True) as app:
        add = "select memos.add_memory(%s, %s)"
        ids = [app.execute(add, (user, f"{n}: 0")).fetchone()[0] for n in range(MEMORIES)]
    shared = _Shared(app_dsn, user, ids, workers)
    start = time.monotonic()
    seeds = iter(range(1, 10**9))

    def reader(worker: int) -> SpawnProcess:
        process = _spawn.Process(target=_read, args=(shared, worker, next(seeds)), daemon=True)
        process.start()
        return process

    writer = _spawn.Process(target=_write, args=(shared,), daemon=True)
    writer.start()
    readers = [reader(worker) for worker in range(workers)]
    connections, processes = 0, 0
    next_process = start + kill_process_every
    with psycopg.connect(superuser_dsn, autocommit=True) as superuser:
        while shared.operations() < operations and time.monotonic() - start < seconds:
            time.sleep(kill_connection_every)
            connections += superuser.execute(
                "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity"
                " where datname = current_database() and application_name like 'memos_pg%'"
                " order by random() limit 1) as one"
            ).fetchone()[0]
            if time.monotonic() >= next_process:
                worker = processes % workers
                readers[worker].kill()
                readers[worker].join()
                readers[worker] = reader(worker)
                processes += 1
                next_process = time.monotonic() + kill_process_every
    shared.stop[0] = 1
    _join([writer, *readers])
    by_kind = {kind: shared.total(number) for number, kind in enumerate(KINDS)}
    return Outcome(
        operations=shared.operations(),
        by_kind=by_kind,
        failed=shared.total(len(KINDS)),
        changes=shared.writes[0],
        rolled_back=shared.writes[1],
        connections_killed=connections,
        processes_killed=processes,
        seconds=time.monotonic() - start,
        late=shared.total(len(KINDS) + 1),
        latest=max(shared.latest),
        stale=shared.total(len(KINDS) + 2),
    )


def _join(processes: Sequence[SpawnProcess]) -> None:
    for process in processes:
        process.join(60)
        if process.exitcode != 0:
            process.kill()
            raise RuntimeError(f"a process of the run ended with {process.exitcode}")
