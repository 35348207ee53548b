"""The loader, on a small installation of the test's own, and the command on the real one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from memos_pg import migrate
from memos_pg.migrate import MigrationError
from support.postgres import Database

BOOKKEEPING = """
create schema memos_private;
create table memos_private.repeatable (
    path text primary key, sha256 text not null, applied_at timestamptz not null
);
create table memos_private.python_module (
    name text primary key, source text not null, sha256 text not null
);
select 'yoyo prints this' as noise;
"""


class Installation:
    """A folder of migrations and functions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("migrations/0001.books.sql", BOOKKEEPING)
        self.write("migrations/0001.books.rollback.sql", "drop schema memos_private cascade;")
        self.write(
            "migrations/0002.thing.sql", "create table memos_private.thing (id int primary key);"
        )
        self.write("migrations/0002.thing.rollback.sql", "drop table memos_private.thing cascade;")
        self.write("sql/a/one.sql", self.function("one", "select memos_private.two()"))
        self.write("sql/b/two.sql", self.function("two", "select 2"))
        self.write("sql/grants.sql", "revoke execute on function memos_private.one() from public;")
        self.write("plpython/memos_pl/__init__.py", '"""A package."""\n')
        self.write("plpython/memos_pl/part.py", "ANSWER = 42\n")

    @staticmethod
    def function(name: str, body: str) -> str:
        return (
            f"create or replace function memos_private.{name}() returns int language sql\n"
            f"as $body$\n    {body}\n$body$;\n"
        )

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text, encoding="utf-8")


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    made = Installation(tmp_path)
    monkeypatch.setattr(migrate, "database_folder", lambda: tmp_path)
    return made


