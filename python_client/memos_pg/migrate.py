"""Install memOS into a database and keep it current: migrations, then the repeatable layer.

yoyo applies `migrations/`, which change what exists. What the database *does* (`sql/`, the
PL/Python package and its shims) is loaded here, since yoyo's post-apply hook does not run when no
migration is pending, and an edited function would then never be deployed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb
from yoyo import exceptions as yoyo_exceptions
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import MigrationList, default_migration_table

#: Every migrate and rollback of one database holds this session lock ("memos" in ASCII).
ADVISORY_LOCK = 0x6D656D6F73
#: The optional language of the embedding providers that run in the database.
PLPYTHON = "plpython3u"

Log = Callable[[str], None]


class MigrationError(Exception):
    """A migration or a file of the repeatable layer failed; the message names it and the place."""


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What one `migrate` or `rollback` did."""

    applied: tuple[str, ...] = ()
    rolled_back: tuple[str, ...] = ()
    loaded: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the database is any different from before."""
        return bool(self.applied or self.rolled_back or self.loaded)


@dataclass(frozen=True, slots=True)
class MigrationState:
    """How a database compares with the files of this installation."""

    applied: tuple[str, ...]
    pending: tuple[str, ...]
    #: Applied by another version of memOS, whose files this installation does not have.
    unknown: tuple[str, ...]
    stale: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def current(self) -> bool:
        """Whether `migrate` would change nothing."""
        return not (self.pending or self.unknown or self.stale)


@dataclass(frozen=True, slots=True)
class _File:
    """One file of the repeatable layer, known in the database by its path and checksum."""

    path: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def is_module(self) -> bool:
        return self.path.endswith(".py")

    @property
    def module(self) -> str:
        """The dotted name under which the database imports this file."""
        parts = Path(self.path).with_suffix("").parts[1:]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class _Backend(PostgresqlPsycopgBackend):
    """yoyo's psycopg 3 backend, connected by any libpq connection string."""

    def connect(self, dburi: DatabaseURI) -> psycopg.Connection[Any]:
        """Connect in autocommit mode: yoyo sends its own begin and commit."""
        self.schema = "public"
        return _connect(dburi.args["dsn"])

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        """yoyo's row without its look-ups of account and domain: containers may have neither."""
        return {
            "id": str(uuid.uuid4()),
            "migration_id": migration and migration.id,
            "migration_hash": migration and migration.hash,
            "username": self.connection.info.user,
            "hostname": socket.gethostname(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }


def database_folder() -> Path:
    """The folder with migrations/, sql/ and plpython/: packaged, else the repository's root."""
    packaged = Path(__file__).parent / "database"
    root = packaged if packaged.is_dir() else Path(__file__).resolve().parents[2]
    if not (root / "migrations").is_dir():
        raise MigrationError(f"no migrations folder in {root}: the installation is incomplete")
    return root


def migrate(dsn: str, log: Log = lambda line: None) -> MigrationReport:
    """Apply what is pending and load what has changed; waits for another process that does so.

    Running it again changes nothing. A failure raises MigrationError and leaves the migrations
    before the failing one applied, and the repeatable layer as it was.
    """
    with _locked(dsn, log) as connection, _yoyo(dsn) as backend:
        _refuse_unknown(connection)
        applied = _apply(backend, log)
        loaded, skipped = _load_repeatable(connection, log)
    return MigrationReport(applied=applied, loaded=loaded, skipped=skipped)


def rollback(
    dsn: str, count: int | Literal["all"] = 1, log: Log = lambda line: None
) -> MigrationReport:
    """Undo the last `count` migrations, or all of them, newest first."""
    if count != "all" and count < 1:
        raise MigrationError(f"count must be at least 1, not {count}")
    with _locked(dsn, log) as connection, _yoyo(dsn) as backend:
        _refuse_unknown(connection)
        undo = list(backend.to_rollback(_migrations()))
        undo = undo if count == "all" else undo[:count]
        if undo:
            # A rollback may cascade to functions and views: forget that they were ever loaded,
            # so that the next migrate loads all of them again.
            _forget_repeatable(connection)
        for migration in undo:
            log(f"roll back {migration.id}")
            with _naming(f"rollback of {migration.id}"):
                backend.rollback_one(migration)
    return MigrationReport(rolled_back=tuple(migration.id for migration in undo))


def pending(dsn: str) -> tuple[str, ...]:
    """Migrations and files of the repeatable layer that `migrate` would apply or load."""
    current = state(dsn)
    return current.pending + current.stale


def state(dsn: str) -> MigrationState:
    """Compare the database with this installation's files, changing nothing."""
    migrations = list(_migrations())
    with _connect(dsn) as connection:
        found = _applied(connection)
        files, skipped = _repeatable_files(connection)
        loaded = _loaded_checksums(connection)
    expected = {file.path: file.sha256 for file in files}
    differing = expected.items() ^ loaded.items()
    return MigrationState(
        applied=tuple(migration.id for migration in migrations if migration.id in found),
        pending=tuple(migration.id for migration in migrations if migration.id not in found),
        unknown=tuple(sorted(found - {migration.id for migration in migrations})),
        stale=tuple(sorted({path for path, _ in differing})),
        skipped=skipped,
    )


def _connect(dsn: str) -> psycopg.Connection[Any]:
    return psycopg.connect(dsn, autocommit=True, application_name="memos migrate")


@contextlib.contextmanager
def _locked(dsn: str, log: Log) -> Iterator[psycopg.Connection[Any]]:
    """A connection that holds the session advisory lock: the server frees it if we die."""
    with _connect(dsn) as connection:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise MigrationError(
                f"the database's encoding is {encoding}: memOS needs UTF8"
                " (create database ... encoding 'UTF8' template template0)"
            )
        row = connection.execute("select pg_try_advisory_lock(%s)", (ADVISORY_LOCK,)).fetchone()
        if not row[0]:
            log("another process is migrating this database: waiting for it")
            connection.execute("select pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        yield connection


@contextlib.contextmanager
def _yoyo(dsn: str) -> Iterator[_Backend]:
    uri = DatabaseURI("postgresql+psycopg", None, None, None, None, None, {"dsn": dsn})
    with _Backend(uri, default_migration_table) as backend:
        backend.init_database()
        yield backend


def _migrations() -> MigrationList:
    folder = database_folder() / "migrations"
    migrations = read_migrations(str(folder))
    if not migrations:
        raise MigrationError(f"no migration in {folder}")
    for migration in migrations:
        # Loading reports a bad file now; yoyo itself would pass over it in silence.
        with _naming(migration.id):
            migration.load()
    return migrations


def _applied(connection: psycopg.Connection[Any]) -> set[str]:
    if not _exists(connection, f"public.{default_migration_table}"):
        return set()
    rows = connection.execute(f"select migration_id from public.{default_migration_table}")
    return {row[0] for row in rows}


def _refuse_unknown(connection: psycopg.Connection[Any]) -> None:
    """Stop before an old installation loads its old functions into a newer database."""
    unknown = _applied(connection) - {migration.id for migration in _migrations()}
    if unknown:
        raise MigrationError(
            "the database has migrations that this installation does not know: "
            f"{', '.join(sorted(unknown))}. Install the version of memos-postgres that made them."
        )


def _apply(backend: _Backend, log: Log) -> tuple[str, ...]:
    applied = []
    for migration in backend.to_apply(_migrations()):
        log(f"apply {migration.id}")
        # yoyo prints the rows of every select that a migration makes; standard output is ours.
        with _naming(migration.id), contextlib.redirect_stdout(io.StringIO()):
            backend.apply_one(migration)
        applied.append(migration.id)
    return tuple(applied)


@contextlib.contextmanager
def _naming(what: str, text: str = "") -> Iterator[None]:
    """Turn a database error into a MigrationError that names the file and, if known, the line."""
    try:
        yield
    except yoyo_exceptions.BadMigration as error:
        raise MigrationError(f"{what}: {error}") from error
    except psycopg.Error as error:
        place = what
        if text and error.diag.statement_position:
            line = text.count("\n", 0, int(error.diag.statement_position) - 1) + 1
            place = f"{what}, line {line}"
        parts = [error.diag.message_detail, error.diag.message_hint, error.diag.context]
        more = "".join(f"\n  {part}" for part in parts if part)
        # The server quotes the whole rest of a file in which a quote is left open.
        message = (error.diag.message_primary or str(error)).splitlines()[0]
        raise MigrationError(f"{place}: {message}{more}") from error


def _load_repeatable(
    connection: psycopg.Connection[Any], log: Log
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Load every file in one transaction when any differs from what was loaded before."""
    _create_plpython(connection)
    files, skipped = _repeatable_files(connection)
    expected = {file.path: file.sha256 for file in files}
    before = _loaded_checksums(connection)
    changed = tuple(file.path for file in files if before.get(file.path) != file.sha256)
    if expected == before:
        return (), skipped
    log(f"load {len(files)} files of the repeatable layer, {len(changed)} of them new or changed")
    modules = [file for file in files if file.is_module]
    with connection.transaction():
        # Functions call each other in any order; doctor and the tests check their bodies.
        connection.execute("set local check_function_bodies = off")
        connection.execute("set local client_min_messages = warning")
        with _naming("memos_private.python_module"):
            connection.execute(
                "delete from memos_private.python_module where name <> all (%s)",
                ([file.module for file in modules],),
            )
        for file in files:
            with _naming(file.path, file.text):
                if file.is_module:
                    _store_module(connection, file)
                else:
                    # Without parameters psycopg sends the file as it is, many statements at once.
                    connection.execute(file.text.encode())
        connection.execute(
            "delete from memos_private.repeatable where path <> all (%s)", (list(expected),)
        )
        connection.execute(
            """
            insert into memos_private.repeatable as r (path, sha256, applied_at)
            select file.key, file.value, clock_timestamp()
            from jsonb_each_text(%s) as file
            on conflict (path) do update
            set sha256 = excluded.sha256, applied_at = excluded.applied_at
            where r.sha256 <> excluded.sha256
            """,
            (Jsonb(expected),),
        )
    return changed or tuple(expected), skipped


def _store_module(connection: psycopg.Connection[Any], file: _File) -> None:
    """Keep one module's source in the database, where `ensure_python_package` finds it."""
    connection.execute(
        """
        insert into memos_private.python_module (name, source, sha256)
        values (%s, %s, %s)
        on conflict (name) do update set source = excluded.source, sha256 = excluded.sha256
        """,
        (file.module, file.text, file.sha256),
    )


def _repeatable_files(
    connection: psycopg.Connection[Any],
) -> tuple[list[_File], tuple[str, ...]]:
    """The files this server can load, in loading order, and those it cannot."""
    root = database_folder()
    paths = [path for path in (root / "sql").rglob("*.sql") if path.name != "grants.sql"]
    paths.sort()
    plpython = [
        *sorted((root / "plpython" / "memos_pl").rglob("*.py")),
        *sorted((root / "plpython" / "functions").rglob("*.sql")),
    ]
    skipped = []
    if _has_plpython(connection):
        modules = [path for path in plpython if path.suffix == ".py"]
        shims = [path for path in plpython if path.suffix == ".sql"]
        paths = [*modules, *paths, *shims]
    else:
        skipped = [path.relative_to(root).as_posix() for path in plpython]
    # Grants come last: they speak of everything before them.
    paths += sorted((root / "sql").rglob("grants.sql"))
    files = [
        _File(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")) for path in paths
    ]
    return files, tuple(skipped)


def _has_plpython(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server has PL/Python, or offers it and we may create it (a superuser may)."""
    query = """
        select exists (select from pg_extension where extname = %(name)s)
            or exists (select from pg_available_extensions where name = %(name)s)
           and (select rolsuper from pg_roles where rolname = current_user)
    """
    return connection.execute(query, {"name": PLPYTHON}).fetchone()[0]


def _create_plpython(connection: psycopg.Connection[Any]) -> None:
    """Create it where it is offered: managed servers do not, and the rest works without."""
    if _has_plpython(connection):
        connection.execute("set client_min_messages = warning")
        connection.execute(f"create extension if not exists {PLPYTHON}")
        connection.execute("reset client_min_messages")


def _exists(connection: psycopg.Connection[Any], table: str) -> bool:
    return connection.execute("select to_regclass(%s) is not null", (table,)).fetchone()[0]


def _loaded_checksums(connection: psycopg.Connection[Any]) -> dict[str, str]:
    if not _exists(connection, "memos_private.repeatable"):
        return {}
    return dict(connection.execute("select path, sha256 from memos_private.repeatable").fetchall())


def _forget_repeatable(connection: psycopg.Connection[Any]) -> None:
    if _exists(connection, "memos_private.repeatable"):
        connection.execute("delete from memos_private.repeatable")
