"""The command line, as people and as machines use it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from memos_pg import NotFound, User
from memos_pg.cli import app
from support.postgres import Database
from typer.testing import CliRunner, Result

Invoke = Callable[..., Result]


@pytest.fixture
def memos_command(database: Database, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """`memos ARGUMENTS` on the test's database."""
    monkeypatch.setenv("MEMOS_DSN", database.dsn)
    monkeypatch.delenv("MEMOS_USER", raising=False)

    def invoke(*arguments: Any, **options: Any) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)

    return invoke


def answer(result: Result) -> Any:
    """The one JSON document that a successful command printed."""
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return json.loads(result.stdout)


def test_a_memory_from_end_to_end(memos_command: Invoke) -> None:
    added = memos_command(
        "add", "the dog Pilchard", "-u", "alice", "--tag", "dog", "--kind", "fact"
    )
    assert added.exit_code == 0, added.output
    memory_id = UUID(added.stdout.strip())

    found = memos_command("search", "pilchard", "--user", "alice", "--explain")
    assert found.exit_code == 0
    assert "the dog Pilchard" in found.stdout
    assert "lexical 1" in found.stdout

    shown = memos_command("show", memory_id, "-u", "alice")
    assert "the dog Pilchard" in shown.stdout
    assert "dog" in shown.stdout

    listed = memos_command("list", "-u", "alice", "--kind", "fact")
    assert str(memory_id) in listed.stdout
    assert "Nothing stored." in memos_command("list", "-u", "alice", "--kind", "other").stdout
    assert "Nothing found." in memos_command("search", "dog", "-u", "bob").stdout
    assert "current" in memos_command("history", memory_id, "-u", "alice").stdout
    assert "memories" in memos_command("user", "alice").stdout


def test_a_memory_is_changed_pinned_and_deleted(memos_command: Invoke, alice: User) -> None:
    memory = alice.add_memory("lives in Leith")
    arguments = ("update", memory, "lives in Dundee", "-u", "alice", "-r", "moved")
    assert memos_command(*arguments).stdout == "Version 2.\n"
    assert answer(memos_command(*arguments, "--json")) == {"version": 2}
    assert [v.content for v in alice.memory_history(memory)] == [
        "lives in Leith",
        "lives in Dundee",
    ]
    assert "Pinned." in memos_command("pin", memory, "-u", "alice").stdout
    assert alice.get_memory(memory).pinned
    assert answer(memos_command("pin", memory, "-u", "alice", "--off", "--json")) == {
        "pinned": False
    }
    assert "Deleted." in memos_command("delete", memory, "-u", "alice").stdout
    assert "no such memory" in memos_command("delete", memory, "-u", "alice").stdout
    assert memos_command("update", memory, "x", "-u", "alice").exit_code == 1


def test_linked_memories_are_found(memos_command: Invoke, alice: User) -> None:
    dog, lead = alice.add_memory("the dog Pilchard"), alice.add_memory("a red lead")
    assert "Nothing linked." in memos_command("related", dog, "-u", "alice").stdout
    arguments = ("link", dog, lead, "-u", "alice", "-t", "supports")
    assert "Linked." in memos_command(*arguments).stdout
    assert answer(memos_command(*arguments, "--weight", 0.5, "--json")) == {"created": False}
    assert "a red lead" in memos_command("related", dog, "-u", "alice").stdout
    (found,) = answer(memos_command("related", dog, "-u", "alice", "-t", "supports", "--json"))
    assert (found["path"], found["weight"]) == ([str(dog), str(lead)], 0.5)
    assert (
        "Nothing linked."
        in memos_command(*("related", dog, "-u", "alice", "--min-weight", 0.6)).stdout
    )


def test_uses_retention_and_the_hot_set_are_shown(memos_command: Invoke, alice: User) -> None:
    assert "Nothing used." in memos_command("used", "-u", "alice").stdout
    assert "Nothing is pinned or hot." in memos_command("hot", "-u", "alice").stdout
    dog, lead = alice.add_memory("the dog Pilchard"), alice.add_memory("a red lead")
    assert "Recorded 2 uses." in memos_command("used", dog, lead, "-u", "alice").stdout
    assert answer(memos_command("used", dog, "-u", "alice", "--json")) == {"recorded": 1}
    rows = answer(memos_command("used", "-u", "alice", "--json"))
    assert [(row["memory_id"], row["uses"]) for row in rows] == [(str(dog), 2), (str(lead), 1)]
    assert str(dog) in memos_command("used", "-u", "alice").stdout
    alice.pin_memory(dog)
    assert "1.000" in memos_command("retention", dog, "-u", "alice").stdout
    arguments = ("retention", lead, "-u", "alice", "--at", "2100-01-01", "--json")
    assert 0 < answer(memos_command(*arguments))["retention"] < 0.5
    assert "the dog Pilchard" in memos_command("hot", "-u", "alice", "--budget", 50).stdout
    (row,) = answer(memos_command("hot", "-u", "alice", "--json"))
    assert (row["memory_id"], row["pinned"], row["tokens"]) == (str(dog), True, 4)


