"""Attacks of a user with SQL at hand and a valid context of her own: functions, operators and
objects of hers that memOS or the planner might call on somebody else's rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support.people import Person
from support.postgres import Database

LEAK = """
    create function {schema}.leak(anyelement) returns boolean
    language plpgsql cost 0.0000001
    as $$ begin raise notice '%', $1; return true; end $$
"""


@pytest.fixture
def mallory(
    module_database: Database, attacker: Person, victim: Person
) -> Iterator[psycopg.Connection[Any]]:
    """The attacker's connection, in a context of her own, with a schema of her own."""
    with module_database.connect() as superuser:
        superuser.execute("create schema evil authorization memos_user")
        try:
            with module_database.connect("memos_user") as connection:
                token = module_database.token(attacker.user_id)
                connection.execute("select memos.use_context(%s, false)", (token,))
                yield connection
        finally:
            superuser.execute("drop schema evil cascade")


def heard(connection: psycopg.Connection[Any]) -> list[str]:
    """A list that grows with every notice."""
    notices: list[str] = []
    connection.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
    return notices


@pytest.mark.parametrize("schema", ["pg_temp", "evil"])
@pytest.mark.parametrize("setting", ["her own", "the victim's"])
def test_a_function_in_where_sees_no_foreign_row(
    mallory: psycopg.Connection[Any], victim: Person, attacker: Person, schema: str, setting: str
) -> None:
    notices = heard(mallory)
    mallory.execute(LEAK.format(schema=schema))
    if setting == "the victim's":
        mallory.execute("select set_config('memos.user_id', %s, false)", (str(victim.user_id),))
    mallory.execute(f"select * from memos.memory where {schema}.leak(content)")
    mallory.execute(f"select * from memos.memory as m where {schema}.leak(m)")
    mallory.execute(f"select count(*) from memos.memory where {schema}.leak(user_id)")
    assert not [n for n in notices if victim.secret in n or str(victim.user_id) in n]
    if setting == "her own":
        assert attacker.secret in notices, "the function was not called: this tests nothing"


def test_an_error_message_tells_no_foreign_content(
    mallory: psycopg.Connection[Any], victim: Person, attacker: Person
) -> None:
    with pytest.raises(psycopg.errors.InvalidTextRepresentation) as caught:
        mallory.execute("select * from memos.memory where content::int = 1")
    assert attacker.secret in str(caught.value)
    mallory.execute("select set_config('memos.user_id', %s, false)", (str(victim.user_id),))
    assert mallory.execute("select * from memos.memory where content::int = 1").fetchall() == []


def test_statistics_tell_no_foreign_content(
    module_database: Database, mallory: psycopg.Connection[Any], victim: Person
) -> None:
    """pg_stats shows the most common values of a table to whoever may read the table."""
    with module_database.connect() as superuser:
        superuser.execute("analyze memos_private.memory")
    shown = mallory.execute(
        "select * from pg_stats where schemaname in ('memos', 'memos_private')"
    ).fetchall()
    assert shown == []
    assert victim.secret not in str(mallory.execute("select * from pg_stat_activity").fetchall())


SHADOWS = """
    create function evil.current_setting(text, boolean) returns text
        language sql as $$ select '{victim}' $$;
    create function evil.set_config(text, text, boolean) returns text
        language sql as $$ select pg_catalog.set_config($1, '{victim}', $3) $$;
    create function evil.nullif(text, text) returns text language sql as $$ select '{victim}' $$;
    create function evil.pg_has_role(name, text, text) returns boolean
        language sql as $$ select true $$;
    create function evil.hmac(bytea, bytea, text) returns bytea language sql as $$ select $1 $$;
    create function evil.verify_context(text) returns uuid
        language sql as $$ select '{victim}'::uuid $$;
    create function evil.same(uuid, uuid) returns boolean language sql as $$ select true $$;
    create operator evil.= (leftarg = uuid, rightarg = uuid, function = evil.same);
    create operator evil.<> (leftarg = uuid, rightarg = uuid, function = evil.same);
    create temp table memory (user_id uuid, memory_id uuid, content text);
    create temp table setting (name text, value text, description text);
    create temp table context_key (key_id int, secret bytea, created_at timestamptz);
    insert into pg_temp.context_key values (1, '\\x00', now());
    set search_path = evil, pg_temp, pg_catalog, memos, public;
"""


def test_objects_of_the_caller_are_not_called_instead_of_ours(
    mallory: psycopg.Connection[Any], victim: Person, attacker: Person
) -> None:
    mallory.execute(SHADOWS.format(victim=victim.user_id))
    # Her operator takes any user for any other, in her own statement but in none of ours.
    assert mallory.execute(
        "select %s::uuid = %s::uuid", (victim.user_id, attacker.user_id)
    ).fetchone() == (True,)
    with pytest.raises(psycopg.Error) as caught:
        mallory.execute("select * from memos.list_memories(%s)", (victim.user_id,))
    assert caught.value.sqlstate == "MO403"
    assert mallory.execute("select memos.current_user_id()").fetchone() == (attacker.user_id,)
    queries = {
        "select content from memos.memory": None,
        "select content from memos.list_memories(%s)": (attacker.user_id,),
        "select content from memos.search_memories(%s, 'password victoria')": (attacker.user_id,),
    }
    for query, arguments in queries.items():
        assert mallory.execute(query, arguments).fetchall() == [(attacker.secret,)], query


def test_injected_sql_reaches_nobody_else(mallory: psycopg.Connection[Any], victim: Person) -> None:
    """Arguments are data in every function: none builds SQL from them."""
    attempt = (
        f"x'; select set_config('memos.user_id', '{victim.user_id}', false); "
        "select content from memos_private.memory; --"
    )
    calls = [
        "select content from memos.search_memories(memos.current_user_id(), %s)",
        "select content from memos.search_memories(memos.current_user_id(), 'password', "
        "p_session_id => %s)",
        "select content from memos.search_memories(memos.current_user_id(), 'password', "
        "p_kinds => array[%s])",
        "select content from memos.list_memories(memos.current_user_id(), p_tags => array[%s])",
        "select memos.add_memory(memos.current_user_id(), %s, p_session_id => 'injection')::text",
    ]
    for call in calls:
        rows = mallory.execute(call, (attempt,)).fetchall()
        assert victim.secret not in str(rows), call
    own = mallory.execute("select content from memos.memory where session_id = 'injection'")
    assert own.fetchall() == [(attempt,)]


def test_large_objects_and_files_are_out_of_reach(mallory: psycopg.Connection[Any]) -> None:
    for statement in (
        "select pg_read_file('postgresql.conf')",
        "copy (select 1) to program 'true'",
        "create extension dblink",
        "create function evil.f() returns int language plpython3u as 'return 1'",
    ):
        with pytest.raises(psycopg.errors.Error) as caught:
            mallory.execute(statement)
        assert caught.value.sqlstate in {"42501", "42704", "0A000"}, statement
