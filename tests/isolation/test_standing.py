"""The standing tests of isolation: what pg_catalog says about every object there is, so that an
object added tomorrow is held to the same rules."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support import catalog
from support.catalog import AUDITORS_FUNCTIONS, CALLERS, SCHEMAS
from support.postgres import Database

GOLDEN = Path(__file__).parent / "expected_acl.txt"
OWN_ROWS = (
    "(user_id = ( SELECT (NULLIF(current_setting('memos.user_id'::text, true), ''::text))::uuid"
)
SAFE_SCHEMAS = {"pg_catalog", "public", "partman", *SCHEMAS}
# A procedure with a SET clause cannot commit, and these commit as they go. They must name every
# object with its schema and must not be SECURITY DEFINER (which cannot commit either).
COMMITTING_PROCEDURES = {
    "memos_admin.drop_embedding_model": "deletes user after user, so that writers never wait long",
    "memos_admin.reindex_vector_index": "the new index is kept before the old one is locked",
    "memos_admin.embed_pending": "embeds batch after batch, each kept when the next one fails",
    "memos_admin.assign_tiers": "moves batch after batch, so that no user waits long for a lock",
    "memos_admin.expire_memories": "deletes batch after batch, so that no user waits long",
    "memos_admin.expire_history": "month after month, each locked for as short as it can be",
    "memos_admin.expire_records": "batch after batch, each kept when the next one fails",
    "memos_admin.consolidate_memories": "merges user after user, so that nobody waits long",
    "memos_admin.evolve_memories": "one memory a transaction, so that nobody waits long",
    "memos_admin.make_notes": "the claim is kept before a provider is called, and note after note",
    "memos_admin.maintain_cache": "removes batch after batch, so that no user waits for a lock",
    "memos_admin.link_similar": "links batch after batch, so that no user waits long for a lock",
    "memos_admin.close_abandoned_scratchpads": "one a transaction: none undoes another",
    "memos_admin.run_maintenance": "one transaction a task, so that one failure undoes no other",
}


@pytest.fixture(scope="module")
def catalog_connection(module_database: Database) -> Iterator[psycopg.Connection[Any]]:
    with module_database.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def tables(catalog_connection: psycopg.Connection[Any]) -> list[catalog.Relation]:
    found = catalog.relations(catalog_connection, "rp")
    assert {"memos_private.memory", "memos_private.memory_history"} <= {str(t) for t in found}
    assert any(t.is_partition for t in found), "no partition: the rules for them test nothing"
    return found


@pytest.fixture(scope="module")
def functions(catalog_connection: psycopg.Connection[Any]) -> list[catalog.Function]:
    found = catalog.functions(catalog_connection)
    assert {"memos.add_memory", "memos.search_memories"} <= {f"{f.schema}.{f.name}" for f in found}
    return found


def test_every_table_and_partition_is_under_row_security(tables: list[catalog.Relation]) -> None:
    """Partitions do not inherit it. Without a policy of its own, a partition opens to nobody."""
    bare = [t for t in tables if not (t.row_security and t.force_row_security)]
    assert not bare, f"without forced row security: {', '.join(map(str, bare))}"
    shut = [t for t in tables if not t.policies and not t.is_partition]
    assert not shut, f"without a policy: {', '.join(map(str, shut))}"


def test_nothing_but_tables_views_and_indexes(catalog_connection: psycopg.Connection[Any]) -> None:
    """Row security does not reach materialised views and foreign tables; sequences do not shard."""
    odd = catalog.relations(catalog_connection, "mfS")
    assert not odd, ", ".join(f"{r} ({r.kind})" for r in odd)


def test_every_relation_belongs_to_a_role_that_row_security_binds(
    catalog_connection: psycopg.Connection[Any],
) -> None:
    everything = catalog.relations(catalog_connection, "rpv")
    # Whoever may write the Python package or the key command runs code as the server: no role of
    # memOS may.
    foreign = [
        r
        for r in everything
        if r.owner not in {"memos_owner", "memos_maintenance"}
        and str(r) not in {"memos_private.python_module", "memos_private.key_command"}
    ]
    assert not foreign, ", ".join(f"{r} belongs to {r.owner}" for r in foreign)


def test_owners_are_powerless_and_have_no_members(
    catalog_connection: psycopg.Connection[Any],
) -> None:
    bad = catalog.column(
        catalog_connection,
        """
        select rolname from pg_roles
        where rolname like 'memos\\_%%'
            and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)
        union
        select rolname from pg_roles
        where rolname in ('memos_owner', 'memos_maintenance') and rolcanlogin
        union
        select g.rolname || ' has the member ' || m.rolname
        from pg_auth_members as a
        join pg_roles as g on g.oid = a.roleid
        join pg_roles as m on m.oid = a.member
        where g.rolname in ('memos_owner', 'memos_maintenance') and not m.rolsuper
        """,
    )
    assert not bad, bad


def test_no_one_has_a_grant_on_a_partition(catalog_connection: psycopg.Connection[Any]) -> None:
    """A partition does not inherit the policies of its parent: a grant would be a hole."""
    granted = catalog.column(
        catalog_connection,
        """
        select format('%%s to %%s on %%s', a.privilege_type, a.grantee::regrole, c.oid::regclass)
        from pg_class as c
        cross join aclexplode(c.relacl) as a
        where c.relispartition and c.relnamespace::regnamespace::text = any (%s)
            and a.grantee <> c.relowner
        """,
        SCHEMAS,
    )
    assert not granted, granted


@pytest.mark.parametrize("role", [*CALLERS, "memos_admin"])
def test_callers_have_no_privilege_on_any_table(
    catalog_connection: psycopg.Connection[Any], role: str
) -> None:
    """Not in memOS' own schemas, and not in those of its tools. Includes what PUBLIC may."""
    granted = catalog.column(
        catalog_connection,
        """
        select format('%%s on %%s', p.privilege, c.oid::regclass)
        from pg_class as c
        cross join unnest(
            array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']
        ) as p (privilege)
        where c.relnamespace::regnamespace::text = any (%s)
            and c.relkind in ('r', 'p')
            and not exists (
                select from pg_depend as d where d.objid = c.oid and d.deptype = 'e'
            )
            and case
                when p.privilege in ('select', 'insert', 'update', 'references')
                    then has_any_column_privilege(%s, c.oid, p.privilege)
                else has_table_privilege(%s, c.oid, p.privilege)
            end
        """,
        [*SCHEMAS, "public", "partman"],
        role,
        role,
    )
    assert not granted, granted


