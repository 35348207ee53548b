"""A change to a memory takes the cached results that used it along: in its transaction, whoever is
filling at the time, and whichever process has a copy."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import Connection, add, at_once, rows, value
from psycopg.types.json import Jsonb
from support.postgres import Database

from tests.benchmarks.stale_reads import hammer

PUT, GET, LEASE = "memos.cache_put", "memos.cache_get", "memos.cache_lease"


def get(connection: Connection, user: UUID | None, key: str) -> Any:
    ((held, _, _),) = rows(connection, GET, user, "query", key)
    return held


def put(connection: Connection, user: UUID, key: str, held: Any, **how: Any) -> bool:
    return value(connection, PUT, user, "query", key, Jsonb(held), **how)


def lease(connection: Connection, user: UUID, key: str, length: str = "30 seconds") -> UUID | None:
    return rows(connection, LEASE, user, "query", key, length)[0][7]


@pytest.fixture
def other(module_database: Database) -> Any:
    """Another worker."""
    with module_database.connect("memos_app") as connection:
        yield connection


CHANGES = {
    "update": 'select memos.update_memory(%s, %s, \'{"content": "new"}\')',
    "delete": "select memos.delete_memory(%s, %s)",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_invalidates_in_its_transaction(
    app: Connection, other: Connection, user: UUID, change: str
) -> None:
    memory, apart = add(app, user, "old"), add(app, user, "apart")
    put(app, user, "uses both", 1, p_tags=[str(memory), str(apart)])
    put(app, user, "uses another", 2, p_tags=[str(apart)])
    put(app, user, "uses none", 3)
    stranger = uuid4()
    put(app, stranger, "somebody else's", 4, p_tags=[str(memory)])
    with app.transaction():
        app.execute(CHANGES[change], (user, memory))
        assert get(app, user, "uses both") is None
        assert get(other, user, "uses both") == 1, "not committed yet"
    assert get(other, user, "uses both") is None
    assert get(other, user, "uses another") == 2
    assert get(other, user, "uses none") == 3
    assert get(other, stranger, "somebody else's") == 4


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_rolled_back_invalidates_nothing(
    app: Connection, other: Connection, user: UUID, change: str
) -> None:
    memory = add(app, user, "old")
    put(app, user, "key", 1, p_tags=[str(memory)])
    with app.transaction() as transaction:
        app.execute(CHANGES[change], (user, memory))
        raise psycopg.Rollback(transaction)
    assert get(app, user, "key") == get(other, user, "key") == 1


def test_pins_tiers_and_new_memories_are_no_change(
    module_database: Database, app: Connection, user: UUID
) -> None:
    memory = add(app, user, "old")
    put(app, user, "key", 1, p_tags=[str(memory)])
    app.execute("select memos.pin_memory(%s, %s)", (user, memory))
    with module_database.connect() as superuser:
        superuser.execute(
            "update memos_private.memory set tier = 'hot' where memory_id = %s", (memory,)
        )
    add(app, user, "another")
    app.execute('select memos.update_memory(%s, %s, \'{"content": "old"}\')', (user, memory))
    assert get(app, user, "key") == 1


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_a_result_put_while_the_change_was_not_committed_is_not_served(
    app: Connection, other: Connection, user: UUID, isolation: str
) -> None:
    """The change does not see the entry, the entry was made from what was before the change."""
    memory = add(app, user, "old")
    with app.transaction():
        app.execute(f"set transaction isolation level {isolation}")
        app.execute('select memos.update_memory(%s, %s, \'{"content": "new"}\')', (user, memory))
        assert put(other, user, "key", "old", p_tags=[str(memory)]) is True
        assert get(other, user, "key") == "old"
    assert get(other, user, "key") is None
    assert put(other, user, "key", "new", p_tags=[str(memory)]) is True
    assert get(app, user, "key") == "new"


def test_a_result_put_after_the_change_in_its_transaction_is_served(
    app: Connection, other: Connection, user: UUID
) -> None:
    memory = add(app, user, "old")
    with app.transaction():
        app.execute('select memos.update_memory(%s, %s, \'{"content": "new"}\')', (user, memory))
        put(app, user, "key", "new", p_tags=[str(memory)])
        assert get(app, user, "key") == "new"
    assert get(other, user, "key") == "new"


def test_a_filling_that_began_before_the_change_is_not_stored(
    app: Connection, other: Connection, user: UUID
) -> None:
    memory = add(app, user, "old")
    held = lease(other, user, "key")
    app.execute('select memos.update_memory(%s, %s, \'{"content": "new"}\')', (user, memory))
    assert put(other, user, "key", "old", p_lease=held, p_tags=[str(memory)]) is False
    assert get(app, user, "key") is None


@pytest.mark.parametrize(
    "what",
    [
        {"p_namespace": "query", "p_key": "the key"}, {"p_namespace": "query"}, {},
        {"p_namespace": "query", "p_prefix": "the"}, {"p_tag": "t"},
        {"p_namespace": "query", "p_tag": "t"},
    ],
)  # fmt: skip
def test_so_does_every_other_invalidation(
    app: Connection, other: Connection, user: UUID, what: dict[str, Any]
) -> None:
    held = lease(other, user, "the key")
    value(app, "memos.cache_invalidate", user, **what)
    assert put(other, user, "the key", 1, p_lease=held, p_tags=["t"]) is False
    held = lease(other, user, "the key")
    with app.transaction():
        value(app, "memos.cache_invalidate", user, **what)
        assert put(other, user, "the key", 2, p_lease=held, p_tags=["t"]) is True
    assert get(other, user, "the key") is None
    held = lease(other, user, "the key")
    value(app, "memos.cache_invalidate", user, p_namespace="query", p_prefix="another")
    value(app, "memos.cache_invalidate", user, p_namespace="content", p_tag="t")
    assert put(other, user, "the key", 3, p_lease=held, p_tags=["t"]) is True
    assert get(app, user, "the key") == 3


def test_a_change_does_not_wait_for_an_open_filling(
    app: Connection, other: Connection, user: UUID
) -> None:
    memory = add(app, user, "old")
    put(app, user, "key", 1, p_tags=[str(memory)])
    app.execute("set statement_timeout = '5s'")
    with other.transaction():
        put(other, user, "key", 2, p_tags=[str(memory)])
        app.execute('select memos.update_memory(%s, %s, \'{"content": "new"}\')', (user, memory))
    app.execute("reset statement_timeout")
    assert get(app, user, "key") is None


def test_marks_go_when_nothing_can_need_them(
    module_database: Database, app: Connection, other: Connection, user: UUID
) -> None:
    memory = add(app, user, "old")
    with app.transaction():
        app.execute("select memos.delete_memory(%s, %s)", (user, memory))
        put(other, user, "key", "old", p_tags=[str(memory)])
    with module_database.connect() as superuser:
        marks = "select count(*) from memos_private.cache_mark where user_id = %s"
        tidy = "select memos_admin.tidy_cache()"
        superuser.execute(tidy)
        assert superuser.execute(marks, (user,)).fetchone() == (1,)
        superuser.execute(
            "update memos_private.cache_mark set noticed_at = noticed_at - interval '1 hour'"
        )
        assert get(app, user, "key") is None
        superuser.execute(tidy)
        assert superuser.execute(marks, (user,)).fetchone() == (0,)
    assert get(app, user, "key") is None, "the entry goes with the mark that outlawed it"


def test_one_filler_at_a_time(module_database: Database, user: UUID) -> None:
    fills = []

    def work(number: int) -> Any:
        with module_database.connect("memos_app") as connection:
            while True:
                row = rows(connection, LEASE, user, "query", "stampede")[0]
                if row[1]:
                    return row[0]
                if row[7] is not None:
                    fills.append(number)
                    time.sleep(0.1)
                    put(connection, user, "stampede", "filled", p_lease=row[7])
                time.sleep(0.005)

    assert at_once(8, work) == ["filled"] * 8
    assert len(fills) == 1


def test_a_dead_fillers_lease_ends_and_its_late_value_is_refused(
    app: Connection, other: Connection, user: UUID
) -> None:
    dead = lease(app, user, "key", "1 second")
    assert dead is not None
    assert lease(other, user, "key") is None
    time.sleep(1.01)
    taken = lease(other, user, "key")
    assert taken is not None
    assert put(app, user, "key", "late", p_lease=dead) is False
    assert put(other, user, "key", "good", p_lease=taken) is True
    assert get(app, user, "key") == "good"


def test_who_gives_up_lets_the_next_one_try(app: Connection, other: Connection, user: UUID) -> None:
    held = lease(app, user, "key")
    assert value(other, "memos.cache_release", user, "query", "key", uuid4()) is False
    assert lease(other, user, "key") is None
    assert value(app, "memos.cache_release", user, "query", "key", held) is True
    assert lease(other, user, "key") is not None


def test_the_stale_value_is_there_for_who_wants_it(
    app: Connection, other: Connection, user: UUID
) -> None:
    put(app, user, "key", "old", p_ttl="1 millisecond")
    time.sleep(0.01)
    assert get(app, user, "key") is None
    filler, waiter = (rows(c, LEASE, user, "query", "key")[0] for c in (app, other))
    assert (filler[1], filler[8], waiter[1], waiter[8]) == (False, "old", False, "old")
    assert filler[7] is not None
    assert waiter[7] is None
    value(app, "memos.cache_invalidate", user, "query", "key")
    assert rows(other, LEASE, user, "query", "key")[0][8] is None, "invalidated is not stale"


def test_notifications_come_with_the_commit_and_tell_nothing(
    module_database: Database, app: Connection, user: UUID
) -> None:
    memory = add(app, user, "secret content")
    put(app, user, "secret key", "secret value", p_tags=[str(memory)])
    ident = rows(app, LEASE, user, "query", "secret key")[0][5]
    heard: list[str] = []

    def listen(seconds: float = 0.3) -> list[str]:
        heard.clear()
        heard.extend(n.payload for n in listener.notifies(timeout=seconds))
        return heard

    with module_database.connect("memos_app") as listener:
        listener.execute("listen memos_cache")
        with app.transaction():
            for content in ("new", "newer"):
                app.execute(
                    "select memos.update_memory(%s, %s, %s)",
                    (user, memory, Jsonb({"content": content})),
                )
            assert listen() == []
        assert listen() == [f"entry {ident}"]
        put(app, user, "other key", 1)
        add(app, user, "a new memory")
        app.execute('select memos.update_memory(%s, %s, \'{"kind": "fact"}\')', (user, memory))
        assert listen() == [], "what nobody has a copy of is not told"
        put(app, user, "other key", 2)
        assert listen() == [], "cache_get takes no copy"
        get(app, user, "other key")
        lease(app, user, "other key")
        put(app, user, "other key", 3)
        put(app, user, "other key", 4)
        value(app, "memos.cache_invalidate", user, "query")
        assert [payload.split()[0] for payload in listen()] == ["entry", "owner"]
        assert not [p for p in heard if "secret" in p or "query" in p or str(user) in p]


def test_the_copy_of_an_evicted_entry_is_told(
    module_database: Database, app: Connection, user: UUID
) -> None:
    name = f"one_{user.hex[:8]}"
    with module_database.connect("memos_admin") as admin:
        admin.execute(
            "select memos_admin.set_cache_namespace(%s, %s)", (name, Jsonb({"max_entries": 1}))
        )
    value(app, PUT, user, name, "evicted", Jsonb(1))
    ident = rows(app, LEASE, user, name, "evicted")[0][5]
    with module_database.connect("memos_app") as listener:
        listener.execute("listen memos_cache")
        value(app, PUT, user, name, "newer", Jsonb(1))
        heard = [n.payload for n in listener.notifies(timeout=5, stop_after=1)]
    assert heard == [f"entry {ident}"]


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_the_books_of_the_cache_fail_no_transaction(
    app: Connection, other: Connection, user: UUID, isolation: str
) -> None:
    """Others have written the same counters, usage and entries since the snapshot was taken."""
    memory = add(app, user, "old")
    for key in ("here", "there"):
        put(app, user, key, 1)
    put(app, user, "tagged", 1, p_tags=[str(memory)])
    with app.transaction():
        app.execute(f"set transaction isolation level {isolation}")
        app.execute("select 1 from memos.cache_stats(%s)", (user,))
        assert get(other, user, "here") == 1
        assert get(other, user, "missing") is None
        put(other, user, "new", 1)
        assert get(app, user, "here") == 1
        assert get(other, user, "tagged") == 1
        app.execute('select memos.update_memory(%s, %s, \'{"content": "new"}\')', (user, memory))
        assert get(app, user, "tagged") is None
        assert get(app, user, "missing") is None
        assert rows(app, LEASE, user, "query", "here")[0][4] == 0, "no copy of it would be told"
        assert put(app, user, "mine", 2) is True
        value(app, "memos.cache_invalidate", user, "query", "there")
    assert get(other, user, "mine") == 2
    assert get(other, user, "tagged") is None
    assert rows(other, LEASE, user, "query", "here")[0][4] > 0


def test_no_stale_read_while_connections_and_processes_are_killed(
    module_database: Database, user: UUID
) -> None:
    """A short run of what `make bench` does a million times."""
    done = hammer(
        module_database.app_dsn,
        module_database.dsn,
        user,
        operations=3_000,
        seconds=90,
        workers=3,
        kill_process_every=5.0,
    )
    assert done.stale == 0
    assert done.operations >= 3_000
    assert min(done.by_kind.values()) > 10
    assert done.changes > 10
    assert done.connections_killed > 0
