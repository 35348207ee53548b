"""Months of the audit that are too old are dropped whole, and their ends stay anchored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from audit_support import entries, problems
from memory_support import Connection, add, failure, rows, value
from support.postgres import Database

KEPT = timedelta(days=2555)


@pytest.fixture
def app(database: Database) -> Iterator[Connection]:
    with database.connect("memos_app") as connection:
        yield connection


@pytest.fixture
def admin(database: Database) -> Iterator[Connection]:
    with database.connect("memos_admin") as connection:
        yield connection


@pytest.fixture
def superuser(database: Database) -> Iterator[Connection]:
    with database.connect() as connection:
        yield connection


def due_month() -> datetime:
    """The last month that is due now."""
    start = (datetime.now(UTC) - KEPT).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (start - timedelta(days=1)).replace(day=1)


def written(superuser: Connection, user: UUID, at: datetime) -> None:
    """As if a process had written then."""
    superuser.execute("set role memos_owner")
    superuser.execute(
        f"""
        do $$
        declare v memos_private.audit_log;
        begin
            for i in 1..3 loop
                v := memos_private.audit_row('{user}', 'add_memory', false, null, null, null);
                v.recorded_at := '{at.isoformat()}'::timestamptz + i * interval '1 second';
                perform memos_private.append_audit(v);
            end loop;
        end $$
        """
    )
    superuser.execute("reset role")


def test_a_month_that_is_due_goes_and_the_rest_is_verifiable(
    superuser: Connection, app: Connection, admin: Connection
) -> None:
    month = due_month()
    kept = month + timedelta(days=63)
    user = uuid4()
    written(superuser, user, month + timedelta(days=3))
    written(superuser, user, kept)
    add(app, user, "today")
    assert not problems(admin)
    assert rows(admin, "memos_admin.expire_audit") == [(month, "dropped")]
    assert rows(admin, "memos_admin.expire_audit") == []
    assert [e.action for e in entries(admin, user)] == ["add_memory"] * 4
    assert not problems(admin)
    anchors = rows(admin, "memos_admin.audit_anchors")
    assert [row[3] for row in anchors if row[3]] == [month]
    [expiry] = entries(admin, p_action="memos_admin.expire_audit")
    assert expiry.outcome == "done"
    # Nor does maintenance make it again, and what is written on goes on.
    admin.execute("call memos_admin.run_maintenance()")
    months = superuser.execute(
        "select month from memos_private.month_partitions('memos_private.audit_log') order by 1"
    ).fetchall()
    assert (month,) not in months
    assert len(months) > 12
    assert not problems(admin)


def test_a_dropped_month_without_its_anchor_is_found(
    superuser: Connection, admin: Connection
) -> None:
    month = due_month()
    written(superuser, uuid4(), month)
    rows(admin, "memos_admin.expire_audit")
    superuser.execute("set session_replication_role = 'replica'")
    superuser.execute("delete from memos_private.audit_anchor where dropped_month is not null")
    assert "deleted" in problems(superuser)


def test_a_legal_hold_wins(superuser: Connection, admin: Connection) -> None:
    month, held = due_month(), uuid4()
    written(superuser, held, month)
    written(superuser, uuid4(), month)
    hold = value(admin, "memos_admin.place_legal_hold", held, "court")
    assert rows(admin, "memos_admin.expire_audit") == [(month, "held")]
    assert len(entries(admin, held)) == 4
    assert not problems(admin)
    rows(admin, "memos_admin.release_legal_hold", held, hold, "closed")
    assert rows(admin, "memos_admin.expire_audit") == [(month, "dropped")]


def test_a_month_somebody_writes_beside_waits(
    database: Database, superuser: Connection, app: Connection, admin: Connection
) -> None:
    month = due_month()
    written(superuser, uuid4(), month)
    with app.transaction():
        add(app, uuid4(), "not committed yet")
        assert rows(admin, "memos_admin.expire_audit") == [(month, "busy")]
    assert not problems(admin)
    assert rows(admin, "memos_admin.expire_audit") == [(month, "dropped")]


def test_the_setting_and_the_time(superuser: Connection, admin: Connection) -> None:
    month = due_month()
    written(superuser, uuid4(), month)
    rows(admin, "memos_admin.set_setting", "audit_retention_days", "2700")
    assert rows(admin, "memos_admin.expire_audit") == []
    for bad in (None, datetime.now(UTC) + timedelta(days=1), "1960-01-01"):
        assert failure(admin, "memos_admin.expire_audit", bad).sqlstate == "MO400"
    with admin.transaction(force_rollback=True):
        admin.execute("set transaction isolation level repeatable read")
        assert failure(admin, "memos_admin.expire_audit").sqlstate == "MO409"


def test_a_year_without_maintenance(
    database: Database, superuser: Connection, app: Connection, admin: Connection
) -> None:
    """Who writes makes the month that is missing, and reads of it are moved."""
    for (partition,) in superuser.execute(
        "select partition::text from memos_private.month_partitions('memos_private.audit_log')"
    ).fetchall():
        superuser.execute(f"drop table {partition}")
    user = uuid4()
    rows(app, "memos.list_memories", user)
    add(app, user, "kiwi")
    assert [e.action for e in entries(admin, user)] == ["list_memories", "add_memory"]
    assert not problems(admin)