@pytest.mark.parametrize(
    ("role", "is_auditor"), [("memos_app", False), ("memos_user", False), ("memos_auditor", True)]
)
def test_callers_may_enter_the_api_schema_only(
    catalog_connection: psycopg.Connection[Any], role: str, is_auditor: bool
) -> None:
    rights = dict(
        catalog_connection.execute(
            """
            select n.nspname, array[
                has_schema_privilege(%(role)s, n.oid, 'usage'),
                has_schema_privilege(%(role)s, n.oid, 'create')
            ]
            from pg_namespace as n
            where n.nspname = any (%(schemas)s)
            """,
            {"role": role, "schemas": [*SCHEMAS, "public", "partman"]},
        ).fetchall()
    )
    assert rights == {
        "memos": [True, False],
        "memos_private": [False, False],
        "memos_admin": [is_auditor, False],
        "public": [True, False],
        "partman": [False, False],
    }


def test_user_rows_are_opened_by_the_user_context_only(
    catalog_connection: psycopg.Connection[Any],
) -> None:
    """Any policy for another role than the maintenance role compares user_id with the context."""
    wide = catalog_connection.execute(
        """
        select p.polrelid::regclass::text, p.polname
        from pg_policy as p
        join pg_attribute as a
            on a.attrelid = p.polrelid and a.attname = 'user_id' and not a.attisdropped
        join pg_class as c on c.oid = p.polrelid
        where c.relnamespace::regnamespace::text = any (%s)
            and p.polroles <> array['memos_maintenance'::regrole::oid]
            and (
                not coalesce(starts_with(pg_get_expr(p.polqual, p.polrelid), %s), false)
                or not coalesce(
                    starts_with(pg_get_expr(p.polwithcheck, p.polrelid), %s), p.polwithcheck is null
                )
                or not p.polpermissive
            )
        """,
        (SCHEMAS, OWN_ROWS, OWN_ROWS),
    ).fetchall()
    assert not wide, wide


