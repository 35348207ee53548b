"""Latency of a search, against a plain exact scan of the same vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from tests.benchmarks.corpus import DIMENSIONS, Crowd, Person, Query, Workshop, connect
from tests.benchmarks.measure import Report, compared, interleaved, say

LIMIT = 10
SEARCH = (
    "select rank, memory_id, content, score from memos.search_memories("
    "p_user_id => %s, p_query => %s, p_embedding => %b, p_limit => %s, p_fusion => %s)"
)
PLAIN = "select memory_id from plain where user_id = %s order by embedding <=> %b limit %s"


def run(workshop: Workshop) -> list[Report]:
    """Three sizes of a user, and one size in a growing table."""
    return [by_size(workshop), by_total(workshop)]


def searcher(
    connection: psycopg.Connection[Any], person: Person, queries: list[Query], fusion: str
) -> Callable[[int], None]:
    """One search a round."""

    def search(number: int) -> None:
        query = queries[number % len(queries)]
        parameters = (person.user_id, query.text, query.embedding, LIMIT, fusion)
        _expect(connection.execute(SEARCH, parameters).fetchall())

    return search


def scanner(
    connection: psycopg.Connection[Any], person: Person, queries: list[Query]
) -> Callable[[int], None]:
    """One plain scan a round."""

    def scan(number: int) -> None:
        query = queries[number % len(queries)]
        parameters = (person.user_id, query.embedding, LIMIT)
        _expect(connection.execute(PLAIN, parameters).fetchall())

    return scan


def _expect(rows: list[Any]) -> None:
    # A fast empty answer is no fast answer.
    if len(rows) != LIMIT:
        raise RuntimeError(f"{len(rows)} rows found instead of {LIMIT}")


def by_size(workshop: Workshop) -> Report:
    """The users of three sizes in one large table."""
    rounds = 20 if workshop.quick else 300
    crowd = workshop.large
    rows = []
    with connect(crowd.database) as connection:
        for size in workshop.sizes:
            person = crowd.people[f"user of {size}"]
            queries = person.queries(100)
            say(f"searching a user of {size:,} memories, {rounds} rounds")
            contenders = {"plain scan": scanner(connection, person, queries)} | {
                fusion: searcher(connection, person, queries, fusion)
                for fusion in ("calibrated", "rrf")
            }
            seconds = interleaved(contenders, rounds)
            pairs = [(name, "plain scan") for name in contenders]
            rows += compared(seconds, pairs, **{"user's rows": size})
    return Report(
        "search: one user's search",
        f"{crowd.total:,} rows of {len(crowd.people)} users, {DIMENSIONS} dimensions, limit "
        f"{LIMIT}. plain scan: exact pgvector scan of one user's halfvecs, without words, text or "
        "row-level security.",
        rows,
    )


def by_total(workshop: Workshop) -> Report:
    """The same user, alone with another one and among many."""
    rounds = 20 if workshop.quick else 300
    size = workshop.sizes[1]
    contenders: dict[str, Callable[[int], None]] = {}
    crowds: list[Crowd] = [workshop.small, workshop.large]
    say(f"searching a user of {size:,} among few and among many, {rounds} rounds")
    connections = [connect(crowd.database) for crowd in crowds]
    for crowd, connection in zip(crowds, connections, strict=True):
        person = crowd.people[f"user of {size}"]
        queries = person.queries(100)
        contenders[f"plain scan, {crowd.total:,} rows"] = scanner(connection, person, queries)
        for fusion in ("calibrated", "rrf"):
            name = f"{fusion}, {crowd.total:,} rows"
            contenders[name] = searcher(connection, person, queries, fusion)
    seconds = interleaved(contenders, rounds)
    for connection in connections:
        connection.close()
    names = list(contenders)
    half = len(names) // 2
    pairs = list(zip(names[half:], names[:half], strict=True))
    return Report(
        "search: growth with the rows of others",
        f"a user of {size:,} memories, {DIMENSIONS} dimensions; the same rows in two databases. "
        "Ratio 1: what others store costs this user nothing.",
        compared(seconds, [(name, name) for name in names[:half]] + pairs),
    )
