"""Who did what with whose data is on record: writes, reads, and what was refused or failed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from audit_support import entries, problems
from memory_support import Connection, add, at_once, failure, rows, value
from memos_pg.migrate import migrate
from psycopg.types.json import Jsonb
from support.catalog import AUDITORS_FUNCTIONS
from support.people import sqlstate_of
from support.postgres import Database


@pytest.fixture
def auditor(module_database: Database) -> Iterator[Connection]:
    """Sees the audit, and no content."""
    with module_database.connect("memos_auditor") as connection:
        yield connection


def actions(auditor: Connection, user: UUID) -> list[str]:
    return [e.action for e in entries(auditor, user)]


def test_a_write_and_a_read(app: Connection, auditor: Connection, user: UUID) -> None:
    before = datetime.now(UTC)
    kiwi = add(app, user, "kiwis are green")
    add(app, user, "plums are blue")
    found = rows(app, "memos.search_memories", user, "green kiwis", p_purpose="treatment")
    write, _, read = entries(auditor, user)
    assert (write.action, write.is_read, write.outcome, write.error) == (
        "add_memory", False, "done", None,
    )  # fmt: skip
    assert (write.object_ids, write.digest, write.purpose) == ([kiwi], None, None)
    assert (read.action, read.is_read, read.outcome) == ("search_memories", True, "done")
    assert read.object_ids == [row[1] for row in found]
    assert kiwi in read.object_ids
    assert read.purpose == "treatment"
    for entry in (write, read):
        assert entry.subject == user
        assert entry.recipient is None
        assert (entry.actor, entry.role) == ("memos_app", "memos_app")
        assert entry.client is None, "a unix socket has no address"
        assert entry.backend == entry.pid == app.info.backend_pid
        assert before < entry.statement_at <= entry.recorded_at < datetime.now(UTC)


def test_the_digest_tells_who_has_the_text(
    app: Connection, admin: Connection, auditor: Connection, user: UUID
) -> None:
    rows(app, "memos.search_memories", user, "am I relapsing?")
    [entry] = entries(auditor, user)
    assert entry.digest in [
        row[1] for row in rows(admin, "memos_admin.audit_digests", "am I relapsing?")
    ]
    assert entry.digest not in [
        row[1] for row in rows(admin, "memos_admin.audit_digests", "am i relapsing?")
    ]
    assert failure(auditor, "memos_admin.audit_digests", "a guess").sqlstate == "42501"


def test_no_content_is_in_the_audit(
    module_database: Database, app: Connection, admin: Connection, user: UUID
) -> None:
    add(app, user, "xyzzy is the word", p_tags=["plugh"], p_session_id="frotz")
    rows(app, "memos.search_memories", user, "xyzzy", p_explain=True)
    rows(app, "memos.find_duplicates", user, "xyzzy is the word")
    rows(
        app,
        "memos.update_memory",
        user,
        rows(app, "memos.list_memories", user)[0][0],
        {"content": "xyzzy?"},
    )
    failure(app, "memos.get_memory", user, uuid4())
    assert not problems(admin)
    with module_database.connect() as superuser:
        tables = superuser.execute(
            "select relname from pg_class where relnamespace = 'memos_private'::regnamespace"
            " and relname like 'audit\\_%' and relkind in ('r', 'p') and not relispartition"
        ).fetchall()
        assert len(tables) >= 10
        for (table,) in tables:
            text = superuser.execute(
                f"select coalesce(string_agg(t::text, ' '), '') from memos_private.{table} as t"
            )
            [content] = text.fetchone()
            assert not re.search("xyzzy|plugh|frotz", content), table


def test_a_batch_is_one_row(app: Connection, auditor: Connection, user: UUID) -> None:
    made = rows(app, "memos.add_memories", user, [{"content": f"number {n}"} for n in range(1000)])
    [entry] = entries(auditor, user)
    assert entry.object_ids == [row[1] for row in made]
    assert len(set(entry.object_ids)) == 1000


def test_every_way_to_read_content(app: Connection, auditor: Connection, user: UUID) -> None:
    memory = add(app, user, "kiwis are green")
    other = add(app, user, "kiwis are fruit")
    rows(app, "memos.link_memories", user, memory, other)
    rows(app, "memos.pin_memory", user, memory)
    [search] = {row[12] for row in rows(app, "memos.search_memories", user, "kiwis", p_record=True)}
    fact = rows(app, "memos.assert_fact", user, "kiwi", "colour", "green")[0]
    held = value(app, "memos.quarantine_memories", user, [{"content": "doubtful"}], "a page")
    pad = value(app, "memos.open_scratchpad", user, "find out")
    rows(app, "memos.write_public", user, pad, "a", "key", Jsonb(1))
    quarantined = rows(app, "memos.quarantined_memories", user)[0][0]
    written = len(entries(auditor, user))
    calls = {
        "search_memories": (("kiwis",), {memory, other}),
        "replay_search": ((search,), {memory, other}),
        "get_memory": ((memory,), {memory}),
        "list_memories": ((), {memory, other, fact[1]}),
        "memory_history": ((memory,), {memory}),
        "related_memories": ((memory,), {other}),
        "find_duplicates": (("kiwis are green",), {memory}),
        "hot_memories": ((), {memory}),
        "get_facts": ((), {fact[0]}),
        "fact_history": (("kiwi", "colour"), {fact[0]}),
        "quarantined_memories": ((), {quarantined}),
        "read_public": ((pad, "key"), {pad}),
        "agent_context": ((pad, "a"), {pad}),
        "list_entries": ((pad,), {pad}),
        "list_scratchpads": ((), {pad}),
        "export_network": ((), None),
        "memory_stats": ((), None),
    }
    for name, (arguments, _) in calls.items():
        rows(app, f"memos.{name}", user, *arguments)
    read = entries(auditor, user)[written:]
    assert [e.action for e in read] == list(calls)
    assert held == 1
    for entry in read:
        assert entry.is_read, entry.action
        expected = calls[entry.action][1]
        ids = None if entry.object_ids is None else set(entry.object_ids)
        assert (
            ids == expected
            if entry.action not in ("search_memories", "find_duplicates")
            else (ids >= expected)
        ), entry.action


def test_a_read_without_an_answer_is_a_read(
    app: Connection, auditor: Connection, user: UUID
) -> None:
    assert rows(app, "memos.search_memories", user, "nothing") == []
    assert rows(app, "memos.list_memories", user) == []
    assert [(e.action, e.object_ids) for e in entries(auditor, user)] == [
        ("search_memories", []), ("list_memories", []),
    ]  # fmt: skip


def test_a_view_is_one_read_a_statement(
    module_database: Database, app: Connection, auditor: Connection, user: UUID
) -> None:
    for number in range(20):
        add(app, user, f"number {number}")
    with module_database.connect("memos_user") as bound:
        bound.execute("select memos.use_context(%s, false)", (module_database.token(user),))
        assert bound.execute("select count(*) from memos.memory").fetchone() == (20,)
        bound.execute("select count(*) from memos.memory_version where content like '%1%'")
        bound.execute("select memos.current_user_id()")
        error = failure(bound, "memos.reading_user_id", "something else")
    read = [e for e in entries(auditor, user) if e.is_read]
    assert [(e.action, e.actor) for e in read] == [
        ("memory", "memos_user"), ("memory_version", "memos_user"),
    ]  # fmt: skip
    assert error.sqlstate == "MO400"


def test_workers_reads_are_of_each_user(
    app: Connection, admin: Connection, auditor: Connection
) -> None:
    rows(admin, "memos_admin.register_embedding_model", "ext", 2, "external")
    users = [uuid4(), uuid4()]
    ids = {user: {add(app, user, f"{n}") for n in range(3)} for user in users}
    claimed = rows(admin, "memos_admin.claim_embeddings", "worker", 10000, p_model="ext")
    for user in users:
        [entry] = entries(auditor, user, p_action="memos_admin.claim_embeddings")
        assert set(entry.object_ids) == ids[user]
        assert (entry.actor, entry.is_read) == ("memos_admin", True)
        # An operator's worker has seen it: that is somebody else than the user.
        assert [
            set(row[7]) for row in rows(auditor, "memos_admin.accounting_of_disclosures", user)
        ] == [ids[user]]
    names = ("user_id", "memory_id", "version", "model", "passage")
    results = [
        dict(zip(names, map(str, r), strict=False))
        for r in claimed
        if r[0] in users
    ]  # fmt: skip
    rows(
        admin,
        "memos_admin.complete_embeddings",
        "worker",
        results,
        "{" + ",".join(['"[1,0]"'] * 6) + "}",
    )
    [entry] = entries(auditor, users[0], p_action="memos_admin.complete_embeddings")
    assert set(entry.object_ids) == ids[users[0]]


def test_disclosures_are_accounted_for(
    module_database: Database, app: Connection, auditor: Connection, user: UUID
) -> None:
    counsellor = uuid4()
    tea = add(app, user, "likes tea")
    rows(app, "memos.set_consent", user, "care_team_sharing", True, "1.0")
    rows(app, "memos.grant_access", user, counsellor, "care_team", ["general"], ["treatment"])
    rows(app, "memos.shared_memories", user, counsellor, "treatment")
    rows(app, "memos.list_memories", user)
    refused = failure(app, "memos.shared_memories", user, counsellor, "marketing")
    assert refused.sqlstate == "MO403"
    expected = [(counsellor, "memos_app", "treatment", "shared_memories", [tea])]
    with module_database.connect("memos_user") as bound:
        bound.execute("select memos.use_context(%s, false)", (module_database.token(user),))
        shown = rows(bound, "memos.accounting_of_disclosures", user)
        assert failure(bound, "memos.accounting_of_disclosures", uuid4()).sqlstate == "MO403"
    for seen in (shown, rows(auditor, "memos_admin.accounting_of_disclosures", user)):
        assert [(r[1], r[2], r[5], r[6], r[7]) for r in seen] == expected
    later = shown[0][0] + timedelta(microseconds=1)
    assert rows(auditor, "memos_admin.accounting_of_disclosures", user, later) == []
    [refusal] = entries(auditor, user, p_outcome="refused")
    assert (refusal.action, refusal.error, refusal.recipient) == (
        "shared_memories", "MO403", counsellor,
    )  # fmt: skip


def test_the_privacy_report_counts_rows(app: Connection, auditor: Connection, user: UUID) -> None:
    add(app, user, "mine", p_privacy_level="restricted")
    tea = add(app, user, "likes tea", p_provenance="model")
    rows(app, "memos.label_memories", user, [tea], "substance_use")
    rows(app, "memos.update_memory", user, tea, {"content": "likes green tea"})
    rows(app, "memos.set_consent", user, "care_team_sharing", True, "1.0")
    rows(app, "memos.withdraw_consent", user, "derived_memories")
    rows(app, "memos.grant_access", user, uuid4(), "family", ["general"], ["support"])
    failure(app, "memos.get_memory", user, uuid4())
    entries(auditor, user)  # collects what failed
    report = value(app, "memos.privacy_report", user)
    assert report["memories"]["count"] == 2
    assert report["memories"]["restricted"] == 1
    assert report["by_privacy_level"] == {"restricted": 1, "balanced": 1}
    assert report["by_provenance"] == {"user": 1, "model": 1}
    assert report["by_segment"] == {"substance_use": 1}
    assert report["superseded_versions"] == 1
    assert report["consents"]["care_team_sharing"]["state"] == "granted"
    assert report["consents"]["derived_memories"]["state"] == "withdrawn"
    assert report["open_grants"] == 1
    assert report["under_legal_hold"] is False
    assert report["disclosures"]["count"] == 0
    audit = report["audit"]
    assert (audit["writes"], audit["failed"], audit["refused"]) == (7, 1, 0)
    assert audit["reads"] == 2, "of the auditor, and this one"
    nobody = value(app, "memos.privacy_report", uuid4())
    assert nobody["memories"]["count"] == 0
    assert nobody["settings"]["memory_enabled"] is True


# What rolls back ---------------------------------------------------------------------------------


def test_a_write_that_rolls_back_leaves_no_row(
    app: Connection, auditor: Connection, user: UUID
) -> None:
    with app.transaction(force_rollback=True):
        add(app, user, "never")
    with app.transaction():
        add(app, user, "kept")
        with app.transaction(force_rollback=True):
            add(app, user, "not kept")
            rows(app, "memos.list_memories", user)
        rows(app, "memos.list_memories", user)
    assert actions(auditor, user) == ["add_memory", "list_memories"]
    assert not problems(auditor)


def test_what_refuses_or_fails_is_on_record(
    module_database: Database, app: Connection, auditor: Connection, user: UUID
) -> None:
    memory, nothing = add(app, user, "kiwi"), uuid4()
    with module_database.connect("memos_user") as stranger:
        assert failure(stranger, "memos.get_memory", user, memory).sqlstate == "MO001"
        other = module_database.token(uuid4())
        stranger.execute("select memos.use_context(%s, false)", (other,))
        assert failure(stranger, "memos.search_memories", user, "kiwi").sqlstate == "MO403"
    assert failure(app, "memos.get_memory", user, nothing).sqlstate == "MO404"
    assert (
        failure(app, "memos.update_memory", user, memory, {"content": "x"}, 7).sqlstate == "MO409"
    )
    rows(app, "memos.withdraw_consent", user, "memory_recall")
    assert failure(app, "memos.search_memories", user, "kiwi").sqlstate == "MO451"
    rows(app, "memos.update_settings", user, {"max_memories": 1})
    assert failure(app, "memos.add_memory", user, "two").sqlstate == "MO429"
    assert failure(app, "memos.add_memory", user, "").sqlstate == "MO400"
    kept = [e for e in entries(auditor, user) if e.outcome != "done"]
    assert [(e.action, e.outcome, e.error, e.actor) for e in kept] == [
        ("get_memory", "refused", "MO001", "memos_user"),
        ("search_memories", "refused", "MO403", "memos_user"),
        ("get_memory", "failed", "MO404", "memos_app"),
        ("update_memory", "failed", "MO409", "memos_app"),
        ("search_memories", "refused", "MO451", "memos_app"),
        ("add_memory", "refused", "MO429", "memos_app"),
    ]
    assert kept[2].object_ids == [nothing]
    assert kept[2].backend == app.info.backend_pid
    assert len([e for e in entries(auditor, user) if e.outcome != "done"]) == 6, "once each"
    assert not problems(auditor)


def test_a_refusal_says_nothing_that_is_not_checked(
    module_database: Database, auditor: Connection, user: UUID
) -> None:
    """Neither the user nor the purpose of a forged context, nor the name of a caller's function."""
    token = module_database.token(uuid4()).split(".")
    token[4] = b"a purpose".hex()
    with module_database.connect("memos_user") as forger:
        forger.execute("select set_config('memos.user_id', %s, false)", (str(user),))
        for forged in (".".join(token), "2.1.x.y.zz.w", "nonsense"):
            with pytest.raises(psycopg.Error) as caught:
                forger.execute("select memos.use_context(%s)", (forged,))
            assert caught.value.sqlstate == "MO403"
    refused = [
        e for e in entries(auditor, p_outcome="refused") if e.action == "use_context"
    ]  # fmt: skip
    assert len(refused) == 3
    assert {(e.subject, e.purpose, e.actor) for e in refused} == {(None, None, "memos_user")}