def test_views_are_barriers(catalog_connection: psycopg.Connection[Any]) -> None:
    """Else a function in the caller's WHERE sees rows before the view's predicate hides them."""
    views = catalog.relations(catalog_connection, "v", ["memos", "memos_admin"])
    assert views, "no view: the rule tests nothing"
    leaky = [v for v in views if "security_barrier=true" not in v.options]
    assert not leaky, ", ".join(map(str, leaky))


def test_the_user_comes_first_in_every_key(catalog_connection: psycopg.Connection[Any]) -> None:
    """Primary keys, unique indexes and exclusions of tables that have users."""
    late = catalog.column(
        catalog_connection,
        """
        select format('%%s of %%s', i.indexrelid::regclass, i.indrelid::regclass)
        from pg_index as i
        join pg_class as c on c.oid = i.indrelid
        join pg_attribute as a
            on a.attrelid = c.oid and a.attname = 'user_id' and not a.attisdropped
        where c.relnamespace::regnamespace::text = any (%s)
            and (i.indisunique or i.indisexclusion)
            and i.indkey[0] <> a.attnum
        """,
        SCHEMAS,
    )
    assert not late, late


def test_the_user_comes_first_in_every_foreign_key(
    catalog_connection: psycopg.Connection[Any],
) -> None:
    """On both sides; references to a table without users (a registry) apart."""
    late = catalog.column(
        catalog_connection,
        """
        select format('%%s on %%s', f.conname, f.conrelid::regclass)
        from pg_constraint as f
        join pg_class as c on c.oid = f.conrelid
        join pg_attribute as a on a.attrelid = f.conrelid and a.attname = 'user_id'
        join pg_attribute as b on b.attrelid = f.confrelid and b.attname = 'user_id'
        where f.contype = 'f'
            and c.relnamespace::regnamespace::text = any (%s)
            and (f.conkey[1] <> a.attnum or f.confkey[1] <> b.attnum)
        """,
        SCHEMAS,
    )
    assert not late, late


def test_no_foreign_key_into_a_partitioned_table(
    catalog_connection: psycopg.Connection[Any],
) -> None:
    """It would forbid dropping old partitions."""
    keys = catalog.column(
        catalog_connection,
        """
        select format('%%s on %%s', f.conname, f.conrelid::regclass)
        from pg_constraint as f
        join pg_class as target on target.oid = f.confrelid
        join pg_namespace as n on n.oid = target.relnamespace
        where f.contype = 'f' and n.nspname = any (%s)
            and (target.relkind = 'p' or target.relispartition)
        """,
        SCHEMAS,
    )
    assert not keys, keys


def test_every_table_has_a_key(catalog_connection: psycopg.Connection[Any]) -> None:
    """Logical replication of a user or a shard needs one."""
    keyless = catalog.column(
        catalog_connection,
        """
        select c.oid::regclass::text
        from pg_class as c
        where c.relnamespace::regnamespace::text = any (%s) and c.relkind in ('r', 'p')
            and not exists (select from pg_index as i where i.indrelid = c.oid and i.indisprimary)
        """,
        SCHEMAS,
    )
    assert not keyless, keyless


