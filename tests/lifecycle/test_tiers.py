"""Which tier a memory is in: by its use, by its idleness, and not by who looks at it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import Connection, add, at_once, failure, rows, value
from support.postgres import Database
from usage_support import NOW, ago, hot, run, tiers, use

SETTINGS = {
    "hot_max_memories": "100",
    "cold_idle_days": "180",
    "cold_max_retention": "0.5",
    "warm_max_memories": "1000000",
}


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


@pytest.fixture
def defaults(admin: Connection) -> Iterator[None]:
    yield
    for name, setting in SETTINGS.items():
        rows(admin, "memos_admin.set_setting", name, setting)


def several(app: Connection, user: UUID, count: int, **named: str) -> list[UUID]:
    return [add(app, user, f"memory {number} of {uuid4()}", **named) for number in range(count)]


def pass_time(superuser: Connection, user: UUID, period: str) -> None:
    """Move everything that is known of a user back by a period."""
    arguments = {"user": user, "period": period}
    for statement in (
        "update memos_private.memory_usage set last_used_at = last_used_at - %(period)s::interval,"
        " used_at = array(select t - %(period)s::interval from unnest(used_at) as t)",
        "update memos_private.tier_schedule set hot_due_at = hot_due_at - %(period)s::interval,"
        " cold_due_at = cold_due_at - %(period)s::interval",
        "update memos_private.memory set recorded_at = recorded_at - %(period)s::interval,"
        " occurred_at = coalesce(occurred_at, recorded_at) - %(period)s::interval",
    ):
        superuser.execute(f"{statement} where user_id = %(user)s", arguments)


def due(admin: Connection, user: UUID) -> bool:
    return (user,) in rows(admin, "memos_admin.users_to_tier")


def test_three_uses_make_it_hot_and_a_day_without_use_warm_again(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    a, b, c = several(app, user, 3)
    use(app, user, a, ago(days=9), ago(days=4), ago(hours=1))
    use(app, user, b, ago(days=9), ago(days=4), ago(hours=25))
    use(app, user, c, ago(hours=2), ago(hours=1))
    run(admin, user)
    assert tiers(app, user, [a, b, c]) == ["hot", "warm", "warm"]
    assert not due(admin, user), "a second run has nothing to do"

    pass_time(superuser, user, "22 hours")
    assert not due(admin, user)
    run(admin, user)
    assert tiers(app, user, [a, b, c]) == ["hot", "warm", "warm"]
    assert hot(app, user) == [a], "reading it is no use"
    rows(app, "memos.search_memories", user, "memory")
    pass_time(superuser, user, "1 hour")
    assert due(admin, user)
    run(admin, user)
    assert tiers(app, user, [a, b, c]) == ["warm"] * 3
    assert not due(admin, user)

    use(app, user, a)
    run(admin, user)
    assert tiers(app, user, [a]) == ["hot"]


def test_the_most_used_have_the_places(
    app: Connection, admin: Connection, superuser: Connection, user: UUID, defaults: None
) -> None:
    ids = several(app, user, 4)
    for number, memory in enumerate(ids):
        use(app, user, memory, *[NOW] * (number + 3))
    rows(admin, "memos_admin.set_setting", "hot_max_memories", "2")
    run(admin, user)
    assert hot(app, user) == [ids[3], ids[2]]
    use(app, user, ids[0], *[NOW] * 9)
    run(admin, user)
    assert hot(app, user) == [ids[3], ids[2]], "nobody is pushed out within the day"


def test_what_is_long_idle_and_hardly_retained_becomes_cold(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    idle, pinned, important, used, young = ids = [
        *several(app, user, 2, p_kind="conversational"),
        *several(app, user, 1, p_kind="crisis"),
        *several(app, user, 2, p_kind="conversational"),
    ]
    value(app, "memos.pin_memory", user, pinned)
    use(app, user, [used])
    run(admin, user)
    pass_time(superuser, user, "179 days")
    run(admin, user)
    assert tiers(app, user, ids) == ["warm"] * 5
    pass_time(superuser, user, "1 day")
    use(app, user, [used])
    superuser.execute(
        "update memos_private.memory set recorded_at = now() where memory_id = %s", (young,)
    )
    assert due(admin, user)
    run(admin, user)
    assert tiers(app, user, ids) == ["cold", "warm", "warm", "warm", "warm"]
    assert not due(admin, user)
    assert idle not in [row[1] for row in rows(app, "memos.search_memories", user, "memory")]
    everywhere = rows(app, "memos.search_memories", user, "memory", p_include_cold=True)
    assert {row[1] for row in everywhere} == set(ids)
    assert important


@pytest.mark.parametrize("why", ["idle", "excess"])
def test_facts_stay_and_take_no_place_of_what_can_go(
    app: Connection, admin: Connection, superuser: Connection, user: UUID, defaults: None, why: str
) -> None:
    for number in range(3):
        rows(app, "memos.assert_fact", user, f"entity {number}", "colour", "red", p_importance=0.0)
    idle = several(app, user, 3)
    use(app, user, idle)
    run(admin, user)
    pass_time(superuser, user, "9000 days" if why == "idle" else "1 day")
    if why == "excess":
        rows(admin, "memos_admin.set_setting", "warm_max_memories", "3")
    admin.execute("call memos_admin.assign_tiers(%s, 3)", (user,))
    assert tiers(app, user, idle) == ["cold"] * 3


def test_where_no_use_is_recorded_nothing_becomes_cold(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    ids = several(app, user, 3, p_kind="conversational")
    pass_time(superuser, user, "4000 days")
    run(admin, user)
    assert tiers(app, user, ids) == ["warm"] * 3
    use(app, user, ids[0])
    run(admin, user)
    assert tiers(app, user, ids) == ["warm"] * 3, "nobody knows yet what is not used"


def test_a_cold_memory_that_is_used_comes_back(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    a, b = several(app, user, 2)
    use(app, user, [a, b], ago(days=1))
    run(admin, user)
    for memory in (a, b):
        assert value(app, "memos.move_to_tier", user, memory, "cold") is True
    run(admin, user)
    assert tiers(app, user, [a, b]) == ["cold", "cold"]
    later = NOW + timedelta(days=3)
    retained = [value(app, "memos.memory_retention", user, memory, later) for memory in (a, b)]
    assert all(0.9 < r < 1 for r in retained)
    use(app, user, a)
    run(admin, user)
    assert tiers(app, user, [a, b]) == ["warm", "cold"]
    assert [row[1] for row in rows(app, "memos.memory_usage", user)] == [2, 1]
    value(app, "memos.delete_memory", user, b)
    assert len(rows(app, "memos.memory_usage", user)) == 1


def test_what_a_caller_makes_hot_stays_so_for_a_day(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    (memory,) = several(app, user, 1)
    assert value(app, "memos.move_to_tier", user, memory, "hot") is True
    assert hot(app, user) == [memory]
    run(admin, user)
    assert tiers(app, user, [memory]) == ["hot"]
    pass_time(superuser, user, "24 hours")
    run(admin, user)
    assert tiers(app, user, [memory]) == ["warm"]
    assert hot(app, user) == []


def test_of_too_many_the_least_retained_become_cold(
    app: Connection, admin: Connection, superuser: Connection, user: UUID, defaults: None
) -> None:
    ids = [
        add(app, user, f"memory {n} of {uuid4()}", p_occurred_at=ago(days=n * 30)) for n in range(8)
    ]
    value(app, "memos.pin_memory", user, ids[7])
    use(app, user, ids[6], ago(hours=30))
    rows(admin, "memos_admin.set_setting", "warm_max_memories", "5")
    assert due(admin, user)
    run(admin, user)
    assert tiers(app, user, ids) == [*["warm"] * 3, *["cold"] * 3, *["warm"] * 2]
    assert not due(admin, user)
    run(admin)
    assert tiers(app, user, ids).count("cold") == 3


def test_maintenance_serves_all_users_in_small_transactions(
    app: Connection, admin: Connection, superuser: Connection
) -> None:
    users = [uuid4() for _ in range(3)]
    ids = {owner: several(app, owner, 7) for owner in users}
    for owner in users:
        use(app, owner, ids[owner], *[NOW] * 3)
    admin.execute("call memos_admin.assign_tiers(%s, 2)", (users[0],))
    assert tiers(app, users[0], ids[users[0]]) == ["hot"] * 7
    assert tiers(app, users[1], ids[users[1]]) == ["warm"] * 7
    admin.execute("call memos_admin.run_maintenance()")
    for owner in users:
        assert tiers(app, owner, ids[owner]) == ["hot"] * 7
        assert not due(admin, owner)
    assert rows(admin, "memos_admin.users_to_fold_access") == []


def test_two_jobs_and_writers_at_once_end_where_they_should(
    module_database: Database, app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    ids = several(app, user, 20)
    for memory in ids[5:15]:
        value(app, "memos.move_to_tier", user, memory, "cold")
        use(app, user, memory)
    done = threading.Event()

    def work(number: int) -> None:
        try:
            if number < 2:
                with module_database.connect("memos_admin") as session:
                    while not done.is_set():
                        session.execute("call memos_admin.assign_tiers(%s, 2)", (user,))
                return
            with module_database.connect("memos_app") as session:
                for turn in range(3):
                    for memory in ids[(number - 2) * 10 : (number - 1) * 10]:
                        with session.transaction():
                            value(session, "memos.pin_memory", user, memory, turn % 2 == 0)
                            use(session, user, memory)
                            change = {"content": f"turn {turn} of {memory}"}
                            value(session, "memos.update_memory", user, memory, change)
                for memory in ids[(number - 2) * 10 : (number - 2) * 10 + 3]:
                    value(session, "memos.delete_memory", user, memory)
        finally:
            if number >= 2:
                done.set()

    at_once(4, work)
    run(admin, user)
    run(admin, user)
    kept = ids[3:10] + ids[13:]
    assert tiers(app, user, kept) == ["hot"] * 14
    assert set(hot(app, user)) == set(kept)
    found = superuser.execute(
        "select memory_id from memos_private.hot_memory where user_id = %s", (user,)
    )
    assert {row[0] for row in found} == set(kept)


def test_the_job_waits_for_nobody_and_comes_back(
    module_database: Database, app: Connection, admin: Connection, user: UUID
) -> None:
    held, free = several(app, user, 2)
    use(app, user, [held, free], *[NOW] * 3)
    admin.execute("set lock_timeout = '2s'")
    with module_database.connect("memos_app", autocommit=False) as session:
        value(session, "memos.update_memory", user, held, {"content": f"other: {uuid4()}"})
        run(admin, user)
        assert tiers(app, user, [held, free]) == ["warm", "hot"]
        session.rollback()
    assert due(admin, user)
    run(admin, user)
    assert tiers(app, user, [held, free]) == ["hot", "hot"]


@pytest.mark.parametrize(
    "arguments", ["null", "%(user)s, null", "%(user)s, 0", "%(user)s, -1", "%(user)s, 10001"]
)
def test_a_bad_argument_is_refused(admin: Connection, user: UUID, arguments: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        admin.execute(f"select memos_admin.assign_tiers_batch({arguments})", {"user": user})
    assert caught.value.sqlstate == "MO400"


@pytest.mark.parametrize(
    ("name", "setting"),
    [("cold_max_retention", "1.5"), ("hot_uses", "0"), ("hot_idle_hours", "1.5")],
)
def test_a_bad_setting_is_refused(admin: Connection, name: str, setting: str) -> None:
    assert failure(admin, "memos_admin.set_setting", name, setting).sqlstate == "MO400"
