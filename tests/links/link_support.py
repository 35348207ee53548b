"""Memories and links in bulk."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from memory_support import Connection, rows

Edge = tuple[int, int, str, float]


def memories(app: Connection, user: UUID, count: int) -> list[UUID]:
    """New memories without vectors, in the order of their ids."""
    batch = [{"content": f"memory number {number} of {count}"} for number in range(count)]
    return sorted(row[1] for row in rows(app, "memos.add_memories", user, batch))


def link(app: Connection, user: UUID, ids: list[UUID], edges: Iterable[Edge]) -> None:
    """Link memories by their places in ids, all in one transaction."""
    with app.transaction(), app.cursor() as cursor:
        cursor.executemany(
            "select memos.link_memories(%s, %s, %s, %s, %s::real)",
            [(user, ids[a], ids[b], kind, weight) for a, b, kind, weight in edges],
        )
