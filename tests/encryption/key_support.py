"""Users with keys, and what their rows look like to somebody who sees everything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from memory_support import Connection, add, rows, value
from support.postgres import Database

LOCKED = "[memos: encrypted, the key is not at hand]"
SEALED = "memos:sealed:1:"


def key() -> bytes:
    """32 bytes of a key-encryption key."""
    return os.urandom(32)


def keyed(app: Connection, user: UUID) -> bytes:
    """Give the user a key."""
    made = key()
    value(app, "memos.create_user_key", user, made)
    return made


@contextmanager
def opened(app: Connection, user: UUID, given: bytes) -> Iterator[None]:
    """A transaction with the user's key at hand."""
    with app.transaction():
        value(app, "memos.use_key", user, given)
        yield


def tell(app: Connection, user: UUID, content: str, **named: Any) -> UUID:
    """A new restricted memory."""
    return add(app, user, content, p_privacy_level="restricted", **named)


def contents(app: Connection, user: UUID, **named: Any) -> list[str]:
    """What list_memories shows, oldest first."""
    return [row[2] for row in rows(app, "memos.list_memories", user, **named)][::-1]


def stored(database: Database, memory: UUID) -> tuple[Any, ...]:
    """content, content_hash and metadata as they lie in the table."""
    with database.connect() as superuser:
        columns = "select content, content_hash, metadata from memos_private"
        return superuser.execute(
            f"{columns}.memory where memory_id = %(id)s"
            f" union all {columns}.memory_cold where memory_id = %(id)s",
            {"id": memory},
        ).fetchone()


def everything(database: Database) -> str:
    """Every row of every table of memOS, as text."""
    with database.connect() as superuser:
        tables = superuser.execute("""
            select oid::regclass::text from pg_class
            where relnamespace = 'memos_private'::regnamespace and relkind in ('r', 'p')
                and not relispartition
        """).fetchall()
        return "\n".join(
            str(row)
            for (name,) in tables
            for row in superuser.execute(f"select t::text from {name} as t").fetchall()
        )
