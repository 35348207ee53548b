"""What becomes of a scratchpad: memories, linked, once; or nothing, in the end."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_support import Connection, add, at_once, row_counts, rows
from psycopg.types.json import Jsonb
from scratchpad_support import Pad
from support.postgres import Database, Server


def memory(app: Connection, user: UUID, memory_id: UUID) -> dict[str, Any]:
    with app.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        (row,) = cursor.execute("select * from memos.get_memory(%s, %s)", (user, memory_id))
    return row


def links(app: Connection, user: UUID, memory_id: UUID) -> set[tuple[UUID, str, str]]:
    return {row[:3] for row in rows(app, "memos.list_links", user, memory_id)}


def close(pad: Pad, **named: Any) -> dict[UUID, UUID]:
    """Memory by entry."""
    return {row["entry_id"]: row["memory_id"] for row in pad.rows("close_scratchpad", **named)}


def filled(pad: Pad) -> dict[str, UUID]:
    """Something of everything, good and bad."""
    ids = {"question": pad.call("ask_question", "What is wrong with cell 4?")}
    ids["open"] = pad.call("ask_question", "What does it cost?")
    ids["log"] = pad.call("add_observation", "the log says SRVO-062", "tool_output", "log", 0.9)
    ids["noise"] = pad.call("add_observation", "the fan is loud", p_quality=0.2)
    ids["said"] = pad.call("add_observation", "Jon changed it in May", "user_input", None, 0.8)
    ids["fact"] = pad.call(
        "add_finding", "cell 4 shows SRVO-062 on J1", ids["question"], "fact", "log", 0.9,
        "searcher", [ids["log"]],
    )  # fmt: skip
    ids["how"] = pad.call(
        "add_finding", "master J1 anew after the battery", None, "procedure", p_confidence=0.8
    )
    ids["rumour"] = pad.call("add_finding", "it is the motor", ids["question"], p_confidence=0.3)
    ids["false"] = pad.call("add_finding", "cell 4 is off", ids["open"], p_confidence=0.9)
    ids["true"] = pad.call("add_finding", "cell 4 is on", ids["open"], p_confidence=0.9)
    pad.call("add_contradiction", ids["false"], ids["true"], "on or off")
    ids["so"] = pad.call(
        "add_reasoning", "the battery of J1 is flat", "abduction",
        [ids["fact"], ids["said"], ids["rumour"]], 0.85, "thinker",
    )  # fmt: skip
    ids["doubt"] = pad.call("add_reasoning", "perhaps not", p_confidence=0.4)
    ids["example"] = pad.call("add_example", "SRVO-062", "change the battery", "fault", 0.9)
    pad.call("add_step", "read the log", "searcher")
    pad.call("add_note", "searcher", "done")
    pad.call("set_question_status", ids["question"], "answered")
    return ids


def test_what_is_good_enough_becomes_memories_with_links(
    app: Connection, user: UUID, module_database: Database
) -> None:
    pad = Pad.open(app, user, "repair cell 4", p_session_id="2025-07-09")
    ids = filled(pad)
    made = close(pad)
    assert {name for name, id_ in ids.items() if id_ in made} == {
        "question", "log", "said", "fact", "how", "so", "example",
    }  # fmt: skip
    of = {name: memory(app, user, made[id_]) for name, id_ in ids.items() if id_ in made}
    assert {name: (m["kind"], m["provenance"]) for name, m in of.items()} == {
        "question": ("question", "model"), "log": ("episodic", "tool"),
        "said": ("episodic", "user"), "fact": ("semantic", "tool"),
        "how": ("procedural", "model"), "so": ("semantic", "model"),
        "example": ("procedural", "model"),
    }  # fmt: skip
    fact = of["fact"]
    assert fact["confidence"] == pytest.approx(0.9)
    assert (fact["session_id"], fact["tags"]) == ("2025-07-09", ["scratchpad", "finding", "fact"])
    assert fact["metadata"] == {
        "scratchpad_id": str(pad.id), "entry_id": str(ids["fact"]), "agent": "searcher",
        "source": "log",
    }  # fmt: skip
    assert of["example"]["content"] == "SRVO-062\n-> change the battery"
    of_id = {name: m["memory_id"] for name, m in of.items()}
    assert links(app, user, of_id["fact"]) == {
        (of_id["question"], "to", "answers"), (of_id["log"], "to", "derived_from"),
        (of_id["so"], "to", "supports"),
    }  # fmt: skip
    assert (of_id["said"], "to", "derived_from") in links(app, user, of_id["so"])
    found = rows(app, "memos.search_memories", user, "flat battery J1")
    assert of_id["so"] in [row[1] for row in found]
    assert pad.one("get_scratchpad")["promoted_at"] is not None
    assert_promoted_once(module_database, pad, made)


def assert_promoted_once(database: Database, pad: Pad, made: dict[UUID, UUID]) -> None:
    """Closing again, in every way, changes nothing."""
    with database.connect() as superuser:
        before = row_counts(superuser)
        assert close(pad) == made
        assert close(pad, p_promote=False) == made
        assert row_counts(superuser) == before


def test_closed_without_promotion_and_promoted_later(pad: Pad) -> None:
    filled(pad)
    assert close(pad, p_promote=False) == {}
    assert pad.one("get_scratchpad")["promoted_at"] is None
    made = close(pad)
    assert len(made) == 7
    assert close(pad) == made


def test_an_empty_scratchpad_closes(pad: Pad) -> None:
    assert close(pad) == {}


def test_sixteen_closings_at_once_are_one(pad: Pad, module_database: Database) -> None:
    filled(pad)

    def work(_: int) -> dict[UUID, UUID]:
        with module_database.connect("memos_app") as connection:
            return close(pad.on(connection))

    first, *others = at_once(16, work)
    assert len(first) == 7
    assert all(other == first for other in others)


def test_a_closing_waits_for_what_is_being_written(pad: Pad, module_database: Database) -> None:
    with module_database.connect("memos_app", autocommit=False) as writer:
        entry = pad.on(writer).call("add_finding", "late but good", p_confidence=0.9)
        pad.connection.execute("set lock_timeout = '100ms'")
        assert pad.fails("close_scratchpad") == "55P03"
        pad.connection.execute("reset lock_timeout")
        writer.commit()
    assert set(close(pad)) == {entry}


def test_findings_that_are_known_make_the_memory_more_certain(app: Connection, user: UUID) -> None:
    same = add(app, user, "The battery of J1 is flat.", p_confidence=0.6)
    word_for_word = add(app, user, "Cell 4 was installed in 2019", p_confidence=0.5)
    add(app, user, "The battery of J2 is flat.")
    pad = Pad.open(app, user, "g")
    alike = pad.call("add_finding", "the batteries of J1 is flat", p_confidence=0.8)
    exact = pad.call("add_finding", "Cell 4 was installed in 2019", p_confidence=0.9)
    also = pad.call("add_reasoning", "the battery of the J1 is flat", p_premises=[exact],
                    p_confidence=0.9)  # fmt: skip
    made = close(pad)
    assert made == {alike: same, exact: word_for_word, also: same}
    confirmed = memory(app, user, same)
    assert (confirmed["version"], confirmed["content"]) == (2, "The battery of J1 is flat.")
    assert confirmed["confidence"] == pytest.approx(1 - 0.4 * 0.55)
    assert memory(app, user, word_for_word)["confidence"] == pytest.approx(1 - 0.5 * 0.55)
    history = rows(app, "memos.memory_history", user, same)
    assert f"scratchpad {pad.id}" in str(history)
    assert links(app, user, same) == {(word_for_word, "from", "supports")}
    assert close(pad) == made
    assert memory(app, user, same)["version"] == 2


@pytest.mark.parametrize(
    ("known", "found"),
    [
        ("it shows SRVO-062 on J1 since May", "it shows SRVO-063 on J1 since May"),
        ("the robot is switched on at night", "the robot is switched off at night"),
        ("the brake is to be released", "the brake is not to be released"),
        ("Maya takes her tablets in the morning", "Myra takes her tablets in the morning"),
        ("the dog bites the man in the garden", "the man bites the dog in the garden"),
        ("take 5 mg before dinner every day", "take 5 mg after dinner every day"),
    ],
)  # fmt: skip
def test_what_only_looks_alike_is_another_memory(
    app: Connection, user: UUID, known: str, found: str
) -> None:
    there = add(app, user, known)
    pad = Pad.open(app, user, "g")
    entry = pad.call("add_finding", found, p_confidence=0.9)
    assert close(pad)[entry] != there
    assert memory(app, user, there)["version"] == 1


@pytest.mark.parametrize(
    "words",
    ['say "exactly this" and -nothing else*', "' or 1=1 --", "%s %d \\", "ß İ", "*** --- ???"],
)
def test_odd_texts_are_promoted_as_they_are(app: Connection, user: UUID, words: str) -> None:
    add(app, user, "something else")
    pad = Pad.open(app, user, "g")
    entry = pad.call("add_finding", words, p_confidence=0.9)
    assert memory(app, user, close(pad)[entry])["content"] == words


ENTRY = st.tuples(
    st.sampled_from(["observation", "finding", "reasoning"]),
    st.sampled_from(["one", "two", "three", "four"]),
    st.sampled_from([0.0, 0.5, 0.74, 0.75, 1.0]),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(entries=st.lists(ENTRY, max_size=8), known=st.sets(st.sampled_from(["one", "two"])))
def test_every_good_entry_has_one_memory_with_its_content(
    app: Connection, entries: list[tuple[str, str, float]], known: set[str]
) -> None:
    import uuid

    user = uuid.uuid4()
    for content in known:
        add(app, user, content)
    pad = Pad.open(app, user, "g")
    ids = []
    for kind, content, quality in entries:
        named = {"p_quality" if kind == "observation" else "p_confidence": quality}
        basis = {"p_premises": ids[-2:]} if kind == "reasoning" else {}
        ids.append(pad.call(f"add_{kind}", content, **named, **basis))
    made = close(pad)
    good = {id_: e[1] for id_, e in zip(ids, entries, strict=True) if e[2] >= 0.75}
    assert set(made) == set(good)
    contents = {id_: memory(app, user, made[id_])["content"] for id_ in made}
    assert contents == good
    assert len(rows(app, "memos.list_memories", user)) == len(known | set(good.values()))


def test_a_crash_while_closing_leaves_all_or_nothing(server: Server) -> None:
    """The server dies with a closing that has not committed, and right after one that has."""
    from memos_pg.migrate import migrate

    database = server.create_database()
    migrate(database.dsn)
    user = database.user_id("u")
    with database.connect("memos_app") as app:
        pad = Pad.open(app, user, "g")
        ids = filled(pad)
        pad.call("write_public", "a", "k", Jsonb(1))
    closing = database.connect("memos_app", autocommit=False)
    close(pad.on(closing))
    server.crash()
    server.start()
    with database.connect("memos_app") as app:
        again = pad.on(app)
        assert again.one("get_scratchpad")["status"] == "open"
        assert rows(app, "memos.list_memories", user) == []
        assert again.call("read_public", "k") == 1
        assert len(again.rows("list_entries")) == len(ids) + 2
        made = close(again)
    server.crash()
    server.start()
    with database.connect("memos_app") as app:
        assert close(pad.on(app)) == made
        assert len(rows(app, "memos.list_memories", user)) == len(made) == 7


def age(database: Database, pad: Pad, interval: str) -> None:
    """As if everything had happened that much earlier."""
    with database.connect() as superuser:
        for table, column in (
            ("scratchpad", "closed_at"),
            ("scratchpad", "opened_at"),
            ("scratchpad_change", "changed_at"),
        ):
            superuser.execute(
                f"update memos_private.{table} set {column} = {column} - %s::interval"
                " where scratchpad_id = %s",
                (interval, pad.id),
            )


def test_maintenance_closes_what_was_left_alone_and_removes_what_is_old(
    database: Database, user: UUID
) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        idle, busy, empty = (Pad.open(app, user, goal) for goal in ("idle", "busy", "empty"))
        ids = filled(idle)
        busy.call("add_finding", "still working on it", p_confidence=0.9)
        for pad in (idle, empty):
            age(database, pad, "25 hours")
        admin.execute("call memos_admin.run_maintenance()")
        status = {p.one("get_scratchpad")["goal"]: p.one("get_scratchpad")["status"]
                  for p in (idle, busy, empty)}  # fmt: skip
        assert status == {"idle": "abandoned", "busy": "open", "empty": "abandoned"}
        made = close(idle)
        assert ids["fact"] in made
        assert len(rows(app, "memos.list_memories", user)) == len(made) == 7

        busy.call("write_public", "a", "short", Jsonb(1), "10 milliseconds")
        age(database, idle, "31 days")
        time.sleep(0.02)
        admin.execute("call memos_admin.close_abandoned_scratchpads()")
        assert idle.fails("get_scratchpad") == "MO404"
        assert empty.one("get_scratchpad")["status"] == "abandoned"
        assert len(rows(app, "memos.list_memories", user)) == 7
        with database.connect() as superuser:
            left = {
                table: superuser.execute(
                    f"select count(*) from memos_private.{table} where scratchpad_id = %s",
                    (idle.id,),
                ).fetchone()[0]
                for (table,) in superuser.execute(
                    "select distinct relname from pg_class as c join pg_attribute as a"
                    " on a.attrelid = c.oid where relkind = 'r' and attname = 'scratchpad_id'"
                    " and relname like 'scratchpad%'"
                ).fetchall()
            }
            assert set(left.values()) == {0}
            assert len(left) >= 10
            assert superuser.execute(
                "select count(*) from memos_private.scratchpad_public_value"
            ).fetchone() == (0,)


def test_maintenance_passes_by_what_somebody_works_on(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        pad = Pad.open(app, user, "idle")
        age(database, pad, "25 hours")
        admin.execute("set lock_timeout = '2s'")
        with app.transaction():
            pad.call("add_observation", "back again")
            admin.execute("call memos_admin.close_abandoned_scratchpads()")
        assert pad.one("get_scratchpad")["status"] == "open"
        admin.execute("call memos_admin.close_abandoned_scratchpads()")
        assert pad.one("get_scratchpad")["status"] == "open"


def test_what_is_put_down_can_be_promoted(pad: Pad, app: Connection) -> None:
    most = 1048576
    assert pad.fails("add_example", "x" * (most - 4), "y", p_success=0.9) == "MO400"
    assert pad.fails("add_example", "x", "y" * most, p_success=0.9) == "MO400"
    entry = pad.call("add_example", "x" * (most - 5), "y", p_success=0.9)
    assert set(close(pad)) == {entry}


def test_one_scratchpad_that_cannot_be_promoted_stops_no_maintenance(
    database: Database, user: UUID
) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        large, small = Pad.open(app, user, "large"), Pad.open(app, user, "small")
        large.call("add_finding", "long " * 1000, p_confidence=0.9)
        small.call("add_finding", "short", p_confidence=0.9)
        age(database, large, "26 hours")
        age(database, small, "25 hours")
        rows(admin, "memos_admin.set_setting", "max_content_bytes", "2000")
        admin.execute("call memos_admin.run_maintenance()")
        assert "not promoted" in large.one("get_scratchpad")["reason"]
        assert large.one("get_scratchpad")["promoted_at"] is None
        assert [m[2] for m in rows(app, "memos.list_memories", user)] == ["short"]


def test_nothing_is_made_more_certain_without_consent(app: Connection, user: UUID) -> None:
    known = add(app, user, "cell 4 shows SRVO-062 on J1", p_confidence=0.5)
    pad = Pad.open(app, user)
    pad.call("add_finding", "Cell 4 shows an SRVO-062 on J1.", p_confidence=0.9)
    rows(app, "memos.set_consent", user, "memory_collection", False, "v1")
    assert pad.fails("close_scratchpad") == "MO451"
    assert memory(app, user, known)["version"] == 1
    assert pad.one("get_scratchpad")["status"] == "open"
    rows(app, "memos.set_consent", user, "memory_collection", True, "v1")
    assert set(close(pad).values()) == {known}
    assert memory(app, user, known)["version"] == 2


def test_a_legal_hold_keeps_scratchpads(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        pad = Pad.open(app, user)
        pad.call("write_public", "a", "short", Jsonb(1), "10 milliseconds")
        close(pad)
        age(database, pad, "31 days")
        (hold,) = rows(admin, "memos_admin.place_legal_hold", user, "a lawsuit")
        admin.execute("call memos_admin.close_abandoned_scratchpads()")
        assert pad.one("get_scratchpad")["status"] == "completed"
        rows(admin, "memos_admin.release_legal_hold", user, hold[0], "settled")
        admin.execute("call memos_admin.close_abandoned_scratchpads()")
        assert pad.fails("get_scratchpad") == "MO404"


def test_a_closing_takes_as_long_as_what_it_promotes(
    app: Connection, user: UUID, module_database: Database
) -> None:
    pad = Pad.open(app, user)
    question = pad.call("ask_question", "which numbers are there?")
    for number in range(60):
        pad.call("add_finding", f"number {number} is poor", question, p_confidence=0.2)
        seen = pad.call("add_finding", f"number {number} is good", question, p_confidence=0.9)
        pad.call("add_reasoning", f"so {number} it is", "deduction", [seen], 0.9)
    pad.call("set_question_status", question, "answered")
    with module_database.connect() as superuser, superuser.transaction():
        superuser.execute("set local track_functions = 'pl'")
        superuser.execute("set local role memos_app")
        assert len(close(pad.on(superuser))) == 121
        superuser.execute("reset role")
        searches = superuser.execute(
            "select calls from pg_stat_xact_user_functions where funcname = 'known_memory'"
        ).fetchone()
        assert searches == (120,), "only of what is good enough, once"
        (read,) = superuser.execute(
            "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables"
            " where relname = 'scratchpad_promotion'"
        ).fetchone()
        assert read < 20 * 121, "not the square of it"
