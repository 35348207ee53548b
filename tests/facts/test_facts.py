"""Facts: one value at a time, the past and the future on record, and the memories behind them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_support import Connection, add, at_once, failure, now, row_counts, rows, value, vector
from support.postgres import Database

Period = tuple[str, int | None, int | None]


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


def year(number: int | None) -> datetime | None:
    return None if number is None else datetime(number, 1, 1, tzinfo=UTC)


def tell(
    app: Connection,
    user: UUID,
    town: str,
    since: int | None = None,
    until: int | None = None,
    **named: Any,
) -> Any:
    """Where Alice lives: fact_id, memory_id, valid_from, valid_until, change."""
    (row,) = rows(
        app,
        "memos.assert_fact",
        user,
        "Alice",
        "home town",
        town,
        year(since),
        year(until),
        **named,
    )
    return row


def timeline(app: Connection, user: UUID) -> list[Period]:
    """What is held now of where Alice lives, in years."""
    found = rows(app, "memos.fact_history", user, "Alice", "home town")
    held = sorted((row[2], row[3], row[1]) for row in found if row[9] == "current")
    return [(town, start.year, end.year if end else None) for start, end, town in held]


def contents(app: Connection, user: UUID, **named: Any) -> list[str]:
    found = rows(app, "memos.search_memories", user, "Where is the home town of Alice?", **named)
    return sorted(row[3] for row in found)


def links(app: Connection, user: UUID, memory: UUID) -> set[tuple[str, str, UUID]]:
    return {(row[1], row[2], row[0]) for row in rows(app, "memos.list_links", user, memory)}


# One value at a time ------------------------------------------------------------------------------


def test_a_new_value_closes_the_old_one_and_search_knows_both_times(
    app: Connection, user: UUID
) -> None:
    oslo = tell(app, user, "Oslo", 2010)
    known = now(app)
    bergen = tell(app, user, "Bergen", 2015)
    assert (oslo[4], bergen[4]) == ("asserted", "asserted")
    assert timeline(app, user) == [("Oslo", 2010, 2015), ("Bergen", 2015, None)]
    assert contents(app, user) == ["Alice: home town is Bergen"]
    assert contents(app, user, p_valid_at=year(2012)) == ["Alice: home town is Oslo"]
    assert contents(app, user, p_valid_at=year(2009)) == []
    assert contents(app, user, p_recorded_at=known) == ["Alice: home town is Oslo"]
    assert contents(app, user, p_valid_at=year(2020), p_recorded_at=known) == [
        "Alice: home town is Oslo"
    ]
    assert links(app, user, bergen[1]) == {("to", "supersedes", oslo[1])}
    first, second = rows(app, "memos.memory_history", user, oslo[1])
    assert (first[16], first[17], second[13]) == ("update", "afterwards: Bergen", year(2015))


def test_within_a_transaction_the_last_value_counts(app: Connection, user: UUID) -> None:
    with app.transaction():
        for town in ("Oslo", "Bergen", "Rome"):
            tell(app, user, town)
            assert contents(app, user) == [f"Alice: home town is {town}"]
            assert [row[3] for row in rows(app, "memos.get_facts", user)] == [town]


def test_the_fact_is_a_memory_like_others(
    module_database: Database, app: Connection, user: UUID
) -> None:
    source = add(app, user, "I grew up in Oslo, by the way")
    _, memory, *_ = tell(
        app, user, "Oslo", p_memory_id=source, p_tags=["home"], p_importance=0.9,
        p_confidence=0.8, p_provenance="tool", p_privacy_level="restricted", p_session_id="s 1",
        p_content="Alice lives in Oslo, Norway", p_language="norwegian",
    )  # fmt: skip
    (found,) = rows(app, "memos.get_memory", user, memory)
    assert found[2:12] == (
        "Alice lives in Oslo, Norway", "fact", ["home"],
        {"entity": "Alice", "attribute": "home town", "value": "Oslo"},
        pytest.approx(0.9), pytest.approx(0.8), "restricted", "tool", "s 1", None,
    )  # fmt: skip
    assert links(app, user, memory) == {("to", "derived_from", source)}
    found = rows(app, "memos.search_memories", user, "Alice", p_metadata={"attribute": "home town"})
    assert [row[1] for row in found] == [memory]


def test_a_vector_is_kept_and_without_one_the_fact_waits_for_it(database: Database) -> None:
    user = uuid4()
    with database.connect("memos_admin") as admin, database.connect("memos_app") as app:
        rows(admin, "memos_admin.register_embedding_model", "ext", 2, "external")
        tell(app, user, "Oslo", 2010, p_embedding=vector(1, 0), p_model="ext")
        status = "select done, pending from memos_admin.embedding_status()"
        assert admin.execute(status).fetchone() == (1, 0)
        tell(app, user, "Bergen", 2015)
        assert admin.execute(status).fetchone() == (1, 1)
        assert failure(
            app, "memos.assert_fact", user, "a", "b", "c", p_embedding=vector(1, 0, 0)
        ).sqlstate == "MO400"  # fmt: skip


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # The past ends where the next known value begins.
        ([("Oslo", 2010, None), ("Bergen", 2000, None)],
         [("Bergen", 2000, 2010), ("Oslo", 2010, None)]),
        ([("Oslo", 2010, 2012), ("Bergen", 2000, None)],
         [("Bergen", 2000, 2010), ("Oslo", 2010, 2012)]),
        # In the middle of another: which comes back afterwards, or does not.
        ([("Oslo", 2010, None), ("Bergen", 2012, 2014)],
         [("Oslo", 2010, 2012), ("Bergen", 2012, 2014), ("Oslo", 2014, None)]),
        ([("Oslo", 2010, 2020), ("Bergen", 2012, None)],
         [("Oslo", 2010, 2012), ("Bergen", 2012, None)]),
        # Several at once, trimmed on both sides.
        ([("Oslo", 2010, 2012), ("Rome", 2012, 2014), ("Paris", 2014, 2016),
          ("Bergen", 2011, 2015)],
         [("Oslo", 2010, 2011), ("Bergen", 2011, 2015), ("Paris", 2015, 2016)]),
        # The same value again.
        ([("Oslo", 2010, None), ("oslo", 2012, None)], [("Oslo", 2010, None)]),
        ([("Oslo", 2010, None), ("Oslo", 2005, None)], [("Oslo", 2005, None)]),
        ([("Oslo", 2010, 2012), ("Oslo", 2012, 2014)], [("Oslo", 2010, 2014)]),
        ([("Oslo", 2010, 2012), ("Oslo", 2014, 2016), ("Oslo", 2012, 2014)],
         [("Oslo", 2010, 2016)]),
        ([("Oslo", 2010, 2012), ("Oslo", 2014, 2016)],
         [("Oslo", 2010, 2012), ("Oslo", 2014, 2016)]),
        ([("Oslo", 2010, 2012), ("Rome", 2012, 2014), ("Oslo", 2014, None), ("Oslo", 2011, 2015)],
         [("Oslo", 2010, None)]),
        # Corrections.
        ([("Oslo", 2010, None), ("Bergen", 2010, None)], [("Bergen", 2010, None)]),
        ([("Oslo", 2010, 2020), ("Bergen", 2010, 2015)],
         [("Bergen", 2010, 2015), ("Oslo", 2015, 2020)]),
        ([("Oslo", 2010, 2012), ("Rome", 2012, None), ("Bergen", 2009, 2030)],
         [("Bergen", 2009, 2030), ("Rome", 2030, None)]),
    ],
)  # fmt: skip
def test_the_timeline_says_what_was_told_last(
    app: Connection, user: UUID, told: list[Period], expected: list[Period]
) -> None:
    for town in told:
        tell(app, user, *town)
    assert timeline(app, user) == expected


def test_a_correction_takes_the_wrong_value_out_of_the_past_and_keeps_it_on_record(
    app: Connection, user: UUID
) -> None:
    wrong = tell(app, user, "Oslo", 2010)
    known = now(app)
    tell(app, user, "Bergen", 2010)
    assert contents(app, user, p_valid_at=year(2012)) == ["Alice: home town is Bergen"]
    assert contents(app, user, p_valid_at=year(2012), p_recorded_at=known) == [
        "Alice: home town is Oslo"
    ]
    (gone, _) = rows(app, "memos.fact_history", user, "Alice", "home town")
    assert (gone[0], gone[1], gone[9]) == (wrong[0], "Oslo", "delete")
    assert rows(app, "memos.memory_history", user, wrong[1])[0][17] == "corrected: Bergen"
    held = rows(app, "memos.get_facts", user, p_valid_at=year(2012), p_recorded_at=known)
    assert [row[3] for row in held] == ["Oslo"]


def test_saying_it_again_changes_nothing_or_adds_trust(app: Connection, user: UUID) -> None:
    first = tell(app, user, "Oslo", 2010, p_provenance="model", p_confidence=0.5)
    again = tell(app, user, "OSLO", 2010, p_provenance="model", p_confidence=0.4)
    assert again == (*first[:4], "unchanged")
    assert tell(app, user, "Oslo", p_provenance="model", p_confidence=0.5)[4] == "unchanged"
    assert tell(app, user, "Oslo", 2011, 2012, p_confidence=0.9)[4] == "extended"
    ((*_, confidence, provenance, memory, _),) = rows(app, "memos.get_facts", user)
    assert (confidence, provenance, memory) == (pytest.approx(0.9), "user", first[1])
    (found,) = rows(app, "memos.get_memory", user, memory)
    assert (found[1], found[7], found[9]) == (2, pytest.approx(0.9), "user")


def test_a_value_that_comes_back_or_lies_ahead_says_from_when(app: Connection, user: UUID) -> None:
    tell(app, user, "Oslo", 2010)
    tell(app, user, "Bergen", 2012)
    tell(app, user, "Oslo", 2014)
    tell(app, user, "Rome", 2100)
    said = add(app, user, "Alice: home town is Paris")
    value(app, "memos.move_to_tier", user, said, "cold")
    tell(app, user, "Paris", 2016)
    held = rows(app, "memos.list_memories", user, p_kinds=["fact"])
    assert sorted(row[2] for row in held) == [
        "Alice: home town is Bergen",
        "Alice: home town is Oslo",
        "Alice: home town is Oslo (from 2014-01-01)",
        "Alice: home town is Paris (from 2016-01-01)",
        "Alice: home town is Rome (from 2100-01-01)",
    ]
    assert [row[3] for row in rows(app, "memos.get_facts", user)] == ["Paris"]
    assert [row[3] for row in rows(app, "memos.get_facts", user, p_valid_at=year(2101))] == ["Rome"]


def test_content_of_its_own_must_be_new(app: Connection, user: UUID) -> None:
    said = add(app, user, "I live in Oslo now")
    error = failure(
        app, "memos.assert_fact", user, "Alice", "home town", "Oslo", p_content="I live in Oslo now"
    )
    assert (error.sqlstate, error.diag.message_detail) == ("MO409", f"memory {said}")
    assert timeline(app, user) == []


def test_names_are_the_same_without_case_accents_and_spelling_of_blanks(
    app: Connection, user: UUID
) -> None:
    rows(app, "memos.assert_fact", user, " Zoë  Ångström ", "home_town", "Málaga", year(2010))
    rows(app, "memos.assert_fact", user, "ZOE\tANGSTROM", "Home  Town", " malaga", year(2012))
    rows(
        app,
        "memos.assert_fact",
        user,
        "Zoe\u0308 \uff21ngström",
        "home\u00a0town",
        "Bonn",
        year(2014),
    )
    found = rows(app, "memos.fact_history", user, "zoe angstrom", "HOME_TOWN")
    assert [(row[1], row[9]) for row in found] == [
        ("Málaga", "update"), ("Málaga", "current"), ("Bonn", "current")
    ]  # fmt: skip
    assert [row[3] for row in rows(app, "memos.get_facts", user, "ZOË ångström")] == ["Bonn"]
    rows(app, "memos.assert_fact", user, "Zoe", "home town", "Rome")
    rows(app, "memos.assert_fact", user, "Zoe", "work place", "Paris")
    assert [row[3] for row in rows(app, "memos.get_facts", user, p_attribute="Home town")] == [
        "Rome", "Bonn"
    ]  # fmt: skip


# Trust --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "told", "gives_way"),
    [
        (("user", 0.3), ("model", 1.0), False),
        (("user", 0.3), ("tool", 1.0), False),
        (("user", 1.0), ("user", 0.1), True),
        (("model", 0.9), ("user", 0.1), True),
        (("model", 0.9), ("model", 0.9), True),
        (("model", 0.9), ("tool", 0.8), False),
        (("tool", 0.5), ("model", 0.8), True),
    ],
)
def test_what_is_trusted_more_does_not_give_way(
    app: Connection, user: UUID, held: Any, told: Any, gives_way: bool
) -> None:
    tell(app, user, "Oslo", 2010, 2020, p_provenance=held[0], p_confidence=held[1])
    trust = {"p_provenance": told[0], "p_confidence": told[1]}
    for change in (("Bergen", 2015, None), ("Bergen", 2010, None), ("Oslo", 2015, 2025)):
        arguments = ["Alice", "home town", change[0], year(change[1]), year(change[2])]
        if gives_way:
            with app.transaction(force_rollback=True):
                assert tell(app, user, *change, **trust)[4] in ("asserted", "extended")
        else:
            error = failure(app, "memos.assert_fact", user, *arguments, **trust)
            assert error.sqlstate == "MO409"
            assert "Oslo" in error.diag.message_detail
    assert timeline(app, user) == [("Oslo", 2010, 2020)]
    # Nothing changes for what is held.
    assert tell(app, user, "Oslo", 2012, 2013, p_provenance="system", p_confidence=0)[4] == (
        "unchanged"
    )
    assert tell(app, user, "Rome", 2000, **trust)[4] == "asserted"
    assert timeline(app, user)[0] == ("Rome", 2000, 2010)


def test_what_is_pinned_gives_way_to_a_human_only(app: Connection, user: UUID) -> None:
    first = tell(app, user, "Oslo", 2010, p_provenance="model", p_confidence=0.1)
    rows(app, "memos.pin_memory", user, first[1])
    error = failure(
        app, "memos.assert_fact", user, "Alice", "home town", "Bergen", p_provenance="tool"
    )
    assert error.sqlstate == "MO409"
    # The pinned memory stays when two become one.
    tell(app, user, "Oslo", 2000, 2005)
    assert tell(app, user, "Oslo", 2004, 2011)[:2] == first[:2]
    # What comes back afterwards is pinned, too.
    assert tell(app, user, "Bergen", 2015, 2016)[4] == "asserted"
    assert timeline(app, user)[-1] == ("Oslo", 2016, None)
    held = rows(app, "memos.list_memories", user)
    assert {row[2]: row[16] for row in held} == {
        "Alice: home town is Oslo": True,
        "Alice: home town is Bergen": False,
        "Alice: home town is Oslo (from 2016-01-01)": True,
    }


# The memory behind it -----------------------------------------------------------------------------


def test_the_memory_of_a_fact_cannot_say_something_else(app: Connection, user: UUID) -> None:
    _, memory, *_ = tell(app, user, "Oslo", 2010)
    for change in (
        {"content": "Alice lives in Bergen"},
        {"valid_until": "2020-01-01Z"},
        {"valid_from": "2011-01-01Z"},
    ):
        error = failure(app, "memos.update_memory", user, memory, change)
        assert error.sqlstate == "MO409"
        assert "assert_fact" in error.diag.message_hint
    changes = {"tags": ["home"], "confidence": 0.25, "provenance": "imported"}
    assert value(app, "memos.update_memory", user, memory, changes) == 2
    ((*_, confidence, provenance, _, _),) = rows(app, "memos.get_facts", user)
    assert (confidence, provenance) == (0.25, "imported")


def test_retracting_a_fact_is_deleting_its_memory(app: Connection, user: UUID) -> None:
    oslo, bergen, rome = (
        tell(app, user, t, y) for t, y in (("Oslo", 10), ("Bergen", 20), ("Rome", 30))
    )
    assert value(app, "memos.retract_fact", user, bergen[0], "never was there") is True
    assert value(app, "memos.retract_fact", user, bergen[0]) is False
    assert value(app, "memos.delete_memory", user, rome[1]) is True
    assert timeline(app, user) == [("Oslo", 10, 20)]
    assert rows(app, "memos.get_facts", user) == []
    assert rows(app, "memos.memory_history", user, bergen[1])[-1][16:18] == (
        "delete",
        "never was there",
    )
    changes = [row[9] for row in rows(app, "memos.fact_history", user, "alice", "home town")]
    assert sorted(changes) == ["current", "delete", "delete", "update", "update"]
    # What is known again is known anew.
    assert tell(app, user, "Rome", 30)[0] != rome[0]
    assert value(app, "memos.delete_memory", user, oslo[1]) is True


def test_a_fact_ends_without_another_value(app: Connection, user: UUID) -> None:
    fact = tell(app, user, "Oslo", 2010)
    other = uuid4()
    for until in ("infinity", "2010-01-01Z", "2009-01-01Z"):
        assert failure(app, "memos.end_fact", user, fact[0], until).sqlstate == "MO400"
    assert value(app, "memos.end_fact", other, fact[0]) is False
    assert value(app, "memos.end_fact", user, uuid4()) is False
    assert value(app, "memos.end_fact", user, fact[0], year(2020), "moved out") is True
    assert value(app, "memos.end_fact", user, fact[0], year(2020)) is False
    assert value(app, "memos.end_fact", user, fact[0]) is False
    assert timeline(app, user) == [("Oslo", 2010, 2020)]
    assert rows(app, "memos.get_facts", user) == []
    assert contents(app, user) == []
    assert rows(app, "memos.memory_history", user, fact[1])[0][17] == "moved out"
    assert value(app, "memos.end_fact", user, fact[0], year(2015)) is True
    assert tell(app, user, "Oslo", 2012, 2018)[4] == "extended"
    now_ = tell(app, user, "Bergen", 2019)
    assert value(app, "memos.end_fact", user, now_[0]) is True
    assert rows(app, "memos.get_facts", user) == []


def test_facts_are_a_users_own(app: Connection, user: UUID) -> None:
    other = uuid4()
    mine, theirs = tell(app, user, "Oslo", 2010), tell(app, other, "Bergen", 2010)
    assert timeline(app, user) == [("Oslo", 2010, None)]
    assert value(app, "memos.retract_fact", user, theirs[0]) is False
    error = failure(app, "memos.assert_fact", user, "Alice", "age", "40", p_memory_id=theirs[1])
    assert error.sqlstate == "MO404"
    assert rows(app, "memos.get_facts", user, "Alice", "age") == []
    assert value(app, "memos.retract_fact", user, mine[0]) is True
    assert timeline(app, other) == [("Bergen", 2010, None)]


def test_the_table_itself_refuses_two_values_at_a_time(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    fact = tell(app, user, "Oslo", 2010)
    memory = add(app, user, "another memory")
    with pytest.raises(psycopg.errors.ExclusionViolation):
        superuser.execute(
            "insert into memos_private.fact select user_id, gen_random_uuid(), entity, attribute,"
            " 'Bergen', entity_key, attribute_key, 'bergen', valid, %s, 1, 'user', now()"
            " from memos_private.fact where fact_id = %s",
            (memory, fact[0]),
        )


LONG = "x" * 257
NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        *[((bad, "a", "v"), {}) for bad in (None, "", "  ", " _\t", LONG, "\ufdfa" * 100)],
        *[(("e", bad, "v"), {}) for bad in (None, "", "  ", "__", LONG)],
        *[(("e", "a", bad), {}) for bad in (None, "", "\n", "x" * 1001)],
        *[(("e", "a", "v", bad), {}) for bad in ("infinity", "-infinity")],
        *[(("e", "a", "v", "2020-01-01Z", bad), {}) for bad in ("infinity", "2020-01-01Z")],
        (("e", "a", "v"), {"p_valid_until": "2019-01-01Z"}),
        *[(("e", "a", "v"), {"p_confidence": bad}) for bad in (None, -0.1, 1.1, NAN, INFINITY)],
        *[(("e", "a", "v"), {"p_provenance": bad}) for bad in (None, "", "me")],
        *[(("e", "a", "v"), {"p_content": bad}) for bad in ("", "  ", "x" * 1048577)],
        *[(("e", "a", "v"), {"p_importance": bad}) for bad in (None, 2.0, NAN)],
        *[(("e", "a", "v"), {"p_privacy_level": bad}) for bad in (None, "secret")],
        (("e", "a", "v"), {"p_tags": None}),
        (("e", "a", "v"), {"p_session_id": " "}),
        (("e", "a", "v"), {"p_language": "klingon"}),
        (("e", "a", "v"), {"p_model": "unknown"}),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_and_leave_nothing(
    app: Connection, superuser: Connection, user: UUID, arguments: Any, named: Any
) -> None:
    before = row_counts(superuser)
    assert failure(app, "memos.assert_fact", user, *arguments, **named).sqlstate == "MO400"
    assert row_counts(superuser) == before


def test_bad_arguments_of_the_other_functions(app: Connection, user: UUID) -> None:
    first = tell(app, user, "Oslo", 2010)
    for function, *arguments in (
        ("assert_fact", user, "Alice", "home_town", "Bergen", None, None, first[1]),
        ("get_facts", None), ("fact_history", None, "a", "b"), ("fact_history", user, None, "b"),
        ("fact_history", user, "a", " "), ("retract_fact", user, None),
        ("retract_fact", user, first[0], "x" * 1001),
        ("end_fact", user, None), ("end_fact", user, first[0], None, "x" * 1001),
    ):  # fmt: skip
        assert failure(app, f"memos.{function}", *arguments).sqlstate == "MO400"
    assert failure(
        app, "memos.assert_fact", user, "a", "b", "c", p_memory_id=uuid4()
    ).sqlstate == "MO404"  # fmt: skip
    assert rows(app, "memos.get_facts", user, "nobody") == []
    assert rows(app, "memos.fact_history", user, "nobody", "nothing") == []


# Many at once, in any order -----------------------------------------------------------------------


def test_sessions_that_contradict_each_other_leave_one_value_at_a_time(
    module_database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    source = add(app, user, "what everybody said")

    def work(number: int) -> None:
        chance = random.Random(number)
        with module_database.connect("memos_app") as session:
            for _ in range(15):
                town = chance.choice(["Oslo", "Bergen", "Rome"])
                since = chance.choice([None, *range(2010, 2020)])
                until = since and chance.choice([None, since + chance.randint(1, 5)])
                fact = tell(session, user, town, since, until, p_memory_id=source)
                if chance.random() < 0.2:
                    value(session, "memos.delete_memory", user, fact[1])
                if chance.random() < 0.2:
                    value(session, "memos.end_fact", user, fact[0])
                if chance.random() < 0.2:
                    with session.transaction():
                        rows(session, "memos.pin_memory", user, source)

    at_once(4, work)
    tell(app, user, "Paris")
    assert [row[3] for row in rows(app, "memos.get_facts", user)] == ["Paris"]
    assert_facts_and_memories_agree(superuser, user)


def test_two_facts_at_once_in_either_order(
    module_database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    """The memory that one transaction corrects is the one that the other deletes."""
    for _ in range(5):
        fact = tell(app, user, "Oslo", 2010)

        def work(number: int, fact: Any = fact) -> Any:
            with module_database.connect("memos_app") as session:
                if number == 0:
                    return tell(session, user, "Bergen", 2010)
                if number == 1:
                    return tell(session, user, "Rome", 2010)
                return value(session, "memos.delete_memory", user, fact[1])

        at_once(3, work)
        assert len(timeline(app, user)) == 1
        assert_facts_and_memories_agree(superuser, user)


def assert_facts_and_memories_agree(superuser: Connection, user: UUID) -> None:
    """Each fact is a memory with the same period, and there are no other memories of facts."""
    assert superuser.execute(
        """
        select f.fact_id, m.memory_id
        from (select * from memos_private.fact where user_id = %(user)s) as f
        full join (
            select * from memos_private.memory where user_id = %(user)s and kind = 'fact'
        ) as m using (user_id, memory_id)
        where (f.valid = tstzrange(m.valid_from, m.valid_until)
            and (f.confidence, f.provenance) = (m.confidence, m.provenance)) is not true
        """,
        {"user": user},
    ).fetchall() == []  # fmt: skip


class Model:
    """The timeline of one attribute: the value of each day, by writing over days."""

    def __init__(self) -> None:
        self.periods: list[tuple[int, float, str]] = []

    def tell(self, town: str, since: int, until: int | None) -> None:
        end = until or min((s for s, _, _ in self.periods if s > since), default=float("inf"))
        left = [(s, min(e, since), v) for s, e, v in self.periods if s < since]
        right = [(max(s, end), e, v) for s, e, v in self.periods if e > end]
        joined: list[tuple[Any, float, str]] = []
        for period in sorted([*left, (since, end, town), *right]):
            if joined and joined[-1][1] == period[0] and joined[-1][2] == period[2]:
                joined[-1] = (joined[-1][0], period[1], period[2])
            else:
                joined.append(period)
        self.periods = joined

    def at(self, day: float) -> list[str]:
        return [v for s, e, v in self.periods if s <= day < e]


TOLD = st.tuples(
    st.sampled_from(["Oslo", "Bergen", "Rome"]), st.integers(0, 9), st.none() | st.integers(1, 5)
)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(told=st.lists(TOLD | st.integers(0, 3), min_size=1, max_size=8))
def test_any_order_of_any_periods_is_as_in_the_model(
    app: Connection, superuser: Connection, told: list[Any]
) -> None:
    user, model, start = uuid4(), Model(), datetime(2020, 1, 1, tzinfo=UTC)
    known: list[tuple[Any, list[list[str]]]] = []

    def day(number: float) -> datetime | None:
        return None if number == float("inf") else start + timedelta(days=number)

    for item in told:
        if isinstance(item, tuple):
            town, since, length = item
            until = since + length if length else None
            rows(
                app, "memos.assert_fact", user, "Alice", "home town", town, day(since),
                day(until) if until else None,
            )  # fmt: skip
            model.tell(town, since, until)
        elif item < len(model.periods):
            fact = superuser.execute(
                "select fact_id from memos_private.fact where user_id = %s order by valid",
                (user,),
            ).fetchall()[item]
            assert value(app, "memos.retract_fact", user, fact[0]) is True
            del model.periods[item]
        held = superuser.execute(
            "select lower(valid), upper(valid), value from memos_private.fact where user_id = %s"
            " order by valid",
            (user,),
        ).fetchall()
        assert held == [(day(s), day(e), v) for s, e, v in model.periods]
        known.append((now(app), [model.at(n + 0.5) for n in range(-1, 16)]))
    assert_facts_and_memories_agree(superuser, user)
    chance = random.Random(repr(told))
    at, days = chance.choice(known)
    for number in chance.sample(range(len(days)), 3):
        then = {"p_valid_at": day(number - 0.5), "p_recorded_at": at}
        found = rows(app, "memos.get_facts", user, "alice", **then)
        assert [row[3] for row in found] == days[number]
        searched = rows(app, "memos.search_memories", user, "Alice's home town", **then)
        assert [row[7]["value"] for row in searched] == days[number]


# Retention ----------------------------------------------------------------------------------------


def test_superseded_facts_go_with_the_history_of_their_time(database: Database) -> None:
    user, held = uuid4(), uuid4()
    with (
        database.connect("memos_app") as app,
        database.connect("memos_admin") as admin,
        database.connect() as superuser,
    ):
        for owner in (user, held):
            tell(app, owner, "Oslo", 2010)
            tell(app, owner, "Bergen", 2012)
            tell(app, owner, "Bergen", 2010)
        superuser.execute(
            "update memos_private.fact_history set recorded_at = '2012-01-01',"
            " superseded_at = '2012-01-02' where change = 'update'"
        )
        rows(admin, "memos_admin.place_legal_hold", held, "a lawsuit")
        admin.execute("call memos_admin.run_maintenance()")
        for owner, count in ((user, 2), (held, 4)):
            assert len(rows(app, "memos.fact_history", owner, "Alice", "home town")) == count
