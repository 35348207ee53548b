"""Recorded searches can be replayed, whatever happened since."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from memory_support import Connection, add, failure, row_counts, rows, value
from support.postgres import Database


@pytest.mark.parametrize("explain", [True, False])
def test_a_replay_gives_the_same_rows_after_updates_and_deletions(
    app: Connection, user: UUID, explain: bool
) -> None:
    memories = [add(app, user, f"kiwi number {n}", p_tags=[f"t{n}"]) for n in range(4)]
    seen = rows(
        app, "memos.search_memories", user, "kiwi", p_record=True, p_purpose="care",
        p_explain=explain,
    )  # fmt: skip
    assert len(seen) == 4
    (search,) = {hit[12] for hit in seen}
    value(app, "memos.update_memory", user, memories[0], {"content": "changed"})
    value(app, "memos.update_memory", user, memories[0], {"content": "changed again"})
    value(app, "memos.update_memory", user, memories[1], {"tags": []})
    value(app, "memos.delete_memory", user, memories[2])
    value(app, "memos.delete_memory", user, memories[0])
    replayed = rows(app, "memos.replay_search", user, search)
    assert [hit[:11] for hit in replayed] == [hit[:11] for hit in seen]
    if explain:
        assert replayed == seen


def test_a_recorded_search_answers_as_an_unrecorded_one(app: Connection, user: UUID) -> None:
    for number in range(5):
        add(app, user, "kiwi " * (number + 1))
    plain = rows(app, "memos.search_memories", user, "kiwi", p_limit=3)
    recorded = rows(app, "memos.search_memories", user, "kiwi", p_limit=3, p_record=True)
    assert [hit[:11] for hit in recorded] == [hit[:11] for hit in plain]


def test_a_record_holds_no_text(module_database: Database, app: Connection, user: UUID) -> None:
    add(app, user, "the xylophone secret", p_tags=["tagged"])
    rows(app, "memos.search_memories", user, "xylophone", p_record=True, p_purpose="care")
    with module_database.connect() as superuser:
        stored = superuser.execute(
            """
            select r::text || coalesce(string_agg(h::text, ''), '')
            from memos_private.search_record as r
            join memos_private.search_hit as h using (user_id, search_id)
            where user_id = %s group by r
            """,
            (user,),
        ).fetchall()
    assert len(stored) == 1
    assert "care" in stored[0][0]
    assert "xylophone" not in stored[0][0]


def test_a_search_that_is_not_recorded_writes_nothing(
    module_database: Database, app: Connection, user: UUID
) -> None:
    add(app, user, "kiwi")
    with module_database.connect() as superuser:
        before = row_counts(superuser)
        rows(app, "memos.search_memories", user, "kiwi", p_explain=True)
        assert row_counts(superuser) == before
        app.execute("set default_transaction_read_only = on")
        assert len(rows(app, "memos.search_memories", user, "kiwi")) == 1, "a standby serves it"


def test_another_user_cannot_replay(app: Connection, user: UUID) -> None:
    add(app, user, "kiwi")
    (hit,) = rows(app, "memos.search_memories", user, "kiwi", p_record=True)
    for who, search in ((uuid4(), hit[12]), (user, uuid4())):
        assert failure(app, "memos.replay_search", who, search).sqlstate == "MO404"
