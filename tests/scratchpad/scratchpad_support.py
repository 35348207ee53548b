"""Calls on one scratchpad."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest
from memory_support import Connection, failure, rows, value


@dataclass(frozen=True)
class Pad:
    """A scratchpad and the connection to work on it."""

    connection: Connection
    user: UUID
    id: UUID

    @classmethod
    def open(cls, connection: Connection, user: UUID, goal: str = "g", **named: Any) -> Pad:
        """A new scratchpad."""
        return cls(
            connection, user, value(connection, "memos.open_scratchpad", user, goal, **named)
        )

    def on(self, connection: Connection) -> Pad:
        """The same one through another connection."""
        return Pad(connection, self.user, self.id)

    def call(self, function: str, *arguments: Any, **named: Any) -> Any:
        """The value that a function of the scratchpad returns."""
        return value(self.connection, f"memos.{function}", self.user, self.id, *arguments, **named)

    def rows(self, function: str, *arguments: Any, **named: Any) -> list[dict[str, Any]]:
        """Its rows, by column."""
        with self.connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            return rows(cursor, f"memos.{function}", self.user, self.id, *arguments, **named)

    def one(self, function: str, *arguments: Any, **named: Any) -> dict[str, Any]:
        """Its only row."""
        (row,) = self.rows(function, *arguments, **named)
        return row

    def fails(self, function: str, *arguments: Any, **named: Any) -> str | None:
        """The SQLSTATE with which it fails."""
        return failure(
            self.connection, f"memos.{function}", self.user, self.id, *arguments, **named
        ).sqlstate


@pytest.fixture
def pad(app: Connection, user: UUID) -> Pad:
    """A scratchpad of the test's own."""
    return Pad.open(app, user, "find out what is wrong with cell 4")