def test_jobs_that_pass_over_users_refuse_nothing(
    module_database: Database, app: Connection, admin: Connection, auditor: Connection, user: UUID
) -> None:
    add(app, user, "kiwi")
    rows(app, "memos.withdraw_consent", user, "derived_memories")
    rows(app, "memos.grant_access", user, uuid4(), "family", ["general"], ["support"])
    assert rows(app, "memos.access_grants", user)[0][9] is False
    rows(admin, "memos_admin.link_similar_batch", user)
    rows(admin, "memos_admin.users_to_note")
    assert not [e for e in entries(auditor, user) if e.outcome != "done"]


def spooled(database: Database) -> list[Path]:
    """The files with failures of a database."""
    folder = Path(database.value("show data_directory")) / "memos_audit"
    oid = database.value("select oid::text from pg_database where datname = current_database()")
    return sorted(path for path in folder.iterdir() if path.name.split(".")[0] == oid)


def failures_of(auditor: Connection, user: UUID) -> int:
    return len([e for e in entries(auditor, user) if e.outcome == "failed"])


def test_a_collector_that_dies_loses_nothing(
    module_database: Database, app: Connection, admin: Connection, auditor: Connection, user: UUID
) -> None:
    rows(admin, "memos_admin.collect_audit")
    rows(admin, "memos_admin.collect_audit")
    assert not spooled(module_database), "what is committed is removed"
    for _ in range(3):
        failure(app, "memos.get_memory", user, uuid4())
    with admin.transaction(force_rollback=True):
        assert value(admin, "memos_admin.collect_audit") == 3
    failure(app, "memos.get_memory", user, uuid4())
    assert len(spooled(module_database)) == 2
    assert value(admin, "memos_admin.collect_audit") == 4
    assert value(admin, "memos_admin.collect_audit") == 0
    assert not spooled(module_database)
    assert failures_of(auditor, user) == 4
    [mode] = {oct(path.stat().st_mode)[-3:] for path in spooled(module_database)} or {"600"}
    assert mode == "600"


