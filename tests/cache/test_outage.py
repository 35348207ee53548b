"""A crash empties the caches and breaks nothing; a standby says that it has none."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from memory_support import add, failure, rows, value
from memos_pg import LocalCache, MemOS
from memos_pg.migrate import migrate
from psycopg.types.json import Jsonb
from support.postgres import Database, Server


@pytest.fixture(scope="module")
def durable() -> Iterator[Database]:
    """A database on a server of its own, to be crashed and replicated."""
    with Server(durable=True) as server:
        database = server.create_database()
        migrate(database.dsn)
        yield database


def test_after_a_crash_the_caches_are_empty_and_work(durable: Database) -> None:
    database, server = durable, durable.server
    user = uuid4()
    with database.connect("memos_app") as app:
        memory = add(app, user, "kept")
        for key in "abc":
            value(app, "memos.cache_put", user, "finding", key, Jsonb(1), p_tags=[str(memory)])
        assert rows(app, "memos.cache_lease", user, "finding", "d")[0][7] is not None
    server.crash()
    server.start()
    with database.connect("memos_app") as app:
        assert rows(app, "memos.cache_get", user, "finding", "a") == [(None, False, None)]
        assert {row[1] for row in rows(app, "memos.cache_stats", user)} == {0}
        assert rows(app, "memos.cache_lease", user, "finding", "d")[0][7] is not None
        value(app, "memos.cache_put", user, "finding", "a", Jsonb(2), p_tags=[str(memory)])
        assert rows(app, "memos.cache_get", user, "finding", "a")[0][0] == 2
        app.execute("select memos.delete_memory(%s, %s)", (user, memory))
        assert rows(app, "memos.cache_get", user, "finding", "a")[0][1] is False
    with database.connect("memos_admin") as admin:
        admin.execute("call memos_admin.run_maintenance()")


class Standby:
    """A hot standby of a server, in a folder of its own."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.data, self.server, self.folder = folder / "standby", server, folder
        self._as_owner: list[str] = server._postgresql.launcher
        owner = server._postgresql.owner
        if owner:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        self._run(
            "pg_basebackup", "--pgdata", self.data, "--dbname", server.dsn(), "-R", "-c", "fast"
        )
        options = f"-k {folder} -p 5432 -c listen_addresses=''"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", folder / "log", "-o", options, "start")

    def _run(self, program: str, *arguments: Any) -> None:
        command = [*self._as_owner, self.server.program(program), *map(str, arguments)]
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL)

    def dsn(self, database: str) -> str:
        return f"host={self.folder} port=5432 dbname={database} user=memos_app"

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")


def test_on_a_standby_the_client_goes_on_without_the_cache(
    durable: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database = durable
    with database.connect("memos_app") as app:
        user = uuid4()
        add(app, user, "replicated")
        value(app, "memos.cache_put", user, "query", "key", Jsonb(1))
    with tempfile.TemporaryDirectory(prefix="memos-standby-", dir="/tmp") as folder:
        # pg_ctl hands the launcher's death signal on to nobody: the standby is stopped below.
        standby = Standby(database.server, Path(folder))
        try:
            dsn = standby.dsn(database.name)
            with psycopg.connect(dsn, autocommit=True) as connection:
                for function, arguments in (
                    ("memos.cache_get", ["query", "key"]),
                    ("memos.cache_put", ["query", "key", Jsonb(1)]),
                    ("memos.cache_lease", ["query", "key"]),
                    ("memos.cache_stats", []),
                ):
                    error = failure(connection, function, user, *arguments)
                    assert error.sqlstate == "MO503", error
                    assert "standby" in error.diag.message_detail
                found = connection.execute("select content from memos.list_memories(%s)", (user,))
                assert found.fetchall() == [("replicated",)]
            with (
                caplog.at_level(logging.WARNING),
                MemOS(dsn, min_size=1) as memos,
                LocalCache(memos) as cache,
            ):
                assert cache.get(user, "query", "key", "nothing") == "nothing"
                assert cache.get_or_fill(user, "query", "key", lambda: "made") == "made"
            assert "going on without it" in caplog.text
        finally:
            standby.stop()
