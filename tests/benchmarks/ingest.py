"""Cost of storing a memory: in bulk, one by one, in a new database, and in a plain table."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
from pgvector import HalfVector

from tests.benchmarks.corpus import (
    DIMENSIONS,
    Person,
    Workshop,
    add_memories,
    analyze,
    connect,
)
from tests.benchmarks.measure import Report, compared, interleaved, say
from tests.support.postgres import Database

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
    """Ways of storing, and how one import goes on."""
    return [by_way(workshop), by_age(workshop)]


def by_way(workshop: Workshop) -> Report:
    """Every way of storing, in turns; each round has users of its own."""
    rounds = 1 if workshop.quick else 10
    warm_up = 1
    numbers = range(warm_up + rounds)
    database = _database(workshop)
    say(f"storing {BULK:,} memories at once and {SINGLE} one by one, {rounds} rounds")
    people = [workshop.person(database, f"writer {number}", BULK) for number in numbers]
    plain, single, joint = (
        [database.user_id(f"{way} {number}") for number in numbers]
        for way in ("plain", "single", "joint")
    )

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
                _insert(connection, plain[number], [text], [vector])

        contenders = {
            "plain inserts": plain_one_by_one,
            "plain insert of all": lambda n: _insert(
                connection, plain[n], people[n].texts, people[n].vectors
            ),
            "add_memory": lambda n: one_by_one(single[n], people[n]),
            "add_memory, one commit": in_one_transaction,
            "add_memories": lambda n: add_memories(connection, people[n], slice(None)),
        }
        seconds = interleaved(contenders, rounds, warm_up, lambda: analyze(database))
    _require_stored(database, len(numbers) * (BULK + 2 * SINGLE))

    in_one_call = ("plain insert of all", "add_memories")
    per_memory = {
        name: taken / (BULK if name in in_one_call else SINGLE) for name, taken in seconds.items()
    }
    pairs = [
        ("plain inserts", "plain inserts"),
        ("plain insert of all", "plain inserts"),
        ("add_memory", "plain inserts"),
        ("add_memory, one commit", "plain inserts"),
        ("add_memories", "plain insert of all"),
        ("add_memories", "add_memory"),
        ("add_memories", "add_memory, one commit"),
    ]
    return Report(
        "ingest: time a memory",
        f"n: rounds. In bulk {BULK:,} memories in one call, else {SINGLE} calls, each committed "
        f"unless it says otherwise (fsync on); vectors given, {DIMENSIONS} dimensions. plain: a "
        "table with the same columns, the vector and a primary key; no postings, no look whether "
        "the memory is known.",
        compared(per_memory, pairs),
    )


def by_age(workshop: Workshop) -> Report:
    """One user's import into a database that was never analyzed: does it slow down on the way?"""
    calls, batch = (4, 100) if workshop.quick else (20, 500)
    database = _database(workshop)
    say(f"importing {calls * batch:,} memories of one user into a new database")
    first = workshop.person(database, "first user", 10)
    person = workshop.person(database, "importer", calls * batch)
    with connect(database) as connection:
        # As everywhere: the first calls of a session find empty tables, and it keeps their plans.
        for text, vector in zip(first.texts, first.vectors, strict=True):
            connection.execute(ADD_MEMORY, (first.user_id, text, vector))
            _insert(connection, first.user_id, [text], [vector])

        def part(number: int) -> slice:
            return slice(number * batch, (number + 1) * batch)

        def insert(number: int) -> None:
            texts, vectors = person.texts[part(number)], person.vectors[part(number)]
            _insert(connection, person.user_id, texts, vectors)

        seconds = interleaved(
            {
                "plain insert": insert,
                "add_memories": lambda n: add_memories(connection, person, part(n)),
            },
            calls,
            warm_up=0,
        )
    _require_stored(database, len(first.texts) + len(person.texts))
    quarter = calls // 4
    early, late = (f"{age} {quarter * batch:,}" for age in ("first", "last"))
    ages = {early: slice(quarter), late: slice(-quarter, None)}
    per_memory = {
        f"{name}, {age}": taken[calls_of_age] / batch
        for name, taken in seconds.items()
        for age, calls_of_age in ages.items()
    }
    return Report(
        "ingest: an import into a new database",
        f"n: calls, {batch} memories each, {calls * batch:,} of one user; no table was ever "
        "analyzed. Ratio 1: the last memory costs what the first one cost.",
        compared(
            per_memory,
            [
                (f"{name}, {age}", f"{name}, {early}")
                for name in ("plain insert", "add_memories")
                for age in (early, late)
            ],
        ),
    )


def _database(workshop: Workshop) -> Database:
    database = workshop.new_database()
    with connect(database, None) as connection:
        connection.execute(PLAIN_TABLE)
    return database


def _insert(
    connection: psycopg.Connection[Any], user_id: UUID, texts: list[str], vectors: list[HalfVector]
) -> None:
    connection.execute(PLAIN_INSERT, (user_id, texts, vectors))


def _require_stored(database: Database, expected: int) -> None:
    for table in ("memory", "embedding"):
        stored = database.value(f"select count(*) from memos_private.{table}")
        if stored != expected:
            raise RuntimeError(f"{stored} rows in {table} instead of {expected}")