def test_collectors_and_failures_at_once(
    module_database: Database, auditor: Connection, user: UUID
) -> None:
    def work(number: int) -> int:
        role = "memos_app" if number < 4 else "memos_admin"
        with module_database.connect(role) as connection:
            for _ in range(25):
                if number < 4:
                    failure(connection, "memos.get_memory", user, uuid4())
                else:
                    rows(connection, "memos_admin.collect_audit")
        return number

    at_once(6, work)
    assert failures_of(auditor, user) == 100
    assert not problems(auditor)


def test_a_line_that_somebody_wrote_is_not_believed(
    module_database: Database, app: Connection, admin: Connection, auditor: Connection, user: UUID
) -> None:
    failure(app, "memos.get_memory", user, uuid4())
    [file] = spooled(module_database)
    line = json.loads(file.read_text())
    assert oct(file.stat().st_mode)[-3:] == "600"
    line["entry"]["actor"] = "somebody else"
    with file.open("a") as spool:
        spool.write(json.dumps(line) + '\n{"half a li\nnull\n')
    assert value(admin, "memos_admin.collect_audit") == 4
    assert failures_of(auditor, user) == 1
    damaged = entries(auditor, p_action="damaged_line")
    assert len(damaged) == 3
    assert "somebody else" not in str(damaged)