def test_cold_memories_are_shown_on_request(memos_command: Invoke, alice: User) -> None:
    dog = alice.add_memory("the dog Pilchard")
    assert "It is cold now." in memos_command("move", dog, "cold", "-u", "alice").stdout
    assert "It was cold already." in memos_command("move", dog, "cold", "-u", "alice").stdout
    assert "Nothing found." in memos_command("search", "dog", "-u", "alice").stdout
    assert "Nothing stored." in memos_command("list", "-u", "alice").stdout
    for command in (("search", "dog"), ("list",)):
        assert "Pilchard" in memos_command(*command, "-u", "alice", "--include-cold").stdout
    assert alice.memory_stats().tiers == {"hot": 0, "warm": 0, "cold": 1}
    assert answer(memos_command("move", dog, "warm", "-u", "alice", "--json")) == {"moved": True}
    assert alice.get_memory(dog).tier == "warm"


def test_json_is_one_document(memos_command: Invoke, alice: User) -> None:
    memory_id = answer(
        memos_command(
            *("add", "-", "-u", "alice", "--session", "s1", "--json"),
            *("--occurred-at", "2026-01-02T03:04:05+00:00"),
            input="from a pipe: grüße\n",
        )
    )["memory_id"]
    assert alice.get_memory(memory_id).content == "from a pipe: grüße"
    (found,) = answer(memos_command("search", "pipe", "-u", "alice", "--json"))
    assert found["memory_id"] == memory_id
    assert found["occurred_at"] == "2026-01-02T03:04:05+00:00"
    assert answer(memos_command("show", memory_id, "-u", "alice", "--json"))["session_id"] == "s1"
    assert len(answer(memos_command("list", "-u", "alice", "--json"))) == 1
    (version,) = answer(memos_command("history", memory_id, "-u", "alice", "--json"))
    assert version["change"] == "current"
    person = answer(memos_command("user", "alice", "--json"))
    assert person["user_id"] == str(alice.user_id())
    assert person["stats"]["memories"] == 1
    # The option may come first, and a uuid names the same user.
    assert answer(memos_command("--json", "user", person["user_id"])) == person
    assert answer(memos_command("migrate", "--json"))["applied"] == []
    assert answer(memos_command("doctor", "--json"))["ok"] is True
    assert answer(memos_command("status", "--json"))["pending"] == []


def test_times_are_asked_about(memos_command: Invoke, alice: User) -> None:
    from datetime import UTC, datetime

    memory_id = alice.add_memory("lives in Leith", occurred_at=datetime(2025, 1, 1, tzinfo=UTC))
    changes = {"content": "lives in Dundee", "valid_from": datetime(2025, 6, 1, tzinfo=UTC)}
    alice.update_memory(memory_id, changes)
    arguments = ("search", "lives", "-u", "alice")
    assert "Dundee" in memos_command(*arguments).stdout
    assert "Leith" in memos_command(*arguments, "--valid-at", "2025-03-01").stdout
    assert (
        "Leith"
        in memos_command("show", memory_id, "-u", "alice", "--valid-at", "2025-03-01").stdout
    )
    assert "Leith" in memos_command("history", memory_id, "-u", "alice").stdout


