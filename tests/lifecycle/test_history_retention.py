"""Partitions of the history and what is dropped for its age. Data is moved, not the clock."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import Connection, add, at_once, failure, rows, value, vector
from support.postgres import Database

TABLES = ("memory_history", "embedding_history")
KEPT = timedelta(days=2555)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture
def app(database: Database) -> Iterator[Connection]:
    with database.connect("memos_app") as connection:
        yield connection


@pytest.fixture
def admin(database: Database) -> Iterator[Connection]:
    with database.connect("memos_admin") as connection:
        rows(connection, "memos_admin.register_embedding_model", "ext", 2, "external")
        yield connection


@pytest.fixture
def superuser(database: Database) -> Iterator[Connection]:
    with database.connect() as connection:
        yield connection


def month(year: int, number: int) -> datetime:
    return datetime(year, number, 1, tzinfo=UTC)


def next_month(start: datetime) -> datetime:
    return month(start.year + start.month // 12, start.month % 12 + 1)


def this_month() -> datetime:
    now = datetime.now(UTC)
    return month(now.year, now.month)


def partitions(superuser: Connection) -> dict[datetime, list[str]]:
    """The months, in order, with their tables."""
    found = superuser.execute(
        "select month, until, tables::text[] from memos_private.history_partitions() order by 1"
    ).fetchall()
    assert all(until == next_month(start) for start, until, _ in found)
    return {start: tables for start, _, tables in found}


def only_partition(superuser: Connection, start: datetime) -> None:
    """As if the last maintenance had been long ago."""
    for tables in partitions(superuser).values():
        for table in tables:
            superuser.execute(f"drop table {table}")
    make(superuser, start)


def make(superuser: Connection, *months: datetime) -> None:
    tables = [f"memos_private.{table}" for table in TABLES]
    superuser.execute("select memos_private.make_partitions(%s, %s)", (tables, list(months)))


def assert_no_month_is_missing(superuser: Connection, since: datetime) -> None:
    months = list(partitions(superuser))
    assert months[0] == since
    assert all(b == next_month(a) for a, b in itertools.pairwise(months))
    assert months[-1] >= month(this_month().year + 1, this_month().month)
    assert_partitions_are_whole_and_guarded(superuser)


def assert_partitions_are_whole_and_guarded(superuser: Connection) -> None:
    found = superuser.execute("""
        select i.inhparent::regclass::text, count(*),
            bool_and(c.relrowsecurity and c.relforcerowsecurity), bool_and(c.relacl is null),
            bool_or(pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT')
        from pg_inherits as i
        join pg_class as c on c.oid = i.inhrelid
        where i.inhparent::regclass::text like 'memos_private.%_history' and c.relkind = 'r'
        group by 1
        order by 1 desc
    """).fetchall()
    count = len(partitions(superuser))
    assert found == [(f"memos_private.{name}", count, True, True, False) for name in TABLES]


def superseded(app: Connection, superuser: Connection, user: UUID, *times: datetime) -> list[UUID]:
    """Memories with vectors that were deleted at these times."""
    memories = []
    for at in times:
        make(superuser, month(at.year, at.month))
        memory = add(app, user, f"superseded {at}", p_embedding=vector(1, 0))
        value(app, "memos.delete_memory", user, memory)
        for table in TABLES:
            recorded = ", recorded_at = %(at)s - interval '1 day'" * (table == "memory_history")
            superuser.execute(
                f"update memos_private.{table} set superseded_at = %(at)s {recorded}"
                " where memory_id = %(memory)s",
                {"at": at, "memory": memory},
            )
        memories.append(memory)
    return memories


def versions(superuser: Connection, *users: UUID) -> list[tuple[int, int]]:
    """How many versions and vectors each user has in the history."""
    count = "(select count(*) from memos_private.{} where user_id = u)"
    query = f"select {', '.join(count.format(t) for t in TABLES)} from unnest(%s::uuid[]) as u"
    return superuser.execute(query, (list(users),)).fetchall()


def expire(admin: Connection, at: datetime | None = None) -> None:
    admin.execute("call memos_admin.expire_history(coalesce(%s, now()))", (at,))


# Partitions ---------------------------------------------------------------------------------------


def test_after_years_without_maintenance_no_month_is_missing(
    database: Database, superuser: Connection
) -> None:
    since = month(this_month().year - 4, 3)
    only_partition(superuser, since)
    with database.connect("memos_admin", options="-c timezone=America/St_Johns") as elsewhere:
        elsewhere.execute("call memos_admin.run_maintenance()")
    assert_no_month_is_missing(superuser, since)
    before = partitions(superuser)
    superuser.execute("call memos_admin.run_maintenance()")
    assert partitions(superuser) == before


def test_without_any_maintenance_a_write_makes_its_month(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    since = month(this_month().year - 2, 11)
    only_partition(superuser, since)
    memory = add(app, user, "written", p_embedding=vector(1, 0))
    value(app, "memos.update_memory", user, memory, {"content": "rewritten"})
    assert list(partitions(superuser)) == [since, this_month()]
    assert versions(superuser, user) == [(1, 1)]
    assert_partitions_are_whole_and_guarded(superuser)
    admin.execute("call memos_admin.run_maintenance()")
    assert_no_month_is_missing(superuser, since)


def test_a_clock_that_ran_years_ahead_costs_no_write_and_leaves_no_gap(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    ahead = month(this_month().year + 9, 5)
    memory = add(app, user, "from the future")
    superuser.execute(
        "update memos_private.memory set recorded_at = %s where memory_id = %s", (ahead, memory)
    )
    value(app, "memos.update_memory", user, memory, {"content": "changed after that"})
    value(app, "memos.delete_memory", user, memory)
    assert ahead in partitions(superuser)
    assert versions(superuser, user) == [(2, 0)]
    admin.execute("call memos_admin.run_maintenance()")
    superuser.execute("drop table " + ", ".join(partitions(superuser)[ahead]))
    assert_no_month_is_missing(superuser, this_month())


def test_sessions_that_need_the_same_missing_month_make_it_once(
    database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    memories = [add(app, user, f"memory {number}") for number in range(4)]
    only_partition(superuser, month(this_month().year - 1, 1))

    def work(number: int) -> None:
        role = "memos_app" if number < 4 else "memos_admin"
        with database.connect(role) as session:
            if number < 4:
                value(session, "memos.delete_memory", user, memories[number])
            else:
                session.execute("select memos_admin.maintain_partitions()")

    at_once(6, work)
    assert versions(superuser, user) == [(4, 0)]
    assert_no_month_is_missing(superuser, month(this_month().year - 1, 1))


def test_no_session_is_left_with_another_search_path(
    database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, "written")
    only_partition(superuser, month(this_month().year - 1, 1))
    app.execute("set search_path = memos, public")
    value(app, "memos.delete_memory", user, memory)
    assert app.execute("show search_path").fetchone() == ("memos, public",)
    for call in ("call memos_admin.run_maintenance()", "select memos_admin.maintain_partitions()"):
        only_partition(superuser, month(this_month().year - 1, 1))
        with database.connect("memos_admin") as session:
            session.execute(call)
            assert session.execute("show search_path").fetchone() == ('"$user", public',)


def test_a_partition_is_made_while_others_read_and_write(
    database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, "waiting")
    only_partition(superuser, month(this_month().year - 1, 1))
    with database.connect("memos_app", autocommit=False) as reader:
        rows(reader, "memos.memory_history", user, memory)
        app.execute("set lock_timeout = '2s'")
        value(app, "memos.delete_memory", user, memory)
        reader.rollback()
    assert versions(superuser, user) == [(1, 0)]


# Retention ----------------------------------------------------------------------------------------


def test_a_month_goes_when_its_end_is_exactly_as_old_as_the_setting(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    end = month(2017, 3)
    superseded(app, superuser, user, end - MICROSECOND, end)
    due = end + KEPT
    assert rows(admin, "memos_admin.due_partitions", due - MICROSECOND) == []
    expire(admin, due - MICROSECOND)
    assert versions(superuser, user) == [(2, 2)]
    assert rows(admin, "memos_admin.due_partitions", due) == [(month(2017, 2), end)]
    expire(admin, due)
    assert versions(superuser, user) == [(1, 1)]
    left = superuser.execute(
        "select relname from pg_class where relname ~ '_history_p2017' and relkind = 'r'"
    ).fetchall()
    assert sorted(name for (name,) in left) == sorted(
        table.split(".")[1] for table in partitions(superuser)[end]
    ), "dropped, not detached"


def test_maintenance_drops_what_is_due_and_makes_none_of_it_again(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    oldest_kept = datetime.now(UTC) - KEPT
    first = month(oldest_kept.year, oldest_kept.month)
    times = [month(1999, 12), month(2012, 2), first - MICROSECOND, first, datetime.now(UTC)]
    memories = superseded(app, superuser, user, *times)
    for _ in range(2):
        admin.execute("call memos_admin.run_maintenance()")
        assert versions(superuser, user) == [(2, 2)]
        assert_no_month_is_missing(superuser, first)
    assert failure(app, "memos.memory_history", user, memories[0]).sqlstate == "MO404"
    assert len(rows(app, "memos.memory_history", user, memories[3])) == 1


def test_pg_partman_drops_nothing_by_itself(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    superseded(app, superuser, user, month(2012, 5))
    for table in TABLES:
        superuser.execute("select partman.run_maintenance(%s)", (f"memos_private.{table}",))
    assert versions(superuser, user) == [(1, 1)]


def test_the_setting_decides(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    superseded(app, superuser, user, datetime.now(UTC) - timedelta(days=100))
    expire(admin)
    assert versions(superuser, user) == [(1, 1)]
    rows(admin, "memos_admin.set_setting", "history_retention_days", "60")
    expire(admin)
    assert versions(superuser, user) == [(0, 0)]
    for bad in ("0", "-1", "100000", "ten"):
        error = failure(admin, "memos_admin.set_setting", "history_retention_days", bad)
        assert error.sqlstate == "MO400"


def test_what_remained_true_goes_with_its_version(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, "lives in Oslo", p_occurred_at=month(2010, 1))
    value(
        app, "memos.update_memory", user, memory,
        {"content": "lives in Bergen", "valid_from": "2012-01-01Z"},
    )  # fmt: skip
    then = {"p_valid_at": month(2011, 1)}
    assert rows(app, "memos.get_memory", user, memory, **then)[0][2] == "lives in Oslo"
    make(superuser, month(2013, 1))
    superuser.execute(
        "update memos_private.memory_history set superseded_at = '2013-01-02Z',"
        " recorded_at = '2013-01-01Z' where memory_id = %s",
        (memory,),
    )
    assert rows(app, "memos.get_memory", user, memory, **then)[0][2] == "lives in Oslo"
    expire(admin)
    assert failure(app, "memos.get_memory", user, memory, **then).sqlstate == "MO404"
    assert rows(app, "memos.get_memory", user, memory)[0][2] == "lives in Bergen"


def test_nothing_is_dropped_before_its_time_has_come(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    superseded(app, superuser, user, datetime.now(UTC))
    make(superuser, month(2017, 1))
    for at in ("now() + interval '1 hour'", "'infinity'", "'-infinity'", "'1969-12-31'", "null"):
        for call in (
            f"call memos_admin.expire_history({at})",
            f"call memos_admin.expire_records({at})",
            f"select memos_admin.due_partitions({at})",
            f"select memos_admin.expire_partition('2017-01-01Z', {at})",
        ):
            with pytest.raises(psycopg.Error) as caught:
                admin.execute(call)
            assert caught.value.sqlstate == "MO400", call
    error = failure(admin, "memos_admin.expire_partition", this_month())
    assert (error.sqlstate, error.diag.message_primary) == ("MO400", "bad argument: p_month")
    assert value(admin, "memos_admin.expire_partition", month(1980, 1)) == "gone"
    for limit in (0, None, 100001):
        for function in ("expire_partition", "expire_records_batch"):
            first = month(1980, 1) if function == "expire_partition" else month(2020, 1)
            error = failure(admin, f"memos_admin.{function}", first, p_limit=limit)
            assert error.sqlstate == "MO400"
    assert versions(superuser, user) == [(1, 1)]


def test_a_month_that_is_being_read_waits_and_blocks_nobody(
    database: Database, app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    memory, _ = superseded(app, superuser, user, month(2012, 5), month(2012, 6))
    warnings: list[Any] = []
    admin.add_notice_handler(lambda n: warnings.append((n.severity, n.message_primary)))
    with database.connect("memos_app", autocommit=False) as reader:
        rows(reader, "memos.memory_history", user, memory)
        expire(admin)
        assert versions(superuser, user) == [(2, 2)]
        app.execute("set lock_timeout = '1ms'")
        assert len(rows(app, "memos.memory_history", user, memory)) == 1
        reader.rollback()
    assert warnings == [("WARNING", "the history that is due stays until the next maintenance")]
    expire(admin)
    assert versions(superuser, user) == [(0, 0)]


def test_maintenances_at_once_and_readers_do_not_fail(
    database: Database, app: Connection, admin: Connection, superuser: Connection
) -> None:
    users = [uuid4() for _ in range(3)]
    for number, owner in enumerate(users):
        superseded(app, superuser, owner, *(month(2010 + number, m) for m in range(1, 6)))
    value(admin, "memos_admin.place_legal_hold", users[2], "a lawsuit")

    def work(number: int) -> None:
        with database.connect("memos_admin" if number < 3 else "memos_app") as session:
            for _ in range(2 if number < 3 else 15):
                if number < 3:
                    session.execute("call memos_admin.run_maintenance()")
                else:
                    rows(session, "memos.search_memories", users[2], "superseded",
                         p_recorded_at=month(2011, 12))  # fmt: skip
                    time.sleep(0.01)

    at_once(5, work)
    expire(admin)  # what was being read
    assert versions(superuser, *users) == [(0, 0), (0, 0), (5, 5)]
    assert_partitions_are_whole_and_guarded(superuser)


# Legal hold ---------------------------------------------------------------------------------------


def test_a_user_under_hold_loses_nothing_and_the_others_do(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    others = [uuid4(), uuid4()]
    for owner in (user, *others):
        superseded(app, superuser, owner, month(2012, 5), month(2012, 5), month(2013, 1))
    superseded(app, superuser, others[0], month(2014, 1))
    hold = value(admin, "memos_admin.place_legal_hold", user, "a lawsuit")
    second = value(admin, "memos_admin.place_legal_hold", user, "another one")
    # Bit by bit: one row of each table a transaction.
    outcomes = [
        value(admin, "memos_admin.expire_partition", month(2012, 5), p_limit=1) for _ in range(5)
    ]
    assert outcomes == ["thinned"] * 4 + ["held"]
    expire(admin)
    assert versions(superuser, user, *others) == [(3, 3), (0, 0), (0, 0)]
    old = [m for m in partitions(superuser) if m.year < 2015]
    assert old == [month(2012, 5), month(2013, 1)]

    assert value(admin, "memos_admin.release_legal_hold", user, hold, "settled") is True
    expire(admin)
    assert versions(superuser, user) == [(3, 3)], "the other hold is open"
    value(admin, "memos_admin.release_legal_hold", user, second, "settled, too")
    expire(admin)
    assert versions(superuser, user) == [(0, 0)]
    assert [m for m in partitions(superuser) if m.year < 2015] == []


def test_a_memory_of_a_user_under_hold_is_not_deleted(
    app: Connection, admin: Connection, user: UUID
) -> None:
    memory = add(app, user, "forget this")
    value(admin, "memos_admin.place_legal_hold", user, "a lawsuit")
    assert failure(app, "memos.delete_memory", user, memory).sqlstate == "MO451"
    assert [row[16] for row in rows(app, "memos.memory_history", user, memory)] == ["current"]


def test_a_hold_is_a_record(app: Connection, admin: Connection, user: UUID) -> None:
    first = value(admin, "memos_admin.place_legal_hold", user, "first")
    second = value(admin, "memos_admin.place_legal_hold", user, "second")
    other = value(admin, "memos_admin.place_legal_hold", uuid4(), "of somebody else")
    assert value(admin, "memos_admin.release_legal_hold", user, first, "settled") is True
    assert value(admin, "memos_admin.release_legal_hold", user, first, "again") is False
    assert [r[1] for r in rows(admin, "memos_admin.legal_holds", user)] == [second]
    assert [r[1] for r in rows(admin, "memos_admin.legal_holds")] == [second, other]
    ((_, hold, reason, placed, placed_by, released, released_by, why), _) = rows(
        admin, "memos_admin.legal_holds", user, p_include_released=True
    )
    assert (hold, reason, why) == (first, "first", "settled")
    assert (placed_by, released_by) == ("memos_admin", "memos_admin")
    assert placed < released
    assert failure(admin, "memos_admin.release_legal_hold", user, other, "x").sqlstate == "MO404"
    for arguments in (
        ("place_legal_hold", None, "x"), ("place_legal_hold", user, None),
        ("place_legal_hold", user, " "), ("place_legal_hold", user, "x" * 1001),
        ("release_legal_hold", None, first, "x"), ("release_legal_hold", user, None, "x"),
        ("release_legal_hold", user, second, ""), ("legal_holds", user, None),
    ):  # fmt: skip
        function, *given = arguments
        assert failure(admin, f"memos_admin.{function}", *given).sqlstate == "MO400"
    assert failure(app, "memos_admin.place_legal_hold", user, "x").sqlstate == "42501"


def test_a_hold_waits_for_the_deletion_that_is_under_way(
    database: Database, admin: Connection, user: UUID
) -> None:
    with database.connect("memos_admin", autocommit=False) as expiring:
        value(expiring, "memos_admin.expire_records_batch")
        admin.execute("set lock_timeout = '100ms'")
        error = failure(admin, "memos_admin.place_legal_hold", user, "a lawsuit")
        assert isinstance(error, psycopg.errors.LockNotAvailable)
        expiring.commit()
    value(admin, "memos_admin.place_legal_hold", user, "a lawsuit")
    with database.connect("memos_admin", autocommit=False) as stale:
        stale.execute("set transaction isolation level repeatable read")
        error = failure(stale, "memos_admin.expire_records_batch")
        assert error.sqlstate == "MO409"


# Requests and recorded searches -------------------------------------------------------------------


def test_request_ids_and_recorded_searches_go_at_their_own_age(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    held, at = uuid4(), datetime.now(UTC) - timedelta(hours=1)
    ages = {"request": ("recorded_at", timedelta(days=30)), "search_record": ("searched_at", KEPT)}
    for owner in (user, held):
        for number in range(3):
            add(app, owner, f"memory {number}", p_request_id=f"request {number}")
            rows(app, "memos.search_memories", owner, f"memory {number}", p_record=True)
        for table, (column, age) in ages.items():
            # One that is just due, one that is not yet, one of now.
            superuser.execute(
                f"""
                update memos_private.{table} as t
                set {column} = %s - n.n * interval '1 microsecond'
                from (
                    select ctid, row_number() over (order by {column}) - 1 as n
                    from memos_private.{table} where user_id = %s
                ) as n
                where t.ctid = n.ctid and n.n < 2
                """,
                (at - age, owner),
            )
    value(admin, "memos_admin.place_legal_hold", held, "a lawsuit")

    def left() -> list[tuple[int, ...]]:
        return superuser.execute(
            "select (select count(*) from memos_private.request where user_id = u),"
            " (select count(*) from memos_private.search_record where user_id = u),"
            " (select count(distinct search_id) from memos_private.search_hit where user_id = u)"
            " from unnest(%s::uuid[]) as u",
            ([user, held],),
        ).fetchall()

    assert left() == [(3, 3, 3), (3, 3, 3)]
    admin.execute("call memos_admin.expire_records(%s)", (at,))
    assert left() == [(2, 2, 2), (3, 3, 3)]
    assert value(admin, "memos_admin.expire_records_batch") == 2
    admin.execute("call memos_admin.run_maintenance()")
    assert left() == [(1, 1, 1), (3, 3, 3)]


def test_records_are_deleted_in_batches(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    batch = [{"content": f"m {number}", "request_id": f"r {number}"} for number in range(7)]
    rows(app, "memos.add_memories", user, batch)
    superuser.execute("update memos_private.request set recorded_at = '2020-01-01'")
    done = [value(admin, "memos_admin.expire_records_batch", p_limit=3) for _ in range(4)]
    assert done == [3, 3, 1, 0]
