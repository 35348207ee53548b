"""What the server says beside the rows: plans, statistics, statements of others, errors, locks."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support import catalog
from support.people import Person, sqlstate_of
from support.postgres import Database

#: Text that is no free text: a word from a list, about which the planner may know how common it is.
WORDS = {"kind", "privacy_level", "provenance", "tier", "change", "language"}
MANY = 300


@pytest.fixture(scope="module")
def crowd(module_database: Database, victim: Person, attacker: Person) -> Person:
    """The victim has so many memories, some of them alike, that every statistic knows her."""
    with module_database.connect("memos_app") as connection:
        for content in ("I take methadone ", "Memory "):
            connection.execute(
                """
                select memos.add_memories(%s, jsonb_agg(jsonb_build_object(
                    'content', %s::text || i, 'session_id', 'clinic of victoria',
                    'tags', array['hiv']
                )))
                from generate_series(1, %s) as i
                """,
                (victim.user_id, content, MANY),
            )
        connection.execute(
            "select memos.delete_memory(%s, memory_id, 'victoria asked me') "
            "from memos.list_memories(%s, p_limit => 50)",
            (victim.user_id, victim.user_id),
        )
        for number in range(5):
            connection.execute("select memos.add_memory(%s, %s)", (attacker.user_id, str(number)))
    with module_database.connect() as superuser:
        superuser.execute("analyze")
    return victim


@pytest.fixture
def mallory(module_database: Database, attacker: Person) -> Iterator[psycopg.Connection[Any]]:
    """The attacker's connection, bound to her."""
    with module_database.connect("memos_user") as connection:
        connection.execute(
            "select memos.use_context(%s, false)", (module_database.token(attacker.user_id),)
        )
        yield connection


def views(connection: psycopg.Connection[Any]) -> list[catalog.Relation]:
    found = catalog.relations(connection, "v", ["memos"])
    assert "memos.memory" in map(str, found)
    return found


def plan(connection: psycopg.Connection[Any], query: str, value: str) -> str:
    """What EXPLAIN says about a condition, without the value and how many own rows it kept."""
    lines = catalog.column(
        connection, f"explain (analyze, buffers off, timing off, summary off) {query}'{value}'"
    )
    said = "\n".join(lines).replace(value, "<value>")
    top, *rest = re.split(r"(?m)^ *->  Result", said, maxsplit=1)
    own = r"actual rows=[\d.]+ loops=1|\n *Rows Removed by Filter: \d+"
    return "".join([re.sub(own, "", top), *rest])


SCANS: dict[str, list[str]] = {
    "as planned": [],
    "whole tables": ["enable_indexscan", "enable_bitmapscan", "enable_indexonlyscan"],
    "by index": ["enable_seqscan", "enable_bitmapscan"],
}


@pytest.mark.parametrize("scan", SCANS)
def test_a_plan_does_not_tell_who_else_is_a_user(
    mallory: psycopg.Connection[Any], crowd: Person, scan: str
) -> None:
    """The planner knows how many rows a frequent user has; a user is a patient."""
    for setting in SCANS[scan]:
        mallory.execute(f"set {setting} = off")
    for view in views(mallory):
        for comparison in ("=", "<", ">"):
            query = f"select * from {view} where user_id {comparison} "
            assert plan(mallory, query, str(crowd.user_id)) == plan(
                mallory, query, str(uuid.uuid4())
            ), f"{view} lets conditions reach others' rows: it has to end with offset 0"


