"""Every way to a current database ends in the same schema."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import yoyo
from memos_pg import migrate as migrations
from memos_pg.migrate import MigrationError, database_folder, migrate, pending, rollback
from support.postgres import Database
from support.schema import differences, dump, identities

MIGRATE = """
import sys
from memos_pg.migrate import migrate
migrate(sys.argv[1], log=lambda line: print(line, flush=True))
"""
COUNT = len(yoyo.read_migrations(str(database_folder() / "migrations")))


@pytest.fixture(scope="module")
def fresh(template_database: Database) -> list[str]:
    """The schema of a new installation."""
    found = dump(template_database)
    assert any("Name: memory; Type: TABLE;" in entry for entry in found)
    assert any("Name: add_memory(" in entry for entry in found)
    return found


def in_a_process(database: Database) -> subprocess.Popen[str]:
    """`migrate` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", MIGRATE, database.dsn],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )


def test_a_second_run_changes_nothing(empty_database: Database, fresh: list[str]) -> None:
    first = migrate(empty_database.dsn)
    assert len(first.applied) == COUNT
    assert first.loaded
    assert not differences(fresh, dump(empty_database))
    with empty_database.connect() as connection:
        before = identities(connection)
        second = migrate(empty_database.dsn)
        after = identities(connection)
    assert not second.changed
    assert len(before) > 500
    assert before == after
    assert pending(empty_database.dsn) == ()


def test_rolled_back_by_one_and_migrated_again(database: Database, fresh: list[str]) -> None:
    report = rollback(database.dsn, 1)
    assert len(report.rolled_back) == 1
    assert pending(database.dsn)[:1] == report.rolled_back
    assert migrate(database.dsn).applied == report.rolled_back
    assert not differences(fresh, dump(database))


def test_rolled_back_one_after_the_other(database: Database, fresh: list[str]) -> None:
    """Each rollback works on what the one before left; then everything is installed again."""
    for _ in range(COUNT):
        assert len(rollback(database.dsn, 1).rolled_back) == 1
    assert rollback(database.dsn, 1).rolled_back == ()
    assert len(migrate(database.dsn).applied) == COUNT
    assert not differences(fresh, dump(database))


def test_a_full_rollback_leaves_what_others_may_use(
    database: Database, empty_database: Database, fresh: list[str]
) -> None:
    """Extensions, yoyo's books and the stricter schema public stay; nothing of memOS does."""
    with database.connect("memos_app") as connection:
        connection.execute("select memos.add_memory(memos.user_id('x'), 'in use')")
    assert len(rollback(database.dsn, "all").rolled_back) == COUNT
    empty = dump(empty_database)
    kept = [
        entry
        for entry in dump(database)
        if entry not in empty
        and "Type: EXTENSION" not in entry
        and "Name: EXTENSION" not in entry
        and "_yoyo" not in entry.splitlines()[0]
        and "yoyo_lock" not in entry.splitlines()[0]
    ]
    titles = sorted(entry.splitlines()[0] for entry in kept)
    assert not [t for t in titles if "memos" in t], titles
    assert [t.split(";")[0] for t in titles] in (
        ["-- Name: SCHEMA public", "-- Name: partman"],
        ["-- Name: partman"],
    ), titles
    assert len(migrate(database.dsn).applied) == COUNT
    assert not differences(fresh, dump(database))


def test_two_processes_at_once(empty_database: Database, fresh: list[str]) -> None:
    both = [in_a_process(empty_database) for _ in range(2)]
    results = [(process.communicate(timeout=120), process.returncode) for process in both]
    assert [code for _, code in results] == [0, 0], results
    applied = [line for (out, _), _ in results for line in out.splitlines() if "apply" in line]
    assert len(applied) == COUNT
    assert not differences(fresh, dump(empty_database))