def test_a_file_that_cannot_be_written_hides_no_failure(
    module_database: Database, app: Connection, admin: Connection, user: UUID
) -> None:
    rows(admin, "memos_admin.collect_audit")
    with module_database.connect() as superuser:
        superuser.execute("update memos_private.python_module set source = 'raise OSError'")
    try:
        with module_database.connect("memos_app") as other:
            assert failure(other, "memos.get_memory", user, uuid4()).sqlstate == "MO404"
    finally:
        rollback_modules(module_database)
    [line] = [line for line in logged(module_database) if line.get("subject") == str(user)]
    assert (line["action"], line["error"]) == ("get_memory", "MO404")


def rollback_modules(database: Database) -> None:
    with database.connect() as superuser:
        superuser.execute("delete from memos_private.repeatable")
    migrate(database.dsn)


# Where nothing can be written ---------------------------------------------------------------------


def logged(database: Database) -> list[dict[str, object]]:
    lines = re.findall(r"LOG:  memos audit: (\{.*\})", database.server.log)
    return [json.loads(line) for line in lines]


def test_a_read_only_transaction_is_on_record_too(
    module_database: Database, app: Connection, auditor: Connection, user: UUID
) -> None:
    """And no rollback undoes it."""
    memory = add(app, user, "kiwi")
    rows(app, "memos.search_memories", user, "kiwi")
    app.execute("set default_transaction_read_only = on")
    assert len(rows(app, "memos.search_memories", user, "kiwi")) == 1
    with app.transaction(force_rollback=True):
        rows(app, "memos.list_memories", user)
    app.execute("set default_transaction_read_only = off")
    _, written, *kept = entries(auditor, user)
    assert [(e.action, e.outcome, e.object_ids, e.is_read) for e in kept] == [
        ("search_memories", "done", [memory], True),
        ("list_memories", "done", [memory], True),
    ]
    assert kept[0].digest == written.digest
    assert not problems(auditor)


