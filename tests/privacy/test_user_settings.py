"""The settings of a user, and the limits that follow from them."""

from __future__ import annotations

from uuid import UUID, uuid4

import psycopg
from memory_support import Connection, add, at_once, failure, rows, value
from support.postgres import Database


def test_defaults_and_changes(app: Connection, user: UUID) -> None:
    (row,) = rows(app, "memos.get_settings", user)
    assert row[:7] == (0, True, None, None, "balanced", "refuse", {})
    changes = {"max_memories": 5, "preferences": {"therapy_goals": ["sleep"], "insights": False}}
    assert value(app, "memos.update_settings", user, changes) == 1
    assert value(app, "memos.update_settings", user, {"preferences": {"insights": None}}) == 2
    (row,) = rows(app, "memos.get_settings", user)
    assert row[:7] == (2, True, 5, None, "balanced", "refuse", {"therapy_goals": ["sleep"]})
    assert value(app, "memos.update_settings", user, {"max_memories": None}) == 3
    assert rows(app, "memos.get_settings", user)[0][2] is None


def test_bad_settings(app: Connection, user: UUID) -> None:
    for bad in (
        None,
        [{"max_memories": 5}],
        {"colour": "red"},
        {"memory_enabled": None},
        {"memory_enabled": "perhaps"},
        {"max_memories": 0},
        {"max_memories": 3_000_000_000},
        {"retention_days": 0},
        {"retention_days": 36_501},
        {"default_privacy_level": "secret"},
        {"default_privacy_level": None},
        {"on_identifier": "sell"},
        {"preferences": []},
        {"preferences": None},
        {"preferences": {"x": "y" * 70_000}},
    ):
        assert failure(app, "memos.update_settings", user, bad).sqlstate == "MO400", bad
    assert rows(app, "memos.get_settings", user)[0][0] == 0


def test_switched_off(app: Connection, user: UUID) -> None:
    memory = add(app, user, "likes tea")
    rows(app, "memos.update_settings", user, {"memory_enabled": False})
    for function, arguments in (
        ("memos.add_memory", ("x",)),
        ("memos.update_memory", (memory, {"content": "y"})),
        ("memos.search_memories", ("tea",)),
        ("memos.related_memories", (memory,)),
        ("memos.link_similar", ()),
    ):
        error = failure(app, function, user, *arguments)
        assert error.sqlstate == "MO451"
        assert error.diag.message_detail == "the user has switched memory off"
    assert rows(app, "memos.list_memories", user)
    rows(app, "memos.update_settings", user, {"memory_enabled": True})
    assert rows(app, "memos.search_memories", user, "tea")


def test_the_limit_counts_what_is_new(app: Connection, user: UUID) -> None:
    rows(app, "memos.update_settings", user, {"max_memories": 3})
    first = add(app, user, "one")
    rows(app, "memos.add_memories", user, [{"content": "two"}, {"content": "three"}])
    error = failure(app, "memos.add_memory", user, "four")
    assert (error.sqlstate, error.diag.message_detail) == (
        "MO429",
        "there would be 4, of at most 3",
    )
    assert value(app, "memos.move_to_tier", user, first, "cold")
    assert failure(app, "memos.add_memory", user, "four").sqlstate == "MO429"
    assert add(app, user, "one") == first  # the same content is the same memory
    assert value(app, "memos.update_memory", user, first, {"content": "uno"}) == 2
    assert value(app, "memos.delete_memory", user, first)
    add(app, user, "four")
    assert failure(app, "memos.add_memories", user, [{"content": "five"}]).sqlstate == "MO429"


