"""memOS through its own client, with its defaults."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version
from typing import Any
from uuid import UUID

from memos_pg import MemOS, NewMemory
from protocol import Vectors, serve


class Memos:
    """A pool, a user, and the default search."""

    version = version("memos-postgres")

    def __init__(self, dsn: str, dimensions: int, vectors: Vectors) -> None:
        self.vectors = vectors
        self.memos = MemOS(dsn)
        # The same words are one memory, which stands for several turns.
        self.turns: dict[tuple[str, UUID], list[str]] = {}
        self.ends: dict[str, datetime] = {}

    def add(self, turns: list[dict[str, Any]]) -> None:
        user = turns[0]["user"]
        self.ends[user] = max(datetime.fromisoformat(turn["said_at"]) for turn in turns)
        stored = self.memos.for_user(user).add_memories(
            [
                NewMemory(
                    turn["text"],
                    kind="episodic",
                    session_id=turn["session"],
                    position=turn["position"],
                    occurred_at=datetime.fromisoformat(turn["said_at"]),
                )
                for turn in turns
            ],
            [self.vectors.embed(turn["text"]) for turn in turns],
        )
        for row in stored:
            turn = turns[row.ordinal - 1]["turn"]
            self.turns.setdefault((user, row.memory_id), []).append(turn)

    def search(self, user: str, text: str, limit: int) -> list[str]:
        rows = self.memos.for_user(user).search_memories(
            text, self.vectors.embed(text), limit=limit, now=self.ends[user]
        )
        return [turn for row in rows for turn in self.turns[user, row.memory_id]]


if __name__ == "__main__":
    serve(Memos)