def test_facts_from_end_to_end(memos_command: Invoke, alice: User) -> None:
    def fact(command: str, *arguments: Any) -> Result:
        return memos_command("fact", command, *arguments, "-u", "alice")

    home = ("Alice", "home town")
    source = alice.add_memory("I moved to Bergen in 2015")
    assert "Nothing known." in fact("list").stdout
    assert "Nothing known." in fact("history", *home).stdout
    told = fact("assert", *home, "Oslo", "--valid-from", "2010-01-01T00:00Z")
    assert "Asserted: since 2010-01-01 00:00." in told.stdout
    period = ("--valid-from", "2015-01-01T00:00Z", "--valid-until", "2100-01-01T00:00Z")
    told = fact("assert", *home, "Bergen", *period, "--memory", source, "--confidence", 0.9)
    assert "Asserted: since 2015-01-01 00:00 until 2100-01-01 00:00." in told.stdout
    refused = fact("assert", *home, "Rome", "--provenance", "model")
    assert (refused.exit_code, "MO409" in refused.stderr) == (1, True)
    (held,) = answer(fact("list", "--entity", "alice", "--json"))
    assert (held["value"], held["attribute"]) == ("Bergen", "home town")
    assert "Oslo" in fact("list", "--valid-at", "2012-01-01").stdout
    shown = fact("history", "alice", "Home_Town").stdout
    assert "user (0.9)" in shown
    assert "update" in shown
    assert "Ended." in fact("end", held["fact_id"], "--valid-until", "2020-01-01").stdout
    assert "There is no such fact" in fact("end", held["fact_id"]).stdout
    assert "Retracted." in fact("retract", held["fact_id"], "--reason", "wrong").stdout
    assert answer(fact("retract", held["fact_id"], "--json")) == {"retracted": False}


def test_a_legal_hold_is_placed_listed_and_released(memos_command: Invoke, alice: User) -> None:
    assert "Nobody" in memos_command("hold", "list").stdout
    hold = memos_command("hold", "place", "alice", "--reason", "a lawsuit").stdout.strip()
    (listed,) = answer(memos_command("hold", "list", "-u", "alice", "--json"))
    assert (listed["hold_id"], listed["user_id"]) == (hold, str(alice.user_id()))
    assert "a lawsuit" in memos_command("hold", "list").stdout
    release = ("hold", "release", "alice", hold, "-r", "settled")
    assert "Released." in memos_command(*release).stdout
    assert answer(memos_command(*release, "--json")) == {"released": False}
    assert "Nobody" in memos_command("hold", "list", "--user", "bob", "--all").stdout
    assert "settled" in memos_command("hold", "list", "--all").stdout


def test_a_memory_is_erased_and_the_erasure_verified(memos_command: Invoke, alice: User) -> None:
    memory_id = alice.add_memory("Alice keeps a zylophan")
    erase = ("erase", "memory", memory_id, "-u", "alice", "-r", "she asked")
    refused = memos_command(*erase)
    assert (refused.exit_code, "--yes" in refused.stderr) == (1, True)
    receipt = answer(memos_command(*erase, "--yes", "--json"))
    assert (receipt["memories"], receipt["counts"]["memory"]) == (1, 1)
    verify = ("verify-erasure", receipt["receipt_id"])
    assert "Nothing of it is there." in memos_command(*verify).stdout
    assert answer(memos_command(*verify, "--json")) == []
    alice.add_memory("something else")
    told = memos_command("erase", "user", "alice", "-r", "she left", "-y").stdout
    assert "1 memories" in told
    assert "until" in told
    assert answer(memos_command("list", "-u", "alice", "--json")) == []
    assert memos_command("verify-erasure", uuid4()).exit_code == 1
    assert "Rewrote" in memos_command("scrub", "--yes").stdout
    assert memos_command("scrub", "--json").exit_code == 1


def test_a_user_is_exported_to_a_file_and_imported(
    memos_command: Invoke, alice: User, tmp_path: Path
) -> None:
    alice.add_memory("Alice keeps a cello, über dem Bett")
    file = tmp_path / "alice.json"
    assert memos_command("export", "alice", "--file", file).exit_code == 0
    assert file.stat().st_mode & 0o077 == 0
    assert json.loads(memos_command("export", "alice").stdout)["format"] == "memos-user"
    assert "Imported" in memos_command("import", "bob", file).stdout
    (listed,) = answer(memos_command("list", "-u", "bob", "--json"))
    assert listed["content"] == "Alice keeps a cello, über dem Bett"
    again = memos_command("import", "bob", file)
    assert (again.exit_code, "MO409" in again.stderr) == (1, True)
    file.write_text("no json")
    broken = memos_command("import", "carol", file)
    assert (broken.exit_code, "memos export" in broken.stderr) == (1, True)