def test_without_pl_python_it_is_in_the_servers_log(
    module_database: Database, app: Connection, auditor: Connection, user: UUID
) -> None:
    memory = add(app, user, "kiwi")
    with module_database.connect() as superuser:
        superuser.execute("alter function memos_private.spool rename to no_spool")
    try:
        with app.transaction():
            app.execute("set transaction read only")
            rows(app, "memos.search_memories", user, "kiwi")
        failure(app, "memos.get_memory", user, uuid4())
        assert rows(auditor, "memos_admin.audit_status")[0][6] is False
        assert actions(auditor, user) == ["add_memory"]
    finally:
        with module_database.connect() as superuser:
            superuser.execute("alter function memos_private.no_spool rename to spool")
    read, failed = [line for line in logged(module_database) if line.get("subject") == str(user)]
    assert (read["action"], read["actor"], read["object_ids"]) == (
        "search_memories",
        "memos_app",
        [str(memory)],
    )
    assert (failed["action"], failed["error"]) == ("get_memory", "MO404")
    assert "kiwi" not in str(read)


@pytest.mark.parametrize("setting", ["durable", "logged", "buffered"])
def test_where_reads_go_is_a_setting(
    module_database: Database,
    app: Connection,
    admin: Connection,
    auditor: Connection,
    user: UUID,
    setting: str,
) -> None:
    rows(admin, "memos_admin.set_setting", "audit_reads", setting)
    try:
        rows(app, "memos.list_memories", user)
        with app.transaction(force_rollback=True):
            rows(app, "memos.memory_stats", user)
    finally:
        rows(admin, "memos_admin.set_setting", "audit_reads", "buffered")
    [entry] = entries(auditor, user)
    assert (entry.era == 0) == (setting == "durable")
    said = [line["action"] for line in logged(module_database) if line.get("subject") == str(user)]
    assert said == (["list_memories", "memory_stats"] if setting == "logged" else [])
    assert failure(admin, "memos_admin.set_setting", "audit_reads", "never").sqlstate == "MO400"


