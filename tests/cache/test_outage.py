"""A crash empties the caches and breaks nothing; a standby says that it has none."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from memory_support import add, failure, rows, value
from memos_pg import LocalCache, MemOS
from memos_pg.migrate import migrate
from psycopg.types.json import Jsonb
from support.postgres import Database, Server
from support.standby import standby_of


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


def test_on_a_standby_the_client_goes_on_without_the_cache(
    durable: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database = durable
    with database.connect("memos_app") as app:
        user = uuid4()
        add(app, user, "replicated")
        value(app, "memos.cache_put", user, "query", "key", Jsonb(1))
    with standby_of(database.server) as standby:
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
