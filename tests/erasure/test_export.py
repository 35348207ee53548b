"""An export is complete, and imported elsewhere the user's answers are the same."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from erasure_support import TOKEN, call, counts, live
from memory_support import (
    Connection,
    add,
    assert_index_equals_a_recount,
    failure,
    rows,
    value,
    vector,
)
from psycopg.types.json import Jsonb
from support.postgres import Database

NOTICE = "42 CFR part 2"


@pytest.fixture
def elsewhere(template_database: Database) -> Iterator[Database]:
    """Another database, whose models have other numbers."""
    database = template_database.server.create_database(template_database)
    with database.connect("memos_admin") as connection:
        rows(connection, "memos_admin.register_embedding_model", "first here", 3, "external")
        rows(connection, "memos_admin.register_embedding_model", "v", 2, "external")
        rows(connection, "memos_admin.set_default_embedding_model", "v")
    yield database
    database.drop()


def move(source: Connection, user: UUID, database: Database, new: UUID) -> dict[str, int]:
    exported = value(source, "memos.export_user", user)
    carried = json.loads(json.dumps(exported))  # as a file would
    with database.connect("memos_admin") as admin:
        return dict(rows(admin, "memos_admin.import_user", new, Jsonb(carried)))


def answers(app: Connection, user: UUID) -> dict[str, Any]:
    """What the API says about a user, without the user's id."""
    listed = rows(app, "memos.list_memories", user, p_limit=1000, p_include_cold=True)
    ids = [row[0] for row in listed]
    found: dict[str, Any] = {
        "list": listed,
        "history": [rows(app, "memos.memory_history", user, i) for i in ids],
        "links": [sorted(map(str, rows(app, "memos.list_links", user, i))) for i in ids],
        "notes": [rows(app, "memos.get_note", user, i) for i in ids[:3]],
        "facts": rows(app, "memos.get_facts", user),
        "facts then": rows(app, "memos.fact_history", user, "Mira", "keeps"),
        "stats": rows(app, "memos.memory_stats", user),
        "hot": [row[:9] for row in rows(app, "memos.hot_memories", user)],
        "quarantine": rows(app, "memos.quarantined_memories", user),
        "settings": rows(app, "memos.get_settings", user),
        "consents": rows(app, "memos.consents", user),
        "grants": rows(app, "memos.access_grants", user),
        "consolidations": rows(app, "memos.list_consolidations", user),
        "evolutions": rows(app, "memos.list_evolutions", user),
        "retention": [rows(app, "memos.memory_retention", user, i, "2040-01-01") for i in ids],
    }
    for query in (TOKEN, "how does Mira sleep", "cello in the hall"):
        for named in ({}, {"p_include_cold": True}, {"p_embedding": vector(1, 0.1)},
                      {"p_recorded_at": listed[-1][15]}):  # fmt: skip
            hits = rows(app, "memos.search_memories", user, query, p_limit=50, **named)
            found[f"search {query} {named}"] = [(row[1], row[3], round(row[4], 6)) for row in hits]
    for pad in rows(app, "memos.list_scratchpads", user):
        found[f"pad {pad[0]}"] = (
            pad, rows(app, "memos.list_entries", user, pad[0]),
            rows(app, "memos.list_values", user, pad[0], "worker"),
            rows(app, "memos.list_actions", user, pad[0]),
            rows(app, "memos.list_references", user, pad[0], "search"),
        )  # fmt: skip
    return json.loads(json.dumps(found, default=str).replace(str(user), "the user"))


def test_a_life_moves_to_another_database(
    app: Connection, superuser: Connection, user: UUID, elsewhere: Database
) -> None:
    live(app, user)
    ((_, _, search),) = [
        row[0:1] + row[11:13]
        for row in rows(app, "memos.search_memories", user, TOKEN, p_limit=1, p_record=True)
    ]
    new = uuid4()
    before = answers(app, user)
    assert len(before) > 25
    imported = move(app, user, elsewhere, new)
    with elsewhere.connect("memos_app") as there, elsewhere.connect() as admin:
        after = answers(there, new)
        # Another model waits for its vectors there.
        for answer in (before, after):
            answer["stats"][0][8] = None
        for question, answer in before.items():
            assert after[question] == answer, question
        assert imported["memory"] == counts(superuser, user)["memory"]
        assert_index_equals_a_recount(admin)
        again = rows(there, "memos.replay_search", new, search)
        assert [r[1] for r in again] == [
            r[1] for r in rows(app, "memos.replay_search", user, search)
        ]
        admin_count = counts(admin, new)
        exported = {
            name for (name,) in superuser.execute(
                "select name from memos_private.user_tables() where on_export = 'rows'"
            )
        }  # fmt: skip
        for name, count in counts(superuser, user).items():
            if name in exported:
                assert admin_count.get(name) == count, name
        # What can be taken back can be taken back there, too.
        run = rows(there, "memos.list_consolidations", new)[0][0]
        assert value(there, "memos.undo_consolidation", new, run) == 1
        evolution = rows(there, "memos.list_evolutions", new)[0][0]
        assert value(there, "memos.undo_evolution", new, evolution) >= 2


