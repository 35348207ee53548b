"""An exact pgvector scan of one user's rows: the yardstick of the others."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from protocol import Vectors, serve


class PlainScan:
    """Vectors in a table with a primary key, nothing else."""

    version = version("psycopg")

    def __init__(self, dsn: str, dimensions: int, vectors: Vectors) -> None:
        self.vectors = vectors
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.connection.execute("create extension vector")
        register_vector(self.connection)
        self.connection.execute(
            "create table turns (user_id text, turn text, "
            f"embedding halfvec({dimensions}), primary key (user_id, turn))"
        )

    def add(self, turns: list[dict[str, Any]]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "insert into turns values (%s, %s, %b)",
                [
                    (turn["user"], turn["turn"], HalfVector(self.vectors.embed(turn["text"])))
                    for turn in turns
                ],
            )

    def search(self, user: str, text: str, limit: int) -> list[str]:
        rows = self.connection.execute(
            "select turn from turns where user_id = %s order by embedding <=> %b limit %s",
            (user, HalfVector(self.vectors.embed(text)), limit),
        )
        return [turn for (turn,) in rows]


if __name__ == "__main__":
    serve(PlainScan)
