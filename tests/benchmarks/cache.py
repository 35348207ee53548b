"""The caches beside Redis, through the C clients of both and through Python as a bot calls them;
and what keeps copies in other processes right."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import redis
from memos_pg import LocalCache, MemOS
from psycopg.types.json import Jsonb

from tests.benchmarks import stale_reads
from tests.benchmarks.corpus import Workshop
from tests.benchmarks.measure import Ratio, Report, Row, interleaved, say
from tests.support.postgres import Database

SIZES = {"200 B": 200, "20 kB": 20_000}
CLIENTS = (1, 8, 32)
KEYS = 1_000
MOST, LOCAL_MOST = 2.5, 1.0
# The least that a function on a table can cost: no namespaces, no check of who calls, no counting.
FLOOR = """
    create unlogged table public.floor_entry (
        user_id uuid, key text, value jsonb, primary key (user_id, key)
    );
    alter table public.floor_entry alter value set storage external;
    grant select on public.floor_entry to memos_app;
    create function public.floor_get(p_user_id uuid, p_key text, out value jsonb) language plpgsql
        security definer set search_path = pg_catalog, pg_temp as $$
    begin
        select e.value into value from public.floor_entry as e
        where e.user_id = p_user_id and e.key = p_key;
    end $$;
"""
Numbers = dict[str, float]


def run(workshop: Workshop) -> list[Report]:
    """Get and set beside Redis, copies beside Redis, invalidation, stale reads, cost of writes."""
    database = workshop.new_database()
    with database.connect("memos_admin") as admin:
        policy = Jsonb({"max_entries": 100_000, "max_bytes": 2**31, "lifetime": "1 day"})
        for name in ("bench", "bench_set"):
            admin.execute("select memos_admin.set_cache_namespace(%s, %s)", (name, policy))
    user = database.user_id("bench")
    reports = []
    program = shutil.which("redis-server")
    if program and shutil.which("redis-benchmark"):
        with _redis(program) as where:
            reports.append(_beside_redis(workshop, database, user, where))
            reports.append(_in_python(workshop, database, user, where))
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
def _redis(program: str) -> Iterator[tuple[str, int]]:
    """A Redis that keeps nothing on disk: its unix socket, and its port on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [
                program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder,
                "--unixsocket", f"{folder}/socket",
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            yield f"{folder}/socket", port
        finally:
            process.terminate()
            process.wait()


def _beside_redis(
    workshop: Workshop, database: Database, user: UUID, where: tuple[str, int]
) -> Report:
    """pgbench and redis-benchmark, in turns: no interpreter between the clock and the server."""
    seconds = 0.5 if workshop.quick else 1
    rounds = 1 if workshop.quick else 5
    socket, port = ("-s", where[0]), ("-p", str(where[1]))
    rows: list[Row] = []
    ratios = []
    with database.connect() as superuser:
        superuser.execute(FLOOR)
    for size_name, size in SIZES.items():
        _store(database, user, size)
        key = f"'{size}:' || :n"
        put = f"cache_put('{user}', 'bench_set', {key}, to_jsonb(repeat('x', {size})))"
        statements = {
            "select 1": "select 1",
            "plain function": f"select * from floor_get('{user}', {key})",
            "get": f"select * from memos.cache_get('{user}', 'bench', {key})",
            "set": f"select memos.{put}",
        }
        _redis_benchmark(socket, "set", size, 1, seconds)  # so that what it gets is there
        for clients in CLIENTS:
            runs: dict[tuple[str, str], list[Numbers]] = {}
            for _ in range(rounds):
                for what, statement in statements.items():
                    measured = _pgbench(database, statement, clients, seconds)
                    runs.setdefault((what, "PostgreSQL"), []).append(measured)
                for what in ("ping_mbulk", "get", "set"):
                    for who, how in (("Redis", socket), ("Redis, loopback", port)):
                        measured = _redis_benchmark(how, what, size, clients, seconds)
                        runs.setdefault((what, who), []).append(measured)
            medians = {name: _median(measured) for name, measured in runs.items()}
            bases = {"select 1": "ping_mbulk", "plain function": "get"}
            for (what, who), numbers in medians.items():
                base = medians[bases.get(what, what), "Redis"]
                rows.append(
                    {
                        "operation": what,
                        "value": size_name,
                        "clients": clients,
                        "server": who,
                        "p50 us": numbers["p50"],
                        "p99 us": numbers["p99"],
                        "per second": numbers["rate"],
                        "p50 ratio": numbers["p50"] / base["p50"],
                        "rate ratio": base["rate"] / numbers["rate"],
                    }
                )
            mine = medians["get", "PostgreSQL"]["p50"]
            for who in ("Redis", "Redis, loopback"):
                ratios.append(
                    Ratio(
                        f"cache_get, {size_name}, {clients} clients, p50",
                        f"{who} GET",
                        mine / medians["get", who]["p50"],
                        MOST,
                    )
                )
        say(f"beside Redis: {size_name} done")
    return Report(
        "cache: through the function, beside Redis",
        "pgbench (prepared statements, as memos_app) and redis-benchmark, both over unix sockets, "
        f"Redis over loopback, too; persistent connections, {KEYS:,} keys, medians of {rounds} "
        "rounds in turns. Ratios to Redis over its unix socket: select 1 to PING, a plain function "
        "that reads a table by its key to GET; rate ratio: how many times more Redis does. The "
        "first hit on a value writes that it was used; these are nearly all later ones.",
        rows,
        ratios,
    )


def _store(database: Database, user: UUID, size: int) -> None:
    """The same values where cache_get finds them, and where the plain function does."""
    keys = [f"{size}:{n}" for n in range(1, KEYS + 1)]
    value = Jsonb("x" * size)
    with database.connect() as superuser, superuser.cursor() as cursor:
        cursor.executemany(
            "insert into floor_entry values (%s, %s, %s)", [(user, key, value) for key in keys]
        )
    with database.connect("memos_app") as app, app.cursor() as cursor:
        cursor.executemany(
            "select memos.cache_put(%s, 'bench', %s, %s)", [(user, key, value) for key in keys]
        )


def _median(measured: list[Numbers]) -> Numbers:
    return {name: float(np.median([m[name] for m in measured])) for name in measured[0]}


def _pgbench(database: Database, statement: str, clients: int, seconds: float) -> Numbers:
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


def _redis_benchmark(
    where: tuple[str, str], operation: str, size: int, clients: int, seconds: float
) -> Numbers:
    run = subprocess.run(
        [
            "redis-benchmark", *where, "-t", operation, "-n", str(max(500, int(20_000 * seconds))),
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

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)
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


def _in_python(
    workshop: Workshop, database: Database, user: UUID, where: tuple[str, int]
) -> Report:
    """One Python process: Redis, the function on one connection, and the client's copies."""
    rounds = 200 if workshop.quick else 3_000
    rows: list[Row] = []
    ratios = []
    library = redis.Redis(unix_socket_path=where[0], decode_responses=True)
    plain = _PlainRedis(where[0])
    get = "select value from memos.cache_get(%s, 'bench', %s)"
    with (
        MemOS(database.app_dsn, min_size=1) as memos,
        LocalCache(memos, recheck=60) as cache,
        database.connect("memos_app") as app,
        app.cursor(binary=True) as cursor,
    ):
        while not cache.copies.listening:
            time.sleep(0.01)
        for size_name, size in SIZES.items():
            held = {"text": "x" * size}
            key = f"python {size}"
            plain.set(key, held)
            cache.put(user, "bench", key, held)
            contenders = {
                "Redis, redis-py with hiredis": lambda _, k=key: (
                    json.loads(library.get(k)) and None
                ),
                "Redis, plain socket": lambda _, k=key: plain.get(k) and None,
                "memos.cache_get, psycopg": lambda _, k=key: (
                    cursor.execute(get, (user, k)).fetchone() and None
                ),
                "LocalCache": lambda _, k=key: cache.get(user, "bench", k) and None,
            }
            seconds = interleaved(contenders, rounds)
            p50 = {name: float(np.median(taken)) for name, taken in seconds.items()}
            for name, taken in seconds.items():
                rows.append(
                    {
                        "value": size_name,
                        "cache": name,
                        "p50 us": p50[name] * 1e6,
                        "p99 us": float(np.percentile(taken, 99)) * 1e6,
                        "to redis-py": p50[name] / p50["Redis, redis-py with hiredis"],
                        "to a plain socket": p50[name] / p50["Redis, plain socket"],
                    }
                )
            base = p50["Redis, redis-py with hiredis"]
            ratios += [
                Ratio(f"cache_get from Python, {size_name}, p50", "redis-py GET",
                    p50["memos.cache_get, psycopg"] / base, MOST),
                Ratio(f"client's copy, {size_name}, p50", "a plain socket's GET",
                    p50["LocalCache"] / p50["Redis, plain socket"], LOCAL_MOST),
            ]  # fmt: skip
        plain.close()
        library.close()
    return Report(
        "cache: from Python, values decoded from JSON",
        f"one process, unix sockets, {rounds:,} rounds in turns; psycopg 3 (C) with prepared "
        "statements and binary results; LocalCache serves a copy that other processes' changes "
        "reach by notification.",
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
                time.sleep(0.0001)  # the listener needs the interpreter's lock
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
    """Readers, fillers and a writer while connections and processes are killed."""
    operations, seconds = (3_000, 30.0) if workshop.quick else (1_000_000, 600.0)
    done = stale_reads.hammer(
        database.app_dsn, database.dsn, database.user_id("stale reads"), operations=operations,
        seconds=seconds,
    )  # fmt: skip
    failures = []
    if done.stale:
        failures.append(f"{done.stale} stale reads")
    if done.operations < operations:
        failures.append(f"{done.operations:,} of {operations:,} operations in {seconds} s")
    return Report(
        "cache: stale reads while connections and processes are killed",
        f"four processes with a LocalCache each (bound {stale_reads.RECHECK} s), one writer of "
        f"{stale_reads.MEMORIES} memories; a connection of theirs is killed every 0.5 s, a "
        "process every 15 s. Late: older than a commit that was known when it was asked for, but "
        "within the bound; through the function none is allowed.",
        [
            {
                "operations": done.operations,
                "seconds": done.seconds,
                **done.by_kind,
                "failed": done.failed,
                "changes": done.changes,
                "connections killed": done.connections_killed,
                "processes killed": done.processes_killed,
                "late": done.late,
                "latest ms": 1e3 * done.latest,
                "stale": done.stale,
            }
        ],
        [Ratio("reads staler than the bound", "none allowed", float(done.stale), at_most=0.0)],
        failures,
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
