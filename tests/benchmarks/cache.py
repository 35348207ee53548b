"""The caches beside Redis, through the C clients of both and through Python as a bot calls them;
and what keeps copies in other processes right."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from memos_pg import LocalCache, MemOS
from psycopg.types.json import Jsonb

from tests.benchmarks.corpus import Workshop
from tests.benchmarks.measure import Ratio, Report, Row, interleaved, say
from tests.support.postgres import Database

SIZES = {"200 B": 200, "20 kB": 20_000}
CLIENTS = (1, 8, 32)
KEYS = 1_000
MOST, LOCAL_MOST = 2.5, 1.0
RECHECK = 1.0
Numbers = dict[str, float]


def run(workshop: Workshop) -> list[Report]:
    """Get and set beside Redis, copies beside Redis, invalidation, stale reads, cost of writes."""
    database = workshop.new_database()
    with database.connect("memos_admin") as admin:
        policy = Jsonb({"max_entries": 100_000, "max_bytes": 2**31, "lifetime": "1 day"})
        admin.execute("select memos_admin.set_cache_namespace('bench', %s)", (policy,))
    user = database.user_id("bench")
    reports = []
    redis = shutil.which("redis-server")
    if redis and shutil.which("redis-benchmark"):
        with _redis(redis) as port:
            reports.append(_beside_redis(workshop, database, user, port))
            reports.append(_in_python(workshop, database, user, port))
    else:
        lack = "redis-server and redis-benchmark are not installed (Debian: redis-server)"
        say(f"NOT compared with Redis: {lack}")
        reports.append(Report("cache: beside Redis", lack, failures=[lack]))
    reports.append(_invalidation(workshop, database, user))
    reports.append(_stale_reads(workshop, database))
    reports.append(_cost_of_changes(workshop, database))
    database.drop()
    return reports


@contextmanager
def _redis(program: str) -> Iterator[int]:
    """A Redis that keeps nothing on disk, on a free port of the loopback interface."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait()


def _beside_redis(workshop: Workshop, database: Database, user: UUID, port: int) -> Report:
    """pgbench and redis-benchmark, in turns: no interpreter between the clock and the server."""
    seconds = 0.5 if workshop.quick else 2
    rounds = 1 if workshop.quick else 3
    rows: list[Row] = []
    ratios = []
    for size_name, size in SIZES.items():
        with database.connect("memos_app") as app, app.cursor() as cursor:
            cursor.executemany(
                "select memos.cache_put(%s, 'bench', %s, %s)",
                [(user, f"{size}:{n}", Jsonb("x" * size)) for n in range(1, KEYS + 1)],
            )
        for clients in CLIENTS:
            for operation in ("get", "set"):
                ours, theirs = [], []
                for _ in range(rounds):
                    ours.append(_pgbench(database, user, operation, size, clients, seconds))
                    theirs.append(_redis_benchmark(port, operation, size, clients, seconds))
                mine, other = _median(ours), _median(theirs)
                for who, numbers in (("memOS", mine), ("Redis", other)):
                    rows.append(
                        {
                            "operation": operation,
                            "value": size_name,
                            "clients": clients,
                            "cache": who,
                            "p50 us": numbers["p50"],
                            "p99 us": numbers["p99"],
                            "per second": numbers["rate"],
                            "p50 ratio": numbers["p50"] / other["p50"],
                            "rate ratio": other["rate"] / numbers["rate"],
                        }
                    )
                if operation == "get":
                    what = f"cache_get, {size_name}, {clients} clients, p50"
                    ratios.append(Ratio(what, "Redis GET", mine["p50"] / other["p50"], MOST))
        say(f"beside Redis: {size_name} done")
    return Report(
        "cache: through the function, beside Redis",
        f"pgbench (prepared statements, unix socket, as memos_app) and redis-benchmark (loopback), "
        f"persistent connections, {KEYS:,} keys, medians of {rounds} rounds in turns; "
        "rate ratio: how many times more Redis does.",
        rows,
        ratios,
    )


def _median(measured: list[Numbers]) -> Numbers:
    return {name: float(np.median([m[name] for m in measured])) for name in measured[0]}


