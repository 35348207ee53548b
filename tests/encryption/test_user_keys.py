"""Who can open what: keys of users, of others, of other sessions and transactions."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from key_support import LOCKED, contents, key, keyed, opened, tell
from memory_support import Connection, failure, rows, value
from memos_pg.keys import mask_key, user_uuid
from support.people import sqlstate_of
from support.postgres import Database

USE = "select memos.use_key(%s, %s)"


def test_only_with_the_key(app: Connection, user: UUID) -> None:
    wrapping = keyed(app, user)
    with opened(app, user, wrapping):
        memory = tell(app, user, "has hepatitis", p_metadata={"since": 2020})
        row = rows(app, "memos.get_memory", user, memory)[0]
        assert (row[2], row[5]) == ("has hepatitis", {"since": 2020})
    assert contents(app, user) == [LOCKED]
    assert rows(app, "memos.list_memories", user)[0][5] == {}
    assert rows(app, "memos.memory_history", user, memory)[0][1] == LOCKED
    error = failure(app, "memos.get_memory", user, memory)
    assert error.sqlstate == "MO403"
    assert str(memory) in error.diag.message_detail
    assert "memos.use_key" in error.diag.message_hint


def test_without_it_nothing_restricted_is_stored(app: Connection, user: UUID) -> None:
    wrapping = keyed(app, user)
    error = failure(app, "memos.add_memory", user, "secret", p_privacy_level="restricted")
    assert error.sqlstate == "MO403"
    value(app, "memos.add_memory", user, "no secret")
    assert contents(app, user) == ["no secret"]
    with opened(app, user, wrapping):
        memory = tell(app, user, "secret")
    for changes in ({"content": "x"}, {"importance": 0.9}, {"privacy_level": "balanced"}):
        assert failure(app, "memos.update_memory", user, memory, changes).sqlstate == "MO403"
    # What is no change of the text needs none.
    rows(app, "memos.pin_memory", user, memory)
    assert value(app, "memos.delete_memory", user, memory)
    with opened(app, user, wrapping):
        assert rows(app, "memos.memory_history", user, memory)[0][1] == "secret"


def test_wrong_keys(app: Connection, user: UUID) -> None:
    other = uuid4()
    wrapping, others = keyed(app, user), keyed(app, other)
    for wrong in (key(), others, wrapping[::-1]):
        assert sqlstate_of(app, USE, user, wrong) == "MO403"
    for bad in (None, b"", wrapping[:31], wrapping + b"x", b"x" * 64):
        assert sqlstate_of(app, USE, user, bad) == "MO400"
    assert sqlstate_of(app, USE, None, wrapping) == "MO400"
    assert sqlstate_of(app, USE, uuid4(), wrapping) == "MO404"
    assert sqlstate_of(app, "select memos.use_key(%s, %s, null)", user, wrapping) == "MO400"
    assert sqlstate_of(app, "select memos.create_user_key(%s, %s)", user, key()) == "MO409"
    assert sqlstate_of(app, "select memos.create_user_key(%s, %s)", uuid4(), b"short") == "MO400"


def test_another_users_key_at_hand_opens_nothing(app: Connection, user: UUID) -> None:
    other = uuid4()
    wrapping, others = keyed(app, user), keyed(app, other)
    with opened(app, user, wrapping):
        tell(app, user, "mine")
        assert contents(app, user) == ["mine"]
        value(app, "memos.use_key", other, others)
        assert contents(app, user) == [LOCKED]
        assert failure_in(app, other, "x") is None
        assert failure_in(app, user, "y") == "MO403"


def failure_in(app: Connection, user: UUID, content: str) -> str | None:
    return sqlstate_of(
        app, "select memos.add_memory(%s, %s, p_privacy_level => 'restricted')", user, content
    )


def test_nothing_stays_in_a_pooled_connection(module_database: Database, user: UUID) -> None:
    with module_database.connect("memos_app") as app:
        wrapping = keyed(app, user)
        with opened(app, user, wrapping):
            tell(app, user, "mine")
        assert app.execute("select current_setting('memos.user_key', true)").fetchone()[0] == ""
        assert contents(app, user) == [LOCKED]
        # In autocommit mode the statement is the transaction.
        app.execute(USE, (user, wrapping))
        assert contents(app, user) == [LOCKED]
        with pytest.raises(ZeroDivisionError), opened(app, user, wrapping):
            raise ZeroDivisionError
        assert contents(app, user) == [LOCKED]
        with app.transaction():
            with app.transaction(force_rollback=True):
                app.execute(USE, (user, wrapping))
            assert contents(app, user) == [LOCKED]


def test_until_the_session_ends_when_asked_for(module_database: Database, user: UUID) -> None:
    with module_database.connect("memos_app") as app:
        wrapping = keyed(app, user)
        with opened(app, user, wrapping):
            tell(app, user, "mine")
        app.execute("select memos.use_key(%s, %s, false)", (user, wrapping))
        assert contents(app, user) == ["mine"]
        held = app.execute("select current_setting('memos.user_key')").fetchone()[0]
        app.execute("reset memos.user_key")
        assert contents(app, user) == [LOCKED]
        app.execute("select memos.use_key(%s, %s, false)", (user, wrapping))
        app.execute("discard all")
        assert contents(app, user) == [LOCKED]
        # What the session can read of it is not the key, and opens nothing in another one.
        assert wrapping.hex() not in held
        with module_database.connect("memos_app") as thief:
            thief.execute("select set_config('memos.user_key', %s, false)", (held,))
            assert sqlstate_of(thief, "select memos.list_memories(%s)", user) == "MO403"


def test_a_key_at_hand_cannot_be_kept_or_forged(module_database: Database, user: UUID) -> None:
    with module_database.connect("memos_app") as app:
        wrapping = keyed(app, user)
        with opened(app, user, wrapping):
            tell(app, user, "mine")
            app.execute(
                "select set_config('memos.user_key', current_setting('memos.user_key'), false)"
            )
            held = app.execute("select current_setting('memos.user_key')").fetchone()[0]
            assert contents(app, user) == ["mine"]
        kept = "select memos.list_memories(%s)"
        assert sqlstate_of(app, kept, user) == "MO403"
        session = held.split(".")
        for forged in (
            ".".join([session[0], session[1], "S9999999999", session[3]]),
            ".".join([session[0], "9", session[2], session[3]]),
            ".".join([session[0], session[1], session[2], "00" * 68]),
            f"{user}.",
            f"{user}...",
            f"{user}.1.T1.zz",
        ):
            app.execute("select set_config('memos.user_key', %s, false)", (forged,))
            assert sqlstate_of(app, kept, user) == "MO403", forged
        for nobody in ("", ".", "x", f"{uuid4()}.1.T1.00"):
            app.execute("select set_config('memos.user_key', %s, false)", (nobody,))
            assert contents(app, user) == [LOCKED]


def test_masked(app: Connection, user: UUID) -> None:
    wrapping, new = key(), key()
    with app.transaction():
        mask = value(app, "memos.key_mask", user)
        value(app, "memos.create_user_key", user, mask_key(mask, wrapping))
        value(app, "memos.rotate_user_key", user, mask_key(mask, wrapping), mask_key(mask, new))
        value(app, "memos.use_key", user, mask_key(mask, new))
        assert mask_key(mask, new) != mask_key(mask, new)
        damaged = bytearray(mask_key(mask, new))
        damaged[20] ^= 1
        assert sqlstate_of(app, USE, user, bytes(damaged)) == "MO400"
        value(app, "memos.key_mask", user)
        assert sqlstate_of(app, USE, user, mask_key(mask, new)) == "MO400"
    assert sqlstate_of(app, USE, user, mask_key(mask, new)) == "MO400"
    with opened(app, user, new):
        tell(app, user, "mine")


def test_rotation_wraps_only(module_database: Database, app: Connection, user: UUID) -> None:
    wrapping, new = keyed(app, user), key()
    with opened(app, user, wrapping):
        memory = tell(app, user, "mine")
    query = "select content from memos_private.memory where memory_id = %s"
    before = module_database.value(query, memory)
    rotate = "select memos.rotate_user_key(%s, %s, %s)"
    for old, to, error in (
        (new, key(), "MO403"),
        (wrapping, wrapping, "MO400"),
        (wrapping, b"", "MO400"),
        (None, new, "MO400"),
    ):
        assert sqlstate_of(app, rotate, user, old, to) == error
    assert sqlstate_of(app, rotate, uuid4(), wrapping, new) == "MO404"
    assert sqlstate_of(app, rotate, user, wrapping, new) is None
    assert module_database.value(query, memory) == before
    assert sqlstate_of(app, USE, user, wrapping) == "MO403"
    with opened(app, user, new):
        assert contents(app, user) == ["mine"]
        assert rows(app, "memos.key_status", user)[0][2] is not None


def test_destroyed_for_ever(
    module_database: Database, app: Connection, admin: Connection, user: UUID
) -> None:
    wrapping = keyed(app, user)
    with opened(app, user, wrapping):
        memory = tell(app, user, "mine")
    app.execute("select memos.use_key(%s, %s, false)", (user, wrapping))
    at = value(admin, "memos_admin.destroy_user_key", user)
    assert at is not None
    # Also where it is at hand.
    assert contents(app, user) == [LOCKED]
    app.execute("reset memos.user_key")
    assert sqlstate_of(app, USE, user, wrapping) == "MO404"
    error = failure(app, "memos.get_memory", user, memory)
    assert error.sqlstate == "MO403"
    assert "destroyed" in error.diag.message_detail
    assert value(admin, "memos_admin.destroy_user_key", user) is None
    assert rows(app, "memos.key_status", user)[0][3:] == (at, False, 1, 0)
    # A new key opens what is new, and says of the old that it is gone.
    new = keyed(app, user)
    with opened(app, user, new):
        tell(app, user, "new")
        assert contents(app, user) == [LOCKED, "new"]
        get = "select memos.get_memory(%s, %s)"
        assert sqlstate_of(app, get, user, memory) == "MO403"
        assert value(app, "memos.delete_memory", user, memory)
    with module_database.connect() as superuser:
        wrapped = superuser.execute(
            "select key_id, wrapped is null from memos_private.user_key where user_id = %s"
            " order by key_id",
            (user,),
        ).fetchall()
    assert wrapped == [(1, True), (2, False)]


def test_a_legal_hold_keeps_the_key(app: Connection, admin: Connection, user: UUID) -> None:
    wrapping = keyed(app, user)
    hold = value(admin, "memos_admin.place_legal_hold", user, "a lawsuit")
    assert failure(admin, "memos_admin.destroy_user_key", user).sqlstate == "MO451"
    with opened(app, user, wrapping):
        tell(app, user, "mine")
    value(admin, "memos_admin.release_legal_hold", user, hold, "settled")
    assert value(admin, "memos_admin.destroy_user_key", user)
    assert failure(admin, "memos_admin.destroy_user_key", None).sqlstate == "MO400"


def test_end_users_have_their_own_only(module_database: Database, app: Connection) -> None:
    user, other = uuid4(), uuid4()
    others = keyed(app, other)
    with opened(app, other, others):
        tell(app, other, "not yours")
    with module_database.connect("memos_user") as connection:
        for function in ("key_mask(%s)", "key_status(%s)", "encrypt_restricted(%s)"):
            assert sqlstate_of(connection, f"select memos.{function}", user) == "MO001"
        with connection.transaction():
            value(connection, "memos.use_context", module_database.token(user))
            assert value(connection, "memos.create_user_key", user, others) == 0
            memory = tell(connection, user, "mine")
            assert contents(connection, user) == ["mine"]
            assert connection.execute("select content from memos.memory").fetchall() == [("mine",)]
            assert sqlstate_of(connection, USE, other, others) == "MO403"
            assert sqlstate_of(connection, "select memos.key_mask(%s)", other) == "MO403"
            assert sqlstate_of(connection, "select memos.list_memories(%s)", other) == "MO403"
            sealed = module_database.value(
                "select content from memos_private.memory where user_id = %s", other
            )
            reveal = "select memos.reveal_memory(%s, %s, %s)"
            assert sqlstate_of(connection, reveal, other, memory, sealed) == "MO403"
            assert sqlstate_of(connection, reveal, user, memory, sealed) == "MO500"
            assert sqlstate_of(connection, reveal, user, memory, "plain") == "MO400"
            assert sqlstate_of(connection, reveal, user, memory, None) == "MO400"
        for statement in (
            "select * from memos_private.user_key",
            "select * from memos_private.key_command",
            "select memos_private.opened_key(null)",
            "select memos_admin.destroy_user_key(null)",
        ):
            assert sqlstate_of(connection, statement) == "42501"


def test_read_only_transactions_read(app: Connection, user: UUID) -> None:
    wrapping = keyed(app, user)
    with opened(app, user, wrapping):
        tell(app, user, "mine")
    with app.transaction():
        app.execute("set transaction read only")
        value(app, "memos.use_key", user, wrapping)
        assert contents(app, user) == ["mine"]


def test_the_client_names_users_as_the_database_does(app: Connection) -> None:
    for name in ("alice", "müller@example.org", "x" * 1024):
        assert user_uuid(name) == value(app, "memos.user_id", name)
