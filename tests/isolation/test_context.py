"""Who may act for whom: no context, the wrong one, a forged one, one that was left behind."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support import catalog
from support.people import Person, sqlstate_of
from support.postgres import Database


def context_of(connection: psycopg.Connection[Any]) -> str:
    """The user whose rows are open; '' when nobody's."""
    return connection.execute(
        "select coalesce(current_setting('memos.user_id', true), '')"
    ).fetchone()[0]


@pytest.fixture(scope="module")
def user_functions(module_database: Database) -> list[catalog.Function]:
    """Every function of the API that acts for a user."""
    with module_database.connect() as connection:
        found = [
            f for f in catalog.functions(connection, ["memos"]) if f.takes_user and f.kind != "a"
        ]
    assert len(found) >= 10
    return found


@pytest.fixture(scope="module")
def functions_for_users(user_functions: list[catalog.Function]) -> list[catalog.Function]:
    """Those of them that an end user's connection may call."""
    found = [f for f in user_functions if "memos_user" in f.executors]
    assert len(found) >= 10
    return found


def outcomes(
    connection: psycopg.Connection[Any], functions: list[catalog.Function], user_id: str
) -> dict[str, str | None]:
    """How each function answers a call for the user with nulls for the rest."""
    return {str(f): sqlstate_of(connection, f.call(user_id)) for f in functions}


def all_are(state: str, results: dict[str, str | None]) -> None:
    """Fail with the functions that answered otherwise."""
    others = {function: result for function, result in results.items() if result != state}
    assert not others, f"not {state}: {others}"


def test_a_user_connection_without_context_can_call_nothing(
    module_database: Database, victim: Person, functions_for_users: list[catalog.Function]
) -> None:
    with module_database.connect("memos_user") as connection:
        all_are("MO001", outcomes(connection, functions_for_users, f"'{victim.user_id}'"))


def test_naming_a_user_in_the_setting_is_no_context(
    module_database: Database, victim: Person, functions_for_users: list[catalog.Function]
) -> None:
    with module_database.connect("memos_user") as connection:
        connection.execute("select set_config('memos.user_id', %s, false)", (str(victim.user_id),))
        all_are("MO001", outcomes(connection, functions_for_users, f"'{victim.user_id}'"))


@pytest.mark.parametrize("role", ["memos_user", "memos_app"])
def test_a_signed_context_is_good_for_its_own_user_only(
    module_database: Database,
    victim: Person,
    attacker: Person,
    user_functions: list[catalog.Function],
    functions_for_users: list[catalog.Function],
    role: str,
) -> None:
    functions = functions_for_users if role == "memos_user" else user_functions
    with module_database.connect(role) as connection:
        connection.execute(
            "select memos.use_context(%s, false)", (module_database.token(attacker.user_id),)
        )
        all_are("MO403", outcomes(connection, functions, f"'{victim.user_id}'"))
        own = connection.execute(
            "select content from memos.get_memory(%s, %s)", (attacker.user_id, attacker.memory_id)
        ).fetchall()
    assert own == [(attacker.secret,)]


def test_a_null_user_is_a_bad_argument(
    module_database: Database, user_functions: list[catalog.Function]
) -> None:
    # Null is everybody where entries of the cache are shared, and these two need no other argument.
    shared = {"cache_invalidate", "cache_stats"}
    functions = [f for f in user_functions if f.name not in shared]
    with module_database.connect("memos_app") as connection:
        all_are("MO400", outcomes(connection, functions, "null"))


