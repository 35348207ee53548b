"""Fixtures of the client's tests."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from memos_pg import MemOS, User
from support.postgres import Database


@pytest.fixture
def memos(database: Database) -> Iterator[MemOS]:
    """A client of the bot."""
    with MemOS(database.app_dsn, min_size=1, max_size=4) as client:
        yield client


@pytest.fixture
def operator(database: Database) -> Iterator[MemOS]:
    """A client of the operator."""
    with MemOS(database.admin_dsn, min_size=1, max_size=2) as client:
        yield client


@pytest.fixture
def alice(memos: MemOS) -> User:
    """One user's memory."""
    return memos.for_user("alice")


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    """A connection of the caller's own, not in autocommit mode."""
    with database.connect("memos_app", autocommit=False) as connection:
        yield connection
        connection.rollback()