# Chains -------------------------------------------------------------------------------------------


def test_reads_become_durable_with_the_next_write_of_the_session(
    module_database: Database, app: Connection, user: UUID
) -> None:
    kept = "select count(*) from memos_private.audit_log where subject = %s and is_read"
    for _ in range(3):
        rows(app, "memos.list_memories", user)
    assert module_database.value(kept, user) == 0
    add(app, user, "kiwi")
    assert module_database.value(kept, user) == 3


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_older_snapshots_write_on(
    module_database: Database, app: Connection, admin: Connection, auditor: Connection, user: UUID,
    isolation: str,
) -> None:  # fmt: skip
    rows(app, "memos.list_memories", user)
    app.execute(f"set default_transaction_isolation = '{isolation}'")
    with app.transaction():
        rows(app, "memos.list_memories", user)
        rows(admin, "memos_admin.move_audited_reads")
        rows(app, "memos.list_memories", user)
        add(app, user, "kiwi")
    rows(app, "memos.list_memories", user)
    rows(admin, "memos_admin.move_audited_reads")
    app.execute("reset default_transaction_isolation")
    assert len(entries(auditor, user)) == 5
    assert not problems(auditor)


def test_nobody_waits_and_nothing_breaks_while_all_write(
    module_database: Database, auditor: Connection, user: UUID
) -> None:
    def work(number: int) -> list[str]:
        role = "memos_app" if number < 6 else "memos_admin"
        found: list[str] = []
        with module_database.connect(role) as connection:
            connection.execute("set lock_timeout = '5s'")
            for turn in range(20):
                if number == 6:
                    rows(connection, "memos_admin.move_audited_reads")
                elif number == 7:
                    found += problems(connection)
                    rows(connection, "memos_admin.anchor_audit")
                else:
                    rows(connection, "memos.search_memories", user, "kiwi")
                    if turn % 4 == number % 4:
                        add(connection, user, f"kiwi {number} {turn}")
        return found

    assert at_once(8, work) == [[]] * 8
    kept = actions(auditor, user)
    assert kept.count("search_memories") == 120
    assert kept.count("add_memory") == 30
    assert not problems(auditor)


