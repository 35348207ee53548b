"""The keys that sign contexts: made, rotated, retired, and read by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from support.people import Person, sqlstate_of
from support.postgres import Database

LIST = "select content from memos.list_memories(%s)"


@pytest.fixture
def alice(database: Database) -> Person:
    return Person.with_a_secret(database, "alice")


@pytest.fixture
def operator(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with database.connect("memos_admin") as connection:
        yield connection


def bound(database: Database, token: str) -> psycopg.Connection[Any]:
    """An end user's connection, in this context for the whole session."""
    connection = database.connect("memos_user")
    connection.execute("select memos.use_context(%s, false)", (token,))
    return connection


def key_of(token: str) -> int:
    """The id of the key that signed a token."""
    return int(token.split(".")[1])


def test_contexts_bound_before_a_rotation_go_on(
    database: Database, operator: psycopg.Connection[Any], alice: Person
) -> None:
    old = database.token(alice.user_id)
    with bound(database, old) as session:
        (key_id,) = operator.execute("select memos_admin.rotate_context_key('1 hour')").fetchone()
        new = database.token(alice.user_id)
        assert (key_of(old), key_of(new), key_id) == (1, 2, 2)
        assert session.execute(LIST, (alice.user_id,)).fetchall() == [(alice.secret,)]
        for token in (old, new):
            with bound(database, token) as other:
                assert other.execute(LIST, (alice.user_id,)).fetchall() == [(alice.secret,)]
    keys = operator.execute("select key_id, retires_at is null from memos_admin.context_keys()")
    assert keys.fetchall() == [(2, True), (1, False)]


def test_a_retired_key_is_refused_at_once(
    database: Database, operator: psycopg.Connection[Any], alice: Person
) -> None:
    old = database.token(alice.user_id)
    with bound(database, old) as session:
        operator.execute("select memos_admin.rotate_context_key()")
        assert operator.execute("select memos_admin.retire_context_key(1)").fetchone() == (True,)
        assert sqlstate_of(session, LIST, alice.user_id) == "MO403"
        assert sqlstate_of(session, "select * from memos.memory") == "MO403"
        assert sqlstate_of(session, "select memos.use_context(%s)", old) == "MO403"
    assert operator.execute("select memos_admin.retire_context_key(1)").fetchone() == (False,)
    assert sqlstate_of(operator, "select memos_admin.retire_context_key(2)") == "MO409"
    with bound(database, database.token(alice.user_id)) as session:
        assert session.execute(LIST, (alice.user_id,)).fetchall() == [(alice.secret,)]


def test_the_grace_ends(
    database: Database, operator: psycopg.Connection[Any], alice: Person
) -> None:
    old = database.token(alice.user_id)
    with bound(database, old) as session:
        operator.execute("select memos_admin.rotate_context_key('1 second')")
        assert sqlstate_of(session, LIST, alice.user_id) is None
        session.execute("select pg_sleep(1.1)")
        assert sqlstate_of(session, LIST, alice.user_id) == "MO403"
    # The next rotation gives a retired key no other life.
    operator.execute("select memos_admin.rotate_context_key()")
    with database.connect("memos_user") as session:
        assert sqlstate_of(session, "select memos.use_context(%s)", old) == "MO403"
    with database.connect() as superuser:
        kept = superuser.execute("select array_agg(key_id) from memos_private.context_key")
        assert kept.fetchone() == ([2, 3],)


def test_without_grace_old_contexts_end_now(
    database: Database, operator: psycopg.Connection[Any], alice: Person
) -> None:
    old = database.token(alice.user_id)
    operator.execute("select memos_admin.rotate_context_key('0')")
    with database.connect("memos_user") as session:
        assert sqlstate_of(session, "select memos.use_context(%s)", old) == "MO403"


def test_two_rotations_at_once_make_two_keys(database: Database, alice: Person) -> None:
    def rotate(_: int) -> int:
        return database.value("select memos_admin.rotate_context_key()", role="memos_admin")

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(rotate, range(4)))
    assert sorted(made) == [2, 3, 4, 5]
    assert key_of(database.token(alice.user_id)) == 5


