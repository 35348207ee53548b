"""A superuser who has switched the triggers off changes the audit: verification finds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from audit_support import problems
from memory_support import Connection, add, failure, rows, value
from support.postgres import Database

USER = UUID("11111111-1111-4111-8111-111111111111")
COLUMNS = {
    "recorded_at": "recorded_at + interval '1 microsecond'",
    "action": "'nothing'",
    "is_read": "not is_read",
    "outcome": "'refused'",
    "error": "'MO403'",
    "subject": "gen_random_uuid()",
    "recipient": "gen_random_uuid()",
    "object_ids": "object_ids || gen_random_uuid()",
    "digest": "'\\x00'",
    "actor": "'nobody'",
    "role": "'nobody'",
    "purpose": "''",
    "client": "'127.0.0.1'",
    "backend": "backend + 1",
    "statement_at": "statement_at - interval '1 microsecond'",
    "key_id": "key_id + 1",
    "hash": "'\\x00'",
}


@pytest.fixture(scope="module")
def filled(module_database: Database) -> Database:
    """Ten writes and ten reads of one process, anchored, and as many after that by another one, of
    which the reads are in the buffer."""
    for _ in range(2):
        with module_database.connect("memos_app") as app:
            for number in range(10):
                add(app, USER, f"number {number} of {app.info.backend_pid}")
            for _ in range(10):
                rows(app, "memos.list_memories", USER)
        if not module_database.value("select count(*) from memos_private.audit_anchor"):
            with module_database.connect("memos_admin") as admin:
                rows(admin, "memos_admin.anchor_audit")
    return module_database


@pytest.fixture
def superuser(filled: Database) -> Iterator[Connection]:
    """Whose changes are undone after the test."""
    with filled.connect(autocommit=False) as connection:
        assert problems(connection) == []
        connection.execute("set local session_replication_role = 'replica'")
        yield connection
        connection.rollback()


def chain(superuser: Connection, table: str = "audit_log", newest: bool = False) -> dict[str, Any]:
    """A chain of ten rows."""
    found = superuser.execute(
        f"select era, pid, tableoid::regclass::text from memos_private.{table}"
        " group by era, pid, tableoid having count(*) = 10 order by max(recorded_at)"
    ).fetchall()
    era, pid, partition = found[-1 if newest else 0]
    return {"era": era, "pid": pid, "partition": partition}


def of(one: dict[str, Any], number: int | None = None) -> str:
    where = f"era = {one['era']} and pid = {one['pid']}"
    return where if number is None else f"{where} and number = {number}"


def found(superuser: Connection) -> list[tuple[str, int | None]]:
    return [(row[0], row[5]) for row in rows(superuser, "memos_admin.verify_audit")]


@pytest.mark.parametrize("table", ["audit_log", "audit_buffer"])
@pytest.mark.parametrize(
    ("column", "number"), [*((c, 5) for c in COLUMNS), ("role", 1), ("role", 10)]
)
def test_an_edited_row(superuser: Connection, table: str, column: str, number: int) -> None:
    one = chain(superuser, table)
    superuser.execute(
        f"update memos_private.{table} set {column} = {COLUMNS[column]} where {of(one, number)}"
    )
    assert ("edited", number) in found(superuser)


def test_every_column_is_tried(superuser: Connection) -> None:
    columns = superuser.execute(
        "select attname from pg_attribute where attrelid = 'memos_private.audit_log'::regclass"
        " and attnum > 0 and not attisdropped"
    ).fetchall()
    assert {name for (name,) in columns} == set(COLUMNS) | {"era", "pid", "number"}


@pytest.mark.parametrize("table", ["audit_log", "audit_buffer"])
@pytest.mark.parametrize("number", [1, 5, 10])
def test_a_deleted_row(superuser: Connection, table: str, number: int) -> None:
    """The very last one too."""
    one = chain(superuser, table)
    superuser.execute(f"delete from memos_private.{table} where {of(one, number)}")
    assert ("deleted", min(number + 1, 10)) in found(superuser)


@pytest.mark.parametrize("table", ["audit_log", "audit_buffer"])
@pytest.mark.parametrize(("number", "place"), [("5", 5), ("11", 11), ("0", 0)])
def test_an_inserted_row(superuser: Connection, table: str, number: str, place: int) -> None:
    one = chain(superuser, table)
    superuser.execute(
        f"create temporary table forged as select * from memos_private.{table} where {of(one, 5)};"
        f"update forged set number = {number}, recorded_at = recorded_at + interval '1 us',"
        " action = 'forged';"
        f"insert into memos_private.{table} select * from forged"
    )
    assert place in [n for _, n in found(superuser)]


def test_rows_that_have_changed_places(superuser: Connection) -> None:
    one = chain(superuser)
    superuser.execute(
        f"update memos_private.audit_log set number = 9 - number where {of(one)}"
        " and number in (4, 5)"
    )
    assert [f for f in found(superuser) if f[0] == "edited"] == [
        ("edited", 4),
        ("edited", 5),
        ("edited", 6),
    ]


def test_a_row_that_has_moved_to_another_chain(superuser: Connection) -> None:
    one, other = chain(superuser), chain(superuser, newest=True)
    superuser.execute(
        f"update memos_private.audit_log set pid = {other['pid']}, number = 11 where {of(one, 10)}"
    )
    assert {("edited", 11), ("deleted", 10)} <= set(found(superuser))


@pytest.mark.parametrize("how", ["delete from", "truncate"])
@pytest.mark.parametrize("table", ["audit_log", "audit_buffer", "partition"])
def test_everything_is_gone(superuser: Connection, table: str, how: str) -> None:
    name = f"memos_private.{table}"
    if table == "partition":
        name = chain(superuser)["partition"]
    superuser.execute(f"{how} {name}")
    assert {"deleted"} == set(problems(superuser))


def test_a_month_that_was_dropped_by_hand(superuser: Connection) -> None:
    superuser.execute(f"drop table {chain(superuser)['partition']}")
    gone = rows(superuser, "memos_admin.verify_audit")
    assert ("deleted", 10) in [(row[0], row[5]) for row in gone]
    assert any("whole chain" in row[6] for row in gone)


def test_a_month_dropped_with_all_that_tells_of_it(superuser: Connection) -> None:
    """But for the anchor, which is kept for ever."""
    superuser.execute(f"drop table {chain(superuser)['partition']}")
    for table in ("audit_chain", "audit_buffer", "audit_buffer_chain", "audit_anchored"):
        superuser.execute(f"delete from memos_private.{table}")
    gone = rows(superuser, "memos_admin.verify_audit")
    assert {row[0] for row in gone} == {"deleted"}
    assert all("anchor 1 vouches" in row[6] for row in gone)


def test_a_chain_that_is_gone(superuser: Connection) -> None:
    one = chain(superuser)
    superuser.execute(f"delete from memos_private.audit_log where {of(one)}")
    assert ("deleted", 10) in found(superuser)
    superuser.execute(f"delete from memos_private.audit_chain where {of(one)}")
    assert [row[6] for row in rows(superuser, "memos_admin.verify_audit")] == [
        "anchor 1 vouches for a row that is not there, or is another one"
    ]


def test_a_last_row_that_is_gone_with_its_end(superuser: Connection) -> None:
    """Whoever takes one row back has to take the anchor back too, and cannot sign another."""
    one = chain(superuser)
    superuser.execute(f"delete from memos_private.audit_log where {of(one, 10)}")
    superuser.execute(
        "update memos_private.audit_chain as c set number = l.number, hash = l.hash"
        f" from memos_private.audit_log as l where c.era = l.era and c.pid = l.pid"
        f" and l.era = {one['era']} and l.pid = {one['pid']} and l.number = 9"
    )
    assert found(superuser) == [("deleted", 10)]


@pytest.mark.parametrize("table", ["audit_chain", "audit_buffer_chain"])
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("update {} set number = 9 where {}", "inserted"),
        ("update {} set number = 11 where {}", "deleted"),
        ("update {} set hash = '\\x00' where {}", "end is edited"),
        ("delete from {} where {}", "end is gone"),
        ("insert into {0} select month, era, pid, 9, hash from {0} where {1}", "inserted"),
    ],
)
def test_an_end_that_somebody_has_changed(
    superuser: Connection, table: str, change: str, problem: str
) -> None:
    one = chain(superuser, "audit_log" if table == "audit_chain" else "audit_buffer")
    superuser.execute(change.format(f"memos_private.{table}", of(one)))
    assert problem in problems(superuser)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("update memos_private.audit_anchor set numbers[1] = 9", "anchor is edited"),
        ("update memos_private.audit_anchor set taken_at = now()", "anchor is edited"),
        ("update memos_private.audit_anchor set dropped_month = now()", "anchor is edited"),
        ("update memos_private.audit_anchor set number = 2", "anchor is edited"),
        ("delete from memos_private.audit_anchor", "anchor is gone"),
        ("truncate memos_private.audit_anchor", "anchor is gone"),
        ("update memos_private.audit_key set secret = '\\x00'", "edited"),
        ("delete from memos_private.audit_key", "edited"),
    ],
)
def test_an_anchor_or_a_key_that_somebody_has_changed(
    superuser: Connection, change: str, problem: str
) -> None:
    superuser.execute(change)
    assert problem in problems(superuser)


def test_what_was_gone_before_it_was_moved_is_found_afterwards(superuser: Connection) -> None:
    one = chain(superuser, "audit_buffer")
    superuser.execute(f"delete from memos_private.audit_buffer where {of(one, 5)}")
    assert value(superuser, "memos_admin.move_audited_reads") == 9
    assert ("deleted", 6) in found(superuser)


def test_a_range_of_time(superuser: Connection) -> None:
    one = chain(superuser)
    superuser.execute(f"update memos_private.audit_log set actor = 'x' where {of(one, 5)}")
    [at] = superuser.execute(
        f"select recorded_at from memos_private.audit_log where {of(one, 5)}"
    ).fetchone()
    call = ("memos_admin.verify_audit",)
    assert [row[:2] for row in rows(superuser, *call, at, None)] == [("edited", at)]
    assert [row[:2] for row in rows(superuser, *call, None, at)] == []


# What is refused before anything has to be found -------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "update memos_private.audit_log set actor = 'x'",
        "delete from memos_private.audit_log",
        "truncate memos_private.audit_log",
        "update {} set actor = 'x'",
        "delete from {}",
        "truncate {}",
        "update memos_private.audit_buffer set actor = 'x'",
        "truncate memos_private.audit_buffer",
        "update memos_private.audit_anchor set number = 7",
        "delete from memos_private.audit_anchor",
        "truncate memos_private.audit_anchor",
    ],
)
def test_triggers_stop_a_slip_of_the_hand(filled: Database, change: str) -> None:
    with filled.connect() as superuser:
        name = chain(superuser)["partition"]
        with pytest.raises(psycopg.Error) as caught:
            superuser.execute(change.format(name))
    assert caught.value.sqlstate == "MO500"
    assert caught.value.diag.message_primary == "the audit is only added to"


@pytest.mark.parametrize("role", ["memos_owner", "memos_maintenance"])
def test_grants_stop_the_owners(filled: Database, role: str) -> None:
    with filled.connect() as superuser:
        name = chain(superuser)["partition"]
        superuser.execute(f"set role {role}")
        for table in ("memos_private.audit_log", "memos_private.audit_anchor", name):
            for change in ("update {} set key_id = 7", "delete from {}", "truncate {}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    superuser.execute(change.format(table))


def test_months_to_come_are_guarded_as_well(filled: Database) -> None:
    """By the trigger that no partition inherits, whoever made the partition."""
    with filled.connect() as superuser:
        superuser.execute(
            "select memos_private.make_partitions(array['memos_private.audit_log'],"
            " array['2040-01-01 UTC'::timestamptz])"
        )
        bare = superuser.execute(
            "select i.inhrelid::regclass from pg_inherits as i"
            " where i.inhparent = 'memos_private.audit_log'::regclass and not exists ("
            "   select from pg_trigger as t where t.tgrelid = i.inhrelid"
            "   and t.tgname = 't20_audit_is_not_truncated')"
        ).fetchall()
        assert bare == []
        superuser.execute(
            "select memos_private.drop_partitions(array_agg(p.partition))"
            " from memos_private.month_partitions('memos_private.audit_log') as p"
            " where p.month = '2040-01-01 UTC'"
        )


def test_an_anchor_kept_elsewhere_shows_what_was_remade(filled: Database) -> None:
    with filled.connect("memos_auditor") as auditor:
        number, _, _, kept = rows(auditor, "memos_admin.anchor_audit")[0]
        again = rows(auditor, "memos_admin.anchor_audit")[0]
        shown = {row[0]: row[4] for row in rows(auditor, "memos_admin.audit_anchors")}
        assert shown[number] == kept
        assert again[0] >= number
        assert failure(auditor, "memos_admin.rotate_audit_key").sqlstate == "42501"
