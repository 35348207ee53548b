"""Cost of storing a memory: in bulk, one by one, in a new database, and in plain tables."""

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
from tests.benchmarks.measure import Ratio, Report, compared, interleaved, p50_ratio, say
from tests.support.postgres import Database

ADD_MEMORY = (
    "select memos.add_memory(p_user_id => %s, p_content => %s, p_tags => %s, p_embedding => %b)"
)
# What somebody would make by hand for the same searches: each user's memories, words and vectors
# under b-trees that start with the user, and the vectors' binary codes in a covering index.
PLAIN_TABLES = """
    create table plain_memory (
        user_id uuid, memory_id uuid, content text not null, content_hash bytea not null,
        kind text not null default 'semantic', tags text[] not null,
        metadata jsonb not null default '{}', importance real not null default 0.5,
        recorded_at timestamptz not null default now(),
        primary key (user_id, memory_id), unique (user_id, content_hash)
    );
    create table plain_word (
        user_id uuid, lexeme text, memory_id uuid, frequency smallint not null,
        primary key (user_id, lexeme, memory_id) include (frequency)
    );
    create table plain_vector (
        user_id uuid, memory_id uuid, embedding public.halfvec not null, code bit(1024) not null,
        primary key (user_id, memory_id) include (code)
    );
    alter table plain_vector alter column embedding set storage plain;
    grant insert on plain_memory, plain_word, plain_vector to memos_app;
"""
PLAIN_INSERT = """
    with given as materialized (
        select %(user)s::uuid as user_id, gen_random_uuid() as memory_id, m.*
        from unnest(%(texts)s::text[], %(tags)s::text[], %(vectors)b::public.halfvec[])
            as m (content, tag, embedding)
    ),
    memories as (
        insert into plain_memory (user_id, memory_id, content, content_hash, tags)
        select user_id, memory_id, content, sha256(convert_to(content, 'UTF8')), array[tag]
        from given
    ),
    words as (
        insert into plain_word
        select g.user_id, w.lexeme, g.memory_id, cardinality(w.positions)
        from given as g
        cross join unnest(to_tsvector('english', g.content)) as w
    )
    insert into plain_vector
    select user_id, memory_id, embedding, public.binary_quantize(embedding) from given
"""


def run(workshop: Workshop) -> list[Report]:
    """Ways of storing, and how one import goes on."""
    return [by_way(workshop), by_age(workshop)]


def by_way(workshop: Workshop) -> Report:
    """Every way of storing, in turns; each round has users of its own."""
    rounds = 1 if workshop.quick else 10
    bulk, few = (200, 20) if workshop.quick else (1_000, 100)
    warm_up = 1
    numbers = range(warm_up + rounds)
    database = _database(workshop)
    say(f"storing {bulk:,} memories at once and {few} one by one, {rounds} rounds")
    people = [workshop.person(database, f"writer {number}", bulk) for number in numbers]
    plain, plain_bulk, single, joint = (
        [database.user_id(f"{way} {number}") for number in numbers]
        for way in ("plain", "plain bulk", "single", "joint")
    )

    with connect(database) as connection:

        def one_by_one(user_id: UUID, number: int) -> None:
            for at in range(few):
                _add_memory(connection, user_id, people[number], at)

        def in_one_transaction(number: int) -> None:
            with connection.transaction():
                one_by_one(joint[number], number)

        def plain_one_by_one(number: int) -> None:
            for at in range(few):
                _insert(connection, plain[number], people[number], slice(at, at + 1))

        contenders = {
            "plain inserts": plain_one_by_one,
            "plain insert of all": lambda n: _insert(
                connection, plain_bulk[n], people[n], slice(None)
            ),
            "add_memory": lambda n: one_by_one(single[n], n),
            "add_memory, one commit": in_one_transaction,
            "add_memories": lambda n: _add_memories(connection, people[n], slice(None)),
        }
        seconds = interleaved(contenders, rounds, warm_up, lambda: analyze(database))
    _require_stored(database, len(numbers) * (bulk + 2 * few))

    in_one_call = ("plain insert of all", "add_memories")
    per_memory = {
        name: taken / (bulk if name in in_one_call else few) for name, taken in seconds.items()
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
        f"n: rounds. In bulk {bulk:,} memories in one call, else {few} calls, each committed "
        f"unless it says otherwise (fsync on); vectors given, {DIMENSIONS:,} dimensions. plain: "
        "one statement that fills tables with the same kinds of indexes: memories, words, vectors "
        "with their binary codes.",
        compared(per_memory, pairs),
        [
            Ratio(f"storing, {name}", against, p50_ratio(per_memory, name, against))
            for name, against in (
                ("add_memory", "plain inserts"),
                ("add_memories", "plain insert of all"),
            )
        ],
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
        for at in range(len(first.texts)):
            _add_memory(connection, first.user_id, first, at)
            _insert(connection, first.user_id, first, slice(at, at + 1))

        def part(number: int) -> slice:
            return slice(number * batch, (number + 1) * batch)

        seconds = interleaved(
            {
                "plain insert": lambda n: _insert(connection, person.user_id, person, part(n)),
                "add_memories": lambda n: _add_memories(connection, person, part(n)),
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
    value = p50_ratio(per_memory, f"add_memories, {late}", f"add_memories, {early}")
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
        [Ratio(f"storing, {late} of an import", early, value)],
    )


def _database(workshop: Workshop) -> Database:
    database = workshop.new_database()
    with connect(database, None) as connection:
        connection.execute(PLAIN_TABLES)
    return database


def _add_memory(
    connection: psycopg.Connection[Any], user_id: UUID, person: Person, at: int
) -> None:
    vector = HalfVector(person.vectors[at])
    connection.execute(ADD_MEMORY, (user_id, person.texts[at], [person.tags[at]], vector))


def _add_memories(connection: psycopg.Connection[Any], person: Person, part: slice) -> None:
    add_memories(connection, person, part)


def _insert(
    connection: psycopg.Connection[Any], user_id: UUID, person: Person, part: slice
) -> None:
    given = {
        "user": user_id,
        "texts": person.texts[part],
        "tags": person.tags[part],
        "vectors": person.halves(part),
    }
    connection.execute(PLAIN_INSERT, given)


def _require_stored(database: Database, expected: int) -> None:
    for table in ("memory", "embedding"):
        stored = database.value(f"select count(*) from memos_private.{table}")
        if stored != expected:
            raise RuntimeError(f"{stored} rows in {table} instead of {expected}")
