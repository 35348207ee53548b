"""What the tests of erasure and export share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "memory"))
sys.path.insert(0, str(Path(__file__).parent))

from memory_support import Connection, admin, app, rows, user  # noqa: F401
from support.postgres import Database


@pytest.fixture(scope="module", autouse=True)
def model(module_database: Database) -> None:
    with module_database.connect("memos_admin") as connection:
        rows(connection, "memos_admin.register_embedding_model", "v", 2, "external")


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection
