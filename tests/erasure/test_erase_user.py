"""Of an erased user nothing is left but what proves it; others and the user's next life go on."""

from __future__ import annotations

from uuid import UUID, uuid4

from erasure_support import SECRET, TOKEN, counts, found, holding, live
from memory_support import (
    Connection,
    add,
    assert_index_equals_a_recount,
    failure,
    rows,
    value,
)

KEPT = {"consent", "permission", "legal_hold", "erasure_receipt", "erasure_tombstone"}
#: Says that what was cached before is no longer good; maintenance removes it.
MARK = {"cache_mark": 1}


def erase(app: Connection, user: UUID) -> tuple[UUID, dict[str, int], int]:
    ((receipt, memories, _, total, by_table, tombstones, *_),) = rows(
        app, "memos.erase_user", user, "the user left"
    )
    assert total == sum(by_table.values())
    assert memories == by_table.get("memory", 0) + by_table.get("memory_cold", 0)
    return receipt, by_table, tombstones


def test_nothing_is_left(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    stranger = uuid4()
    live(app, stranger, "Mira keeps a bassoon under her bed.", "bassoon")
    live(app, user)
    before, stays = counts(superuser, user), counts(superuser, stranger)
    receipt, by_table, tombstones = erase(app, user)
    left = counts(superuser, user)
    assert {name: n for name, n in left.items() if name not in KEPT} == MARK
    assert holding(superuser, TOKEN, user) == holding(superuser, "cello", user) == {}
    assert found(admin, receipt) == []
    gone = {name: n for name, n in before.items() if name not in (*KEPT, "user_setting")}
    # What is counted on the way is written on the way, too.
    assert {name for name in gone if by_table.get(name, 0) < gone[name]} <= {"cache_usage"}
    assert tombstones >= 10
    assert counts(superuser, stranger) == stays
    assert_index_equals_a_recount(superuser)
    assert rows(app, "memos.search_memories", user, TOKEN) == []


def test_the_user_may_begin_again_with_something_else(
    app: Connection, admin: Connection, user: UUID
) -> None:
    live(app, user)
    receipt, *_ = erase(app, user)
    for text in (SECRET, "mira sleeps badly since may", "Mira keeps NOTHING"):
        assert failure(app, "memos.add_memory", user, text).sqlstate == "MO451"
    memory = add(app, user, "I am back, and begin anew")
    assert rows(app, "memos.search_memories", user, "begin anew")[0][1] == memory
    assert found(admin, receipt) == []
    second, by_table, _ = erase(app, user)
    assert by_table["memory"] == 1
    assert found(admin, second) == found(admin, receipt) == []


def test_who_has_nothing_gets_a_receipt_too(app: Connection, admin: Connection, user: UUID) -> None:
    receipt, by_table, tombstones = erase(app, user)
    assert (by_table, tombstones) == ({}, 0)
    assert found(admin, receipt) == []


def test_a_no_stays_a_no(app: Connection, superuser: Connection, user: UUID) -> None:
    rows(app, "memos.set_consent", user, "memory_recall", False, "1.0")
    rows(app, "memos.update_settings", user, {"memory_enabled": False, "preferences": {"a": TOKEN}})
    erase(app, user)
    assert failure(app, "memos.add_memory", user, "new").sqlstate == "MO451"
    assert holding(superuser, TOKEN, user) == {}
    rows(app, "memos.update_settings", user, {"memory_enabled": True})
    add(app, user, "new")
    assert failure(app, "memos.search_memories", user, "new").sqlstate == "MO451"


def test_verify_finds_what_came_back(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    memory = live(app, user)
    kept = superuser.execute(
        "select * from memos_private.memory where memory_id = %s", (memory,)
    ).fetchone()
    receipt, *_ = erase(app, user)
    add(app, user, "after it")
    # As a restore of a backup would.
    columns = ", ".join(["%s"] * len(kept))
    adapted = [value_ if not isinstance(value_, dict) else None for value_ in kept]
    adapted[8] = "{}"
    superuser.execute(f"insert into memos_private.memory values ({columns})", adapted)
    names = {(table, how) for table, _, how in found(admin, receipt)}
    assert ("memory", "text") in names
    assert ("memory", "memory") in names
    assert value(app, "memos.erase_user", user, "again")
    assert found(admin, receipt) == []