@pytest.mark.parametrize("scan", SCANS)
def test_a_plan_does_not_tell_what_others_wrote(
    mallory: psycopg.Connection[Any], crowd: Person, scan: str
) -> None:
    """Bisection with `<` would read it letter by letter: in bounds of a histogram, or in whether
    what comes after the comparison was ever executed."""
    for setting in SCANS[scan]:
        mallory.execute(f"set {setting} = off")
    probes = [
        "I take methadone 1 ",
        "clinic of victoria",
        "victoria asked me",
        "Memory 17",
        "J",
        "zz",
    ]
    for view in views(mallory):
        texts = catalog.column(
            mallory,
            "select attname from pg_attribute where attrelid = %s::text::regclass "
            "and atttypid in ('text'::regtype, 'varchar'::regtype)",
            str(view),
        )
        for column in set(texts) - WORDS:
            for comparison in ("=", "<", "<>"):
                query = f"select count(*) from {view} where {column} {comparison} "
                plans = {plan(mallory, query, value) for value in probes}
                assert len(plans) == 1, (str(view), column, comparison, plans)


def test_statistics_hold_no_free_text(module_database: Database, crowd: Person) -> None:
    """They would outlive the rows, also those that were erased."""
    with module_database.connect() as superuser:
        samples = superuser.execute(
            """
            select s.starelid::regclass::text, a.attname,
                concat(s.stavalues1::text, s.stavalues2::text, s.stavalues3::text)
            from pg_statistic as s
            join pg_attribute as a on a.attrelid = s.starelid and a.attnum = s.staattnum
            join pg_class as c on c.oid = s.starelid
            where c.relnamespace = 'memos_private'::regnamespace and a.atttypid = 'text'::regtype
            """
        ).fetchall()
    assert ("memos_private.memory", "kind") in {(table, column) for table, column, _ in samples}
    told = {
        (table, column)
        for table, column, values in samples
        if values and re.search("take methadone|victoria|Memory 1", values)
    }
    assert not told, f"call memos_private.withhold_statistics(): {told}"


def test_sessions_of_a_shared_login_do_not_see_each_others_statements(
    module_database: Database, victim: Person, mallory: psycopg.Connection[Any]
) -> None:
    """pg_stat_activity shows a role the statements of its own sessions, tokens included."""
    token = module_database.token(victim.user_id)
    with module_database.connect() as superuser:
        has_module = superuser.execute("show shared_preload_libraries").fetchone()[0]
        if has_module:
            superuser.execute("create extension pg_stat_statements")
            superuser.execute("grant select on pg_stat_statements to memos_user")
    with module_database.connect("memos_user") as connection:
        connection.execute(f"select memos.use_context('{token}', false)")
        connection.execute(f"set memos.context = '{token}'")
        connection.execute(f"prepare mine as select '{victim.secret}'::text")
        connection.execute(
            f"select content from memos.list_memories('{victim.user_id}') -- {victim.secret}"
        )
        sources = ["pg_stat_activity", "pg_prepared_statements", "pg_cursors", "pg_locks"]
        for source in [*sources, *(["pg_stat_statements"] if has_module else [])]:
            seen = str(mallory.execute(f"select s::text from {source} as s").fetchall())
            assert victim.secret not in seen, source
            assert token.rsplit(".", 1)[1] not in seen, source
            assert str(victim.user_id) not in seen, source


@pytest.mark.parametrize("role", [*catalog.CALLERS, "memos_admin"])
def test_callers_create_neither_schemas_nor_temporary_objects(
    template_database: Database, role: str
) -> None:
    """A copy of a database has no grants of its own, so the original is asked; from outside, since
    nobody may be connected to it."""
    query = """
        select privilege
        from unnest(array['create', 'temporary']) as privilege
        where has_database_privilege(%s, %s, privilege)
    """
    with psycopg.connect(template_database.server.dsn()) as connection:
        assert catalog.column(connection, query, role, template_database.name) == []


