"""The query that tutorials teach: pgvector and ts_rank, fused by reciprocal rank."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import psycopg
from pgvector import Vector
from pgvector.psycopg import register_vector
from protocol import Vectors, serve

TABLE = """
    create table documents (
        id bigint generated always as identity primary key,
        user_id text not null,
        turn text not null,
        content text not null,
        embedding vector({}) not null,
        fts tsvector generated always as (to_tsvector('english', content)) stored
    );
    create index on documents (user_id);
    create index on documents using gin (fts);
    create index on documents using hnsw (embedding vector_cosine_ops);
"""
# Forty candidates of each kind, which is as many as an HNSW index gives by default.
SEARCH = """
    with semantic as (
        select id, row_number() over (order by embedding <=> %(embedding)b) as rank
        from documents
        where user_id = %(user)s
        order by embedding <=> %(embedding)b
        limit 40
    ),
    keyword as (
        select id, row_number() over (order by ts_rank_cd(fts, query) desc) as rank
        from documents, plainto_tsquery('english', %(query)s) as query
        where user_id = %(user)s and fts @@ query
        order by ts_rank_cd(fts, query) desc
        limit 40
    )
    select documents.turn
    from semantic
    full outer join keyword using (id)
    join documents using (id)
    order by
        coalesce(1.0 / (60 + semantic.rank), 0) + coalesce(1.0 / (60 + keyword.rank), 0) desc
    limit %(limit)s
"""


class Handwritten:
    """One table with both kinds of index, one statement."""

    version = version("psycopg")

    def __init__(self, dsn: str, dimensions: int, vectors: Vectors) -> None:
        self.vectors = vectors
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.connection.execute("create extension vector")
        register_vector(self.connection)
        self.connection.execute(TABLE.format(dimensions))

    def add(self, turns: list[dict[str, Any]]) -> None:
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "insert into documents (user_id, turn, content, embedding) values (%s, %s, %s, %b)",
                [
                    (
                        turn["user"],
                        turn["turn"],
                        turn["text"],
                        Vector(self.vectors.embed(turn["text"])),
                    )
                    for turn in turns
                ],
            )

    def search(self, user: str, text: str, limit: int) -> list[str]:
        embedding = Vector(self.vectors.embed(text))
        rows = self.connection.execute(
            SEARCH, {"user": user, "query": text, "embedding": embedding, "limit": limit}
        )
        return [turn for (turn,) in rows]


if __name__ == "__main__":
    serve(Handwritten)
