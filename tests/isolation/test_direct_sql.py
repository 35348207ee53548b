"""Past the API: SQL on every relation and function there is, by everyone who may log in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support import catalog
from support.catalog import AUDITORS_FUNCTIONS, CALLERS, SCHEMAS, Relation
from support.people import Person, sqlstate_of
from support.postgres import Database

DENIED = "42501"
EVERYWHERE = [*SCHEMAS, "partman", "public"]


@pytest.fixture(scope="module")
def relations(module_database: Database, victim: Person) -> list[Relation]:
    """Every table, partition and view, of memOS and its tools; extensions' public views apart."""
    with module_database.connect() as connection:
        found = catalog.relations(connection, "rpv", EVERYWHERE)
        extensions = catalog.column(
            connection,
            """
            select c.oid::regclass::text from pg_class as c
            join pg_depend as d on d.objid = c.oid and d.classid = 'pg_class'::regclass
            where d.deptype = 'e' and c.relnamespace = 'public'::regnamespace
            """,
        )
        held = connection.execute("select count(*) from memos_private.memory").fetchone()[0]
    assert held >= 1, "nothing to protect"
    return [r for r in found if r.name not in extensions]


@pytest.fixture(params=[*CALLERS, "memos_admin"])
def caller(
    module_database: Database, request: pytest.FixtureRequest
) -> Iterator[psycopg.Connection[Any]]:
    """Every role that logs in, one after the other."""
    with module_database.connect(request.param) as connection:
        yield connection


def statements(relation: Relation) -> dict[str, str]:
    """Everything that SQL can do to a relation."""
    name = sql.Identifier(relation.schema, relation.name).as_string()
    column = sql.Identifier(relation.columns[0]).as_string()
    return {
        "select": f"select * from {name}",
        "count": f"select count(*) from {name}",
        "lock rows": f"select * from {name} for update",
        "insert": f"insert into {name} default values",
        "update": f"update {name} set {column} = {column}",
        "delete": f"delete from {name}",
        "truncate": f"truncate {name}",
        "copy": f"copy {name} to stdout",
        "lock": f"lock table {name} in access share mode",
        "drop": f"drop {'view' if relation.kind == 'v' else 'table'} {name}",
        "disable": f"alter table {name} disable row level security",
    }


def test_tables_and_partitions_refuse_everything(
    caller: psycopg.Connection[Any], relations: list[Relation], victim: Person
) -> None:
    """With the victim's id in the setting: the policies would let her rows through."""
    caller.execute("select set_config('memos.user_id', %s, false)", (str(victim.user_id),))
    allowed = [
        statement
        for relation in relations
        if relation.kind != "v"
        for statement in statements(relation).values()
        if sqlstate_of(caller, statement) != DENIED
    ]
    assert not allowed, allowed


def test_views_can_only_be_read(
    caller: psycopg.Connection[Any], relations: list[Relation], victim: Person
) -> None:
    caller.execute("select set_config('memos.user_id', %s, false)", (str(victim.user_id),))
    # 0A000, 55000 and 42809: the view, or the statement on any view, cannot do it at all.
    refusals = {DENIED, "0A000", "55000", "42809"}
    allowed = [
        statement
        for relation in relations
        if relation.kind == "v"
        for verb, statement in statements(relation).items()
        if verb not in {"select", "count", "lock rows", "lock"}
        and sqlstate_of(caller, statement) not in refusals
    ]
    assert not allowed, allowed


def visible_users(connection: psycopg.Connection[Any], view: Relation) -> set[Any] | None:
    """Whose rows a view shows; None when it may not be read."""
    query = sql.SQL("select user_id from {}").format(sql.Identifier(view.schema, view.name))
    try:
        return set(catalog.column(connection, query.as_string()))
    except psycopg.errors.InsufficientPrivilege:
        return None


@pytest.fixture(scope="module")
def user_views(relations: list[Relation], module_database: Database) -> list[Relation]:
    """The read views of the API. Each names the user, so that a test can see whose row it is."""
    views = [r for r in relations if r.kind == "v" and r.schema == "memos"]
    assert "memos.memory" in {str(v) for v in views}
    nameless = [str(v) for v in views if "user_id" not in v.columns]
    assert not nameless, nameless
    return views