def test_every_function_pins_its_search_path(functions: list[catalog.Function]) -> None:
    """Bodies in standard SQL are bound when they are created and need none."""
    loose = []
    for function in functions:
        name = f"{function.schema}.{function.name}"
        if function.has_sql_body:
            continue
        if function.kind == "p" and name in COMMITTING_PROCEDURES:
            assert not function.definer, f"{function} cannot commit as SECURITY DEFINER"
            continue
        path = [s.strip().strip('"') for s in function.settings.get("search_path", "").split(",")]
        # Where pg_temp is not named, it comes first, and everybody may create tables in it.
        if path[-1] != "pg_temp" or not set(path[:-1]) <= SAFE_SCHEMAS:
            loose.append(f"{function}: {function.settings.get('search_path')}")
    assert not loose, "\n".join(loose)


def test_allowed_exceptions_exist(functions: list[catalog.Function]) -> None:
    """A name left in the list would excuse a later function by accident."""
    procedures = {f"{f.schema}.{f.name}" for f in functions if f.kind == "p"}
    assert set(COMMITTING_PROCEDURES) <= procedures


def test_public_may_execute_nothing(functions: list[catalog.Function]) -> None:
    public = [str(f) for f in functions if "PUBLIC" in f.executors]
    assert not public, "\n".join(public)


def test_callers_may_execute_the_api_only(functions: list[catalog.Function]) -> None:
    inside = [
        str(f)
        for f in functions
        if f.schema != "memos" and set(f.executors) & (set(CALLERS) - {"memos_auditor"})
    ]
    assert not inside, "\n".join(inside)


def test_auditors_may_execute_what_shows_the_audit_only(functions: list[catalog.Function]) -> None:
    theirs = {f"{f.schema}.{f.name}" for f in functions if "memos_auditor" in f.executors}
    assert theirs == AUDITORS_FUNCTIONS


def test_functions_belong_to_bound_roles(functions: list[catalog.Function]) -> None:
    """PL/Python too, which only a superuser can create: its functions are handed over."""
    bad = []
    for function in functions:
        expected = {"memos_admin": {"memos_maintenance"}}.get(function.schema, {"memos_owner"})
        if function.definer and function.owner not in expected:
            bad.append(f"{function}: SECURITY DEFINER of {function.owner}")
        if function.owner_is_superuser:
            bad.append(f"{function}: belongs to a superuser")
    assert not bad, "\n".join(bad)


def test_functions_of_the_api_close_the_context_they_open(
    functions: list[catalog.Function],
) -> None:
    """`set memos.user_id` in the definition restores the setting on every exit, errors included."""
    open_ended = [
        str(f)
        for f in functions
        if f.schema == "memos" and f.definer and f.takes_user and "memos.user_id" not in f.settings
    ]
    assert not open_ended, "\n".join(open_ended)


def test_api_functions_name_the_user_first(functions: list[catalog.Function]) -> None:
    nameless = {f.name for f in functions if f.schema == "memos" and not f.takes_user}
    # Those that find identifiers look at their argument and nothing else.
    stateless = {"user_id", "find_identifiers", "mask_identifiers"}
    of_the_session = {"current_user_id", "reading_user_id", "use_context"}
    assert nameless <= stateless | of_the_session, nameless


def test_function_list_is_the_expected_one(
    functions: list[catalog.Function],
    catalog_connection: psycopg.Connection[Any],
    request: pytest.FixtureRequest,
) -> None:
    """Every function with its language, volatility, rights and executors. After an intended change:
    `pytest tests/isolation --update-golden`, and read the diff."""
    found = [
        f"{f} {f.language} {f.volatility} {'definer' if f.definer else 'invoker'} {f.owner}"
        f" -> {' '.join(f.executors) or 'nobody'}\n"
        for f in functions
    ]
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text("".join(found), encoding="utf-8")
    expected = GOLDEN.read_text(encoding="utf-8").splitlines(keepends=True)
    has_plpython = catalog_connection.execute(
        "select 1 from pg_language where lanname = 'plpython3u'"
    ).fetchone()
    if not has_plpython:
        expected = [line for line in expected if " plpython3u " not in line]
    difference = "".join(difflib.unified_diff(expected, found, "expected", "found", n=0))
    assert not difference, f"run with --update-golden when this is meant:\n{difference}"
