"""Runs the pgTAP files of this folder, each in a database of its own.

A file is plain SQL that psql runs as well: `begin; select plan(n); ... select * from finish();
rollback;`. Test as the role that callers have, `set local role memos_app`, from before the plan on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from support.postgres import Database, has_extension
from support.tap import TapReport

HERE = Path(__file__).parent
FILES = sorted(HERE.glob("*/*.sql"))


@pytest.fixture(scope="module")
def pgtap_template(template_database: Database) -> Iterator[Database]:
    """A migrated database with pgTAP: making the extension takes longer than a test."""
    server = template_database.server
    if not has_extension(server.bindir, "pgtap"):
        pytest.skip("the server has no pgTAP: install postgresql-<version>-pgtap")
    database = server.create_database(template_database)
    with database.connect() as connection:
        connection.execute("create extension pgtap schema public")
    yield database
    database.drop()


def run(database: Database, script: str) -> list[str]:
    """The lines that psql would print."""
    lines: list[str] = []
    with database.connect() as connection:
        cursor = connection.execute(script.encode())
        while True:
            if cursor.description:
                for row in cursor:
                    lines += str("" if row[0] is None else row[0]).splitlines()
            if not cursor.nextset():
                break
        status = connection.info.transaction_status
    assert status == psycopg.pq.TransactionStatus.IDLE, "the file does not end with rollback"
    return lines


def test_there_are_files() -> None:
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.relative_to(HERE).as_posix())
def test_pgtap(pgtap_template: Database, file: Path) -> None:
    database = pgtap_template.server.create_database(pgtap_template)
    try:
        report = TapReport.read(run(database, file.read_text(encoding="utf-8")))
    finally:
        database.drop()
    if report.skipped:
        pytest.skip(report.skipped)
    assert not report.problems, "\n".join(report.problems)


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("1..2\nok 1 - a\nok 2 - b", None),
        ("1..1\nnot ok 1 - a # TODO later\n# Failed (TODO) test", None),
        ("1..0 # SKIP no such extension", None),
        ("1..2\nok 1 - a", "2 tests were planned, 1 ran"),
        ("1..1\nok 1 - a\nok 2 - b", "1 tests were planned, 2 ran"),
        ("ok 1 - a", "there is no plan"),
        ("1..0", "there is no test"),
        ("", "there is no plan"),
        ("1..1\nnot ok 1 - a\n# Failed test 1", "not ok 1 - a\n# Failed test 1"),
    ],
)
def test_a_missing_or_failed_test_is_a_problem(output: str, problem: str | None) -> None:
    """The reader of TAP itself."""
    assert TapReport.read(output.splitlines()).problems == (
        [problem] if problem and "\n" not in problem else (problem or "").splitlines()
    )
