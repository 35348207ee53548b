"""Function bodies: the loader does not check them, since functions call each other in any order."""

from __future__ import annotations

import psycopg
import pytest
from support import catalog
from support.postgres import Database, has_extension

# Calls the functions of two versions of pg_partman, of which a server has one.
EXEMPT = ["adopt_partitioned_table"]


def test_every_body_passes_the_validator_of_its_language(database: Database) -> None:
    """Names in SQL bodies are resolved, PL/Python is compiled, plpgsql is parsed."""
    bad = []
    with database.connect(autocommit=False) as connection:
        functions = catalog.functions(connection)
        assert len(functions) >= 30
        connection.execute("set check_function_bodies = on")
        for function in functions:
            definition = connection.execute(
                "select pg_get_functiondef(%s::oid)", (function.oid,)
            ).fetchone()[0]
            try:
                with connection.transaction():
                    connection.execute(definition.encode())
            except psycopg.Error as error:
                bad.append(f"{function}: {error}")
    assert not bad, "\n".join(bad)


def test_plpgsql_check_finds_nothing(database: Database) -> None:
    """Wrong names, types and dead ends in PL/pgSQL, which otherwise show when the line runs."""
    if not has_extension(database.server.bindir, "plpgsql_check"):
        pytest.skip("the server has no plpgsql_check: install postgresql-<version>-plpgsql-check")
    query = """
        select format('%%s, line %%s: %%s: %%s %%s', f.oid::regprocedure, c.lineno, c.level,
            c.message, coalesce(c.detail, c.hint, c.query))
        from pg_proc as f
        left join pg_trigger as t on t.tgfoid = f.oid and not t.tgisinternal and t.tgparentid = 0
        cross join lateral plpgsql_check_function_tb(
            f.oid, coalesce(t.tgrelid, 0),
            fatal_errors => false, extra_warnings => false, performance_warnings => false,
            oldtable => t.tgoldtable, newtable => t.tgnewtable
        ) as c
        where f.pronamespace::regnamespace::text = any (%s)
            and f.prolang = (select oid from pg_language where lanname = 'plpgsql')
            and (f.prorettype <> 'trigger'::regtype or t.oid is not null)
            and f.proname <> all (%s)
            and c.level in ('error', 'warning')
            -- Warnings 42804 are about casts of constants, which cost nothing that matters.
            and (c.level = 'error' or c.sqlstate <> '42804')
    """
    with database.connect() as connection:
        connection.execute("create extension plpgsql_check schema public")
        problems = catalog.column(connection, query, catalog.SCHEMAS, EXEMPT)
    assert not problems, "\n".join(problems)


def test_every_trigger_function_is_used(database: Database) -> None:
    """plpgsql_check needs a table to check one against."""
    query = """
        select f.oid::regprocedure::text
        from pg_proc as f
        where f.pronamespace::regnamespace::text = any (%s) and f.prorettype = 'trigger'::regtype
            and not exists (select from pg_trigger as t where t.tgfoid = f.oid)
    """
    with database.connect() as connection:
        assert catalog.column(connection, query, catalog.SCHEMAS) == []
