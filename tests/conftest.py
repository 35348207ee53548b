"""Fixtures of every test: one server a process, one migrated template, a fresh database a test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# For `from support import ...`, whichever way pytest was told to import the tests.
sys.path.insert(0, str(Path(__file__).parent))

from support.postgres import Database, Server


def pytest_addoption(parser: pytest.Parser) -> None:
    """--update-golden."""
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write tests/isolation/expected_acl.txt from the database instead of comparing",
    )


@pytest.fixture(scope="session")
def shared_server() -> Iterator[Server]:
    """The server of the run: no fsync, and every test may see the databases of the others."""
    with Server() as server:
        yield server


@pytest.fixture(scope="session")
def template_database(shared_server: Server) -> Database:
    """The migrated database that others are copied from. Nobody may stay connected to it."""
    from memos_pg.migrate import migrate

    database = shared_server.create_database(name="memos_template")
    migrate(database.dsn)
    return database


def _temporary(database: Database) -> Iterator[Database]:
    yield database
    database.drop()


@pytest.fixture
def database(template_database: Database) -> Iterator[Database]:
    """A migrated database for one test."""
    yield from _temporary(template_database.server.create_database(template_database))


@pytest.fixture(scope="module")
def module_database(template_database: Database) -> Iterator[Database]:
    """A migrated database for all the tests of a file: they must not meet in the same users."""
    yield from _temporary(template_database.server.create_database(template_database))


@pytest.fixture
def empty_database(shared_server: Server) -> Iterator[Database]:
    """A database without memOS."""
    yield from _temporary(shared_server.create_database())


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the test's own, with fsync: to be crashed, stopped and started."""
    with Server(durable=True) as server:
        yield server