def test_another_users_id_finds_nothing(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    """The bot mixes up a user and a memory: the memory's owner is not asked."""
    calls = {
        "select * from memos.get_memory(%s, %s)": "MO404",
        "select * from memos.memory_history(%s, %s)": "MO404",
        'select memos.update_memory(%s, %s, \'{"kind": "fact"}\')': "MO404",
        "select memos.pin_memory(%s, %s)": "MO404",
    }
    with module_database.connect("memos_app") as connection:
        for call, expected in calls.items():
            found = sqlstate_of(connection, call, attacker.user_id, victim.memory_id)
            assert found == expected, call
        deleted = connection.execute(
            "select memos.delete_memory(%s, %s)", (attacker.user_id, victim.memory_id)
        ).fetchone()
        assert deleted == (False,)
        kept = connection.execute(
            "select content, version from memos.get_memory(%s, %s)",
            (victim.user_id, victim.memory_id),
        ).fetchall()
    assert kept == [(victim.secret, 1)]


def test_lists_searches_and_figures_are_one_users(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    with module_database.connect("memos_app") as connection:
        for query in (
            "select content from memos.list_memories(%s)",
            "select content from memos.search_memories(%s, 'password of victoria mallory')",
            "select content from memos.search_memories(%s, 'password of victoria mallory', "
            "p_session_id => 's')",
        ):
            assert connection.execute(query, (attacker.user_id,)).fetchall() == [
                (attacker.secret,)
            ], query
        count = connection.execute(
            "select memories from memos.memory_stats(%s)", (attacker.user_id,)
        ).fetchone()
    assert count == (1,)


def test_request_ids_and_contents_of_others_do_not_collide(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    """Both used the request id `r`; a shared content would tell that somebody else holds it."""
    assert victim.memory_id != attacker.memory_id
    with module_database.connect("memos_app") as connection:
        created = connection.execute(
            "select created from memos.add_memories(%s, %s)",
            (uuid.uuid4(), f'[{{"content": "{victim.secret}"}}]'),
        ).fetchall()
    assert created == [(True,)]


def tampered(token: str, other: uuid.UUID) -> dict[str, str]:
    """The token, changed in every part, and things that are no token."""
    version, key, user, expiry, purpose, signature = token.split(".")
    parts = {
        "another user": [version, key, str(other), expiry, purpose, signature],
        "a later expiry": [version, key, user, str(int(expiry) + 3600), purpose, signature],
        "another purpose": [version, key, user, expiry, "aa", signature],
        "an unknown key": [version, "2", user, expiry, purpose, signature],
        "a huge key": [version, "9" * 30, user, expiry, purpose, signature],
        "another version": ["1", key, user, expiry, purpose, signature],
        "a form without purpose": ["1", key, user, expiry, signature],
        "a flipped signature": [version, key, user, expiry, purpose, signature[::-1]],
        "an empty signature": [version, key, user, expiry, purpose, ""],
        "a short signature": [version, key, user, expiry, purpose, signature[:-1]],
        "no signature": [version, key, user, expiry, purpose],
        "more parts": [version, key, user, expiry, purpose, signature, signature],
        "upper case": [version, key, user.upper(), expiry, purpose, signature],
        "a signature in upper case": [version, key, user, expiry, purpose, signature.upper()],
        "no user": [version, key, "-" * 36, expiry, purpose, signature],
    }
    return {name: ".".join(values) for name, values in parts.items()} | {
        "blanks around it": f" {token} ",
        "a line end": f"{token}\n",
        "nothing": "",
        "dots": "....",
    }


def test_a_forged_token_opens_nothing(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    forged = tampered(module_database.token(attacker.user_id), victim.user_id)
    with module_database.connect("memos_user") as connection:
        for name, token in forged.items():
            assert sqlstate_of(connection, "select memos.use_context(%s)", token) == "MO403", name
        # A caller can also write the setting itself.
        for name, token in forged.items():
            connection.execute("select set_config('memos.context', %s, false)", (token,))
            for user_id in (victim.user_id, attacker.user_id):
                state = sqlstate_of(connection, "select memos.list_memories(%s)", user_id)
                assert state == ("MO403" if token else "MO001"), name
        assert sqlstate_of(connection, "select memos.use_context(null)") == "MO400"


def test_a_token_of_another_database_opens_nothing(
    module_database: Database, database: Database, victim: Person
) -> None:
    """Databases of one template share its key, so this one gets its own."""
    token = module_database.token(victim.user_id)
    with database.connect() as connection:
        connection.execute("update memos_private.context_key set secret = sha256('another')")
    with database.connect("memos_user") as connection:
        assert sqlstate_of(connection, "select memos.use_context(%s)", token) == "MO403"


def test_a_token_expires(module_database: Database, attacker: Person) -> None:
    token = module_database.token(attacker.user_id, "2 seconds")
    with module_database.connect("memos_user") as connection:
        connection.execute("select memos.use_context(%s, false)", (token,))
        call = "select * from memos.list_memories(%s)"
        assert len(connection.execute(call, (attacker.user_id,)).fetchall()) == 1
        connection.execute("select pg_sleep(3)")
        assert sqlstate_of(connection, call, attacker.user_id) == "MO403"
        assert sqlstate_of(connection, "select memos.use_context(%s)", token) == "MO403"


@pytest.mark.parametrize("role", ["memos_app", "memos_user", "memos_auditor"])
def test_only_the_authority_mints_contexts(
    module_database: Database, victim: Person, role: str
) -> None:
    with module_database.connect(role) as connection:
        state = sqlstate_of(
            connection, "select memos_admin.mint_context(%s, '1 hour')", victim.user_id
        )
    assert state == "42501"


@pytest.mark.parametrize("lifetime", ["0", "-1 hour", "infinity", None])
def test_a_context_lives_for_a_while(
    module_database: Database, attacker: Person, lifetime: str | None
) -> None:
    if lifetime == "infinity" and module_database.value("show server_version_num") < "170000":
        pytest.skip("intervals are finite before PostgreSQL 17")
    with module_database.connect("memos_admin") as connection:
        state = sqlstate_of(
            connection, "select memos_admin.mint_context(%s, %s)", attacker.user_id, lifetime
        )
    assert state == "MO400"


def test_a_local_context_ends_with_its_transaction(
    module_database: Database, attacker: Person
) -> None:
    token = module_database.token(attacker.user_id)
    call = "select * from memos.list_memories(%s)"
    with module_database.connect("memos_user") as connection:
        with connection.transaction():
            user_id = connection.execute("select memos.use_context(%s)", (token,)).fetchone()[0]
            assert user_id == attacker.user_id
            assert len(connection.execute(call, (attacker.user_id,)).fetchall()) == 1
        assert sqlstate_of(connection, call, attacker.user_id) == "MO001"
        assert context_of(connection) == ""


def test_a_rolled_back_context_is_gone(module_database: Database, attacker: Person) -> None:
    token = module_database.token(attacker.user_id)
    with (
        module_database.connect("memos_user") as connection,
        connection.transaction(),
    ):
        connection.execute("savepoint before")
        connection.execute("select memos.use_context(%s, false)", (token,))
        assert context_of(connection) == str(attacker.user_id)
        connection.execute("rollback to before")
        assert context_of(connection) == ""
        state = sqlstate_of(connection, "select memos.list_memories(%s)", attacker.user_id)
        assert state == "MO001"


@pytest.mark.parametrize("local", [True, False])
def test_a_context_left_by_a_pooled_connection_hurts_nobody(
    module_database: Database, victim: Person, attacker: Person, local: bool
) -> None:
    """The bot's connection comes back from another user's request with her setting still on."""
    call = "select content from memos.list_memories(%s)"
    with module_database.connect("memos_app", autocommit=False) as connection:
        connection.execute(
            "select set_config('memos.user_id', %s, %s)", (str(victim.user_id), local)
        )
        if not local:
            connection.commit()
        rows = connection.execute(call, (attacker.user_id,)).fetchall()
        assert rows == [(attacker.secret,)]
        # As before: a call leaves neither its own user behind nor takes away the caller's.
        assert context_of(connection) == str(victim.user_id)
        connection.rollback()
        rows = connection.execute(call, (attacker.user_id,)).fetchall()
        assert rows == [(attacker.secret,)]


def test_a_token_left_by_a_pooled_connection_binds_the_next_user(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    """Refused, rather than served with the other's rows."""
    with module_database.connect("memos_user") as connection:
        connection.execute(
            "select memos.use_context(%s, false)", (module_database.token(victim.user_id),)
        )
        state = sqlstate_of(connection, "select memos.list_memories(%s)", attacker.user_id)
        assert state == "MO403"
        connection.execute(
            "select memos.use_context(%s, false)", (module_database.token(attacker.user_id),)
        )
        rows = connection.execute(
            "select content from memos.list_memories(%s)", (attacker.user_id,)
        ).fetchall()
    assert rows == [(attacker.secret,)]


def test_discard_all_closes_the_context(module_database: Database, attacker: Person) -> None:
    """What poolers send between two clients."""
    with module_database.connect("memos_user") as connection:
        connection.execute(
            "select memos.use_context(%s, false)", (module_database.token(attacker.user_id),)
        )
        connection.execute("discard all")
        state = sqlstate_of(connection, "select memos.list_memories(%s)", attacker.user_id)
    assert state == "MO001"


def test_a_failing_call_writes_nothing_and_closes_the_context(module_database: Database) -> None:
    user_id = uuid.uuid4()
    memories = '[{"content": "the first is good"}, {"content": "the second not", "kind": "%%"}]'
    with (
        module_database.connect("memos_app", autocommit=False) as connection,
    ):
        state = sqlstate_of(
            connection, "select * from memos.add_memories(%s, %s)", user_id, memories
        )
        assert state == "MO400"
        assert context_of(connection) == ""
        connection.commit()
        assert (
            connection.execute("select * from memos.list_memories(%s)", (user_id,)).fetchall() == []
        )
        assert context_of(connection) == ""


def test_a_caught_failure_restores_the_callers_context(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    with module_database.connect("memos_app", autocommit=False) as connection:
        connection.execute("select set_config('memos.user_id', %s, true)", (str(attacker.user_id),))
        state = sqlstate_of(
            connection,
            "select memos.update_memory(%s, %s, '{\"no such column\": 1}')",
            victim.user_id,
            victim.memory_id,
        )
        assert state == "MO400"
        assert context_of(connection) == str(attacker.user_id)


def test_a_call_in_a_savepoint_is_undone_with_it(module_database: Database) -> None:
    user_id = uuid.uuid4()
    with module_database.connect("memos_app", autocommit=False) as connection:
        connection.execute("select memos.add_memory(%s, 'stays')", (user_id,))
        connection.execute("savepoint before")
        connection.execute("select memos.add_memory(%s, 'goes')", (user_id,))
        connection.execute("rollback to before")
        assert context_of(connection) == ""
        connection.commit()
        rows = connection.execute(
            "select content from memos.list_memories(%s)", (user_id,)
        ).fetchall()
        found = connection.execute(
            "select content from memos.search_memories(%s, 'stays goes')", (user_id,)
        ).fetchall()
    assert rows == found == [("stays",)]


def test_a_user_connection_cannot_become_somebody_else(
    module_database: Database, attacker: Person
) -> None:
    with module_database.connect("memos_user") as connection:
        connection.execute(
            "select memos.use_context(%s, false)", (module_database.token(attacker.user_id),)
        )
        for role in ("memos_app", "memos_admin", "memos_owner", "memos_maintenance", "postgres"):
            name = sql.Identifier(role).as_string(connection)
            assert sqlstate_of(connection, f"set role {name}") == "42501"
            assert sqlstate_of(connection, f"set session authorization {name}") == "42501"
            change = "select set_config('role', %s, false)"
            assert sqlstate_of(connection, change, role) == "42501"
        connection.execute("reset role")
        connection.execute("reset session authorization")
        assert connection.execute("select current_user").fetchone() == ("memos_user",)


def test_roles_granted_to_logins_work(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    """DBAs grant the roles to logins of their own, and superusers act as them."""
    with module_database.connect() as connection:
        connection.execute("create role a_bot login in role memos_app")
        connection.execute("create role a_user login in role memos_user")
        try:
            with module_database.connect("a_bot") as bot:
                rows = bot.execute(
                    "select content from memos.list_memories(%s)", (victim.user_id,)
                ).fetchall()
                assert rows == [(victim.secret,)]
            with module_database.connect("a_user") as user:
                call = "select memos.list_memories(%s)"
                assert sqlstate_of(user, call, victim.user_id) == "MO001"
                token = module_database.token(attacker.user_id)
                user.execute("select memos.use_context(%s, false)", (token,))
                assert sqlstate_of(user, call, victim.user_id) == "MO403"
                assert sqlstate_of(user, call, attacker.user_id) is None
        finally:
            connection.execute("drop role a_bot, a_user")
    with psycopg.connect(module_database.role_dsn("memos_user"), autocommit=True) as connection:
        call = "select memos.list_memories(%s)"
        assert sqlstate_of(connection, call, victim.user_id) == "MO001"


def test_a_role_that_is_both_is_still_bound_by_its_token(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    """The bot presents a user's token to be safe from its own mistakes, SQL injection included."""
    with module_database.connect("memos_app") as connection, connection.transaction():
        connection.execute(
            "select memos.use_context(%s)", (module_database.token(attacker.user_id),)
        )
        connection.execute("select set_config('memos.user_id', %s, true)", (str(victim.user_id),))
        state = sqlstate_of(connection, "select memos.list_memories(%s)", victim.user_id)
    assert state == "MO403"
