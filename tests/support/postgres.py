"""PostgreSQL servers for tests, started by testing.postgresql, and databases on them."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

import psycopg
import testing.postgresql
from psycopg import sql

PORT = 5432  # only names the socket file: the servers do not listen on TCP
SERVER_USER = "postgres"  # the account that root hands the server to
START_TIMEOUT = 60.0
SETTINGS = {
    "listen_addresses": "",
    "logging_collector": "off",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "jit": "off",
    "timezone": "UTC",
    "log_min_messages": "warning",
}
# Not TMPDIR: the other account must get in, and a socket's path has at most 107 bytes.
DISK = "/tmp"
MEMORY = "/dev/shm"
ENOUGH_MEMORY = 4 * 2**30
UNSAFE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def sharedir(bindir: Path) -> Path:
    """The folder with the server's extensions; Debian ships pg_config only for development."""
    config = bindir / "pg_config"
    if config.exists():
        run = subprocess.run([config, "--sharedir"], capture_output=True, text=True, check=True)
        return Path(run.stdout.strip())
    return Path("/usr/share/postgresql") / bindir.parent.name


def has_extension(bindir: Path, name: str) -> bool:
    """Whether a server of this folder can `create extension name`."""
    return (sharedir(bindir) / "extension" / f"{name}.control").exists()


def find_bindir() -> Path:
    """The server programs to test: MEMOS_PG_BIN, else the newest Debian ones with pgvector, else
    those of pg_config."""
    if chosen := os.environ.get("MEMOS_PG_BIN"):
        if not (Path(chosen) / "postgres").exists():
            raise RuntimeError(f"MEMOS_PG_BIN={chosen} has no program postgres")
        return Path(chosen)
    installed = sorted(
        (p for p in Path("/usr/lib/postgresql").glob("*/bin") if (p / "postgres").exists()),
        key=lambda p: int(p.parent.name),
        reverse=True,
    )
    for bindir in installed:
        if has_extension(bindir, "vector"):
            return bindir
    if shutil.which("pg_config"):
        run = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
        bindir = Path(run.stdout.strip())
        if (bindir / "postgres").exists():
            return bindir
    raise RuntimeError("no PostgreSQL server found: run `make test`, or set MEMOS_PG_BIN")


def memory_or_disk() -> str:
    """Where a server that may lose its data has it. In memory a copy of a database takes 30 ms, on
    a disk 200; a container often has too little of it."""
    roomy = os.path.isdir(MEMORY) and shutil.disk_usage(MEMORY).free >= ENOUGH_MEMORY
    return MEMORY if roomy else DISK


