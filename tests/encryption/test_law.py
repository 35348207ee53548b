"""Encrypted memories where they are exported, erased and audited."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

from key_support import LOCKED, contents, everything, key, keyed, opened, stored, tell
from memory_support import Connection, add, failure, rows, value
from psycopg.types.json import Jsonb
from support.postgres import Database


def export(app: Connection, user: UUID) -> dict[str, Any]:
    """An export, as a file would carry it."""
    return json.loads(json.dumps(value(app, "memos.export_user", user)))


def test_an_export_is_in_clear_and_takes_the_key(database: Database) -> None:
    user, keyless, with_key = uuid4(), uuid4(), uuid4()
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        wrapping, others = keyed(app, user), keyed(app, with_key)
        with opened(app, user, wrapping):
            memory = tell(app, user, "has hepatitis", p_metadata={"since": 2020})
            value(app, "memos.update_memory", user, memory, {"content": "had hepatitis"})
            cold = tell(app, user, "was in hospital")
        value(app, "memos.move_to_tier", user, cold, "cold")
        assert failure(app, "memos.export_user", user).sqlstate == "MO403"
        assert failure(app, "memos.export_user_rows", user).sqlstate == "MO403"
        with opened(app, user, wrapping):
            exported = export(app, user)
        (row,) = exported["tables"]["memory"]
        assert (row["content"], row["metadata"]) == ("had hepatitis", {"since": 2020})
        assert exported["tables"]["memory_history"][0]["content"] == "has hepatitis"
        assert "sealed" not in json.dumps(exported)
        assert "user_key" not in exported["tables"]

        rows(admin, "memos_admin.import_user", keyless, Jsonb(exported))
        assert contents(app, keyless, p_include_cold=True) == ["had hepatitis", "was in hospital"]
        assert add(app, keyless, "was in hospital", p_privacy_level="restricted") == cold
        assert failure(
            admin, "memos_admin.import_user", with_key, Jsonb(exported)
        ).sqlstate == "MO403"  # fmt: skip
        rows(admin, "memos_admin.set_setting", "restricted_encryption", "required")
        assert failure(
            admin, "memos_admin.import_user", uuid4(), Jsonb(exported)
        ).sqlstate == "MO451"  # fmt: skip
        with database.connect() as superuser, superuser.transaction():
            value(superuser, "memos.use_key", with_key, others)
            rows(superuser, "memos_admin.import_user", with_key, Jsonb(exported))
        assert contents(app, with_key, p_include_cold=True) == [LOCKED, LOCKED]
        with opened(app, with_key, others):
            assert rows(app, "memos.memory_history", with_key, memory)[0][1] == "has hepatitis"


def test_what_nobody_can_read_any_more_is_exported_as_that(
    app: Connection, admin: Connection, user: UUID
) -> None:
    with opened(app, user, keyed(app, user)):
        tell(app, user, "one")
        tell(app, user, "two")
    value(admin, "memos_admin.destroy_user_key", user)
    exported = export(app, user)
    assert [row["content"] for row in exported["tables"]["memory"]] == [LOCKED, LOCKED]


def test_erasure_with_the_key_refuses_the_text_from_then_on(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        wrapping = keyed(app, user)
        with opened(app, user, wrapping):
            memory = tell(app, user, "drank in Lisbon")
        add(app, user, "Drank in LISBON.")
        with opened(app, user, wrapping):
            (receipt,) = rows(app, "memos.erase_memory", user, memory, "asked for")
        assert receipt[1] == 2, "what says the same in clear goes as well"
        assert failure(app, "memos.add_memory", user, "drank  in lisbon").sqlstate == "MO451"
        with opened(app, user, wrapping):
            error = failure(app, "memos.add_memory", user, "drank in Lisbon",
                            p_privacy_level="restricted")  # fmt: skip
            assert error.sqlstate == "MO451"
        assert rows(admin, "memos_admin.verify_erasure", receipt[0]) == []


def test_erasure_without_the_key_takes_the_memory(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        with opened(app, user, keyed(app, user)):
            memory, other = tell(app, user, "drank in Lisbon"), tell(app, user, "sober in Porto")
        (receipt,) = rows(app, "memos.erase_memory", user, memory, "asked for")
        assert (receipt[1], receipt[5]) == (1, 0), "nobody knows what it said"
        assert stored(database, memory) is None
        assert stored(database, other) is not None
        assert rows(admin, "memos_admin.verify_erasure", receipt[0]) == []


def test_the_key_goes_with_the_user(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app:
        wrapping = keyed(app, user)
        with opened(app, user, wrapping):
            tell(app, user, "drank in Lisbon")
            (receipt,) = rows(app, "memos.erase_user", user, "asked for")
        assert failure(app, "memos.add_memory", user, "Drank in Lisbon").sqlstate == "MO451"
        assert receipt[4]["user_key"] == 1
        assert failure(app, "memos.use_key", user, wrapping).sqlstate == "MO404"
        assert "sealed:1" not in everything(database)
        keyed(app, user)  # and begins again


def test_what_happens_to_keys_is_in_the_audit(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        wrapping, new = keyed(app, user), key()
        with opened(app, user, wrapping):
            value(app, "memos.rotate_user_key", user, wrapping, new)
            value(app, "memos.encrypt_restricted", user)
        assert failure(app, "memos.use_key", user, wrapping).sqlstate == "MO403"
        value(admin, "memos_admin.destroy_user_key", user)
        with database.connect("memos_auditor") as auditor:
            entries = auditor.execute(
                "select action, outcome from memos_admin.audit_entries(%s)", (user,)
            ).fetchall()
        assert {
            ("create_user_key", "done"), ("use_key", "done"), ("rotate_user_key", "done"),
            ("encrypt_restricted", "done"), ("memos_admin.destroy_user_key", "done"),
            ("use_key", "refused"),
        } <= {tuple(entry) for entry in entries}  # fmt: skip