def test_on_the_same_database_under_another_id(
    app: Connection, module_database: Database, user: UUID
) -> None:
    live(app, user)
    new = uuid4()
    before = answers(app, user)
    move(app, user, module_database, new)
    assert answers(app, new) == before == answers(app, user)
    first, second = (value(app, "memos.export_user", u) for u in (user, new))
    assert set(first["tables"]) - set(second["tables"]) <= {"warm_prefix", "cache_entry"}


def test_every_table_is_in_it_or_known_to_be_derived(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    live(app, user)
    exported = value(app, "memos.export_user", user)
    assert (exported["format"], exported["version"]) == ("memos-user", 1)
    assert exported["user_id"] == str(user)
    there = counts(superuser, user)
    listed = superuser.execute("select name, on_export from memos_private.user_tables()")
    kinds = dict(listed.fetchall())
    for table, count in there.items():
        if kinds[table] in ("rows", "shown"):
            assert len(exported["tables"][table]) == count, table
        else:
            assert table not in exported["tables"], table
    rebuilt = {table for table, kind in kinds.items() if kind == "derived" and there.get(table)}
    assert {"posting", "corpus", "hot_memory", "cache_entry", "permission"} <= rebuilt
    assert "model_id" not in json.dumps(exported)
    assert datetime.fromisoformat(exported["exported_at"])
    assert datetime.fromisoformat(exported["tables"]["memory"][0]["recorded_at"])


def test_part_2_records_carry_their_notice(app: Connection, user: UUID) -> None:
    plain = add(app, user, "likes tea")
    assert value(app, "memos.export_user", user)["notice"] is None
    labelled = add(app, user, "relapsed in May")
    rows(app, "memos.update_memory", user, labelled, {"content": "relapsed in June"})
    rows(app, "memos.label_memories", user, [labelled], "substance_use", "consent")
    exported = value(app, "memos.export_user", user)
    assert NOTICE in exported["notice"]
    notices = {row["memory_id"]: row.get("notice") for row in exported["tables"]["memory"]}
    assert NOTICE in notices[str(labelled)]
    assert notices[str(plain)] is None
    assert NOTICE in exported["tables"]["memory_history"][0]["notice"]


def test_rows_one_by_one_are_the_same(app: Connection, user: UUID) -> None:
    live(app, user)
    exported = value(app, "memos.export_user", user)
    by_table: dict[str, list[Any]] = {}
    for table, row in rows(app, "memos.export_user_rows", user):
        by_table.setdefault(table, []).append(row)
    assert by_table == exported["tables"]


def test_nobody_elses(module_database: Database, app: Connection, user: UUID) -> None:
    live(app, user)
    live(app, uuid4(), "Mira keeps a bassoon under her bed.", "bassoon")
    assert "bassoon" not in json.dumps(value(app, "memos.export_user", user)).lower()
    with module_database.connect("memos_user") as connection:
        assert failure(connection, "memos.export_user", user).sqlstate == "MO001"
        value(connection, "memos.use_context", module_database.token(uuid4()), False)
        assert failure(connection, "memos.export_user", user).sqlstate == "MO403"
        assert failure(connection, "memos.export_user_rows", user).sqlstate == "MO403"
        for_user = "memos_admin.import_user"
        assert failure(connection, for_user, user, Jsonb({})).sqlstate == "42501"
    assert value(app, "memos.export_user", uuid4())["tables"] == {}


def test_what_was_erased_is_not_imported(
    app: Connection, module_database: Database, superuser: Connection, user: UUID
) -> None:
    live(app, user)
    exported = value(app, "memos.export_user", user)
    value(app, "memos.erase_user", user, "the user left")
    with module_database.connect("memos_admin") as admin:
        refused = failure(admin, "memos_admin.import_user", user, Jsonb(exported))
        assert refused.sqlstate == "MO451"
        assert TOKEN not in str(refused)
    left = "select count(*) from memos_private.memory where user_id = %s"
    assert call(superuser, left, user) == 0


def test_bad_imports_change_nothing(app: Connection, admin: Connection, user: UUID) -> None:
    add(app, user, "one")
    good = value(app, "memos.export_user", user)
    new = uuid4()
    memory = good["tables"]["memory"][0]
    bad = {
        "null": None, "no object": [], "empty": {}, "format": good | {"format": "x"},
        "version": good | {"version": 2}, "user": good | {"user_id": "x"},
        "tables": good | {"tables": []}, "unknown": good | {"tables": {"setting": []}},
        "receipts": good | {"tables": {"erasure_tombstone": []}},
        "rows": good | {"tables": {"memory": {}}}, "row": good | {"tables": {"memory": [1]}},
        "type": good | {"tables": {"memory": [memory | {"importance": "x"}]}},
        "check": good | {"tables": {"memory": [memory | {"importance": 7}]}},
        "missing": good | {"tables": {"memory": [{"memory_id": memory["memory_id"]}]}},
    }  # fmt: skip
    for name, export in bad.items():
        given = None if export is None else Jsonb(export)
        error = failure(admin, "memos_admin.import_user", new, given)
        assert error.sqlstate == "MO400", (name, error)
    unknown = good | {"tables": good["tables"] | {"memory_label": [{
        "memory_id": memory["memory_id"], "segment": "nowhere",
        "labelled_at": "2024-01-01T00:00:00Z",
        "labelled_by": "x"}]}}  # fmt: skip
    assert failure(admin, "memos_admin.import_user", new, Jsonb(unknown)).sqlstate == "MO409"
    assert failure(admin, "memos_admin.import_user", None, Jsonb(good)).sqlstate == "MO400"
    assert failure(admin, "memos_admin.import_user", user, Jsonb(good)).sqlstate == "MO409"
    assert rows(app, "memos.list_memories", new) == []
    assert dict(rows(admin, "memos_admin.import_user", new, Jsonb(good)))["memory"] == 1


def test_vectors_of_unknown_models_are_made_anew(
    app: Connection, user: UUID, template_database: Database
) -> None:
    add(app, user, "one", p_embedding=vector(1, 0))
    database = template_database.server.create_database(template_database)
    with database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.register_embedding_model", "other", 3, "external")
        assert move(app, user, database, user)["embedding"] == 0
        assert [row[:2] for row in rows(admin, "memos_admin.claim_embeddings", "w")] != []
    database.drop()


@pytest.mark.parametrize("seed", range(3))
def test_random_lives_round_trip(
    app: Connection, module_database: Database, user: UUID, seed: int
) -> None:
    rng = random.Random(seed)
    words = ["tea", "river", "cello", "May", "20", "mg", "café", "sleep", "straße", "Анна", "日本"]
    ids: list[UUID] = []
    for n in range(60):
        text = f"{n}: " + " ".join(rng.choices(words, k=rng.randrange(1, 9)))
        ids.append(add(
            app, user, text, p_tags=rng.sample(words, 2), p_importance=rng.random(),
            p_metadata={"n": n, "deep": {"é": [1, None, "x"]}},
            p_embedding=vector(rng.random(), 1) if rng.random() < 0.7 else None,
            p_session_id=rng.choice(["a", "b", None]), p_position=n,
            p_occurred_at=f"20{rng.randrange(10, 26)}-0{rng.randrange(1, 9)}-11",
            p_privacy_level=rng.choice(["balanced", "minimal", "restricted"]),
        ))  # fmt: skip
        memory = rng.choice(ids)
        match rng.randrange(6):
            case 0:
                rows(app, "memos.delete_memory", user, memory)
                ids.remove(memory)
                if not ids:
                    ids.append(add(app, user, f"{n} again"))
            case 1:
                rows(app, "memos.update_memory", user, memory, {"content": f"{n} anew {text}"})
            case 2:
                value(app, "memos.move_to_tier", user, memory, rng.choice(["hot", "warm", "cold"]))
            case 3:
                rows(app, "memos.assert_fact", user, rng.choice(words), "is", rng.choice(words),
                     p_valid_from=f"20{rng.randrange(10, 26)}-01-01")  # fmt: skip
            case 4:
                rows(app, "memos.pin_memory", user, memory, rng.random() < 0.5)
            case 5:
                other = rng.choice(ids)
                if other != memory:
                    rows(app, "memos.link_memories", user, memory, other, "related", rng.random())
    new = uuid4()
    move(app, user, module_database, new)
    before, after = answers(app, user), answers(app, new)
    for question, answer in before.items():
        assert after[question] == answer, question