def test_the_operators_limit_is_the_higher_one(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.set_setting", "max_memories_per_user", "2")
        rows(app, "memos.update_settings", user, {"max_memories": 100})
        rows(app, "memos.add_memories", user, [{"content": "a"}, {"content": "b"}])
        assert failure(app, "memos.add_memory", user, "c").sqlstate == "MO429"
        other = uuid4()
        rows(app, "memos.add_memories", other, [{"content": "a"}, {"content": "b"}])
        assert failure(app, "memos.add_memory", other, "c").sqlstate == "MO429"


def test_writers_at_once_do_not_go_over_the_limit(module_database: Database, user: UUID) -> None:
    with module_database.connect("memos_app") as app:
        rows(app, "memos.update_settings", user, {"max_memories": 20})

    def write(number: int) -> int:
        stored = 0
        with module_database.connect("memos_app") as connection:
            for count in range(10):
                try:
                    add(connection, user, f"{number} {count}")
                    stored += 1
                except psycopg.Error as error:
                    if error.sqlstate != "MO429":
                        raise
        return stored

    assert sum(at_once(4, write)) == 20
    with module_database.connect("memos_app") as app:
        assert len(rows(app, "memos.list_memories", user)) == 20


def age(database: Database, user: UUID, days: int) -> None:
    """Make everything of a user that much older, ids included."""
    with database.connect() as superuser:
        superuser.execute("set session_replication_role = replica")
        for table in ("memory", "posting"):
            superuser.execute(f"alter table memos_private.{table} disable trigger user")
        superuser.execute(
            """
            update memos_private.memory
            set recorded_at = recorded_at - make_interval(days => %s),
                memory_id = memos_private.new_memory_id(recorded_at - make_interval(days => %s))
            where user_id = %s
            """,
            (days, days, user),
        )
        for table in ("memory", "posting"):
            superuser.execute(f"alter table memos_private.{table} enable trigger user")


def test_memories_go_when_their_days_are_over(database: Database, user: UUID) -> None:
    other = uuid4()
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        for someone in (user, other):
            rows(app, "memos.add_memories", someone, [{"content": f"old {n}"} for n in range(130)])
        pinned = add(app, user, "the relapse plan")
        age(database, user, 31)
        age(database, other, 31)
        (pinned,) = [
            r[0] for r in rows(app, "memos.list_memories", user, p_limit=500) if "plan" in r[2]
        ]
        rows(app, "memos.pin_memory", user, pinned)
        fresh = add(app, user, "fresh")
        rows(app, "memos.update_settings", user, {"retention_days": 30})
        hold = value(admin, "memos_admin.place_legal_hold", user, "a lawsuit")
        assert rows(admin, "memos_admin.users_to_expire") == []
        assert value(admin, "memos_admin.expire_memories_batch", user) == 0
        assert value(admin, "memos_admin.release_legal_hold", user, hold, "settled")
        assert rows(admin, "memos_admin.users_to_expire") == [(user,)]
        assert value(admin, "memos_admin.expire_memories_batch", user, 100) == 100
        admin.execute("call memos_admin.expire_memories()")
        left = rows(app, "memos.list_memories", user)
        assert {row[0] for row in left} == {pinned, fresh}
        assert len(rows(app, "memos.list_memories", other, p_limit=500)) == 130
        gone = (
            app.execute("select set_config('memos.user_id', %s, false)", (str(user),))
            and app.execute("select distinct change, reason from memos.memory_version").fetchall()
        )
        assert set(gone) == {("current", None), ("delete", "retention")}
        assert rows(admin, "memos_admin.users_to_expire") == []
        for arguments in ((None,), (user, 0), (user, None)):
            assert (
                failure(admin, "memos_admin.expire_memories_batch", *arguments).sqlstate == "MO400"
            )


def test_the_operator_keeps_some_levels_shorter(database: Database, user: UUID) -> None:
    keeps_ten_days, other = uuid4(), uuid4()
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        for someone in (user, keeps_ten_days, other):
            for level in ("balanced", "restricted"):
                add(app, someone, f"of level {level}", p_privacy_level=level)
            age(database, someone, 20)
        rows(app, "memos.update_settings", keeps_ten_days, {"retention_days": 10})
        assert rows(admin, "memos_admin.users_to_expire") == [(keeps_ten_days,)]
        rows(admin, "memos_admin.set_setting", "restricted_retention_days", "15")
        add(app, user, "fresh", p_privacy_level="restricted")
        hold = value(admin, "memos_admin.place_legal_hold", other, "a lawsuit")
        assert {r[0] for r in rows(admin, "memos_admin.users_to_expire")} == {user, keeps_ten_days}
        admin.execute("call memos_admin.expire_memories()")

        def left(someone: UUID) -> set[str]:
            return {row[2] for row in rows(app, "memos.list_memories", someone)}

        assert left(user) == {"of level balanced", "fresh"}
        assert left(keeps_ten_days) == set()
        assert left(other) == {"of level balanced", "of level restricted"}
        rows(admin, "memos_admin.release_legal_hold", other, hold, "settled")
        admin.execute("call memos_admin.expire_memories()")
        assert left(other) == {"of level balanced"}
        assert rows(admin, "memos_admin.users_to_expire") == []
