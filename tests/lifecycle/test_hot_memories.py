"""The hot set: what belongs into every prompt, as it is now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import Connection, add, failure, rows, value
from support.postgres import Database
from usage_support import NOW, ago, hot, run, use

HOT = "memos.hot_memories"


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


def several(app: Connection, user: UUID, count: int, **named: Any) -> list[UUID]:
    return [add(app, user, f"memory {number} of {uuid4()}", **named) for number in range(count)]


def entries(superuser: Connection, user: UUID) -> set[UUID]:
    """The set as it is stored."""
    found = superuser.execute(
        "select memory_id from memos_private.hot_memory where user_id = %s", (user,)
    )
    return {row[0] for row in found}


def test_pinned_ones_come_first_then_the_most_used(
    app: Connection, admin: Connection, user: UUID
) -> None:
    pinned, weighty, used, most_used, _ = ids = several(app, user, 5)
    value(app, "memos.update_memory", user, weighty, {"importance": 0.9})
    for memory in (pinned, weighty):
        value(app, "memos.pin_memory", user, memory)
    use(app, user, used, *[NOW] * 3)
    use(app, user, most_used, *[NOW] * 4)
    assert hot(app, user) == [weighty, pinned], "pinned ones at once, without any job"
    run(admin, user)
    found = rows(app, HOT, user)
    assert [row[1] for row in found] == [weighty, pinned, most_used, used]
    assert [row[0] for row in found] == [1, 2, 3, 4]
    assert [row[9] for row in found] == [0, 0, 4, 3]
    assert found[2][10] == NOW
    assert hot(app, user, p_limit=2) == [weighty, pinned]
    assert hot(app, uuid4()) == []
    assert len(ids) == 5


def test_whatever_fits_the_budget_comes_in_order(app: Connection, user: UUID) -> None:
    lengths = (40, 100, 20, 200, 36)
    ids = [add(app, user, str(number) * length) for number, length in enumerate(lengths)]
    for memory in ids:
        value(app, "memos.pin_memory", user, memory)
    assert [row[11] for row in rows(app, HOT, user)] == [10, 25, 5, 50, 9]
    assert hot(app, user, p_token_budget=24) == [ids[0], ids[2], ids[4]]
    assert hot(app, user, p_token_budget=35) == [ids[0], ids[1]]
    assert hot(app, user, p_token_budget=99) == ids
    assert hot(app, user, p_token_budget=24, p_limit=2) == [ids[0], ids[2]]
    assert hot(app, user, p_token_budget=4) == []


def test_every_change_shows_at_once(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    a, b, c, d = several(app, user, 4)
    for memory in (a, b, c):
        value(app, "memos.pin_memory", user, memory)
    use(app, user, d, *[NOW] * 3)
    run(admin, user)
    value(app, "memos.update_memory", user, a, {"content": "the new dose is 20 mg"})
    assert rows(app, HOT, user)[0][3] == "the new dose is 20 mg"
    value(app, "memos.delete_memory", user, a)
    value(app, "memos.pin_memory", user, b, False)
    assert hot(app, user) == [c, d]
    until = {"valid_from": ago(days=2).isoformat(), "valid_until": ago(days=1).isoformat()}
    value(app, "memos.update_memory", user, c, until)
    assert hot(app, user) == [d], "what is no longer true is in no prompt"
    value(app, "memos.pin_memory", user, d)
    value(app, "memos.pin_memory", user, d, False)
    assert hot(app, user) == [d], "it is still hot"
    assert entries(superuser, user) == {c, d}
    with app.transaction(force_rollback=True):
        value(app, "memos.pin_memory", user, b)
        assert hot(app, user) == [b, d]
    assert hot(app, user) == [d]


def test_without_the_set_the_answer_is_the_same(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    a, b, c, _ = several(app, user, 4)
    value(app, "memos.pin_memory", user, a)
    use(app, user, b, *[NOW] * 3)
    run(admin, user)
    before = rows(app, HOT, user)
    assert [row[1] for row in before] == [a, b]
    superuser.execute("truncate memos_private.hot_memory, memos_private.hot_complete")
    assert rows(app, HOT, user) == before
    value(app, "memos.pin_memory", user, c)
    assert hot(app, user) == [a, c, b]
    assert value(admin, "memos_admin.fill_hot_set") >= 2
    assert value(admin, "memos_admin.fill_hot_set") == 0
    assert entries(superuser, user) == {a, b, c}
    assert hot(app, user) == [a, c, b]


def test_the_set_is_filled_while_others_pin(
    module_database: Database, app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    a, b, c = several(app, user, 3)
    value(app, "memos.pin_memory", user, a)
    value(app, "memos.pin_memory", user, b)
    superuser.execute("truncate memos_private.hot_memory, memos_private.hot_complete")
    admin.execute("set lock_timeout = '2s'")
    with module_database.connect("memos_app", autocommit=False) as session:
        value(session, "memos.pin_memory", user, c)
        value(session, "memos.pin_memory", user, b, False)
        value(admin, "memos_admin.fill_hot_set")
        assert hot(app, user) == [a, b]
        session.commit()
    assert hot(app, user) == [a, c]


@pytest.mark.parametrize(
    "arguments",
    [
        "null", "%(user)s, 0", "%(user)s, -1", "%(user)s, p_limit => null",
        "%(user)s, p_limit => 0", "%(user)s, p_limit => 1001",
    ],
)  # fmt: skip
def test_a_bad_argument_is_refused(app: Connection, user: UUID, arguments: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        app.execute(f"select * from {HOT}({arguments})", {"user": user})
    assert caught.value.sqlstate == "MO400"
    assert caught.value.diag.message_hint


def test_the_set_is_of_one_user(module_database: Database, app: Connection, user: UUID) -> None:
    other = uuid4()
    (theirs,) = several(app, other, 1)
    value(app, "memos.pin_memory", other, theirs)
    assert hot(app, user) == []
    with module_database.connect("memos_user") as session:
        assert failure(session, HOT, other).sqlstate == "MO001"
        session.execute("select memos.use_context(%s, false)", (module_database.token(user),))
        assert hot(session, user) == []
        assert failure(session, HOT, other).sqlstate == "MO403"
