"""What a crash takes of the audit, and what a standby does with it."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import psycopg
from audit_support import entries, problems
from memory_support import add, failure, rows
from memos_pg.migrate import migrate
from support.postgres import Server
from support.standby import standby_of


def test_a_crash_loses_buffered_reads_and_says_so(server: Server) -> None:
    database = server.create_database()
    migrate(database.dsn)
    user = uuid4()
    with database.connect("memos_app") as app:
        add(app, user, "kiwi")
        rows(app, "memos.list_memories", user)
        add(app, user, "plum")
        rows(app, "memos.memory_stats", user)
        failure(app, "memos.get_memory", user, uuid4())
    server.crash()
    server.start()
    with database.connect("memos_auditor") as auditor, database.connect("memos_app") as app:
        assert problems(auditor) == []
        rows(app, "memos.list_memories", user)
        assert [e.action for e in entries(auditor, user)] == [
            # memory_stats was in the buffer, with no write of the session after it.
            "add_memory", "list_memories", "add_memory", "get_memory", "list_memories",
        ]  # fmt: skip
        [lost] = entries(auditor, p_action="reads_may_be_lost")
        assert lost.outcome == "done"
        add(app, user, "fig")
        assert problems(auditor) == []
        assert rows(auditor, "memos_admin.audit_status")[0][3] == 2
    server.stop_cleanly()
    server.start()
    with database.connect("memos_auditor") as auditor, database.connect("memos_app") as app:
        rows(app, "memos.list_memories", user)
        assert len(entries(auditor, p_action="reads_may_be_lost")) == 1, "nothing was lost"
        assert problems(auditor) == []


def test_durable_reads_survive_a_crash(server: Server) -> None:
    database = server.create_database()
    migrate(database.dsn)
    user = uuid4()
    with database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.set_setting", "audit_reads", "durable")
    with database.connect("memos_app") as app:
        rows(app, "memos.list_memories", user)
    server.crash()
    server.start()
    with database.connect("memos_auditor") as auditor:
        assert [e.action for e in entries(auditor, user)] == ["list_memories"]
        assert problems(auditor) == []


def test_a_standby_serves_reads_and_logs_them(server: Server) -> None:
    database = server.create_database()
    migrate(database.dsn)
    user = uuid4()
    with database.connect("memos_app") as app:
        memory = add(app, user, "kiwi")
        rows(app, "memos.list_memories", user)
    with standby_of(server) as standby:
        with psycopg.connect(standby.dsn(database.name), autocommit=True) as app:
            assert len(rows(app, "memos.search_memories", user, "kiwi")) == 1
            assert failure(app, "memos.get_memory", user, uuid4()).sqlstate == "MO404"
        dsn = standby.dsn(database.name, "memos_auditor")
        with psycopg.connect(dsn, autocommit=True) as auditor:
            assert [e.action for e in entries(auditor, user)] == ["add_memory"]
            assert failure(auditor, "memos_admin.verify_audit").sqlstate == "MO409"
            assert rows(auditor, "memos_admin.audit_status")[0][0] is None
        said = [json.loads(m) for m in re.findall(r"memos audit: (\{.*\})", standby.log)]
        mine = [line for line in said if line.get("subject") == str(user)]
    assert [(line["action"], line["outcome"]) for line in mine][:2] == [
        ("search_memories", "done"), ("get_memory", "failed"),
    ]  # fmt: skip
    assert mine[0]["object_ids"] == [str(memory)]