def test_an_open_transaction_of_many_calls_does_not_slow_down(
    app: Connection, auditor: Connection, user: UUID
) -> None:
    """Versions of the end of its chain pile up, and are not searched."""
    plan = "explain (analyze, buffers, format json) select * from memos.list_memories(%s)"
    with app.transaction():
        rows(app, "memos.list_memories", user)
        [first] = app.execute(plan, (user,)).fetchone()
        app.execute(
            "select count(*) from generate_series(1, 2000)"
            " cross join lateral memos.list_memories(%s, p_limit => least(generate_series, 1))",
            (user,),
        )
        [last] = app.execute(plan, (user,)).fetchone()
    touched = [p[0]["Plan"]["Shared Hit Blocks"] for p in (first, last)]
    assert touched[1] < touched[0] + 20, touched
    assert not problems(auditor)


def test_texts_are_hashed_alike_in_every_encoding(
    app: Connection, auditor: Connection, user: UUID
) -> None:
    app.execute("set client_encoding = 'latin1'")
    rows(app, "memos.search_memories", user, "tea", p_purpose="für später")
    app.execute("set client_encoding = 'utf8'")
    rows(app, "memos.search_memories", user, "tea", p_purpose="für später")
    assert [e.purpose for e in entries(auditor, user)] == ["für später"] * 2
    auditor.execute("set client_encoding = 'latin1'")
    assert not problems(auditor)


def test_a_new_key(app: Connection, admin: Connection, auditor: Connection, user: UUID) -> None:
    rows(app, "memos.search_memories", user, "tea")
    key = value(admin, "memos_admin.rotate_audit_key")
    rows(app, "memos.search_memories", user, "tea")
    add(app, user, "tea")
    first, second, _ = entries(auditor, user)
    assert first.digest != second.digest
    digests = dict(rows(admin, "memos_admin.audit_digests", "tea"))
    assert (digests[key], digests[key - 1]) == (second.digest, first.digest)
    assert not problems(auditor)


def test_a_dump_of_another_server_is_verifiable(
    module_database: Database, empty_database: Database, app: Connection, user: UUID
) -> None:
    """What is hashed depends on no oid and no setting of the server."""
    add(app, user, "kiwi")
    rows(app, "memos.search_memories", user, "kiwi", p_purpose="treatment")
    with module_database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.anchor_audit")
    rows(app, "memos.list_memories", user)
    with empty_database.connect() as superuser:
        superuser.execute("create table shifts_oids ()")
    dump = subprocess.run(
        [module_database.server.program("pg_dump"), "--dbname", module_database.dsn],
        capture_output=True, check=True,
    )  # fmt: skip
    subprocess.run(
        [module_database.server.program("psql"), "--quiet", "--dbname", empty_database.dsn],
        input=dump.stdout, capture_output=True, check=True,
    )  # fmt: skip
    with empty_database.connect("memos_auditor") as auditor:
        assert len(entries(auditor, user)) == 3
        assert not problems(auditor)


# Who may look -------------------------------------------------------------------------------------