def test_views_show_nothing_without_a_context(
    module_database: Database, user_views: list[Relation]
) -> None:
    for role in CALLERS:
        with module_database.connect(role) as connection:
            for view in user_views:
                assert visible_users(connection, view) in (set(), None), (role, view)


def test_views_show_a_user_what_is_hers(
    module_database: Database, user_views: list[Relation], victim: Person, attacker: Person
) -> None:
    with module_database.connect("memos_user") as connection:
        connection.execute(
            "select memos.use_context(%s, false)", (module_database.token(attacker.user_id),)
        )
        for view in user_views:
            assert visible_users(connection, view) in (set(), {attacker.user_id}), view
        rows = connection.execute("select content from memos.memory").fetchall()
        assert rows == [(attacker.secret,)]


def test_the_bot_names_the_user_of_the_views_in_the_setting(
    module_database: Database, victim: Person
) -> None:
    """memos_app is trusted to; it is what keeps the views useful for it."""
    with module_database.connect("memos_app") as connection:
        connection.execute("select set_config('memos.user_id', %s, false)", (str(victim.user_id),))
        rows = connection.execute("select content from memos.memory").fetchall()
    assert rows == [(victim.secret,)]


@pytest.mark.parametrize("with_token", [False, True])
@pytest.mark.parametrize("role", ["memos_user", "memos_auditor"])
def test_the_setting_opens_nothing_to_a_user(
    module_database: Database,
    user_views: list[Relation],
    victim: Person,
    attacker: Person,
    role: str,
    with_token: bool,
) -> None:
    """The setting is anybody's to write; without the token of that user it opens no row."""
    with module_database.connect(role) as connection:
        if with_token and role == "memos_user":
            connection.execute(
                "select memos.use_context(%s, false)", (module_database.token(attacker.user_id),)
            )
        connection.execute("select set_config('memos.user_id', %s, false)", (str(victim.user_id),))
        for view in user_views:
            assert victim.user_id not in (visible_users(connection, view) or set()), view


@pytest.mark.parametrize("setting", ["memos.user_id", "memos.context"])
@pytest.mark.parametrize("value", ["nonsense", "' or true --", "%", "{}"])
def test_nonsense_in_a_setting_shows_no_row(
    module_database: Database, victim: Person, setting: str, value: str
) -> None:
    for role in ("memos_user", "memos_app"):
        with module_database.connect(role) as connection:
            connection.execute("select set_config(%s, %s, false)", (setting, value))
            query = "select * from memos.memory"
            state = sqlstate_of(connection, query)
            assert state in {None, "MO403", "MO400", "22P02"}, role
            if state is None:
                assert connection.execute(query).fetchall() == []


@pytest.mark.parametrize("role", CALLERS)
@pytest.mark.parametrize("schema", ["memos_private", "memos_admin"])
def test_inner_functions_cannot_be_called(
    module_database: Database, victim: Person, schema: str, role: str
) -> None:
    with module_database.connect() as connection:
        functions = catalog.functions(connection, [schema])
    if role == "memos_auditor":
        functions = [f for f in functions if f"{f.schema}.{f.name}" not in AUDITORS_FUNCTIONS]
    assert len(functions) >= 5
    with module_database.connect(role) as connection:
        callable_ones = [str(f) for f in functions if sqlstate_of(connection, f.call()) != DENIED]
        # Also without the schema's own protection, should somebody grant USAGE on it one day.
        executable = catalog.column(
            connection,
            """
            select p::regprocedure::text from unnest(%s::oid[]) as p
            where has_function_privilege(p, 'execute')
            """,
            [f.oid for f in functions],
        )
    assert not callable_ones, callable_ones
    assert not executable, executable


def test_no_other_schema_of_the_tools_offers_a_way_in(module_database: Database) -> None:
    """SECURITY DEFINER functions outside our schemas, that a user may call and we do not know."""
    query = """
        select p.oid::regprocedure::text
        from pg_proc as p
        where p.prosecdef and p.pronamespace::regnamespace::text <> all (%s)
            and has_function_privilege('memos_user', p.oid, 'execute')
            and has_schema_privilege('memos_user', p.pronamespace, 'usage')
    """
    with module_database.connect() as connection:
        assert catalog.column(connection, query, SCHEMAS) == []
