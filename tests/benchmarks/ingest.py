"""Cost of storing a memory: in bulk, one by one, and in a plain table."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from pgvector import HalfVector

from tests.benchmarks.corpus import (
    DIMENSIONS,
    Person,
    Workshop,
    add_memories,
    connect,
)
from tests.benchmarks.measure import Report, compared, interleaved, say

BULK = 1_000
SINGLE = 100
ADD_MEMORY = "select memos.add_memory(p_user_id => %s, p_content => %s, p_embedding => %b)"
PLAIN_TABLE = """
    create table plain_memory (
        like memos_private.memory including defaults including constraints,
        embedding public.halfvec not null,
        primary key (user_id, memory_id)
    );
    alter table plain_memory alter column embedding set storage plain;
    grant insert on plain_memory to memos_app;
"""
PLAIN_INSERT = """
    insert into plain_memory (
        user_id, memory_id, content, content_hash, language, kind, tags, metadata, importance,
        confidence, privacy_level, provenance, valid_from, recorded_at, embedding
    )
    select %s, gen_random_uuid(), m.content, sha256(convert_to(m.content, 'UTF8')),
        'memos.english', 'semantic', '{}', '{}', 0.5, 1.0, 'balanced', 'user', now(), now(),
        m.embedding
    from unnest(%s::text[], %b::public.halfvec[]) as m (content, embedding)
"""


def run(workshop: Workshop) -> list[Report]:
    """Every way of storing, in turns; each round has users of its own."""
    rounds = 2 if workshop.quick else 10
    warm_up = 1
    database = workshop.new_database()
    say(f"storing {BULK:,} memories at once and {SINGLE} one by one, {rounds} rounds")
    with connect(database, None) as connection:
        connection.execute(PLAIN_TABLE)
    people = [
        workshop.person(database, f"writer {number}", BULK) for number in range(warm_up + rounds)
    ]
    plain_users = [database.user_id(f"plain {number}") for number in range(warm_up + rounds)]
    singles = [database.user_id(f"single {number}") for number in range(warm_up + rounds)]
    joint = [database.user_id(f"joint {number}") for number in range(warm_up + rounds)]

    with connect(database) as connection:

        def one_by_one(user_id: UUID, person: Person) -> None:
            for text, vector in zip(person.texts[:SINGLE], person.vectors, strict=False):
                connection.execute(ADD_MEMORY, (user_id, text, vector))

        def in_one_transaction(number: int) -> None:
            with connection.transaction():
                one_by_one(joint[number], people[number])

        def plain_one_by_one(number: int) -> None:
            person = people[number]
            for text, vector in zip(person.texts[:SINGLE], person.vectors, strict=False):
                _insert(connection, plain_users[number], [text], [vector])

        contenders = {
            "plain inserts": plain_one_by_one,
            "plain insert of all": lambda n: _insert(
                connection, plain_users[n], people[n].texts, people[n].vectors
            ),
            "add_memory": lambda n: one_by_one(singles[n], people[n]),
            "add_memory, one transaction": in_one_transaction,
            "add_memories": lambda n: add_memories(connection, people[n], slice(None)),
        }
        seconds = interleaved(contenders, rounds, warm_up)
    _require_stored(database.dsn, (warm_up + rounds) * (BULK + 2 * SINGLE))

    bulk = ("plain insert of all", "add_memories")
    per_memory: dict[str, np.ndarray] = {
        name: taken / (BULK if name in bulk else SINGLE) for name, taken in seconds.items()
    }
    rows = compared(
        per_memory,
        [
            ("plain inserts", "plain inserts"),
            ("plain insert of all", "plain inserts"),
            ("add_memory", "plain inserts"),
            ("add_memory, one transaction", "plain inserts"),
            ("add_memories", "plain insert of all"),
            ("add_memories", "add_memory"),
            ("add_memories", "add_memory, one transaction"),
        ],
    )
    return [
        Report(
            "ingest: time a memory",
            f"n: rounds. In bulk {BULK:,} memories in one call, else {SINGLE} calls, committed one by "
            f"one unless it says otherwise (fsync on); vectors given, {DIMENSIONS} dimensions. plain: "
            "a table with the same columns, the vector and a primary key; no postings, no checks "
            "whether the memory is known.",
            rows,
        )
    ]


def _insert(
    connection: psycopg.Connection[Any], user_id: UUID, texts: list[str], vectors: list[HalfVector]
) -> None:
    connection.execute(PLAIN_INSERT, (user_id, texts, vectors))


def _require_stored(dsn: str, expected: int) -> None:
    with psycopg.connect(dsn) as connection:
        query = "select (select count(*) from memos_private.memory), count(*) from memos_private.embedding"
        stored = connection.execute(query).fetchone()
    if stored != (expected, expected):
        raise RuntimeError(f"{stored} memories and vectors stored instead of {expected} each")