@pytest.mark.parametrize("grace", [None, "-1 second", "31 days"])
def test_a_grace_is_as_long_as_a_context_at_most(
    operator: psycopg.Connection[Any], grace: str | None
) -> None:
    assert sqlstate_of(operator, "select memos_admin.rotate_context_key(%s)", grace) == "MO400"
    assert sqlstate_of(operator, "select memos_admin.retire_context_key(null)") == "MO400"


def test_keys_differ_and_are_long(database: Database, operator: psycopg.Connection[Any]) -> None:
    for _ in range(3):
        operator.execute("select memos_admin.rotate_context_key()")
    with database.connect() as superuser:
        secrets = superuser.execute("select secret from memos_private.context_key").fetchall()
    assert len({secret for (secret,) in secrets}) == 4
    assert {len(secret) for (secret,) in secrets} == {32}


READERS = [
    "memos_app",
    "memos_user",
    "memos_auditor",
    "memos_admin",
    "memos_maintenance",
    "pg_read_all_data",
    "pg_monitor",
]


@pytest.mark.parametrize("role", READERS)
def test_nobody_reads_a_secret(database: Database, role: str) -> None:
    """Nor does the owner of the functions that rotate; a superuser and memos_owner can."""
    with database.connect() as superuser:
        superuser.execute("create role reader login")
        try:
            superuser.execute(f"grant {role} to reader")
            superuser.execute("analyze memos_private.context_key")
            with database.connect("reader") as reader:
                reader.execute(f"set role {role}")
                query = "select secret from memos_private.context_key"
                state = sqlstate_of(reader, query)
                if role == "pg_read_all_data":  # may read every table: the policy stops it
                    assert state is None
                    assert reader.execute(query).fetchall() == []
                else:
                    assert state == "42501"
                samples = reader.execute(
                    "select * from pg_stats where tablename = 'context_key' and attname = 'secret'"
                ).fetchall()
                assert samples == []
                for statement in (
                    "insert into memos_private.context_key (key_id, secret) values (9, 'mine')",
                    "update memos_private.context_key set secret = 'mine'",
                    "alter table memos_private.context_key disable row level security",
                ):
                    assert sqlstate_of(reader, statement) == "42501", statement
                for call in (
                    "select memos_private.sign_context('2.1.x', 1)",
                    "select memos_private.context_signature('2.1.x', 'secret')",
                ):
                    state = sqlstate_of(reader, call)
                    assert state == "42501" or role == "memos_maintenance", call
        finally:
            superuser.execute("drop role reader")


def test_a_purpose_is_signed_and_recorded(
    database: Database, operator: psycopg.Connection[Any], alice: Person
) -> None:
    purpose = "treatment. éçß 42 CFR 2.31"
    (token,) = operator.execute(
        "select memos_admin.mint_context(%s, p_purpose => %s)", (alice.user_id, purpose)
    ).fetchone()
    search = "select search_id from memos.search_memories(%s, 'password', p_record => true, {})"
    with bound(database, token) as session:
        (signed,) = session.execute(search.format("p_purpose => null"), (alice.user_id,)).fetchone()
        (given,) = session.execute(
            search.format("p_purpose => 'mine'"), (alice.user_id,)
        ).fetchone()
    with bound(database, database.token(alice.user_id)) as session:
        (none,) = session.execute(search.format("p_purpose => null"), (alice.user_id,)).fetchone()
    with database.connect() as superuser:
        found = dict(
            superuser.execute("select search_id, purpose from memos_private.search_record")
        )
    assert found == {signed: purpose, given: "mine", none: None}


@pytest.mark.parametrize("purpose", ["", "  ", "\n", "x" * 257])
def test_a_purpose_is_a_short_text(
    operator: psycopg.Connection[Any], alice: Person, purpose: str
) -> None:
    call = "select memos_admin.mint_context(%s, p_purpose => %s)"
    assert sqlstate_of(operator, call, alice.user_id, purpose) == "MO400"
