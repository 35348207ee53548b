"""Capabilities that recall or derive ask for consent, and maintenance passes over who refuses."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from memory_support import Connection, add, failure, rows, value
from support.postgres import Database

MEMORY = "the memory"
CALLS = {
    "memory_recall": [
        ("memos.search_memories", ("tea",)),
        ("memos.related_memories", (MEMORY,)),
        ("memos.hot_memories", ()),
        ("memos.get_facts", ()),
    ],
    "derived_memories": [
        ("memos.link_similar", ()),
        ("memos.set_note", (MEMORY, ["tea"])),
        ("memos.make_note", (MEMORY,)),
        ("memos.evolve_memory", (MEMORY,)),
        ("memos.apply_evolution", (MEMORY, {})),
        ("memos.consolidate_memories", ()),
        ("memos.merge_memories", (MEMORY, [uuid4()])),
    ],
    "memory_collection": [
        ("memos.add_memory", ("x",)),
        ("memos.update_memory", (MEMORY, {"kind": "fact"})),
        ("memos.assert_fact", ("me", "drink", "tea")),
        ("memos.quarantine_memories", ([{"content": "x"}], "a page")),
    ],
}


@pytest.mark.parametrize(
    ("kind", "function", "arguments"),
    [(kind, *call) for kind, calls in CALLS.items() for call in calls],
)
def test_refused_without_consent(
    app: Connection, user: UUID, kind: str, function: str, arguments: tuple[object, ...]
) -> None:
    memory = add(app, user, "likes tea")
    given = [memory if argument is MEMORY else argument for argument in arguments]
    rows(app, "memos.withdraw_consent", user, kind)
    error = failure(app, function, user, *given)
    assert (error.sqlstate, error.diag.message_detail) == (
        "MO451",
        f'consent "{kind}" was withdrawn',
    )


def test_maintenance_passes_over_who_refuses(database: Database) -> None:
    refusing, willing = uuid4(), uuid4()
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        pads = {}
        for someone in (refusing, willing):
            rows(app, "memos.add_memories", someone, [{"content": f"tea {n}"} for n in range(5)])
            pads[someone] = value(app, "memos.open_scratchpad", someone, "a goal")
            rows(app, "memos.add_observation", someone, pads[someone], "seen", p_quality="0.9")
        rows(app, "memos.withdraw_consent", refusing, "derived_memories")
        rows(app, "memos.withdraw_consent", refusing, "memory_collection")
        with database.connect() as superuser:
            for table, column in (
                ("scratchpad", "opened_at"),
                ("scratchpad_change", "changed_at"),
            ):
                superuser.execute(
                    f"update memos_private.{table} set {column} = {column} - interval '2 days'"
                )
        for function in ("users_to_note", "users_to_consolidate"):
            users = {row[0] for row in rows(admin, f"memos_admin.{function}")}
            assert users == {willing}, function
        admin.execute("call memos_admin.run_maintenance()")
        for someone in (refusing, willing):
            pad = app.execute(
                "select status, reason from memos.get_scratchpad(%s, %s)", (someone, pads[someone])
            ).fetchone()
            assert pad[0] == "abandoned"
            assert ("not promoted" in pad[1]) == (someone == refusing)
        assert len(rows(app, "memos.list_memories", refusing)) == 5
        notes = "select count(*) from memos_private.memory_note where user_id = %s"
        with database.connect() as superuser:
            assert superuser.execute(notes, (refusing,)).fetchone() == (0,)
            assert superuser.execute(notes, (willing,)).fetchone() != (0,)
