"""Uses: recorded without waiting for anybody, counted once each, whatever happens meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import Connection, add, at_once, failure, row_counts, rows, value
from memos_pg.migrate import migrate
from support.postgres import Database, Server
from usage_support import NOW, ago, counted, run, use

FOLD = "memos_admin.fold_access_batch"


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


def several(app: Connection, user: UUID, count: int) -> list[UUID]:
    return [add(app, user, f"memory {number} of {uuid4()}") for number in range(count)]


def usage(app: Connection, user: UUID) -> list[tuple[Any, ...]]:
    """Memory and uses, most used first."""
    return [row[:2] for row in rows(app, "memos.memory_usage", user)]


def test_uses_are_there_at_once_and_counted_by_the_job(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    a, b, c = several(app, user, 3)
    use(app, user, [a, b], ago(days=3))
    use(app, user, [b, b, b], ago(days=1), ago(days=1, minutes=5))
    before = rows(app, "memos.memory_usage", user)
    assert [row[:3] for row in before] == [(b, 3, ago(days=1)), (a, 1, ago(days=3))]
    assert counted(superuser, user) == {}
    assert value(admin, FOLD, user) == 4
    assert value(admin, FOLD, user) == 0
    after = rows(app, "memos.memory_usage", user)
    assert [row[:3] for row in after] == [row[:3] for row in before]
    found = counted(superuser, user)
    assert {memory: row[:2] for memory, row in found.items()} == {
        a: (1, [ago(days=3)]),
        b: (3, [ago(days=3), ago(days=1)]),
    }
    assert c not in found


def test_of_many_days_the_latest_hundred_are_kept_and_all_counted(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    (memory,) = several(app, user, 1)
    for part in (range(100, 150), range(50), range(50, 100)):
        use(app, user, memory, *(ago(days=day) for day in part))
        value(admin, FOLD, user)
    uses, used_at, last, stability = counted(superuser, user)[memory]
    assert uses == 150
    assert used_at == [ago(days=day) for day in reversed(range(100))]
    assert last == NOW
    assert stability > 100


def test_a_recorded_search_counts_its_rows_and_a_plain_one_nothing(
    app: Connection, user: UUID, superuser: Connection
) -> None:
    ids = {add(app, user, f"The kiwi is a bird, it says in volume {n}") for n in range(3)}
    search = "memos.search_memories"
    before = row_counts(superuser)
    rows(app, search, user, "kiwi bird", p_explain=True)
    rows(app, "memos.get_memory", user, next(iter(ids)))
    rows(app, "memos.memory_usage", user)
    rows(app, "memos.hot_memories", user)
    assert row_counts(superuser) == before
    found = rows(app, search, user, "kiwi bird", p_limit=2, p_record=True)
    assert {memory for memory, uses in usage(app, user) if uses == 1} == {row[1] for row in found}
    assert rows(app, "memos.replay_search", user, found[0][12])
    assert sum(uses for _, uses in usage(app, user)) == 2


def test_nothing_that_reads_needs_to_write(module_database: Database, user: UUID) -> None:
    with module_database.connect("memos_app") as app:
        (memory,) = several(app, user, 1)
        use(app, user, memory)
        value(app, "memos.pin_memory", user, memory)
        app.execute("set default_transaction_read_only = on")
        assert value(app, "memos.memory_retention", user, memory) == 1
        assert len(rows(app, "memos.memory_usage", user)) == 1
        assert len(rows(app, "memos.hot_memories", user, 100)) == 1
        assert len(rows(app, "memos.search_memories", user, "memory")) == 1
        assert failure(app, "memos.record_access", user, [memory]).sqlstate == "25006"


def test_what_is_deleted_or_not_theirs_is_passed_over(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    other = uuid4()
    gone, later, kept = several(app, user, 3)
    (theirs,) = several(app, other, 1)
    value(app, "memos.delete_memory", user, gone)
    ids = [gone, later, kept, theirs, uuid4(), kept]
    assert value(app, "memos.record_access", user, ids) == 2
    assert value(app, "memos.record_access", user, []) == 0
    value(app, "memos.delete_memory", user, later)
    assert value(admin, FOLD, user) == 2
    assert counted(superuser, user).keys() == {kept}
    assert usage(app, user) == [(kept, 1)]
    value(app, "memos.delete_memory", user, kept)
    assert counted(superuser, user) == {}
    assert usage(app, other) == []


def test_a_transaction_that_commits_late_is_counted_late(
    module_database: Database, app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    one, other = several(app, user, 2)
    moments = [ago(days=60), ago(days=30), ago(days=1)]
    with module_database.connect("memos_app", autocommit=False) as session:
        rows(session, "memos.record_access", user, [one], moments[0])
        use(app, user, one, *moments[1:])
        run(admin, user)
        assert counted(superuser, user)[one][0] == 2
        session.commit()
    use(app, user, other, *moments)
    run(admin, user)
    found = counted(superuser, user)
    assert found[one][:3] == found[other][:3] == (3, moments, moments[-1])
    days = superuser.execute(
        "select array_agg(memos_private.stability_from_uses(30, %s, used_at))"
        " from memos_private.memory_usage where user_id = %s",
        (ago(days=60), user),
    ).fetchone()[0]
    assert days[0] == days[1] == pytest.approx(found[one][3]) == pytest.approx(found[other][3])


def test_two_jobs_and_many_recorders_at_once_count_each_use_once(
    module_database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    ids = several(app, user, 12)
    done = threading.Event()
    running = threading.Semaphore(0)

    def work(number: int) -> int:
        if number < 2:
            with module_database.connect("memos_admin") as session:
                while not done.is_set():
                    session.execute("call memos_admin.assign_tiers(%s, 3)", (user,))
            return 0
        try:
            with module_database.connect("memos_app") as session:
                for turn in range(40):
                    order = ids if (number + turn) % 2 else ids[::-1]
                    use(session, user, order, NOW - timedelta(hours=turn))
                    change = {"importance": (turn % 10) / 10}
                    with session.transaction():
                        for memory in (order[0], order[number]):
                            value(session, "memos.update_memory", user, memory, change)
        except psycopg.errors.DeadlockDetected:
            return -1  # two writers of the same memories in different orders, without any job
        finally:
            running.release()
            if number == 4:
                running.acquire(timeout=30), running.acquire(timeout=30)
                done.set()
        return 40

    recorded = sum(at_once(5, work)[2:])
    assert recorded == 120
    assert {uses for _, uses in usage(app, user)} == {120}
    with module_database.connect("memos_admin") as admin:
        run(admin, user)
    found = counted(superuser, user)
    assert {row[0] for row in found.values()} == {120}
    for memory, (_, used_at, _, stability) in found.items():
        derived = superuser.execute(
            "select memos_private.stability_from_uses("
            "memos_private.initial_stability(t.kind, t.importance), t.anchor, %s)"
            " from memos_private.memory_traits as t where t.memory_id = %s",
            (used_at, memory),
        ).fetchone()[0]
        assert stability == derived


def test_recording_waits_for_nobody_and_the_job_neither(
    module_database: Database, app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    held, free = several(app, user, 2)
    use(app, user, [held, free])
    run(admin, user)
    for session in (app, admin):
        session.execute("set lock_timeout = '2s'")
    with module_database.connect("memos_app", autocommit=False) as session:
        change = {"content": f"other: {uuid4()}", "kind": "crisis"}
        value(session, "memos.update_memory", user, held, change)
        use(app, user, [held, free])
        run(admin, user)
        assert {m: row[0] for m, row in counted(superuser, user).items()} == {held: 1, free: 2}
        session.rollback()
    run(admin, user)
    assert {m: row[0] for m, row in counted(superuser, user).items()} == {held: 2, free: 2}


def test_a_kill_in_the_middle_loses_no_use_and_counts_none_twice(server: Server) -> None:
    database = server.create_database()
    migrate(database.dsn)
    user = uuid4()
    with database.connect("memos_app") as app:
        ids = several(app, user, 5)
        use(app, user, ids, ago(days=2), ago(days=1))
        value(app, "memos.pin_memory", user, ids[0])
        assert [row[1] for row in rows(app, "memos.hot_memories", user)] == [ids[0]]
    with database.connect("memos_admin") as admin:
        run(admin, user)
    with database.connect("memos_app") as app:
        use(app, user, ids)
    # In the middle of the job: counted, and not committed.
    with database.connect("memos_admin", autocommit=False) as admin:
        assert value(admin, FOLD, user) == 5
        server.crash()
        with pytest.raises(psycopg.OperationalError):
            admin.execute("select 1")
    server.start()
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        assert {uses for _, uses in usage(app, user)} == {3}
        with database.connect() as superuser:
            left = "select count(*) from memos_private.hot_memory"
            assert superuser.execute(left).fetchone()[0] == 0, "the set is gone"
            assert [row[1] for row in rows(app, "memos.hot_memories", user)] == [ids[0]]
            run(admin)
            assert {row[0] for row in counted(superuser, user).values()} == {3}
            assert superuser.execute(left).fetchone()[0] == 5
        assert {row[1] for row in rows(app, "memos.hot_memories", user)} == set(ids)
        run(admin)
        assert {uses for _, uses in usage(app, user)} == {3}


BAD = [
    "memos.record_access(null, array[%(memory)s])",
    *(
        f"memos.record_access(%(user)s, {arguments})"
        for arguments in (
            "null", "array[null::uuid]", "array[%(memory)s, null]",
            "array_fill(%(memory)s::uuid, array[10001])", "array[%(memory)s], null",
            "array[%(memory)s], 'infinity'", "array[%(memory)s], '-infinity'",
            "array[%(memory)s], '1969-12-31'", "array[%(memory)s], now() + interval '25 hours'",
        )
    ),
    "memos_admin.fold_access_batch(null)",
    *(f"memos_admin.fold_access_batch(%(user)s, {limit})" for limit in ("null", "0", "10001")),
]  # fmt: skip


@pytest.mark.parametrize("call", BAD)
def test_a_bad_argument_is_refused_and_nothing_written(
    app: Connection, admin: Connection, superuser: Connection, user: UUID, call: str
) -> None:
    (memory,) = several(app, user, 1)
    role = admin if call.startswith("memos_admin.") else app
    before = row_counts(superuser)
    with pytest.raises(psycopg.Error) as caught:
        role.execute(f"select * from {call}", {"user": user, "memory": memory})
    assert caught.value.sqlstate == "MO400"
    assert caught.value.diag.message_detail
    assert caught.value.diag.message_hint
    assert row_counts(superuser) == before


def test_a_signed_context_records_for_its_own_user_only(
    module_database: Database, app: Connection, user: UUID
) -> None:
    (memory,) = several(app, user, 1)
    with module_database.connect("memos_user") as session:
        assert failure(session, "memos.record_access", user, [memory]).sqlstate == "MO001"
        session.execute("select memos.use_context(%s, false)", (module_database.token(user),))
        assert value(session, "memos.record_access", user, [memory]) == 1
        assert failure(session, "memos.record_access", uuid4(), [memory]).sqlstate == "MO403"
