"""What the doctor finds wrong, one injury at a time."""

from __future__ import annotations

import pytest
from memos_pg.doctor import Check, examine
from support.postgres import Database


def found(database: Database) -> dict[str, Check]:
    return {check.name: check for check in examine(database.dsn)}


def test_a_fresh_installation_is_well(database: Database) -> None:
    failures = [check for check in examine(database.dsn) if check.level == "fail"]
    assert failures == []
    checks = found(database)
    for name in ("roles", "row-level security", "definer functions", "partitions", "migrations"):
        assert checks[name].level == "ok", checks[name]


def test_a_database_without_memos_says_what_to_do(empty_database: Database) -> None:
    checks = found(empty_database)
    assert checks["memOS"].level == "fail"
    assert checks["memOS"].advice == "Run: memos migrate"
    assert checks["extension vector"].level == "fail"
    assert "migrations" not in checks


@pytest.mark.parametrize(
    ("injury", "name", "words"),
    [
        (
            "alter table memos_private.memory no force row level security",
            "row-level security",
            "memos_private.memory",
        ),
        (
            "create table memos_private.bare (user_id uuid)",
            "row-level security",
            "memos_private.bare",
        ),
        (
            """
            do $$ begin
                execute format('grant select on %s to memos_app', (
                    select inhrelid::regclass from pg_inherits
                    where inhparent = 'memos_private.memory_history'::regclass limit 1
                ));
            end $$
            """,
            "grants on partitions",
            "memory_history",
        ),
        (
            "create function memos.sneaky() returns int language sql security definer"
            " as 'select 1'; revoke execute on function memos.sneaky() from public",
            "definer functions",
            "memos.sneaky (search_path not pinned)",
        ),
        (
            "alter function memos.memory_stats owner to postgres",
            "definer functions",
            "memos.memory_stats (owned by postgres)",
        ),
        (
            "grant execute on function memos.memory_stats to public",
            "function grants",
            "memos.memory_stats",
        ),
        ("grant create on schema public to public", "schemas", "public"),
        (
            "update pg_index set indisvalid = false"
            " where indexrelid = 'memos_private.memory_pkey'::regclass",
            "indexes",
            "memory_pkey",
        ),
        (
            """
            do $$ declare v_partition regclass; begin
                for v_partition in
                    select inhrelid from pg_inherits
                    where inhparent = 'memos_private.memory_history'::regclass
                loop
                    execute format('drop table %s', v_partition);
                end loop;
            end $$
            """,
            "partitions",
            "memory_history",
        ),
        (
            "delete from memos_private.repeatable where path = 'sql/memory/add_memory.sql'",
            "functions loaded",
            "sql/memory/add_memory.sql",
        ),
        (
            "delete from _yoyo_migration where migration_id ~ '^0003'",
            "migrations",
            "0003",
        ),
        ("drop extension unaccent cascade", "extension unaccent", "not created"),
    ],
)
def test_an_injury_is_found(database: Database, injury: str, name: str, words: str) -> None:
    with database.connect() as connection:
        connection.execute(injury.encode())
    check = found(database)[name]
    assert check.level == "fail"
    assert words in check.message
    assert check.advice


@pytest.mark.parametrize(
    ("injury", "cure", "words"),
    [
        ("alter role memos_app bypassrls", "alter role memos_app nobypassrls", "bypasses"),
        ("alter role memos_owner login", "alter role memos_owner nologin", "may log in"),
        (
            "grant memos_owner to memos_user",
            "revoke memos_owner from memos_user",
            "memos_user is a member of memos_owner",
        ),
    ],
)
def test_a_role_with_too_much_is_found(
    database: Database, injury: str, cure: str, words: str
) -> None:
    # Roles belong to the whole server: put them back for the other tests.
    with database.connect() as connection:
        connection.execute(injury)
        try:
            check = found(database)["roles"]
        finally:
            connection.execute(cure)
    assert check.level == "fail"
    assert words in check.message
    assert found(database)["roles"].level == "ok"


def test_old_pgvector_is_warned_about_while_parallel_builds_are_on(database: Database) -> None:
    from memos_pg import doctor

    with database.connect() as connection:
        connection.execute("set max_parallel_maintenance_workers = 2")
        assert doctor._vector(connection, "0.8.1").level == "warn"
        assert "CVE-2026-3172" in doctor._vector(connection, "0.8.0").message
        assert doctor._vector(connection, "0.8.2").level == "ok"
        assert doctor._vector(connection, "0.7.4").level == "fail"
        connection.execute("set max_parallel_maintenance_workers = 0")
        assert doctor._vector(connection, "0.8.1").level == "ok"


def test_embeddings_are_counted(database: Database) -> None:
    assert found(database)["embeddings"].level == "warn"
    with database.connect("memos_admin") as connection:
        connection.execute("select memos_admin.register_embedding_model('three', 3, 'external')")
    database.value("select memos.add_memory(memos.user_id('a'), 'pending')", role="memos_app")
    check = found(database)["embeddings three"]
    assert (check.level, check.message[:27]) == ("ok", "0 done, 1 pending, 0 failed")
    with database.connect() as connection:
        connection.execute(
            "update memos_private.embedding_queue set enqueued_at = now() - interval '2 hours'"
        )
    assert found(database)["embeddings three"].level == "warn"
    with database.connect() as connection:
        connection.execute("update memos_private.embedding_queue set failed_at = now()")
    check = found(database)["embeddings three"]
    assert (check.level, "1 failed" in check.message) == ("fail", True)


def test_names_logins_whose_users_hear_each_other(database: Database) -> None:
    names = ("temporary objects", "statements of end users")
    with database.connect() as superuser:
        superuser.execute(f"grant temporary on database {database.name} to public")
        superuser.execute("create role gateway login in role memos_user")
        try:
            checks = found(database)
            assert [checks[name].level for name in names] == ["warn", "warn"]
            assert "gateway" in checks["statements of end users"].message
            superuser.execute(f"revoke temporary on database {database.name} from public")
            superuser.execute("alter role gateway set track_activities = off")
            checks = found(database)
            assert [checks[name].level for name in names] == ["ok", "ok"]
        finally:
            superuser.execute("drop role gateway")


def test_the_audit_is_looked_at(database: Database) -> None:
    database.value("select memos.add_memory(memos.user_id('a'), 'kiwi')", role="memos_app")
    database.value("select count(*) from memos.list_memories(memos.user_id('a'))", role="memos_app")
    checks = found(database)
    assert checks["audit, today"].level == "ok"
    assert checks["audit, buffer"].message.startswith("1 reads and 0 bytes")
    with database.connect() as superuser:
        superuser.execute("set session_replication_role = 'replica'")
        superuser.execute(
            "update memos_private.audit_buffer set recorded_at = now() - interval '2 days'"
        )
        superuser.execute("update memos_private.audit_log set actor = 'nobody'")
    checks = found(database)
    assert checks["audit, buffer"].level == "warn"
    assert checks["audit, today"].level == "fail"
    assert "edited" in checks["audit, today"].message