@pytest.mark.parametrize("lines", [1, COUNT // 2, COUNT, COUNT + 1])
def test_a_killed_run_is_taken_up_again(
    empty_database: Database, fresh: list[str], lines: int
) -> None:
    """Killed as it starts a migration (or, last, the functions), with the server still at it."""
    process = in_a_process(empty_database)
    for _ in range(lines):
        assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    migrate(empty_database.dsn)
    assert not differences(fresh, dump(empty_database))


def plain_yoyo(database: Database) -> yoyo.backends.DatabaseBackend:
    """Migrations without the functions that come after them. Use it with `with`."""
    return yoyo.get_backend(database.dsn.replace("postgresql://", "postgresql+psycopg://"))


def test_every_older_state_upgrades_to_the_same_schema(
    empty_database: Database, fresh: list[str]
) -> None:
    """The first k migrations, then everything."""
    all_of_them = yoyo.read_migrations(str(database_folder() / "migrations"))
    for k, migration in enumerate(all_of_them[:-1], start=1):
        with plain_yoyo(empty_database) as backend:
            backend.apply_one(migration)
        older = empty_database.server.create_database(empty_database)
        try:
            assert len(migrate(older.dsn).applied) == COUNT - k
            assert not differences(fresh, dump(older)), f"after {migration.id}"
        finally:
            older.drop()


def test_every_migration_can_be_applied_twice(empty_database: Database, fresh: list[str]) -> None:
    """yoyo marks a migration in a transaction of its own: a crash between the two leaves one that
    is applied and not marked."""
    failures = []
    with plain_yoyo(empty_database) as backend:
        for migration in yoyo.read_migrations(str(database_folder() / "migrations")):
            backend.apply_one(migration)
            backend.unmark_one(migration)
            try:
                backend.apply_one(migration)
            except psycopg.Error as error:
                failures.append(f"{migration.id}: {error.diag.message_primary}")
                backend.mark_one(migration)
    assert not failures, "\n".join(failures)
    migrate(empty_database.dsn)
    assert not differences(fresh, dump(empty_database))


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files that go into a database, to be edited."""
    for name in ("migrations", "sql", "plpython"):
        shutil.copytree(database_folder() / name, tmp_path / name)
    monkeypatch.setattr(migrations, "database_folder", lambda: tmp_path)
    return tmp_path


def test_an_edited_function_is_loaded_again(database: Database, installation: Path) -> None:
    file = installation / "sql" / "context" / "current_user_id.sql"
    file.write_text(
        file.read_text(encoding="utf-8").replace("comment on", "-- edited\ncomment on")
        + "comment on function memos.current_user_id is 'edited';\n",
        encoding="utf-8",
    )
    assert pending(database.dsn) == ("sql/context/current_user_id.sql",)
    assert migrate(database.dsn).loaded == ("sql/context/current_user_id.sql",)
    comment = "select obj_description('memos.current_user_id'::regproc, 'pg_proc')"
    assert database.value(comment) == "edited"
    assert pending(database.dsn) == ()


def test_a_broken_file_loads_nothing(database: Database, installation: Path) -> None:
    """The files before it neither, and the error names the file and the line."""
    first = installation / "sql" / "admin" / "0_first.sql"
    first.write_text("create table memos_private.first ();", encoding="utf-8")
    broken = installation / "sql" / "views" / "broken.sql"
    broken.write_text("\n\ncreate function memos.broken(\n", encoding="utf-8")
    with database.connect() as connection:
        before = identities(connection)
        with pytest.raises(MigrationError, match=r"sql/views/broken\.sql, line 4"):
            migrate(database.dsn)
        assert identities(connection) == before


def test_a_failing_migration_leaves_the_ones_before(
    empty_database: Database, installation: Path
) -> None:
    name = f"{COUNT + 1:04}.fails"
    statements = "create table memos_private.half_done ();\nselect 1 / 0;\n"
    (installation / "migrations" / f"{name}.sql").write_text(statements, encoding="utf-8")
    with pytest.raises(MigrationError, match=name):
        migrate(empty_database.dsn)
    with empty_database.connect() as connection:
        marked = connection.execute("select count(*) from public._yoyo_migration").fetchone()
        half = connection.execute("select to_regclass('memos_private.half_done')").fetchone()
    assert marked == (COUNT,)
    assert half == (None,)
    (installation / "migrations" / f"{name}.sql").unlink()
    migrate(empty_database.dsn)


@pytest.mark.parametrize(
    ("extension", "package"),
    [
        ("vector", "-pgvector"),
        ("pg_partman", "-partman"),
        ("pgcrypto", "contrib"),
        ("btree_gist", "contrib"),
    ],
)
def test_a_missing_extension_names_its_package(
    empty_database: Database, installation: Path, extension: str, package: str
) -> None:
    """The list of needed extensions asks for one that no server has."""
    for file in (installation / "migrations").glob("*.sql"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(f"'{extension}'", "'no_such_thing'"), encoding="utf-8")
    with pytest.raises(MigrationError) as caught:
        migrate(empty_database.dsn)
    message = str(caught.value)
    major = int(empty_database.value("show server_version_num")) // 10000
    assert f"postgresql-{major}" in message
    assert package in message
    assert "no_such_thing" in message


def test_an_installer_without_migrations_says_so(
    empty_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "migrations").mkdir()
    monkeypatch.setattr(migrations, "database_folder", lambda: tmp_path)
    with pytest.raises(MigrationError, match="no migration in"):
        migrate(empty_database.dsn)
