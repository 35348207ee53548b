"""What the tests of the audit share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row


@dataclass(frozen=True)
class Entry:
    """A row of memos_admin.audit_entries."""

    recorded_at: datetime
    action: str
    is_read: bool
    outcome: str
    error: str | None
    subject: UUID | None
    recipient: UUID | None
    object_ids: list[UUID] | None
    digest: str | None
    actor: str
    role: str
    purpose: str | None
    client: Any
    backend: int
    statement_at: datetime
    month: datetime
    era: int
    pid: int
    number: int
    hash: str


def entries(
    connection: psycopg.Connection[Any], user: UUID | None = None, **named: Any
) -> list[Entry]:
    """What the audit has, oldest first, but for looking at it."""
    named = {"p_user_id": user, "p_limit": 10000} | named
    arguments = ", ".join(f"{name} => %({name})s" for name in named)
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        found = cursor.execute(
            f"select * from memos_admin.audit_entries({arguments})", named
        ).fetchall()
    return [e for e in reversed(found) if e.action != "memos_admin.audit_entries"]


def problems(connection: psycopg.Connection[Any]) -> list[str]:
    """What verification finds, the kinds only."""
    return [row[0] for row in connection.execute("select * from memos_admin.verify_audit()")]
