"""Whether the evidence is found: conversations, one user each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from pgvector import HalfVector
from psycopg.types.json import Jsonb

from tests.benchmarks.conversations import Conversations, load, scores
from tests.benchmarks.corpus import ADD_MEMORIES, Workshop, connect
from tests.benchmarks.measure import Ratio, Report, compared, interleaved, p50_ratio, say
from tests.support.postgres import Database

MODEL = "given"
LIMIT = 20
SEARCH = (
    "select memory_id from memos.search_memories("
    "p_user_id => %s, p_query => %s, p_embedding => %b, p_limit => %s, p_fusion => %s, "
    "p_weights => %s, p_rrf_k => %s, p_now => %s) order by rank"
)
PLAIN = "select memory_id from plain where user_id = %s order by embedding <=> %b limit %s"
METHODS: dict[str, tuple[str, dict[str, int] | None, int]] = {
    "dense alone": ("rrf", {"lexical": 0}, 60),
    "BM25 alone": ("rrf", {"dense": 0}, 60),
    "rrf k=60": ("rrf", None, 60),
    "rrf k=5": ("rrf", None, 5),
    "without context": ("calibrated", {"context": 0}, 60),
    "without time": ("calibrated", {"time": 0}, 60),
    "calibrated": ("calibrated", None, 60),
}
GOALS = {"R@10": 0.78, "nDCG@10": 0.56}
LATENCY = 4


@dataclass(frozen=True)
class Stored:
    """The conversations in a database."""

    database: Database
    users: dict[str, UUID]
    turns: dict[tuple[UUID, UUID], list[str]]  # of each memory: the same words are one memory


def run(workshop: Workshop) -> list[Report]:
    """Evidence found by each lane alone and by each fusion, and what that takes."""
    data = load(workshop.quick)
    stored = _store(workshop, data)
    found: dict[str, list[list[str]]] = defaultdict(list)
    say(f"asking {len(data.questions)} questions in {1 + len(METHODS)} ways")
    with connect(stored.database) as connection:
        contenders = {"plain scan": _scanner(connection, data, stored, found["plain scan"])} | {
            name: _searcher(connection, data, stored, found[name], name) for name in METHODS
        }
        seconds = interleaved(contenders, len(data.questions), warm_up=0)
    scored = {name: scores(data.questions, found[name]) for name in contenders}
    rows = [
        {"what": time["what"]}
        | scored[str(time["what"])]
        | {name: time[name] for name in ("p50 ms", "p50 ratio", "p95 ratio")}
        for time in compared(seconds, [(name, "plain scan") for name in contenders])
    ]
    default, plain = scored["calibrated"], scored["plain scan"]
    ratios = [
        Ratio(f"{data.name}: {name}", "", default[name], at_least=goal if data.has_goals else None)
        for name, goal in GOALS.items()
    ]
    ratios += [
        Ratio(f"{data.name}: R@10", "plain scan", default["R@10"] / plain["R@10"]),
        Ratio(
            f"{data.name}: p50",
            "plain scan",
            p50_ratio(seconds, "calibrated", "plain scan"),
            LATENCY if data.has_goals else None,
        ),
    ]
    note = f"{data}, limit {LIMIT}. Ratios of time: to a plain exact scan of the vectors."
    return [Report("locomo: evidence found", note, rows, ratios)]


def _store(workshop: Workshop, data: Conversations) -> Stored:
    database = workshop.new_database(MODEL, data.dimensions)
    stored = Stored(database, {name: database.user_id(name) for name in data.users}, {})
    say(f"loading {len(data.turns):,} turns of {len(data.users)} conversations")
    with connect(database, None) as connection:
        connection.execute(
            "create table plain (user_id uuid, memory_id uuid, "
            f"embedding public.halfvec({data.dimensions}), primary key (user_id, memory_id))"
        )
        connection.execute("grant select, insert on plain to memos_app")
    with connect(database) as connection:
        for name, user_id in stored.users.items():
            said = data.said_by(name)
            vectors = [HalfVector(turn.vector) for turn in said]
            objects = Jsonb([turn.memory for turn in said])
            memories: dict[UUID, HalfVector] = {}
            for ordinal, memory_id in connection.execute(
                ADD_MEMORIES, (user_id, objects, vectors, MODEL)
            ):
                stored.turns.setdefault((user_id, memory_id), []).append(said[ordinal - 1].turn)
                memories.setdefault(memory_id, vectors[ordinal - 1])
            connection.execute(
                "insert into plain select %s, * from unnest(%s::uuid[], %b::public.halfvec[])",
                (user_id, list(memories), list(memories.values())),
            )
    with connect(database, None) as connection:
        connection.execute("vacuum analyze")
    return stored


def _searcher(
    connection: psycopg.Connection[Any],
    data: Conversations,
    stored: Stored,
    found: list[list[str]],
    method: str,
) -> Callable[[int], None]:
    fusion, weights, k = METHODS[method]
    given = Jsonb(weights) if weights else None
    # Asked when the conversation is over: "last week" is the week before its end.
    ends = {name: max(turn.said_at for turn in data.said_by(name)) for name in stored.users}

    def search(number: int) -> None:
        asked = data.questions[number]
        user = stored.users[asked.user]
        now = ends[asked.user]
        arguments = (user, asked.text, asked.embedding, LIMIT, fusion, given, k, now)
        rows = connection.execute(SEARCH, arguments).fetchall()
        found.append([turn for (memory,) in rows for turn in stored.turns[user, memory]])

    return search


def _scanner(
    connection: psycopg.Connection[Any],
    data: Conversations,
    stored: Stored,
    found: list[list[str]],
) -> Callable[[int], None]:
    def scan(number: int) -> None:
        asked = data.questions[number]
        user = stored.users[asked.user]
        rows = connection.execute(PLAIN, (user, asked.embedding, LIMIT)).fetchall()
        found.append([turn for (memory,) in rows for turn in stored.turns[user, memory]])

    return scan