def test_filters(app: Connection, auditor: Connection, user: UUID) -> None:
    kiwi, plum = add(app, user, "kiwi"), add(app, user, "plum")
    rows(app, "memos.get_memory", user, plum)
    assert [e.action for e in entries(auditor, user, p_object_id=plum)] == [
        "add_memory",
        "get_memory",
    ]
    assert [e.object_ids for e in entries(auditor, user, p_action="add_memory")] == [[kiwi], [plum]]
    [newest] = entries(auditor, user, p_action="get_memory", p_limit=1)
    assert entries(auditor, user, p_until=newest.recorded_at)[-1].object_ids == [plum]
    assert len(entries(auditor, user, p_from=newest.recorded_at)) == 1
    for bad in ({"p_limit": 0}, {"p_limit": None}, {"p_outcome": "odd"}):
        assert failure(auditor, "memos_admin.audit_entries", **bad).sqlstate == "MO400"
    now = datetime.now(UTC)
    assert failure(auditor, "memos_admin.verify_audit", now, now).sqlstate == "MO400"
    assert failure(auditor, "memos_admin.accounting_of_disclosures", None).sqlstate == "MO400"


def test_the_newest_rows_of_a_user_come_from_an_index(module_database: Database) -> None:
    with module_database.connect() as superuser:
        superuser.execute("set role memos_maintenance")
        # As the planner decides once there are rows enough.
        superuser.execute(
            "set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off"
        )
        plan = superuser.execute(
            "explain select * from memos_private.audit_log as l where l.subject = %s"
            " order by l.recorded_at desc limit 100",
            (uuid4(),),
        ).fetchall()
    assert "subject" in str(plan)
    assert "Sort  (" not in str(plan)


def test_looking_is_on_record(app: Connection, auditor: Connection, user: UUID) -> None:
    add(app, user, "kiwi")
    entries(auditor, user)
    seen = rows(auditor, "memos_admin.audit_entries", user, p_action="memos_admin.audit_entries")
    assert [(row[1], row[9]) for row in seen] == [("memos_admin.audit_entries", "memos_auditor")]


def test_auditors_see_no_content(
    module_database: Database, app: Connection, auditor: Connection, user: UUID
) -> None:
    add(app, user, "kiwi")
    with module_database.connect() as superuser:
        functions = superuser.execute(
            """
            select p.oid::regproc::text, p.prokind::text, array(
                select format_type(t, null) from unnest(p.proargtypes) as t
            )
            from pg_proc as p
            where p.pronamespace = any ('{memos,memos_admin,memos_private}'::regnamespace[])
                and p.prorettype <> 'trigger'::regtype
            """
        ).fetchall()
        relations = superuser.execute(
            "select oid::regclass::text from pg_class where relkind in ('r', 'p', 'v')"
            " and relnamespace = any ('{memos,memos_admin,memos_private}'::regnamespace[])"
        ).fetchall()
    callable_, readable = set(), set()
    for name, kind, types in functions:
        verb = "call" if kind == "p" else "select"
        arguments = ", ".join(f"null::{t}" for t in types)
        if sqlstate_of(auditor, f"{verb} {name}({arguments})") != "42501":
            callable_.add(name)
    for (name,) in relations:
        if sqlstate_of(auditor, f"select * from {name}") != "42501":
            readable.add(name)
    assert callable_ == AUDITORS_FUNCTIONS
    assert readable == set()


def test_a_user_sees_what_concerns_her_only(
    module_database: Database, app: Connection, user: UUID
) -> None:
    other = uuid4()
    for who in (user, other):
        add(app, who, "kiwi")
    seen = (
        "select count(*), count(distinct subject) from memos_private.audited_rows(null, null, null)"
    )
    with module_database.connect() as superuser:
        superuser.execute("set role memos_owner")
        assert superuser.execute(seen).fetchone() == (0, 0), "no context, no rows"
        superuser.execute("select set_config('memos.user_id', %s, false)", (str(user),))
        assert superuser.execute(seen).fetchone() == (1, 1)