def test_everything_is_loaded_once(
    installation: Installation, empty_database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    before = migrate.state(empty_database.dsn)
    assert before.pending == ("0001.books", "0002.thing")
    assert "sql/a/one.sql" in before.stale
    assert not before.current

    lines: list[str] = []
    report = migrate.migrate(empty_database.dsn, lines.append)
    assert report.applied == ("0001.books", "0002.thing")
    assert "sql/a/one.sql" in report.loaded
    assert report.loaded[-1] == "sql/grants.sql"
    assert any("0002.thing" in line for line in lines)
    assert capsys.readouterr().out == ""
    assert empty_database.value("select memos_private.one()") == 2
    assert migrate.state(empty_database.dsn).current
    assert migrate.pending(empty_database.dsn) == ()

    times = "select array_agg(applied_at order by path) from memos_private.repeatable"
    loaded_at = empty_database.value(times)
    again = migrate.migrate(empty_database.dsn)
    assert not again.changed
    assert empty_database.value(times) == loaded_at


def test_an_edited_function_is_loaded_though_no_migration_is_pending(
    installation: Installation, empty_database: Database
) -> None:
    migrate.migrate(empty_database.dsn)
    installation.write("sql/b/two.sql", installation.function("two", "select 22"))
    assert migrate.pending(empty_database.dsn) == ("sql/b/two.sql",)
    report = migrate.migrate(empty_database.dsn)
    assert (report.applied, report.loaded) == ((), ("sql/b/two.sql",))
    assert empty_database.value("select memos_private.one()") == 22


def test_a_removed_file_is_forgotten(installation: Installation, empty_database: Database) -> None:
    migrate.migrate(empty_database.dsn)
    (installation.folder / "plpython/memos_pl/part.py").unlink()
    assert migrate.pending(empty_database.dsn) == ("plpython/memos_pl/part.py",)
    assert migrate.migrate(empty_database.dsn).changed
    names = "select array_agg(name) from memos_private.python_module"
    assert empty_database.value(names) == ["memos_pl"]
    assert migrate.state(empty_database.dsn).current


def test_python_modules_have_their_dotted_names(
    installation: Installation, empty_database: Database
) -> None:
    installation.write("plpython/memos_pl/sub/__init__.py", "")
    installation.write("plpython/memos_pl/sub/leaf.py", "LEAF = 'ß'\n")
    migrate.migrate(empty_database.dsn)
    with empty_database.connect() as connection:
        query = "select name, source from memos_private.python_module order by name"
        modules = dict(connection.execute(query).fetchall())
    assert list(modules) == ["memos_pl", "memos_pl.part", "memos_pl.sub", "memos_pl.sub.leaf"]
    assert modules["memos_pl.sub.leaf"] == "LEAF = 'ß'\n"


def test_a_broken_file_is_named_with_its_line_and_changes_nothing(
    installation: Installation, empty_database: Database
) -> None:
    migrate.migrate(empty_database.dsn)
    installation.write("sql/a/one.sql", installation.function("one", "select 11"))
    installation.write("sql/b/two.sql", "select 1;\n\ncreate or replace funktion x();\n")
    with pytest.raises(MigrationError, match=r"sql/b/two\.sql, line 3: syntax error"):
        migrate.migrate(empty_database.dsn)
    installation.write("sql/b/two.sql", "\nselect $x$ never ends\n" + "a long text\n" * 99)
    with pytest.raises(MigrationError, match=r"two\.sql, line 2: unterminated") as caught:
        migrate.migrate(empty_database.dsn)
    assert len(str(caught.value)) < 200
    assert empty_database.value("select memos_private.one()") == 2
    assert set(migrate.pending(empty_database.dsn)) == {"sql/a/one.sql", "sql/b/two.sql"}


def test_a_broken_migration_is_named_and_the_ones_before_stay(
    installation: Installation, empty_database: Database
) -> None:
    installation.write(
        "migrations/0003.bad.sql", "create table memos_private.half (id int);\nselect 1 / 0;\n"
    )
    with pytest.raises(MigrationError, match=r"0003\.bad: division by zero"):
        migrate.migrate(empty_database.dsn)
    assert migrate.state(empty_database.dsn).applied == ("0001.books", "0002.thing")
    assert empty_database.value("select to_regclass('memos_private.half')") is None


def test_a_migration_that_names_an_unknown_one_is_not_passed_over(
    installation: Installation, empty_database: Database
) -> None:
    installation.write("migrations/0003.lost.sql", "-- depends: 0000.nowhere\nselect 1;\n")
    with pytest.raises(MigrationError, match=r"0003\.lost"):
        migrate.migrate(empty_database.dsn)


def test_a_rollback_undoes_the_newest_and_migrate_brings_it_back(
    installation: Installation, empty_database: Database
) -> None:
    installation.write(
        "sql/c/things.sql",
        "create or replace view memos_private.things as select id from memos_private.thing;",
    )
    migrate.migrate(empty_database.dsn)
    report = migrate.rollback(empty_database.dsn)
    assert report.rolled_back == ("0002.thing",)
    assert empty_database.value("select to_regclass('memos_private.things')") is None
    assert migrate.migrate(empty_database.dsn).applied == ("0002.thing",)
    assert empty_database.value("select count(*) from memos_private.things") == 0
    assert migrate.rollback(empty_database.dsn, "all").rolled_back == ("0002.thing", "0001.books")
    assert migrate.rollback(empty_database.dsn, "all").rolled_back == ()
    assert migrate.state(empty_database.dsn).applied == ()
    with pytest.raises(MigrationError, match="count"):
        migrate.rollback(empty_database.dsn, 0)


def test_an_older_installation_leaves_a_newer_database_alone(
    installation: Installation, empty_database: Database
) -> None:
    migrate.migrate(empty_database.dsn)
    (installation.folder / "migrations/0002.thing.sql").unlink()
    installation.write("sql/b/two.sql", installation.function("two", "select 1"))
    state = migrate.state(empty_database.dsn)
    assert state.unknown == ("0002.thing",)
    assert not state.current
    for change in (migrate.migrate, migrate.rollback):
        with pytest.raises(MigrationError, match=r"does not know: 0002\.thing"):
            change(empty_database.dsn)
    assert empty_database.value("select memos_private.one()") == 2


def test_a_server_without_plpython_gets_the_rest(
    installation: Installation, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "PLPYTHON", "plpython_of_another_world")
    report = migrate.migrate(empty_database.dsn)
    assert report.skipped == ("plpython/memos_pl/__init__.py", "plpython/memos_pl/part.py")
    assert empty_database.value("select memos_private.one()") == 2
    assert migrate.state(empty_database.dsn).current
    assert not migrate.migrate(empty_database.dsn).changed
    # The server is given plpython3u later: the next run loads what was left out.
    monkeypatch.undo()
    monkeypatch.setattr(migrate, "database_folder", lambda: installation.folder)
    assert "plpython/memos_pl/part.py" in migrate.migrate(empty_database.dsn).loaded


def test_the_second_of_two_waits_for_the_first(
    installation: Installation, empty_database: Database
) -> None:
    with psycopg.connect(empty_database.dsn, autocommit=True) as first:
        first.execute("select pg_advisory_lock(%s)", (migrate.ADVISORY_LOCK,))
        released = []

        def release(line: str) -> None:
            if "waiting" in line:
                released.append(line)
                first.execute("select pg_advisory_unlock(%s)", (migrate.ADVISORY_LOCK,))

        assert migrate.migrate(empty_database.dsn, release).changed
    assert len(released) == 1


def test_a_folder_without_migrations_is_an_error(
    tmp_path: Path, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "migrations").mkdir()
    monkeypatch.setattr(migrate, "database_folder", lambda: tmp_path)
    with pytest.raises(MigrationError, match="no migration"):
        migrate.migrate(empty_database.dsn)


def test_two_processes_at_once_end_in_one_schema(empty_database: Database) -> None:
    command = [sys.executable, "-m", "memos_pg.cli", "migrate", "--json"]
    command += ["--dsn", empty_database.dsn]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    reports = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        reports.append(json.loads(out))
    applied = [name for report in reports for name in report["applied"]]
    assert applied
    assert len(applied) == len(set(applied))
    assert migrate.state(empty_database.dsn).current


def test_a_database_of_another_encoding_is_refused(empty_database: Database) -> None:
    with empty_database.connect() as connection:
        connection.execute("drop database if exists latin")
        connection.execute("create database latin encoding 'LATIN1' locale 'C' template template0")
        try:
            latin = psycopg.conninfo.make_conninfo(empty_database.dsn, dbname="latin")
            with pytest.raises(MigrationError, match="LATIN1"):
                migrate.migrate(latin)
        finally:
            connection.execute("drop database latin")