CREATIONS = [
    "create table public.t (x int)",
    "create temp table t (x int)",
    "create schema mine",
    "create function public.f() returns int language sql as 'select 1'",
    "create function pg_catalog.f() returns int language sql as 'select 1'",
    "create function memos.f() returns int language sql as 'select 1'",
    "create operator public.== (leftarg = uuid, rightarg = uuid, function = uuid_eq)",
    "create type public.t as (x int)",
    "create domain public.uuid as text",
    "create cast (text as uuid) with inout as implicit",
    "create cast (uuid as boolean) with inout as implicit",
    "create aggregate public.a (text) (sfunc = textcat, stype = text)",
    'create collation public.c from "C"',
    "create text search configuration public.english (copy = pg_catalog.english)",
    "create view public.v as select 1",
    "create rule r as on select to memos.memory do instead select 1",
    "create trigger t before insert on memos_private.memory for each row "
    "execute function suppress_redundant_updates_trigger()",
    "create policy p on memos_private.memory using (true)",
    "create event trigger e on ddl_command_end execute function f()",
    "create extension dblink",
    "create extension postgres_fdw",
    "create language plpython3u",
    "create publication p for all tables",
    "create statistics public.s on content, kind from memos_private.memory",
    "create index on memos_private.memory (content)",
    "alter function memos.list_memories owner to memos_user",
    "alter function memos.list_memories set search_path = public",
    "alter view memos.memory set (security_barrier = false)",
    "alter view memos.memory set (security_invoker = true)",
    "alter database current set memos.user_id = 'x'",
    "comment on function memos.user_id is 'mine'",
    "security label on table memos_private.memory is 'mine'",
    "copy (select 1) to program 'true'",
    "copy memos_private.memory to stdout",
    "copy memos.memory from stdin",
    "load 'auto_explain'",
    "select pg_read_file('postgresql.conf')",
    "select pg_ls_dir('.')",
    "select lo_import('/etc/passwd')",
    "select pg_reload_conf()",
    "select pg_stat_reset()",
    "select pg_logical_slot_get_changes('s', null, null)",
    "select pg_create_logical_replication_slot('s', 'test_decoding')",
    "select query_to_xml('select content from memos_private.memory', true, false, '')",
    "select table_to_xml('memos_private.memory', true, false, '')",
    "select * from ts_stat('select to_tsvector(content) from memos_private.memory')",
    "select currtid2('memos_private.memory', '(0,1)')",
    "set session_replication_role = replica",
    "set track_activities = on",
    "set log_statement = 'all'",
    "set session_preload_libraries = 'x'",
    "do language plpython3u 'pass'",
]


@pytest.mark.parametrize("role", ["memos_app", "memos_user", "memos_auditor"])
def test_what_would_go_around_the_api_is_refused(module_database: Database, role: str) -> None:
    with module_database.connect() as superuser:
        # As the migration does it; a copy of a database has no grants of its own.
        superuser.execute(f"revoke temporary on database {module_database.name} from public")
        try:
            with module_database.connect(role) as connection:
                done = []
                for statement in CREATIONS:
                    try:
                        if statement.startswith("copy"):
                            with connection.cursor() as cursor, cursor.copy(statement):
                                pass
                        else:
                            connection.execute(statement)
                        done.append(statement)
                    except psycopg.Error:
                        pass
                assert not done
        finally:
            superuser.execute(f"grant temporary on database {module_database.name} to public")


def test_errors_name_nobody_else(mallory: psycopg.Connection[Any], crowd: Person) -> None:
    """DETAIL, HINT and CONTEXT of every failure that touches what the victim has."""
    calls = [
        "select memos.get_memory(memos.current_user_id(), %(memory)s)",
        "select memos.link_memories(memos.current_user_id(), %(memory)s, %(memory)s)",
        "select memos.link_memories(memos.current_user_id(), "
        "(select memory_id from memos.memory limit 1), %(memory)s)",
        'select memos.update_memory(memos.current_user_id(), %(memory)s, \'{"kind": "x"}\')',
        "select memos.replay_search(memos.current_user_id(), %(memory)s)",
        "select memos.add_memory(memos.current_user_id(), 'x', p_request_id => 'r')",
        "select content::int from memos.memory_version",
        "select jsonb_object_agg(null, content) from memos.memory_version",
        "insert into memos.memory (user_id) values (%(user)s)",
        "select memos.list_memories(%(user)s)",
    ]
    for call in calls:
        try:
            mallory.execute(call, {"memory": crowd.memory_id, "user": crowd.user_id})
        except psycopg.Error as error:
            diagnosis = error.diag
            said = " ".join(
                filter(
                    None,
                    (
                        diagnosis.message_primary,
                        diagnosis.message_detail,
                        diagnosis.message_hint,
                        diagnosis.context,
                        diagnosis.internal_query,
                    ),
                )
            )
            assert "victoria" not in said, call
            assert "methadone" not in said, call


