"""A session that is bound to a user tries to get free, or to reach somebody else's rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from support.people import Person, sqlstate_of
from support.postgres import Database

#: Everything that gives a row of a user, asked about the victim.
READS = [
    "select content from memos.list_memories('{victim}')",
    "select content from memos.get_memory('{victim}', '{memory}')",
    "select content from memos.memory_history('{victim}', '{memory}')",
    "select content from memos.search_memories('{victim}', 'password victoria')",
    "select memories::text from memos.memory_stats('{victim}')",
    "select memos.update_memory('{victim}', '{memory}', '{{\"kind\": \"fact\"}}')::text",
    "select memos.delete_memory('{victim}', '{memory}')::text",
    "select memos.add_memory('{victim}', 'planted')::text",
    "select content from memos.memory",
    "select content from memos.memory_version",
    "select user_id::text from memos.memory",
    "select content from memos_private.memory",
    "execute early_view",
    "execute early_call",
    "fetch all from early_cursor",
]
UNSET = {
    "set_config": ["select set_config('memos.context', '', false)"],
    "set_config local": ["select set_config('memos.context', '', true)"],
    "set": ["set memos.context = ''"],
    "set local": ["set local memos.context = ''"],
    "set to default": ["set memos.context to default"],
    "reset": ["reset memos.context"],
    "reset all": ["reset all"],
    "discard all": ["discard all"],
    "discard parts": ["discard temp", "discard sequences", "discard plans"],
    "deallocate and close": ["deallocate all", "close all"],
    "release advisory locks": [
        "select pg_advisory_unlock_all()",
        "select set_config('memos.context', '', false)",
    ],
    "set role": ["set role memos_app", "set role memos_owner", "set role none", "reset role"],
    "set role from inside": ["select set_config('role', 'memos_owner', false)"],
    "session authorization": [
        "set session authorization memos_owner",
        "set session authorization memos_app",
        "set session authorization default",
        "reset session authorization",
    ],
    "savepoint, unset, release": [
        "savepoint a",
        "set memos.context = ''",
        "release a",
    ],
    "savepoint, bind, roll back": [
        "savepoint a",
        "select memos.use_context('{token}')",
        "rollback to a",
        "set memos.context = ''",
    ],
    "savepoint, bind for good, roll back": [
        "savepoint a",
        "select memos.use_context('{token}', false)",
        "rollback to a",
        "reset memos.context",
    ],
    "bind anew for a transaction only": [
        "begin",
        "select memos.use_context('{token}', true)",
        "commit",
        "set memos.context = ''",
    ],
    "bind anew in a transaction that fails": [
        "begin",
        "select memos.use_context('{token}', false)",
        "select 1 / 0",
        "rollback",
        "set memos.context = ''",
    ],
    "an expired or broken context": ["set memos.context = '2.1.{victim}.99999999999..00'"],
    "another context, of the old form": ["set memos.context = '1.1.{victim}.99999999999.00'"],
    "the victim in a context that was signed for another": [
        "select set_config('memos.context', replace('{token}', '{attacker}', '{victim}'), false)"
    ],
    "the setting in a block": [
        "do $$ begin perform set_config('memos.context', '', false); "
        "perform set_config('memos.user_id', '{victim}', false); end $$"
    ],
    "a function with a set clause": [
        "create function evil.free() returns text language plpgsql set memos.context = '' "
        "set memos.user_id = '{victim}' as $$ begin return "
        "(select string_agg(content, ',') from memos.list_memories('{victim}')); end $$",
        "select evil.free()",
    ],
    "a definer with a set clause": [
        "create function evil.free2() returns text language plpgsql security definer "
        "set memos.context = '' set role = 'memos_owner' as $$ begin return "
        "(select string_agg(content, ',') from memos.memory); end $$",
        "select evil.free2()",
    ],
    "unset and read in one statement": [
        "select set_config('memos.context', '', true), "
        "(select string_agg(content, ',') from memos.list_memories('{victim}'))",
        "with u as materialized (select set_config('memos.context', '', true)) "
        "select l.content from u cross join lateral memos.list_memories('{victim}') as l",
        "select set_config('memos.user_id', '{victim}', true), m.content from memos.memory as m",
        "select m.content from memos.memory as m "
        "where set_config('memos.user_id', '{victim}', true) is not null",
    ],
    "row security off": ["set row_security = off"],
    "how null compares": ["set transform_null_equals = on"],
    "another search path": ["set search_path = evil, pg_temp, memos, public"],
    "settings of the role": [
        "alter role current_user set memos.user_id = '{victim}'",
        "alter role current_user set memos.context = ''",
        "alter role current_user in database current set role = 'memos_app'",
        "alter role current_user superuser",
        "alter role memos_user bypassrls",
        "grant memos_app to memos_user",
    ],
}


@dataclass
class Bound:
    """A bound session, and what it is meant not to get."""

    connection: psycopg.Connection[Any]
    names: dict[str, str]
    forbidden: tuple[str, ...]

    def run(self, statement: str) -> list[Any]:
        """What a statement gives; nothing when it fails, and the transaction goes on."""
        text = statement.format(**self.names)
        in_block = self.connection.info.transaction_status.name != "IDLE"
        controls = text.split()[0] in {"begin", "commit", "rollback", "savepoint", "release"}
        found: list[Any] = []
        self.connection.add_notice_handler(handler := lambda n: found.append(n.message_primary))
        try:
            if in_block and not controls:
                self.connection.execute("savepoint guard")
            cursor = self.connection.execute(text, prepare=False)
            found += cursor.fetchall() if cursor.description else []
            if in_block and not controls:
                self.connection.execute("release guard")
        except psycopg.Error as error:
            found.append(str(error))
            if in_block and not controls:
                self.connection.execute("rollback to guard")
        finally:
            self.connection.remove_notice_handler(handler)
        assert not any(secret in str(found) for secret in self.forbidden), (text, found)
        return found


@pytest.fixture(params=["memos_user", "memos_app of a login"])
def login(module_database: Database, request: pytest.FixtureRequest) -> Iterator[str]:
    """Who presents the context: the role itself, or a login that is a member of it."""
    role, _, other = request.param.partition(" of ")
    with module_database.connect() as superuser:
        if other:
            superuser.execute(f"create role a_login login in role {role}")
        superuser.execute(f"create schema evil authorization {'a_login' if other else role}")
        yield "a_login" if other else role
        superuser.execute("drop schema evil cascade")
        if other:
            superuser.execute("drop role a_login")


@pytest.mark.parametrize("local", [True, False], ids=["transaction", "session"])
def test_a_bound_session_reaches_nobody_else(
    module_database: Database, victim: Person, attacker: Person, login: str, local: bool
) -> None:
    token = module_database.token(attacker.user_id)
    names = {
        "victim": str(victim.user_id),
        "memory": str(victim.memory_id),
        "attacker": str(attacker.user_id),
        "token": token,
    }
    prepared = [
        "prepare early_view as select content from memos.memory",
        "prepare early_call as select content from memos.list_memories('{victim}')",
        "declare early_cursor cursor with hold for select content from memos.memory",
    ]
    for attack in UNSET.values():
        if local and any(s.split()[0] in {"begin", "discard"} for s in attack):
            continue  # it would end the transaction, and with it what is bound
        with module_database.connect(login) as connection:
            session = Bound(connection, names, (victim.secret,))
            if local:
                connection.execute("begin")
            connection.execute("select memos.use_context(%s, %s)", (token, local))
            for statement in prepared:
                session.run(statement)
            own = session.run("select content from memos.list_memories('{attacker}')")
            assert own == [(attacker.secret,)]
            for statement in attack:
                if not local and statement.startswith(("savepoint", "release", "rollback to")):
                    session.run("begin")
                session.run(statement)
            if "set_config('memos.user_id'" not in str(attack):
                session.run("select set_config('memos.user_id', '{victim}', false)")
            for read in READS:
                found = session.run(read)
                # Counts, versions and ids are no secrets to look for: no row at all may come.
                if "'{victim}'" in read or "_private" in read:
                    assert not any(isinstance(row, tuple) for row in found), (attack, read, found)
            # Whatever was done to it, the session is its own user's when it presents the context.
            if connection.info.transaction_status.name == "INERROR":
                connection.execute("rollback")
            if local and login.startswith("memos_app"):
                session.run("rollback")
            connection.execute("set search_path to default")
            connection.execute("set row_security to default")
            assert session.run("select memos.use_context('{token}')") == [(attacker.user_id,)]
    kept = module_database.value(
        "select content from memos.get_memory(%s, %s)",
        victim.user_id,
        victim.memory_id,
        role="memos_app",
    )
    assert kept == victim.secret


def test_the_bots_session_is_bound_until_it_ends(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    """A session of memos_app names any user, until it binds itself for the session."""
    call = "select content from memos.list_memories(%s)"
    token = module_database.token(attacker.user_id)
    with module_database.connect("memos_app") as connection:
        assert connection.execute(call, (victim.user_id,)).fetchall() == [(victim.secret,)]
        connection.execute("select memos.use_context(%s, false)", (token,))
        for freed in ("set memos.context = ''", "reset all", "discard all"):
            connection.execute(freed)
            for user in (victim, attacker):
                assert sqlstate_of(connection, call, user.user_id) == "MO403", freed
            for view in ("memos.memory", "memos.memory_version"):
                connection.execute(
                    "select set_config('memos.user_id', %s, false)", (str(victim.user_id),)
                )
                assert sqlstate_of(connection, f"select * from {view}") == "MO403", freed
            connection.execute("select memos.use_context(%s)", (token,))
            assert sqlstate_of(connection, call, victim.user_id) == "MO403"
            connection.execute("select memos.use_context(%s, false)", (token,))
            assert connection.execute(call, (attacker.user_id,)).fetchall() == [(attacker.secret,)]
    with module_database.connect("memos_app") as connection:  # perhaps the same process id
        assert connection.execute(call, (victim.user_id,)).fetchall() == [(victim.secret,)]


def test_no_function_forgets_that_the_session_is_bound(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    """Every function that names a user, with its other arguments null: who it is comes first."""
    with module_database.connect() as superuser:
        functions = superuser.execute("""
            select p.proname, p.prokind::text, array(
                select format_type(t, null)
                from unnest(p.proargtypes) with ordinality as a (t, n) where n > 1 order by n
            )
            from pg_proc as p
            where p.pronamespace = 'memos'::regnamespace and p.proargnames[1] = 'p_user_id'
        """).fetchall()
    assert len(functions) > 100
    token = module_database.token(attacker.user_id)
    with module_database.connect("memos_app") as connection:
        connection.execute("select memos.use_context(%s, false)", (token,))
        for cleared in (False, True):
            if cleared:
                connection.execute("set memos.context = ''")
            for name, kind, types in functions:
                arguments = ", ".join(["%s", *(f"null::{kind}" for kind in types)])
                verb = "call" if kind == "p" else "select"
                call = f"{verb} memos.{name}({arguments})"
                assert sqlstate_of(connection, call, victim.user_id) == "MO403", call
        call = "select hit from memos.cache_get(%s, 'content', 'https://a.example')"
        assert sqlstate_of(connection, call, victim.user_id) == "MO403"
        # Nor does it answer for all users.
        for call in (
            "select memos.cache_put(null, 'content', 'https://a.example', '1')",
            "select memos.cache_get(null, 'content', 'https://a.example')",
        ):
            assert sqlstate_of(connection, call) == "MO403"


def test_the_bots_transaction_is_bound_until_it_ends(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    call = "select content from memos.list_memories(%s)"
    token = module_database.token(attacker.user_id)
    with module_database.connect("memos_app") as connection:
        for _ in range(3):
            with connection.transaction():
                connection.execute("select memos.use_context(%s)", (token,))
                assert sqlstate_of(connection, call, victim.user_id) == "MO403"
                connection.execute("set local memos.context = ''")
                assert sqlstate_of(connection, call, victim.user_id) == "MO403"
                connection.execute("select memos.use_context(%s)", (token,))
                rows = connection.execute(call, (attacker.user_id,)).fetchall()
                assert rows == [(attacker.secret,)]
            assert connection.execute(call, (victim.user_id,)).fetchall() == [(victim.secret,)]


def test_a_member_of_both_roles_does_not_shed_the_binding_with_the_role(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    token = module_database.token(attacker.user_id)
    with module_database.connect() as superuser:
        superuser.execute("create role gateway login noinherit in role memos_app, memos_user")
        try:
            with module_database.connect("gateway") as connection:
                connection.execute("set role memos_user")
                connection.execute("select memos.use_context(%s, false)", (token,))
                connection.execute("set memos.context = ''")
                connection.execute("set role memos_app")
                state = sqlstate_of(connection, "select memos.list_memories(%s)", victim.user_id)
                assert state == "MO403"
        finally:
            superuser.execute("drop role gateway")


def test_where_nothing_can_be_written_only_users_are_bound(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    """What a session of memos_app cannot undo is a row; on a standby it has to be memos_user."""
    token = module_database.token(attacker.user_id)
    for role, expected in (("memos_app", "MO409"), ("memos_user", None)):
        with module_database.connect(role) as connection, connection.transaction():
            connection.execute("set transaction read only")
            assert sqlstate_of(connection, "select memos.use_context(%s)", token) == expected
            if expected is None:
                rows = connection.execute("select content from memos.memory").fetchall()
                assert rows == [(attacker.secret,)]


def test_settings_that_a_shared_login_poisons_open_nothing(
    module_database: Database, victim: Person, attacker: Person
) -> None:
    """Every role may change its own settings, for all sessions to come and whoever uses them."""
    call = "select content from memos.list_memories(%s)"
    token = module_database.token(attacker.user_id)
    with module_database.connect("memos_user") as connection:
        for setting in (f"memos.context = '{token}'", f"memos.user_id = '{attacker.user_id}'"):
            assert sqlstate_of(connection, f"alter role memos_user set {setting}") == "42501"
        connection.execute("alter role memos_user set row_security = off")
        connection.execute("alter role memos_user set search_path = pg_temp, public")
    try:
        with module_database.connect("memos_user") as connection:
            present = "select memos.use_context(%s, false)"
            own = module_database.token(victim.user_id)
            # Refused, never unfiltered.
            assert sqlstate_of(connection, present, own) == "42501"
            connection.execute("set row_security = on")
            connection.execute(present, (own,))
            assert sqlstate_of(connection, call, attacker.user_id) == "MO403"
            assert connection.execute(call, (victim.user_id,)).fetchall() == [(victim.secret,)]
    finally:
        with module_database.connect() as superuser:
            for name in ("row_security", "search_path"):
                superuser.execute(f"alter role memos_user reset {name}")
