"""Synthetic people, and the databases that they are loaded into."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import numpy as np
import psycopg
from memos_pg.migrate import migrate
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb

from tests.benchmarks.measure import say
from tests.support import postgres
from tests.support.postgres import Database, Server

DIMENSIONS = 384
MODEL = "synthetic"
VOCABULARY = 20_000
WORDS = 20  # in a memory, about
QUERY_WORDS = 6
CENTRES = 64
CENTRES_A_USER = 12
BATCH = 500
CONFIGURATION = Path(__file__).parents[2] / ".ci" / "postgresql.conf"
ADD_MEMORIES = (
    "select ordinal, memory_id from memos.add_memories(%s, %s, %b::public.halfvec[], %s::text)"
)


@dataclass(frozen=True)
class Query:
    """A question: a few words of one memory, and a vector near its own."""

    text: str
    embedding: HalfVector


@dataclass(frozen=True)
class Person:
    """A user with texts and vectors, the same ones in every run."""

    name: str
    user_id: UUID
    texts: list[str]
    vectors: list[HalfVector]

    def queries(self, count: int) -> list[Query]:
        """Questions about this user's memories."""
        rng = _rng(f"{self.name} asks")
        questions = []
        for number in rng.integers(len(self.texts), size=count):
            words = rng.permutation(self.texts[number].split())[:QUERY_WORDS]
            vector = self.vectors[number].to_numpy().astype(np.float32)
            questions.append(Query(" ".join(words), _halves(_near(rng, vector[np.newaxis]))[0]))
        return questions


class World:
    """Where people come from: a vocabulary with Zipf's frequencies, and topics as mixtures of
    Gaussians. (Uniform noise would make all neighbours equally far, and all words equally rare.)"""

    def __init__(self) -> None:
        rng = _rng("world")
        syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
        words: dict[str, None] = {}  # a set that keeps its order
        while len(words) < VOCABULARY:
            words["".join(rng.choice(syllables, rng.integers(2, 5)))] = None
        self.words = np.array(list(words))
        # Without the ten most frequent ranks, which in a language are stop words.
        weights = 1 / (np.arange(VOCABULARY) + 10)
        self.frequencies = weights / weights.sum()
        self.centres = _unit(rng.standard_normal((CENTRES, DIMENSIONS)))

    def person(self, name: str, user_id: UUID, size: int) -> Person:
        """A user with so many memories."""
        rng = _rng(name)
        lengths = rng.poisson(WORDS, size).clip(QUERY_WORDS)
        drawn = rng.choice(self.words, lengths.sum(), p=self.frequencies)
        texts = [" ".join(part) for part in np.split(drawn, lengths.cumsum()[:-1])]
        centres = self.centres[rng.choice(CENTRES, CENTRES_A_USER, replace=False)]
        shares = rng.dirichlet(np.ones(CENTRES_A_USER))
        topics = centres[rng.choice(CENTRES_A_USER, size, p=shares)]
        return Person(name, user_id, texts, _halves(_near(rng, topics)))


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _near(rng: np.random.Generator, centres: np.ndarray) -> np.ndarray:
    # Noise as long as the centre: two memories of a topic have a cosine of about 0.5.
    return _unit(centres + rng.standard_normal(centres.shape) / np.sqrt(DIMENSIONS))


def _halves(vectors: np.ndarray) -> list[HalfVector]:
    return [HalfVector(vector) for vector in vectors.astype(np.float16)]


def connect(database: Database, role: str | None = "memos_app") -> psycopg.Connection[Any]:
    """A connection in autocommit mode that sends vectors in binary form."""
    connection = database.connect(role)
    register_vector(connection)
    return connection


class Workshop:
    """A server of its own, with fsync and the settings of memOS' own servers, and its databases."""

    def __init__(self, quick: bool) -> None:
        self.quick = quick
        postgres.SETTINGS.update(_configuration())
        self.server = Server(durable=True)
        self.template = self.server.create_database()
        say("migrating")
        migrate(self.template.dsn)
        self.world = World()

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

    def new_database(self, model: str = MODEL) -> Database:
        """A migrated database with an embedding model whose vectors come from the caller."""
        database = self.server.create_database(self.template)
        with database.connect("memos_admin") as connection:
            connection.execute(
                "select memos_admin.register_embedding_model(%s, %s, 'external')",
                (model, DIMENSIONS),
            )
        return database

    def person(self, database: Database, name: str, size: int) -> Person:
        """A user who is not stored yet."""
        return self.world.person(name, database.user_id(name), size)

    @cached_property
    def sizes(self) -> list[int]:
        """Memories of the users whose searches are timed."""
        return [200, 600] if self.quick else [600, 1_000, 10_000]

    @cached_property
    def large(self) -> Crowd:
        """Ten users, among them one of each size."""
        total = 2_000 if self.quick else 50_000
        others = 10 - len(self.sizes)
        rest = (total - sum(self.sizes)) // others
        sizes = {f"user of {size}": size for size in self.sizes}
        return self.crowd(sizes | {f"other {n}": rest for n in range(others)})

    @cached_property
    def small(self) -> Crowd:
        """The user of the second size, and another one."""
        size = self.sizes[1]
        return self.crowd({f"user of {size}": size, "other 0": size})

    def crowd(self, sizes: dict[str, int]) -> Crowd:
        """A database with users of these sizes, who come to it side by side, as users do."""
        database = self.new_database()
        people = {n: self.person(database, n, size) for n, size in sizes.items()}
        total = sum(sizes.values())
        say(f"loading {total:,} memories of {len(people)} users")
        steps = -(-max(sizes.values()) // BATCH)
        with connect(database) as connection:
            for step in range(steps):
                for person in people.values():
                    size = len(person.texts)
                    part = slice(size * step // steps, size * (step + 1) // steps)
                    add_memories(connection, person, part)
                if step == 0:
                    analyze(database)
        with connect(database, None) as connection:
            connection.execute(
                "create table plain (user_id uuid, memory_id uuid, embedding public.halfvec, "
                "primary key (user_id, memory_id))"
            )
            connection.execute("alter table plain alter column embedding set storage plain")
            connection.execute(
                "insert into plain "
                "select user_id, memory_id, embedding from memos_private.embedding"
            )
            connection.execute("grant select on plain to memos_app")
            # What autovacuum would do a minute later, in the middle of the measurement.
            connection.execute("vacuum analyze")
            connection.execute("checkpoint")
        return Crowd(database, people, total)


@dataclass(frozen=True)
class Crowd:
    """A loaded database. Table plain holds the same vectors, in the same order on disk."""

    database: Database
    people: dict[str, Person]
    total: int


def analyze(database: Database) -> None:
    """Do what autovacuum does in the first minutes of a database. Until then sessions keep plans
    made for empty tables, which `ingest` measures on purpose and nothing else should."""
    with database.connect() as connection:
        connection.execute("analyze")


def add_memories(connection: psycopg.Connection[Any], person: Person, part: slice) -> None:
    """Store a part of a person's memories in one call."""
    connection.execute(
        ADD_MEMORIES,
        (
            person.user_id,
            Jsonb([{"content": text} for text in person.texts[part]]),
            person.vectors[part],
            None,
        ),
    )


def _configuration() -> dict[str, str]:
    settings = {}
    for line in CONFIGURATION.read_text().splitlines():
        name, equals, value = line.partition("#")[0].partition("=")
        if equals:
            settings[name.strip()] = value.strip().strip("'")
    return settings
