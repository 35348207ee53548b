"""Users of the isolation tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from .postgres import Database


@dataclass(frozen=True)
class Person:
    """A user, and one memory of hers that nobody else may read."""

    user_id: UUID
    secret: str
    memory_id: UUID

    @classmethod
    def with_a_secret(cls, database: Database, name: str) -> Person:
        """A new user who has told the bot something."""
        user_id = database.user_id(name)
        secret = f"the password of {name} is {name[::-1]}-{name[::-1]}"
        memory_id = database.value(
            "select memos.add_memory(%s, %s, p_session_id => 's', p_request_id => 'r')",
            user_id,
            secret,
            role="memos_app",
        )
        return cls(user_id, secret, memory_id)


def sqlstate_of(connection: psycopg.Connection[Any], statement: str, *arguments: Any) -> str | None:
    """How a statement fails, or None when it does not; an open transaction goes on."""
    try:
        with connection.transaction():
            connection.execute(statement, arguments or None)
    except psycopg.Error as error:
        return error.sqlstate
    return None