def test_errors_go_to_standard_error(memos_command: Invoke) -> None:
    result = memos_command("show", uuid4(), "-u", "alice")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "MO404" in result.stderr
    assert "detail:" in result.stderr
    assert "hint:" in result.stderr

    result = memos_command("show", uuid4(), "-u", "alice", "--json")
    assert result.exit_code == 1
    assert result.stdout == ""
    error = json.loads(result.stderr)["error"]
    assert error["sqlstate"] == "MO404"
    assert set(error) == {"sqlstate", "message", "detail", "hint"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "no-uuid", "-u", "alice"),
        ("search", "x", "-u", "alice", "--valid-at", "yesterday"),
        ("search", "x", "-u", "alice", "-n", "-1"),
        ("search", "x", "-u", "alice", "--fusion", "magic"),
        ("add", "", "-u", "alice"),
        ("add", "x", "-u", " "),
        ("worker", "--embedder", "nowhere:embed", "--once"),
        ("rollback", "--to", "1", "--all"),
        ("rollback", "--to", "999"),
        ("rollback", "--all"),
        ("rollback", "--all", "--json"),
    ],
)
def test_a_bad_argument_is_refused(memos_command: Invoke, arguments: tuple[str, ...]) -> None:
    result = memos_command(*arguments)
    assert result.exit_code == 1
    assert "MO400" in result.stderr
    assert result.stdout == ""


def test_markup_in_a_memory_is_text(memos_command: Invoke) -> None:
    memory_id = memos_command("add", "[bold]not bold[/bold] [/]", "-u", "alice").stdout.strip()
    for arguments in (("show", memory_id), ("history", memory_id), ("list",), ("search", "bold")):
        result = memos_command(*arguments, "-u", "alice")
        assert result.exit_code == 0, result.output
        assert "[bold]not bold[/bold] [/]" in result.stdout


def test_output_without_a_terminal_has_no_colour_and_100_columns(
    memos_command: Invoke, alice: User
) -> None:
    alice.add_memory("a long text " * 60)
    for arguments in (
        ("list", "-u", "alice"),
        ("doctor",),
        ("status",),
        ("search", "text", "-u", "alice"),
    ):
        result = memos_command(*arguments)
        assert "\x1b" not in result.stdout
        assert max(map(len, result.stdout.splitlines())) <= 100


def test_the_database_is_found_upward(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".memos").mkdir()
    (tmp_path / ".memos" / "dsn").write_text(database.dsn + "\n")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.delenv("MEMOS_DSN", raising=False)
    assert answer(CliRunner().invoke(app, ["user", "alice", "--json"]))["stats"]["memories"] == 0
    # The variable goes before the file, the option before the variable.
    monkeypatch.setenv("MEMOS_DSN", "postgresql:///nowhere?host=/nowhere")
    assert CliRunner().invoke(app, ["user", "alice"]).exit_code == 1
    assert CliRunner().invoke(app, ["user", "alice", "--dsn", database.dsn]).exit_code == 0
    assert CliRunner().invoke(app, ["--dsn", database.dsn, "user", "alice"]).exit_code == 0


def test_no_database_at_all_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEMOS_DSN", raising=False)
    result = CliRunner().invoke(app, ["status"])
    assert result.exit_code == 1
    assert "MEMOS_DSN" in result.stderr


def test_user_calls_are_made_as_the_bot(
    memos_command: Invoke, database: Database, alice: User
) -> None:
    alice.add_memory("x")
    with database.connect() as connection:
        connection.execute("revoke execute on function memos.memory_stats from memos_app")
    assert "42501" in memos_command("user", "alice").stderr
    result = memos_command("user", "alice", "--role", "")
    assert result.exit_code == 0, result.output