class _Postgresql(testing.postgresql.Postgresql):
    """testing.postgresql on a unix socket only, and as an unprivileged user when root runs it."""

    def __init__(self, bindir: Path, settings: dict[str, str], parent: str) -> None:
        self.options = [a for name, value in settings.items() for a in ("-c", f"{name}={value}")]
        # PostgreSQL refuses to run as root. The signal stops the server when the tests are killed.
        self.launcher = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
        self.owner = None
        if os.geteuid() == 0:
            if not self.launcher:
                raise RuntimeError("root needs the program setpriv (package util-linux) for tests")
            self.owner = pwd.getpwnam(SERVER_USER)
            ids = [f"--reuid={self.owner.pw_uid}", f"--regid={self.owner.pw_gid}"]
            self.launcher += [*ids, "--init-groups"]
        super().__init__(
            base_dir=tempfile.mkdtemp(prefix="memos-test-", dir=parent),
            initdb=str(bindir / "initdb"),
            postgres=str(bindir / "postgres"),
            port=PORT,
            boot_timeout=START_TIMEOUT,
        )

    def dsn(self, **kwargs: Any) -> dict[str, Any]:
        """How testing.postgresql itself connects, through pg8000."""
        socket = f"{self.base_dir}/tmp/.s.PGSQL.{PORT}"
        return {"unix_sock": socket, "user": "postgres", "database": "postgres"} | kwargs

    def initialize_database(self) -> None:
        """Make the cluster."""
        if self.owner:
            for folder in ("", "data", "tmp"):
                os.chown(f"{self.base_dir}/{folder}", self.owner.pw_uid, self.owner.pw_gid)
        subprocess.run(
            [
                *self.launcher, self.initdb, "--pgdata", self.get_data_directory(),
                "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
                "--lc-messages=C", "--no-sync",
            ],
            cwd=self.base_dir, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def get_server_commandline(self) -> list[str]:
        """The command of the postmaster."""
        places = ["-D", self.get_data_directory(), "-k", f"{self.base_dir}/tmp", "-p", str(PORT)]
        return [*self.launcher, self.postgres, *places, *self.options]

    def poststart(self) -> None:
        """No database `test`: tests make their own."""

    def cleanup(self) -> None:
        """Remove the files, too: the base class leaves a folder that it was given."""
        if self.child_process is None:
            shutil.rmtree(self.base_dir, ignore_errors=True)


class Server:
    """A PostgreSQL server of the tests."""

    def __init__(self, durable: bool = False) -> None:
        """Start it. Durable: with fsync, to be crashed."""
        self.bindir = find_bindir()
        preloadable = "pg_stat_statements"
        preload = preloadable if has_extension(self.bindir, preloadable) else ""
        settings = SETTINGS | {"shared_preload_libraries": preload} | ({} if durable else UNSAFE)
        self._postgresql = _Postgresql(self.bindir, settings, DISK if durable else memory_or_disk())
        self._names = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def dsn(self, database: str = "postgres", user: str = "postgres", **parameters: str) -> str:
        """A libpq URI."""
        where = {"host": f"{self._postgresql.base_dir}/tmp", "port": str(PORT)} | parameters
        return f"postgresql://{quote(user)}@/{quote(database)}?{urlencode(where, quote_via=quote)}"

    @property
    def log(self) -> str:
        """What the server wrote since its last start."""
        return self._postgresql.read_bootlog()

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._postgresql.server_pid

    def program(self, name: str) -> str:
        """A client program of the server's own version, such as pg_dump."""
        return str(self.bindir / name)

    def start(self) -> None:
        """Start again after stop_cleanly() or crash()."""
        self._postgresql.start()

    def stop_cleanly(self) -> None:
        """Stop, keeping the data."""
        self._postgresql.terminate()

    def stop(self) -> None:
        """Stop and remove everything."""
        self._postgresql.stop()

    def crash(self) -> None:
        """Kill the postmaster and all its children at once, as a power failure would."""
        process = self._postgresql.child_process
        children = []
        for stat in Path("/proc").glob("[0-9]*/stat"):  # a minimal machine has no ps
            with contextlib.suppress(OSError):  # ended meanwhile
                if int(stat.read_text().rpartition(")")[2].split()[1]) == process.pid:
                    children.append(int(stat.parent.name))
        for pid in (process.pid, *children):
            with contextlib.suppress(ProcessLookupError):  # it ended by itself meanwhile
                os.kill(pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + START_TIMEOUT
        # The next start is refused while a child still holds the shared memory.
        while any(Path(f"/proc/{pid}").exists() for pid in children):
            if time.monotonic() > deadline:
                raise RuntimeError("a server process survived SIGKILL")
            time.sleep(0.01)
        self._postgresql.child_process = None

    def create_database(
        self, template: Database | None = None, name: str | None = None
    ) -> Database:
        """A new database, empty or a copy of another one that nobody is connected to."""
        database = Database(self, name or f"memos_test_{next(self._names)}")
        statement = sql.SQL("create database {} template {}").format(
            sql.Identifier(database.name),
            sql.Identifier(template.name if template else "template0"),
        )
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(statement)
        return database

    def drop_database(self, database: Database) -> None:
        """Drop it, whoever is still connected."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("drop database {} with (force)").format(sql.Identifier(database.name))
            )


class Database:
    """A database of a test server. The roles log in themselves: a role that a superuser's session
    only `set role`s to can go back with `reset role`."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name

    @property
    def dsn(self) -> str:
        """As superuser: sees every row, so no test of behaviour may use it."""
        return self.server.dsn(self.name)

    @property
    def app_dsn(self) -> str:
        """As memos_app, the bot."""
        return self.login_dsn("memos_app")

    @property
    def user_dsn(self) -> str:
        """As memos_user, an end user's own connection."""
        return self.login_dsn("memos_user")

    @property
    def auditor_dsn(self) -> str:
        """As memos_auditor."""
        return self.login_dsn("memos_auditor")

    @property
    def admin_dsn(self) -> str:
        """As memos_admin, operators and workers."""
        return self.login_dsn("memos_admin")

    def login_dsn(self, role: str) -> str:
        """Logged in as this role."""
        return self.server.dsn(self.name, role)

    def role_dsn(self, role: str) -> str:
        """Logged in as superuser, acting as the role: what the examples do on a private server."""
        return self.server.dsn(self.name, options=f"-c role={role}")

    def connect(
        self, role: str | None = None, autocommit: bool = True, **options: Any
    ) -> psycopg.Connection[Any]:
        """A connection of a role (None: superuser). Close it, best with `with`."""
        dsn = self.login_dsn(role) if role else self.dsn
        return psycopg.connect(dsn, autocommit=autocommit, **options)

    def value(self, statement: str, *arguments: Any, role: str | None = None) -> Any:
        """The first column of the first row, on a connection of its own."""
        with self.connect(role) as connection:
            row = connection.execute(statement, arguments).fetchone()
        if row is None:
            raise LookupError(f"no row: {statement}")
        return row[0]

    def user_id(self, external_id: str) -> uuid.UUID:
        """The user id of an outside id."""
        return self.value("select memos.user_id(%s)", external_id, role="memos_app")

    def token(self, user_id: uuid.UUID, ttl: str = "1 hour") -> str:
        """A signed context for a user."""
        return self.value(
            "select memos_admin.mint_context(%s, %s::interval)", user_id, ttl, role="memos_admin"
        )

    def drop(self) -> None:
        """Drop it."""
        self.server.drop_database(self)
