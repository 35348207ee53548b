"""Synthetic people, and the databases that they are loaded into."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import numpy as np
import psycopg
from memos_pg.migrate import migrate
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg.types.json import Jsonb

from tests.benchmarks.measure import say
from tests.support import postgres
from tests.support.postgres import Database, Server

DIMENSIONS = 1_024
MODEL = "synthetic"
VOCABULARY = 20_000
WORDS = 20  # in a memory, about
QUERY_WORDS = 6
TAGS = 10
CENTRES = 500
CENTRES_A_USER = 20
# Lengths of what a vector is added up from, beside a topic's centre of about 1: what all texts have
# in common, and what a text has for itself. Cosines are about 0.2 between any two texts, and about
# 0.7 within a topic, as models' are.
COMMON = 0.6
OWN = 0.8
FACTORS = 128  # directions with a decaying spectrum
FLOOR = 0.3  # the length of what is noise in all directions
QUERY_NOISE = 0.5
SIZES = (100, 1_000, 10_000, 100_000)
TOTAL, QUICK_TOTAL = 300_000, 3_000
GROWTH = 30
OTHER = 1_000
BATCH = 250
CONFIGURATION = Path(__file__).parents[2] / ".ci" / "postgresql.conf"
ADD_MEMORIES = (
    "select ordinal, memory_id from memos.add_memories(%s, %s, %b::public.halfvec[], %s::text)"
)
PLAIN_TABLE = """
    create table plain (
        user_id uuid, memory_id uuid, tag text, embedding public.halfvec(1024),
        primary key (user_id, memory_id)
    );
    alter table plain alter column embedding set storage plain;
    grant select, insert on plain to memos_app;
"""
PLAIN_INSERT = """
    insert into plain (user_id, memory_id, tag, embedding)
    select %s, m.memory_id, m.tag, m.embedding
    from unnest(%s::uuid[], %s::text[], %b::public.halfvec[]) as m (memory_id, tag, embedding)
