"""LangGraph's PostgresStore with an index, one namespace a user."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from langgraph.store.postgres import PostgresStore
from protocol import Vectors, serve


class LangGraph:
    """store.put and store.search."""

    version = version("langgraph-checkpoint-postgres")

    def __init__(self, dsn: str, dimensions: int, vectors: Vectors) -> None:
        index = {"dims": dimensions, "embed": vectors.embed_all, "fields": ["text"]}
        self.context = PostgresStore.from_conn_string(dsn, index=index)
        self.store = self.context.__enter__()  # for as long as the process lives
        self.store.setup()

    def add(self, turns: list[dict[str, Any]]) -> None:
        for turn in turns:
            value = {name: turn[name] for name in ("text", "session", "said_at")}
            self.store.put(("memories", turn["user"]), turn["turn"], value)

    def search(self, user: str, text: str, limit: int) -> list[str]:
        return [item.key for item in self.store.search(("memories", user), query=text, limit=limit)]


if __name__ == "__main__":
    serve(LangGraph)
