"""Two users who must not meet."""

from __future__ import annotations

import pytest
from support.people import Person
from support.postgres import Database


@pytest.fixture(scope="module")
def victim(module_database: Database) -> Person:
    """Whose rows nobody else may see or touch."""
    return Person.with_a_secret(module_database, "victoria")


@pytest.fixture(scope="module")
def attacker(module_database: Database) -> Person:
    """A user with a signed context of her own."""
    return Person.with_a_secret(module_database, "mallory")
