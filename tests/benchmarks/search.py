"""Latency and recall of a search, against a plain exact scan of the same vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import psycopg

from tests.benchmarks.corpus import DIMENSIONS, Crowd, Person, Query, Workshop, connect
from tests.benchmarks.measure import Ratio, Report, compared, interleaved, p50_ratio, say

LIMIT = 10
# Without a question there are no words to look for: the vectors alone decide.
SEARCH = (
    "select memory_id, rank, content, score from memos.search_memories("
    "p_user_id => %s, p_query => %s, p_embedding => %b, p_limit => %s, p_tags => %s, "
    "p_fusion => %s)"
)
PLAIN = """
    select memory_id from plain
    where user_id = %(user)s and (%(tag)s::text is null or tag = %(tag)s)
    order by embedding <=> %(embedding)b limit %(limit)s
"""
DEFAULT = "calibrated"
BY_SIZE = "search: one user's search"
BY_TOTAL = "search: growth with the rows of others"
RECALL = 0.98
# At these sizes an issue names a bound for the ratio to a plain scan.
LATENCY = {10_000: 0.6}
TOTAL_GROWTH = 1.3


@dataclass(frozen=True)
class Asker:
    """Asks one user's questions, one a round, and keeps the answers."""

    connection: psycopg.Connection[Any]
    person: Person
    queries: list[Query]
    answers: dict[str, dict[int, set[UUID]]]

    def search(
        self, name: str, fusion: str = DEFAULT, words: bool = True, tagged: bool = False
    ) -> Callable[[int], None]:
        """A search by memOS."""

        def run(number: int) -> None:
            query = self.queries[number % len(self.queries)]
            text, tags = query.text if words else None, [query.tag] if tagged else None
            arguments = (self.person.user_id, text, query.embedding, LIMIT, tags, fusion)
            self._keep(name, number, self.connection.execute(SEARCH, arguments).fetchall())

        return run

    def scan(self, name: str, tagged: bool = False) -> Callable[[int], None]:
        """A plain scan."""

        def run(number: int) -> None:
            query = self.queries[number % len(self.queries)]
            arguments = {
                "user": self.person.user_id,
                "tag": query.tag if tagged else None,
                "embedding": query.embedding,
                "limit": LIMIT,
            }
            self._keep(name, number, self.connection.execute(PLAIN, arguments).fetchall())

        return run

    def _keep(self, name: str, number: int, rows: list[Any]) -> None:
        self.answers.setdefault(name, {})[number] = {row[0] for row in rows}

    def recall(self, name: str, exact: str) -> float:
        """The mean share of the exact answer that was found."""
        found, true = self.answers[name], self.answers[exact]
        return float(np.mean([len(found[n] & true[n]) / len(true[n]) for n in true]))

    def require_full(self) -> None:
        """A fast empty answer is no fast answer."""
        for name, answers in self.answers.items():
            fewest = min(map(len, answers.values()))
            if fewest < LIMIT and "tag" not in name:
                raise RuntimeError(f"{name}: {fewest} rows found instead of {LIMIT}")


def asker(workshop: Workshop, crowd: Crowd, connection: Any, size: int) -> Asker:
    """For the user of this size."""
    person = crowd.people[size]
    return Asker(connection, person, workshop.world.queries(person, 100), {})


def run(workshop: Workshop) -> list[Report]:
    """Users of several sizes in one table, and one size in a growing table."""
    return [by_size(workshop), by_total(workshop)]


def by_size(workshop: Workshop) -> Report:
    """The users of all sizes in one large table."""
    crowd = workshop.large
    rows, ratios = [], []
    exact = {"vectors": "plain scan", "vectors, tag": "plain scan, tag"}
    with connect(crowd.database) as connection:
        for size in workshop.sizes:
            ask = asker(workshop, crowd, connection, size)
            rounds = workshop.rounds(size)
            say(f"searching a user of {size:,} memories, {rounds} rounds")
            contenders = {
                "plain scan": ask.scan("plain scan"),
                "calibrated": ask.search("calibrated"),
                "rrf": ask.search("rrf", "rrf"),
                "vectors": ask.search("vectors", words=False),
                "plain scan, tag": ask.scan("plain scan, tag", tagged=True),
                "vectors, tag": ask.search("vectors, tag", words=False, tagged=True),
            }
            seconds = interleaved(contenders, rounds)
            ask.require_full()
            against = {name: exact.get(name, "plain scan") for name in contenders}
            against["plain scan, tag"] = "plain scan, tag"
            for row in compared(seconds, list(against.items()), **{"user's rows": size}):
                name = str(row["what"])
                recall = ask.recall(name, exact[name]) if name in exact else ""
                rows.append(row | {"recall@10": recall})
            what = f"p50, user of {size:,}"
            value = p50_ratio(seconds, DEFAULT, "plain scan")
            ratios.append(Ratio(what, "plain halfvec scan", value, LATENCY.get(size)))
            ratios += [
                Ratio(f"recall@10, user of {size:,}, {name}", "exact", ask.recall(name, plain),
                      at_least=RECALL)
                for name, plain in exact.items()
            ]  # fmt: skip
    return Report(
        BY_SIZE,
        f"{crowd.total:,} rows of {crowd.users} users, {DIMENSIONS:,} dimensions, limit {LIMIT}. "
        "plain scan: exact pgvector scan of one user's halfvecs, without words, text or row-level "
        "security. recall@10: of the vector lane against that scan.",
        rows,
        ratios,
    )


def by_total(workshop: Workshop) -> Report:
    """The same user, among few and among many."""
    size = workshop.fixed_size
    rounds = workshop.rounds(size)
    few, many = crowds = (workshop.small, workshop.large)
    say(f"searching a user of {size:,} among few and among many, {rounds} rounds")
    connections = [connect(crowd.database) for crowd in crowds]
    askers = [
        asker(workshop, crowd, connection, size)
        for crowd, connection in zip(crowds, connections, strict=True)
    ]
    methods = ("plain scan", "calibrated", "rrf")
    contenders = {
        f"{name}, {crowd.total:,} rows": ask.scan(name)
        if name == "plain scan"
        else ask.search(name, name)
        for crowd, ask in zip(crowds, askers, strict=True)
        for name in methods
    }
    seconds = interleaved(contenders, rounds)
    for connection, ask in zip(connections, askers, strict=True):
        connection.close()
        ask.require_full()
    rows = []
    for crowd in crowds:
        pairs = [
            (f"{name}, {crowd.total:,} rows", f"{name}, {few.total:,} rows") for name in methods
        ]
        for name, row in zip(
            methods, compared(seconds, pairs, **{"rows of all users": crowd.total}), strict=True
        ):
            rows.append(row | {"what": name, "against": "" if crowd is few else "few others"})
    value = p50_ratio(seconds, f"{DEFAULT}, {many.total:,} rows", f"{DEFAULT}, {few.total:,} rows")
    what, against = f"p50, user of {size:,} in {many.total:,} rows", f"in {few.total:,} rows"
    return Report(
        BY_TOTAL,
        f"a user of {size:,} memories, {DIMENSIONS:,} dimensions; the same rows in two databases. "
        "Ratio 1: what others store costs this user nothing.",
        rows,
        [Ratio(what, against, value, TOTAL_GROWTH)],
    )