def test_a_held_cursor_and_a_prepared_statement_follow_the_context(
    module_database: Database, mallory: psycopg.Connection[Any], victim: Person, attacker: Person
) -> None:
    """A connection goes from one user to the next: a plan may stay, its rows may not."""
    mallory.execute("prepare rows as select user_id from memos.memory")
    mallory.execute("prepare calls (uuid) as select memos.list_memories($1)")
    for _ in range(7):  # generic plans, too
        assert set(catalog.column(mallory, "execute rows")) == {attacker.user_id}
        mallory.execute(f"execute calls ('{attacker.user_id}')")
    mallory.execute("select memos.use_context(%s, false)", (module_database.token(victim.user_id),))
    assert set(catalog.column(mallory, "execute rows")) == {victim.user_id}
    assert sqlstate_of(mallory, f"execute calls ('{attacker.user_id}')") == "MO403"
    with mallory.transaction():
        mallory.execute("declare late cursor for select user_id from memos.memory")
        mallory.execute(
            "select memos.use_context(%s, true)", (module_database.token(attacker.user_id),)
        )
        assert {row[0] for row in mallory.execute("fetch all from late")} == {attacker.user_id}


def test_nothing_about_a_user_is_notified(
    module_database: Database, mallory: psycopg.Connection[Any], victim: Person
) -> None:
    """Everybody may listen to every channel."""
    sources = catalog.column(
        mallory,
        "select prosrc from pg_proc where pronamespace::regnamespace::text like 'memos%%' "
        "and prosrc ~* 'notify'",
    )
    channels = {c for s in sources for c in re.findall(r"(?:pg_notify\(\s*'|notify )(\w+)", s)}
    for channel in channels | {"memos"}:
        mallory.execute(f"listen {channel}")
    with module_database.connect("memos_app") as connection:
        memory_id = connection.execute(
            "select memos.add_memory(%s, 'notify nobody of victoria')", (victim.user_id,)
        ).fetchone()[0]
        connection.execute("select memos.delete_memory(%s, %s)", (victim.user_id, memory_id))
    heard = str(list(mallory.notifies(timeout=0.2)))
    assert not [s for s in (str(victim.user_id), str(memory_id), "victoria") if s in heard]


def test_a_lock_held_against_a_user_delays_her_writes_only(
    module_database: Database, mallory: psycopg.Connection[Any], victim: Person
) -> None:
    """Denial, not disclosure: advisory locks are anybody's. What rewrites blocks of the index waits
    as long as its lock_timeout; reading and adding go on."""
    key = f"hashtextextended('memos.posting {victim.user_id}', 0)"
    mallory.execute(f"select pg_advisory_lock({key})")
    with module_database.connect("memos_app") as connection:
        connection.execute("set lock_timeout = '200ms'")
        memory_id = connection.execute(
            "select memos.add_memory(%s, 'locked out')", (victim.user_id,)
        ).fetchone()[0]
        found = connection.execute(
            "select memory_id from memos.search_memories(%s, 'locked out', p_limit => 1)",
            (victim.user_id,),
        ).fetchall()
        assert found == [(memory_id,)]
        delete = "select memos.delete_memory(%s, %s)"
        assert sqlstate_of(connection, delete, victim.user_id, memory_id) == "55P03"
        mallory.execute("select pg_advisory_unlock_all()")
        assert sqlstate_of(connection, delete, victim.user_id, memory_id) is None
