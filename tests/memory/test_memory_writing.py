"""Adding, listing, changing and deleting memories, as the bot does it."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
from memory_support import (
    Connection,
    add,
    assert_index_equals_a_recount,
    failure,
    now,
    row_counts,
    rows,
    value,
)
from support.postgres import Database


def contents(app: Connection, user: UUID) -> list[str]:
    return [row[2] for row in rows(app, "memos.list_memories", user, p_limit=1000)]


def test_the_same_content_is_one_memory_and_keeps_its_first_attributes(
    app: Connection, user: UUID
) -> None:
    first = add(app, user, "I am allergic to nuts", p_tags=["health"])
    assert add(app, user, "I am allergic to nuts", p_tags=["other"]) == first
    assert add(app, uuid4(), "I am allergic to nuts") != first
    assert rows(app, "memos.get_memory", user, first)[0][4] == ["health"]


def test_composed_and_decomposed_letters_are_the_same_content(app: Connection, user: UUID) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Café Zoë") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert add(app, user, composed) == add(app, user, decomposed)
    assert contents(app, user) == [composed]


def test_content_comes_back_letter_by_letter(app: Connection, user: UUID) -> None:
    text = " tab\tnewline\r\n quotes '\"\\ 100% {x} 😀 \u202eعربى\u202c العربية e\u0301 $1 %s "
    memory = add(app, user, text)
    assert rows(app, "memos.get_memory", user, memory)[0][2] == text


def test_a_request_id_returns_its_first_answer(app: Connection, user: UUID) -> None:
    first = add(app, user, "one", p_request_id="r1")
    assert add(app, user, "two", p_request_id="r1") == first
    assert contents(app, user) == ["one"]
    assert add(app, uuid4(), "two", p_request_id="r1") != first


def test_a_request_id_for_content_that_was_there_returns_that_memory(
    app: Connection, user: UUID
) -> None:
    first = add(app, user, "one")
    assert add(app, user, "one", p_request_id="r") == first
    assert add(app, user, "two", p_request_id="r") == first


def test_a_batch_answers_in_order_and_says_what_it_created(app: Connection, user: UUID) -> None:
    old = add(app, user, "old")
    answer = rows(
        app,
        "memos.add_memories",
        user,
        [
            {"content": "new", "kind": "episodic", "importance": 0.25, "position": 3},
            {"content": "old"},
            {"content": "new"},
            {"content": "asked", "request_id": "q"},
            {"content": "asked differently", "request_id": "q"},
        ],
    )
    assert [row[0] for row in answer] == [1, 2, 3, 4, 5]
    assert [row[2] for row in answer] == [True, False, False, True, False]
    assert answer[1][1] == old
    assert answer[0][1] == answer[2][1]
    assert answer[3][1] == answer[4][1]
    assert sorted(contents(app, user)) == ["asked", "new", "old"]
    (memory,) = rows(app, "memos.get_memory", user, answer[0][1])
    assert (memory[3], memory[6], memory[11]) == ("episodic", 0.25, 3)


def test_ids_follow_time_within_a_batch_and_between_writes(app: Connection, user: UUID) -> None:
    batch = rows(app, "memos.add_memories", user, [{"content": f"number {n}"} for n in range(3000)])
    ids = [row[1] for row in batch]
    assert ids == sorted(ids)
    assert ids[-1] < add(app, user, "the last one")


def test_pages_of_a_list_are_complete_and_newest_first(app: Connection, user: UUID) -> None:
    for number in range(7):
        add(app, user, f"note {number}", p_kind="even" if number % 2 == 0 else "odd")
    seen: list[str] = []
    after = None
    while page := rows(app, "memos.list_memories", user, p_limit=3, p_after=after):
        seen += [row[2] for row in page]
        after = page[-1][0]
    assert seen == [f"note {number}" for number in reversed(range(7))]
    odd = rows(app, "memos.list_memories", user, p_kinds=["odd"])
    assert [row[2] for row in odd] == ["note 5", "note 3", "note 1"]


def test_the_bulk_path_is_one_statement_on_the_table(database: Database, user: UUID) -> None:
    with database.connect() as superuser:
        superuser.execute("""
            create table public.statement (rows bigint);
            create function public.count_statement() returns trigger language plpgsql
            security definer as
            'begin insert into public.statement select count(*) from new_rows; return null; end';
            create trigger counter after insert on memos_private.memory
            referencing new table as new_rows
            for each statement execute function public.count_statement();
        """)
        with database.connect("memos_app") as app:
            rows(app, "memos.add_memories", user, [{"content": f"n {n}"} for n in range(500)])
        assert superuser.execute("select rows from public.statement").fetchall() == [(500,)]


def test_one_bad_memory_refuses_the_batch(
    module_database: Database, app: Connection, user: UUID
) -> None:
    with module_database.connect() as superuser:
        before = row_counts(superuser)
        batch = [{"content": f"good {n}", "request_id": f"r{n}"} for n in range(20)]
        batch[13]["importance"] = 2
        error = failure(app, "memos.add_memories", user, batch)
        assert error.sqlstate == "MO400"
        assert "14" in error.diag.message_detail, "it says which one"
        assert row_counts(superuser) == before


def test_what_the_caller_rolls_back_was_never_there(
    module_database: Database, app: Connection, user: UUID
) -> None:
    kept = add(app, user, "kept, with words to index")
    with module_database.connect() as superuser:
        before = row_counts(superuser)
        with app.transaction(force_rollback=True):
            memory = add(app, user, "gone", p_request_id="gone")
            rows(app, "memos.add_memories", user, [{"content": "gone too"}])
            value(app, "memos.update_memory", user, kept, {"content": "changed"})
            value(app, "memos.delete_memory", user, kept)
            rows(app, "memos.pin_memory", user, memory)
            rows(app, "memos.search_memories", user, "gone", p_record=True)
        assert row_counts(superuser) == before
        assert_index_equals_a_recount(superuser)
    assert contents(app, user) == ["kept, with words to index"]


def test_a_raise_half_way_in_a_batch_writes_nothing(database: Database, user: UUID) -> None:
    with database.connect() as superuser, database.connect("memos_app") as app:
        superuser.execute("""
            create function public.fail_late() returns trigger language plpgsql as
            $$begin if new.content = 'n 300' then raise exception 'late'; end if; return new; end$$;
            create trigger fail_late after insert on memos_private.memory
            for each row execute function public.fail_late();
        """)
        before = row_counts(superuser)
        batch = [{"content": f"n {n}", "request_id": f"r {n}"} for n in range(500)]
        assert "late" in str(failure(app, "memos.add_memories", user, batch))
        assert row_counts(superuser) == before


def test_every_change_is_a_version_and_none_is_lost(app: Connection, user: UUID) -> None:
    memory = add(app, user, "v1", p_metadata={"a": 1})
    changes = [
        {"content": "v2"},
        {"tags": ["t"]},
        {"metadata": {"b": 2}, "importance": 0.9, "session_id": "s", "position": 4},
        {"kind": "episodic", "privacy_level": "restricted", "provenance": "tool"},
        {"confidence": 0.1},
    ]
    for number, change in enumerate(changes, start=2):
        assert value(app, "memos.update_memory", user, memory, change, p_reason="r") == number
    assert value(app, "memos.delete_memory", user, memory, "no longer wanted")
    history = rows(app, "memos.memory_history", user, memory)
    assert [row[0] for row in history] == [1, 2, 3, 4, 5, 6]
    assert [row[1] for row in history] == ["v1"] + ["v2"] * 5
    assert [row[16] for row in history] == ["update"] * 5 + ["delete"]
    assert history[-1][17] == "no longer wanted"
    assert all(a[15] == b[14] for a, b in pairwise(history)), "no gap"
    assert all(row[14] < row[15] for row in history)


def test_an_update_that_changes_nothing_makes_no_version(app: Connection, user: UUID) -> None:
    memory = add(app, user, "as is", p_tags=["t"], p_importance=0.3)
    assert value(app, "memos.update_memory", user, memory, {"content": "as is"}) == 1
    assert value(app, "memos.update_memory", user, memory, {"tags": ["t"], "importance": 0.3}) == 1
    assert len(rows(app, "memos.memory_history", user, memory)) == 1


def test_an_update_to_the_content_of_another_memory_is_a_conflict(
    app: Connection, user: UUID
) -> None:
    add(app, user, "one")
    two = add(app, user, "two")
    error = failure(app, "memos.update_memory", user, two, {"content": "one"})
    assert error.sqlstate == "MO409"
    assert len(rows(app, "memos.memory_history", user, two)) == 1


def test_a_stale_expected_version_is_a_conflict(app: Connection, user: UUID) -> None:
    memory = add(app, user, "first")
    assert value(app, "memos.update_memory", user, memory, {"content": "second"}, 1) == 2
    error = failure(app, "memos.update_memory", user, memory, {"content": "third"}, 1)
    assert error.sqlstate == "MO409"
    assert "found 2" in error.diag.message_detail


def test_deleted_content_can_be_remembered_again_as_a_new_memory(
    app: Connection, user: UUID
) -> None:
    memory = add(app, user, "back and forth")
    assert value(app, "memos.delete_memory", user, memory) is True
    assert value(app, "memos.delete_memory", user, memory) is False
    assert failure(app, "memos.get_memory", user, memory).sqlstate == "MO404"
    again = add(app, user, "back and forth")
    assert again != memory
    assert contents(app, user) == ["back and forth"]


def test_a_pin_is_no_version(app: Connection, user: UUID) -> None:
    memory = add(app, user, "relapse plan")
    rows(app, "memos.pin_memory", user, memory)
    assert rows(app, "memos.get_memory", user, memory)[0][16] is True
    rows(app, "memos.pin_memory", user, memory, False)
    (found,) = rows(app, "memos.get_memory", user, memory)
    assert (found[1], found[16]) == (1, False)


def test_figures_are_those_of_the_user(app: Connection, user: UUID) -> None:
    one = add(app, user, "äö", p_kind="fact", p_session_id="a")
    add(app, user, "b", p_kind="fact", p_session_id="a", p_privacy_level="restricted")
    add(app, user, "c", p_session_id="b", p_occurred_at="2001-02-03 00:00Z")
    gone = add(app, user, "d")
    rows(app, "memos.pin_memory", user, one)
    value(app, "memos.update_memory", user, one, {"tags": ["x"]})
    value(app, "memos.delete_memory", user, gone)
    add(app, uuid4(), "somebody else's")
    (stats,) = rows(app, "memos.memory_stats", user)
    assert stats[:4] == (3, 1, 5, 2)
    assert stats[4] == {"fact": 2, "semantic": 1}
    assert stats[5] == {"balanced": 2, "restricted": 1}
    assert stats[6] == 6
    assert stats[10].year == 2001
    assert rows(app, "memos.memory_stats", uuid4()) == [
        (0, 0, 0, 0, {}, {}, 0, 0, 0, 0, None, None, {"hot": 0, "warm": 0, "cold": 0})
    ]


def test_the_read_views_show_the_users_memories_and_versions(app: Connection, user: UUID) -> None:
    memory = add(app, user, "before")
    value(app, "memos.update_memory", user, memory, {"content": "after"})
    gone = add(app, user, "gone")
    value(app, "memos.delete_memory", user, gone)
    with app.transaction():
        app.execute("select set_config('memos.user_id', %s, true)", (str(user),))
        assert app.execute("select memory_id, version, content from memos.memory").fetchall() == [
            (memory, 2, "after")
        ]
        versions = app.execute("""
            select content, change, recorded_until is null from memos.memory_version
            order by memory_id, version
        """).fetchall()
        assert versions == [
            ("before", "update", False),
            ("after", "current", True),
            ("gone", "delete", False),
        ]
    assert app.execute("select count(*) from memos.memory").fetchone() == (0,)


def test_two_writes_in_one_transaction_are_two_versions(app: Connection, user: UUID) -> None:
    with app.transaction():
        memory = add(app, user, "a")
        value(app, "memos.update_memory", user, memory, {"content": "b"})
        value(app, "memos.update_memory", user, memory, {"content": "c"})
    history = rows(app, "memos.memory_history", user, memory)
    assert [row[1] for row in history] == ["a", "b", "c"]
    assert rows(app, "memos.get_memory", user, memory, p_valid_at=now(app))[0][2] == "c"


@pytest.mark.parametrize("size", [1048576, 1048577])
def test_a_megabyte_of_unique_words_is_the_limit(app: Connection, user: UUID, size: int) -> None:
    text = " ".join(f"w{number:06d}" for number in range(size // 8 + 1))[:size]
    if size == 1048576:
        memory = add(app, user, text)
        assert value(app, "memos.delete_memory", user, memory)
    else:
        assert failure(app, "memos.add_memory", user, text).sqlstate == "MO400"


def test_the_limit_of_content_is_a_setting(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.set_setting", "max_content_bytes", "10")
        assert add(app, user, "ten bytes!")
        error = failure(app, "memos.add_memory", user, "eleven byte")
        assert error.sqlstate == "MO400"
        assert "10" in error.diag.message_hint
        rows(admin, "memos_admin.set_setting", "max_content_bytes", "11")
        assert add(app, user, "eleven byte")


def test_a_setting_that_would_break_every_call_is_refused(database: Database) -> None:
    with database.connect("memos_admin") as admin:
        for name, _, _ in rows(admin, "memos_admin.settings"):
            if not name.startswith("bm25"):
                error = failure(admin, "memos_admin.set_setting", name, "1.5")
                assert error.sqlstate == "MO400", f"{name} is a whole number"
