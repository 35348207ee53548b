"""Landed migrations never change: databases out there have run them."""

from __future__ import annotations

import hashlib

import pytest
from memos_pg.migrate import database_folder

FOLDER = database_folder() / "migrations"
LIST = FOLDER / "frozen.sha256"
FILES = sorted(p for p in FOLDER.iterdir() if p.suffix in {".sql", ".py"})
MIGRATIONS = [p for p in FILES if not p.name.endswith(".rollback.sql")]


def frozen() -> dict[str, str]:
    """Checksums by file name; the list is in the format of sha256sum."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs), "a line is no checksum and file name"
    names = [name.lstrip("*") for _, name in pairs]
    assert len(names) == len(set(names)), "a file is listed twice"
    return dict(zip(names, (checksum for checksum, _ in pairs), strict=True))


def test_listed_migrations_are_unchanged() -> None:
    changed = [
        name
        for name, checksum in frozen().items()
        if not (FOLDER / name).exists()
        or hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() != checksum
    ]
    assert not changed, f"write a new migration instead of editing {', '.join(changed)}"


def test_every_migration_is_listed() -> None:
    new = [p.name for p in MIGRATIONS if p.name not in frozen()]
    assert not new, f"add to frozen.sha256 when they land (sha256sum): {', '.join(new)}"


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [p.name.split(".", 1)[0] for p in MIGRATIONS]
    assert numbers == [f"{n:04}" for n in range(1, len(MIGRATIONS) + 1)]


@pytest.mark.parametrize("migration", MIGRATIONS, ids=lambda p: p.name)
def test_every_migration_has_a_rollback(migration) -> None:
    rollback = migration.with_name(migration.name.removesuffix(".sql") + ".rollback.sql")
    assert rollback.exists()
    assert rollback.read_text(encoding="utf-8").strip()


def test_every_rollback_has_a_migration() -> None:
    rollbacks = {p.name.removesuffix(".rollback.sql") for p in FILES if p not in MIGRATIONS}
    assert rollbacks <= {p.name.removesuffix(".sql") for p in MIGRATIONS}