"""


@dataclass(frozen=True)
class Query:
    """A question: a few words of one memory, a vector near its own, and its tag."""

    text: str
    embedding: HalfVector
    tag: str


@dataclass(frozen=True)
class Person:
    """A user with texts and vectors, the same ones in every run."""

    name: str
    user_id: UUID
    texts: list[str]
    tags: list[str]
    vectors: np.ndarray = field(repr=False)

    def halves(self, part: slice) -> list[HalfVector]:
        """Vectors as they are sent."""
        return [HalfVector(vector) for vector in self.vectors[part]]


class World:
    """Where people come from: a vocabulary with Zipf's frequencies, and topics whose vectors have
    a decaying spectrum. (In uniform noise all neighbours are equally far, and no index and no
    binary code finds any; real vectors have few directions in which they differ much.)"""

    def __init__(self) -> None:
        rng = _rng("world")
        syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
        words: dict[str, None] = {}  # a set that keeps its order
        while len(words) < VOCABULARY:
            drawn = rng.integers(len(syllables), size=rng.integers(2, 5))
            words["".join(syllables[number] for number in drawn)] = None
        self.words = np.array(list(words))
        # Without the ten most frequent ranks, which in a language are stop words.
        weights = 1 / (np.arange(VOCABULARY) + 10)
        self.frequencies = weights / weights.sum()
        spectrum = 1 / np.sqrt(np.arange(1, FACTORS + 1))
        # Random directions: in so many dimensions they are nearly orthogonal.
        directions = _unit(rng.standard_normal((FACTORS, DIMENSIONS)))
        factors = (spectrum / np.linalg.norm(spectrum))[:, np.newaxis] * directions
        self.factors = factors.astype(np.float32)
        common = rng.standard_normal(DIMENSIONS, dtype=np.float32)
        self.common = COMMON * common / np.linalg.norm(common)
        self.centres = self.common + self._spread(rng, CENTRES)

    def person(self, name: str, user_id: UUID, size: int) -> Person:
        """A user with so many memories."""
        rng = _rng(name)
        lengths = rng.poisson(WORDS, size).clip(QUERY_WORDS)
        drawn = rng.choice(self.words, lengths.sum(), p=self.frequencies)
        texts = [" ".join(part) for part in np.split(drawn, lengths.cumsum()[:-1])]
        tags = [f"tag {tag}" for tag in rng.integers(TAGS, size=size)]
        centres = self.centres[rng.choice(CENTRES, CENTRES_A_USER, replace=False)]
        topics = rng.choice(CENTRES_A_USER, size, p=rng.dirichlet(np.ones(CENTRES_A_USER)))
        vectors = np.empty((size, DIMENSIONS), np.float16)
        for start in range(0, size, 10_000):
            part = slice(start, start + 10_000)
            drawn_centres = centres[topics[part]]
            own = OWN * self._spread(rng, len(drawn_centres))
            vectors[part] = _unit(drawn_centres + own)
        return Person(name, user_id, texts, tags, vectors)

    def queries(self, person: Person, count: int) -> list[Query]:
        """Questions about this user's memories."""
        rng = _rng(f"{person.name} asks")
        asked = rng.integers(len(person.texts), size=count)
        near = person.vectors[asked].astype(np.float32) + QUERY_NOISE * self._spread(rng, count)
        return [
            Query(
                " ".join(rng.permutation(person.texts[number].split())[:QUERY_WORDS]),
                HalfVector(vector),
                person.tags[number],
            )
            for number, vector in zip(asked, _unit(near).astype(np.float16), strict=True)
        ]

    def _spread(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Vectors of length about 1: little in most directions, much in few."""
        spread = rng.standard_normal((count, FACTORS), dtype=np.float32) @ self.factors
        spread += FLOOR / DIMENSIONS**0.5 * rng.standard_normal(spread.shape, dtype=np.float32)
        return spread


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def connect(database: Database, role: str | None = "memos_app") -> psycopg.Connection[Any]:
    """A connection in autocommit mode that sends vectors in binary form."""
    connection = database.connect(role)
    register_vector(connection)
    return connection


class Workshop:
    """A server of its own, with fsync and the settings of memOS' own servers, and its databases."""

    def __init__(self, quick: bool, total: int | None = None, install_peers: bool = False) -> None:
        self.quick = quick
        self.total = total or (QUICK_TOTAL if quick else TOTAL)
        self.install_peers = install_peers
        postgres.SETTINGS.update(_configuration())
        self.server = Server(durable=True)
        self.template = self.server.create_database()
        say("migrating")
        migrate(self.template.dsn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    @property
    def versions(self) -> dict[str, str]:
        """What was measured."""
        query = "select extversion from pg_extension where extname = 'vector'"
        return {
            "PostgreSQL": self.template.value("show server_version"),
            "pgvector": self.template.value(query),
            "psycopg": psycopg.__version__,
        }

    @cached_property
    def world(self) -> World:
        """Where the synthetic people come from."""
        return World()

    def new_database(self, model: str = MODEL, dimensions: int = DIMENSIONS) -> Database:
        """A migrated database with an embedding model whose vectors come from the caller."""
        database = self.server.create_database(self.template)
        with database.connect("memos_admin") as connection:
            connection.execute(
                "select memos_admin.register_embedding_model(%s, %s, 'external')",
                (model, dimensions),
            )
        return database

    def copy_of(self, database: Database, name: str) -> Database:
        """A copy, made file by file: through the WAL, a large one takes minutes."""
        statement = sql.SQL("create database {} template {} strategy file_copy").format(
            sql.Identifier(name), sql.Identifier(database.name)
        )
        with psycopg.connect(self.server.dsn(), autocommit=True) as connection:
            connection.execute(statement)
        return Database(self.server, name)

    def person(self, database: Database, name: str, size: int) -> Person:
        """A user who is not stored yet."""
        return self.world.person(name, database.user_id(name), size)

    def rounds(self, size: int) -> int:
        """How often to search a user of this size."""
        return 20 if self.quick else min(300, max(30, 1_000_000 // size))

    @cached_property
    def sizes(self) -> list[int]:
        """Memories of the users whose searches are timed."""
        return [size for size in SIZES if 3 * size <= self.total]

    @cached_property
    def small_total(self) -> int:
        """Memories of all users in the small database."""
        return max(self.total // GROWTH, 3 * self.sizes[0])

    @cached_property
    def fixed_size(self) -> int:
        """Memories of the user who is both in the small and in the large database."""
        return max(size for size in self.sizes if 3 * size <= self.small_total)

    @cached_property
    def large(self) -> Crowd:
        """One user of each size, among many others."""
        return self.crowd(self.sizes, self.total)

    @cached_property
    def small(self) -> Crowd:
        """The user of the fixed size, among few others."""
        return self.crowd([self.fixed_size], self.small_total)

    def crowd(self, sizes: list[int], total: int) -> Crowd:
        """A database with users of these sizes and others, who come to it side by side."""
        rest = total - sum(sizes)
        others = max(rest // OTHER, 2)
        named = {f"user of {size}": size for size in sizes} | {
            f"other {number}": rest // others + (number < rest % others) for number in range(others)
        }
        database = self.new_database()
        say(f"loading {total:,} memories of {len(named)} users")
        people = {name: self.person(database, name, size) for name, size in named.items()}
        with connect(database, None) as connection:
            connection.execute(PLAIN_TABLE)
        with connect(database) as connection:
            for number, (name, part) in enumerate(_turns(named)):
                ids = add_memories(connection, people[name], part)
                tags, vectors = people[name].tags[part], people[name].halves(part)
                connection.execute(PLAIN_INSERT, (people[name].user_id, ids, tags, vectors))
                if number == 4:
                    analyze(database)
        with connect(database, None) as connection:
            # What autovacuum would do a minute later, in the middle of the measurement.
            connection.execute("vacuum analyze")
            connection.execute("checkpoint")
        searched = {size: people[f"user of {size}"] for size in sizes}
        return Crowd(database, searched, total, len(people))


@dataclass(frozen=True)
class Crowd:
    """A loaded database. Table plain holds the same vectors, in the same order on disk."""

    database: Database
    people: dict[int, Person]  # those who are searched, by size
    total: int
    users: int


def _turns(sizes: dict[str, int]) -> Iterator[tuple[str, slice]]:
    """Whose memories come next: everybody's are spread over the whole time."""
    rng = _rng("turns")
    turns = []
    for name, size in sizes.items():
        calls = -(-size // BATCH)
        for number in range(calls):
            part = slice(size * number // calls, size * (number + 1) // calls)
            turns.append(((number + rng.random()) / calls, name, part))
    for _, name, part in sorted(turns, key=lambda turn: turn[0]):
        yield name, part


def analyze(database: Database) -> None:
    """Do what autovacuum does in the first minutes of a database. Until then sessions keep plans
    made for empty tables, which `ingest` measures on purpose and nothing else should."""
    with database.connect() as connection:
        connection.execute("analyze")


def add_memories(connection: psycopg.Connection[Any], person: Person, part: slice) -> list[UUID]:
    """Store a part of a person's memories in one call; their ids."""
    memories = [
        {"content": text, "tags": [tag]}
        for text, tag in zip(person.texts[part], person.tags[part], strict=True)
    ]
    parameters = (person.user_id, Jsonb(memories), person.halves(part), None)
    rows = connection.execute(ADD_MEMORIES, parameters).fetchall()
    return [memory_id for _, memory_id in sorted(rows)]


def _configuration() -> dict[str, str]:
    settings = {}
    for line in CONFIGURATION.read_text().splitlines():
        name, equals, value = line.partition("#")[0].partition("=")
        if equals:
            settings[name.strip()] = value.strip().strip("'")
    return settings
