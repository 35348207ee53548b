"""Uses of memories, jobs, and what they leave in the tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from memory_support import Connection, rows, value

NOW = datetime.now(UTC)


def ago(**period: float) -> datetime:
    """A time before the tests began."""
    return NOW - timedelta(**period)


def use(app: Connection, user: UUID, memories: UUID | list[UUID], *times: datetime) -> None:
    """Record uses: now, or at those times."""
    ids = memories if isinstance(memories, list) else [memories]
    for time in times or (datetime.now(UTC),):
        assert value(app, "memos.record_access", user, ids, time) == len(set(ids))


def run(admin: Connection, user: UUID | None = None) -> None:
    """The job, for one user or all."""
    admin.execute("call memos_admin.assign_tiers(%s)", (user,))


def counted(superuser: Connection, user: UUID) -> dict[UUID, tuple[Any, ...]]:
    """What the job has counted: uses, when, and the stability that follows."""
    return {
        row[0]: row[1:]
        for row in superuser.execute(
            "select memory_id, uses, used_at, last_used_at, stability"
            " from memos_private.memory_usage where user_id = %s",
            (user,),
        )
    }


def tiers(app: Connection, user: UUID, memories: list[UUID]) -> list[str]:
    """The tier of each."""
    return [
        app.execute("select tier from memos.get_memory(%s, %s)", (user, memory)).fetchone()[0]
        for memory in memories
    ]


def hot(app: Connection, user: UUID, **named: Any) -> list[UUID]:
    """The ids of hot_memories, in order."""
    return [row[1] for row in rows(app, "memos.hot_memories", user, **named)]