def test_doctor_fails_when_something_is_wrong(memos_command: Invoke, database: Database) -> None:
    well = memos_command("doctor")
    assert well.exit_code == 0, well.output
    assert "0 wrong" in well.stdout
    with database.connect() as connection:
        connection.execute("grant execute on function memos.memory_stats to public")
    ill = memos_command("doctor")
    assert ill.exit_code == 1
    assert "FAIL" in ill.stdout
    assert "1 wrong" in ill.stdout
    result = memos_command("doctor", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["ok"] is False


def test_rollback_and_migrate(memos_command: Invoke) -> None:
    applied = memos_command("status", "--json")
    count = answer(applied)["migrations"]
    assert count > 1
    newest = answer(memos_command("rollback", "--yes", "--json"))["rolled_back"]
    assert len(newest) == 1
    rest = answer(memos_command("rollback", "--to", "1", "--yes", "--json"))["rolled_back"]
    assert len(rest) == count - 2
    assert "Undid 1 migrations." in memos_command("rollback", "--all", "-y").stdout
    assert "Undid 0 migrations." in memos_command("rollback", "--all").stdout
    assert "is not installed" in memos_command("doctor").stdout
    assert f"Applied {count} migrations" in memos_command("migrate").stdout
    assert "Nothing to do" in memos_command("migrate").stdout
    assert memos_command("doctor").exit_code == 0


def test_the_audit_is_shown_verified_and_anchored(
    memos_command: Invoke, database: Database, alice: User
) -> None:
    assert "Nothing is on record." in memos_command("audit", "show", "-u", "bob").stdout
    dog = alice.add_memory("the dog Pilchard")
    alice.search_memories("dog")
    with pytest.raises(NotFound):
        alice.get_memory(uuid4())
    shown = memos_command("audit", "show", "-u", "alice").stdout
    assert "failed MO404" in shown
    assert "Pilchard" not in shown
    rows = answer(memos_command("audit", "show", "--object", dog, "--json"))
    assert [row["action"] for row in rows] == ["search_memories", "add_memory"]
    (row,) = answer(memos_command("audit", "show", "--outcome", "failed", "--json"))
    assert row["error"] == "MO404"
    assert "The audit is intact." in memos_command("audit", "verify").stdout
    number, taken_at, kept = memos_command("audit", "anchor").stdout.split()
    assert (number, len(kept)) == ("1", 64)
    assert datetime.fromisoformat(taken_at)
    with database.connect() as superuser:
        superuser.execute("set session_replication_role = 'replica'")
        superuser.execute("delete from memos_private.audit_log where action = 'add_memory'")
    broken = memos_command("audit", "verify")
    assert broken.exit_code == 1
    assert "deleted" in broken.stdout
    result = memos_command("audit", "verify", "--json")
    assert result.exit_code == 1
    assert {row["problem"] for row in json.loads(result.stdout)} == {"deleted"}


def test_disclosures_and_the_privacy_report(memos_command: Invoke, alice: User) -> None:
    assert "Nothing was disclosed." in memos_command("disclosures", "-u", "alice").stdout
    dog, counsellor = alice.add_memory("the dog Pilchard"), uuid4()
    alice.set_consent("care_team_sharing", True, "1.0")
    alice.grant_access(counsellor, "care_team", ["general"], ["treatment"])
    alice.shared_memories(counsellor, "treatment")
    shown = memos_command("disclosures", "-u", "alice").stdout
    assert str(counsellor) in shown
    assert "treatment" in shown
    (row,) = answer(memos_command("disclosures", "-u", "alice", "--json"))
    assert (row["recipient"], row["object_ids"]) == (str(counsellor), [str(dog)])
    assert alice.accounting_of_disclosures()[0].object_ids == [dog]
    assert "under_legal_hold" in memos_command("privacy-report", "-u", "alice").stdout
    report = answer(memos_command("privacy-report", "-u", "alice", "--json"))
    assert report["disclosures"]["count"] == 1


def test_the_worker_embeds_and_reports(memos_command: Invoke, alice: User, operator) -> None:
    operator.register_embedding_model("hash", 64, "hash")
    alice.add_memory("x")
    assert answer(memos_command("worker", "--once", "--json")) == {"embedded": 1, "failed": 0}
    status = memos_command("status").stdout
    assert "hash *" in status


def test_psql_gets_the_database_and_the_rest(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "psql"
    program.write_text("#!/bin/sh\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    executed: list[Any] = []
    monkeypatch.setattr(os, "execv", lambda *arguments: executed.append(arguments))
    monkeypatch.setenv("MEMOS_PG_BIN", str(tmp_path))
    monkeypatch.delenv("PGPASSWORD", raising=False)
    dsn = "postgresql://me:secret@example.invalid/memos"
    result = CliRunner().invoke(app, ["psql", "--dsn", dsn, "-c", "select 1", "-At"])
    assert result.exit_code == 0, result.output
    ((path, arguments),) = executed
    assert path == str(program)
    assert arguments[2:] == ["-c", "select 1", "-At"]
    assert "example.invalid" in arguments[1]
    assert "secret" not in arguments[1]
    assert os.environ["PGPASSWORD"] == "secret"
    monkeypatch.setenv("MEMOS_PG_BIN", str(tmp_path / "nothing"))
    assert "psql is not installed" in CliRunner().invoke(app, ["psql", "--dsn", dsn]).stderr