def _pgbench(
    database: Database, user: UUID, operation: str, size: int, clients: int, seconds: float
) -> Numbers:
    key = f"'{size}:' || :n"
    statement = {
        "get": f"select * from memos.cache_get('{user}', 'bench', {key})",
        "set": f"select memos.cache_put('{user}', 'bench', {key}, to_jsonb(repeat('x', {size})))",
    }[operation]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script"
        script.write_text(f"\\set n random(1, {KEYS})\n{statement};\n", encoding="utf-8")
        subprocess.run(
            [
                _program(database, "pgbench"), "-n", "-M", "prepared", "-f", str(script),
                "-c", str(clients), "-j", str(min(clients, os.cpu_count() or 1)),
                "-T", str(max(1, round(seconds))), "-l", "--log-prefix", f"{folder}/log",
                database.app_dsn,
            ],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        lines = [line for log in Path(folder).glob("log.*") for line in log.open()]
    taken = np.array([int(line.split()[2]) for line in lines])
    p50, p99 = np.percentile(taken, [50, 99])
    return {"p50": p50, "p99": p99, "rate": len(taken) / max(1, round(seconds))}


def _program(database: Database, name: str) -> str:
    own = database.server.program(name)
    return own if Path(own).exists() else str(shutil.which(name) or own)


def _redis_benchmark(port: int, operation: str, size: int, clients: int, seconds: float) -> Numbers:
    requests = max(500, int(12_000 * seconds))
    run = subprocess.run(
        [
            "redis-benchmark", "-p", str(port), "-t", operation, "-n", str(requests),
            "-r", str(KEYS), "-c", str(clients), "-d", str(size), "--csv", "--precision", "3",
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    header, values = (line.replace('"', "").split(",") for line in run.stdout.split("\n")[:2])
    row = dict(zip(header, values, strict=True))
    return {
        "p50": float(row["p50_latency_ms"]) * 1e3,
        "p99": float(row["p99_latency_ms"]) * 1e3,
        "rate": float(row["rps"]),
    }


class _PlainRedis:
    """The least that a Python client can do: one request, one reply, no library."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def _ask(self, *words: bytes) -> bytes | None:
        parts = [b"*%d\r\n" % len(words), *(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)]
        self._socket.sendall(b"".join(parts))
        line = self._file.readline()
        if line[:1] != b"$":
            return None
        length = int(line[1:])
        return None if length < 0 else self._file.read(length + 2)[:-2]

    def set(self, key: str, value: Any) -> None:
        self._ask(b"SET", key.encode(), json.dumps(value).encode())

    def get(self, key: str) -> Any:
        found = self._ask(b"GET", key.encode())
        return None if found is None else json.loads(found)

    def close(self) -> None:
        self._socket.close()


def _cache_get(app: psycopg.Connection[Any], user: UUID, key: str) -> None:
    app.execute("select value from memos.cache_get(%s, 'bench', %s)", (user, key)).fetchone()


def _in_python(workshop: Workshop, database: Database, user: UUID, port: int) -> Report:
    """One Python process: Redis, the function on one connection, and the client's copies."""
    rounds = 200 if workshop.quick else 3_000
    rows: list[Row] = []
    ratios = []
    with (
        MemOS(database.app_dsn, min_size=1) as memos,
        LocalCache(memos, recheck=60) as cache,
        database.connect("memos_app") as app,
    ):
        while not cache.copies.listening:
            time.sleep(0.01)
        redis = _PlainRedis(port)
        for size_name, size in SIZES.items():
            held = {"text": "x" * size}
            key = f"python {size}"
            redis.set(key, held)
            cache.put(user, "bench", key, held)
            contenders = {
                "Redis, plain socket": lambda _, k=key: redis.get(k) and None,
                "memos.cache_get, psycopg": lambda _, k=key: _cache_get(app, user, k),
                "LocalCache": lambda _, k=key: cache.get(user, "bench", k) and None,
            }
            seconds = interleaved(contenders, rounds)
            base = np.percentile(seconds["Redis, plain socket"], 50)
            for name, taken in seconds.items():
                p50, p99 = np.percentile(taken, [50, 99])
                rows.append(
                    {
                        "value": size_name,
                        "cache": name,
                        "p50 us": p50 * 1e6,
                        "p99 us": p99 * 1e6,
                        "p50 ratio": p50 / base,
                    }
                )
            local = float(np.median(seconds["LocalCache"]) / base)
            ratios.append(Ratio(f"client's copy, {size_name}, p50", "Redis GET", local, LOCAL_MOST))
        redis.close()
    return Report(
        "cache: from Python, values decoded from JSON",
        f"one process, {rounds:,} rounds in turns; LocalCache serves a copy that other processes' "
        "changes reach by notification.",
        rows,
        ratios,
    )


def _invalidation(workshop: Workshop, database: Database, user: UUID) -> Report:
    """From the commit of a change to a memory until another process no longer has the copy."""
    rounds = 20 if workshop.quick else 300
    delays = []
    with (
        MemOS(database.app_dsn, min_size=1) as memos,
        LocalCache(memos, recheck=3_600) as cache,
        database.connect("memos_app") as app,
    ):
        while not cache.copies.listening:
            time.sleep(0.01)
        (memory,) = app.execute("select memos.add_memory(%s, 'version 0')", (user,)).fetchone()
        for turn in range(1, rounds + 1):
            cache.put(user, "query", "what?", turn, tags=[str(memory)])
            cache.get(user, "query", "what?")
            events = cache.copies.events
            with app.transaction():
                app.execute(
                    "select memos.update_memory(%s, %s, %s)",
                    (user, memory, Jsonb({"content": f"version {turn}"})),
                )
                time.sleep(0.002)
                start = time.perf_counter()
            committed = time.perf_counter()
            while cache.copies.events == events:
                time.sleep(0)
            delays.append(time.perf_counter() - start)
            assert committed > start
    p50, p99 = np.percentile(delays, [50, 99])
    return Report(
        "cache: from commit to invalidation in another process's copies",
        f"{rounds} changes to a memory; from the moment COMMIT is sent, so that it includes the "
        "commit itself (fsync).",
        [{"n": rounds, "p50 ms": p50 * 1e3, "p99 ms": p99 * 1e3, "most ms": max(delays) * 1e3}],
    )


def _stale_reads(workshop: Workshop, database: Database) -> Report:
    """Readers, fillers and writers while connections are killed: is an old value ever served?"""
    operations = 3_000 if workshop.quick else 1_000_000
    memories, workers = 8, 4
    user = database.user_id("stale reads")
    with database.connect("memos_app") as app:
        ids = [
            app.execute("select memos.add_memory(%s, %s)", (user, f"{n}: 0")).fetchone()[0]
            for n in range(memories)
        ]
    # committed[n] only holds versions whose commit is known; when: since when the next older is old
    committed = [0] * memories
    history: list[list[tuple[int, float]]] = [[(0, 0.0)] for _ in range(memories)]
    done = [0] * workers
    kills, writes = [0], [0]
    late: list[float] = []
    stop = threading.Event()

    def content(app: psycopg.Connection[Any], n: int) -> int:
        query = "select content from memos.get_memory(%s, %s)"
        return int(app.execute(query, (user, ids[n])).fetchone()[0].split()[-1])

    def write() -> None:
        random = np.random.default_rng(1)
        version = 0
        with database.connect("memos_app") as app:
            while not stop.is_set():
                n, version = int(random.integers(memories)), version + 1
                app.execute(
                    "select memos.update_memory(%s, %s, %s)",
                    (user, ids[n], Jsonb({"content": f"{n}: {version}"})),
                )
                history[n].append((version, time.monotonic()))
                committed[n] = version
                writes[0] += 1
                time.sleep(0.004)

    def kill() -> None:
        with database.connect() as superuser:
            while not stop.wait(0.25):
                killed = superuser.execute(
                    "select count(pg_terminate_backend(pid)) from (select pid from pg_stat_activity"
                    " where datname = current_database() and application_name like 'memos_pg%%'"
                    " order by random() limit 1) as one"
                ).fetchone()[0]
                kills[0] += killed

    def read(number: int, cache: LocalCache) -> None:
        random = np.random.default_rng(number)
        own = database.connect("memos_app")
        while sum(done) < operations:
            n = int(random.integers(memories))
            known, asked = committed[n], time.monotonic()
            try:
                seen = cache.get_or_fill(
                    user, "query", f"memory {n}", lambda n=n: content(own, n), tags=[str(ids[n])]
                )
            except psycopg.Error:
                continue
            done[number] += 1
            if seen < known:
                # Since when was the next version known to be committed?
                after = next(at for version, at in history[n] if version > seen)
                late.append(asked - after)
        own.close()

    start = time.perf_counter()
    with (
        MemOS(database.app_dsn, min_size=4, max_size=8) as first,
        MemOS(database.app_dsn, min_size=4, max_size=8) as second,
        LocalCache(first, recheck=RECHECK) as one,
        LocalCache(second, recheck=RECHECK) as two,
    ):
        helpers = [threading.Thread(target=write), threading.Thread(target=kill)]
        readers = [
            threading.Thread(target=read, args=(number, (one, two)[number % 2]))
            for number in range(workers)
        ]
        for thread in (*helpers, *readers):
            thread.start()
        for thread in readers:
            thread.join()
        stop.set()
        for thread in helpers:
            thread.join()
    stale = sum(age > RECHECK for age in late)
    seconds = time.perf_counter() - start
    return Report(
        "cache: stale reads while connections are killed",
        f"{workers} threads over two LocalCaches (bound {RECHECK} s), one writer of {memories} "
        "memories, a connection of the clients or their listeners killed every 0.25 s. Late: older "
        "than a commit that was known when it was asked for, but within the bound.",
        [
            {
                "operations": sum(done),
                "seconds": seconds,
                "changes": writes[0],
                "killed": kills[0],
                "late": len(late),
                "latest ms": 1e3 * max(late, default=0.0),
                "stale": stale,
            }
        ],
        [Ratio("reads staler than the bound", "none allowed", float(stale), at_most=0.0)],
        [f"{stale} stale reads"] if stale else [],
    )


def _cost_of_changes(workshop: Workshop, database: Database) -> Report:
    """What the caches add to a change of a memory, and a notification to a commit."""
    rounds = 30 if workshop.quick else 400
    user = database.user_id("changes")
    rows: list[Row] = []
    with database.connect("memos_app") as app, database.connect() as superuser:
        (memory,) = app.execute("select memos.add_memory(%s, 'version 0')", (user,)).fetchone()
        turn = iter(range(1, 10**9))

        def change(_: int, triggers: bool, tagged: bool) -> float:
            action = "enable" if triggers else "disable"
            for name in ("t70_cache_updated", "t70_cache_deleted"):
                superuser.execute(f"alter table memos_private.memory {action} trigger {name}")
            if tagged:
                app.execute(
                    "select memos.cache_put(%s, 'query', 'q', '1', p_tags => %s)",
                    (user, [str(memory)]),
                )
            start = time.perf_counter()
            app.execute(
                "select memos.update_memory(%s, %s, %s)",
                (user, memory, Jsonb({"content": f"version {next(turn)}"})),
            )
            return time.perf_counter() - start

        seconds = interleaved(
            {
                "without the triggers": lambda n: change(n, False, False),
                "no cached result": lambda n: change(n, True, False),
                "one cached result, notified": lambda n: change(n, True, True),
            },
            rounds,
        )
        change(0, True, False)
    base = np.percentile(seconds["without the triggers"], 50)
    for name, taken in seconds.items():
        p50, p95 = np.percentile(taken, [50, 95])
        rows.append(
            {"update_memory": name, "p50 us": p50 * 1e6, "p95 us": p95 * 1e6, "ratio": p50 / base}
        )
    return Report(
        "cache: what it adds to a change of a memory",
        f"{rounds} rounds in turns; add_memories has no trigger of the caches.",
        rows,
    )
