"""Consolidation: what is merged and summarised and what never is, dry runs, undo, the job."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_support import Connection, add, at_once, failure, rows, value, vector
from support.people import sqlstate_of
from support.postgres import Database


@pytest.fixture(scope="module", autouse=True)
def model(module_database: Database) -> None:
    with module_database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.register_embedding_model", "v", 2, "external")


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


def image(superuser: Connection, user: UUID, left_out: str = "") -> dict[str, list[str]]:
    """Every row of the user in the tables that a consolidation changes."""
    found = {}
    for table in (
        "memory", "memory_cold", "memory_note", "memory_link", "embedding", "memory_history",
        "consolidation_run", "consolidation_action", "embedding_queue",
    ):  # fmt: skip
        statement = f"""
            select to_jsonb(t) - string_to_array(%s, ',') from memos_private.{table} as t
            where user_id = %s
        """
        cursor = superuser.execute(statement, (left_out, user))
        found[table] = sorted(json.dumps(row[0], sort_keys=True) for row in cursor)
    # How these are packed in blocks is nobody's business.
    for table, columns in (
        ("posting", "lexeme, unnest(memory_ids), unnest(frequencies), unnest(lengths)"),
        ("link_queue", "unnest(memory_ids)"),
    ):
        statement = f"select {columns} from memos_private.{table} where user_id = %s"
        found[table] = sorted(map(str, superuser.execute(statement, (user,))))
    return found


def consolidate(app: Connection, user: UUID, **named: Any) -> list[tuple[Any, ...]]:
    return rows(app, "memos.consolidate_memories", user, **{"p_dry_run": False} | named)


def tiers(superuser: Connection, user: UUID) -> dict[UUID, str]:
    return dict(
        superuser.execute(
            "select memory_id, tier from memos_private.memory where user_id = %(user)s union all"
            " select memory_id, tier from memos_private.memory_cold where user_id = %(user)s",
            {"user": user},
        ).fetchall()
    )


def found(app: Connection, user: UUID, query: str, **named: Any) -> list[UUID]:
    return [row[1] for row in rows(app, "memos.search_memories", user, query, **named)]


def toward(angle: float) -> str:
    return vector(math.cos(angle), math.sin(angle))


# What says the same -------------------------------------------------------------------------------

SAME = [
    ("The user takes 20 mg of aspirin.", "User takes 20 mg of aspirin"),
    ("“Hello”, he said…", "Hello, he said"),
    ("I really love hiking!", "i love hiking"),
    ("It's a dog", "It\u2019s the dog"),
    ("Caf\u00e9 at  noon\n", "Cafe\u0301 at noon"),
]
OTHER = [
    ("Takes 20 mg daily", "Takes 200 mg daily", "number"),
    ("Takes 2.5 mg daily", "Takes 25 mg daily", "number"),
    ("Takes 20 mg daily", "Takes 20 g daily", "number"),
    ("-5 degrees outside", "5 degrees outside", "number"),
    ("Costs 5 $ each", "Costs 5 € each", "number"),
    ("Lives with one cat", "Lives with two cats", "number"),
    ("He smokes", "He never smokes", "negation"),
    ("He does smoke", "He does not smoke", "negation"),
    ("I can swim", "I can't swim", "negation"),
    ("Er raucht", "Er raucht nicht", "negation"),
    ("Met on 2023-05-08", "Met on 2023-05-09", "date"),
    ("Met on 8/5/2023", "Met on 9/5/2023", "date"),
    ("Therapy on Monday", "Therapy on Tuesday", "date"),
    ("Appointment today", "Appointment tomorrow", "date"),
    ("Met Anna", "Met Hanna", "name"),
    ("I love Apple", "I love apple", "name"),
    ("John loves Mary", "Then Mary loves John", "name"),
    ("Allergic to penicillin", "Allergic to ibuprofen", "word"),
    ("Went from here to there", "Went to here from there", "order"),
    ("Is she coming?", "Is she coming.", "word"),
    ("He smokes", "He smoked", "word"),
    ("Vitamin A helps", "Vitamin helps", "name"),
    ("Good \U0001f600", "Good \U0001f622", "word"),
]


@pytest.mark.parametrize(("a", "b"), SAME)
def test_only_form_differs(superuser: Connection, a: str, b: str) -> None:
    assert value(superuser, "memos_private.differences", a, b) == []


@pytest.mark.parametrize(("a", "b", "difference"), OTHER)
def test_what_differs_is_named_and_never_merged(
    app: Connection, superuser: Connection, user: UUID, a: str, b: str, difference: str
) -> None:
    assert difference in value(superuser, "memos_private.differences", a, b)
    assert difference in value(superuser, "memos_private.differences", b, a)
    for content in (a, b):
        add(app, user, content, p_embedding=toward(0))
    assert consolidate(app, user, p_summarize=False) == []
    assert set(tiers(superuser, user).values()) == {"warm"}


WORDS = st.sampled_from(
    [
        "the",
        "a",
        "She",
        "takes",
        "not",
        "20",
        "200",
        "mg",
        "of.",
        "Anna,",
        "anna",
        "tea!",
        "on",
        "?",
    ]
)
SENTENCE = st.lists(WORDS, min_size=1, max_size=7).map(" ".join) | st.text(max_size=20)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(a=SENTENCE, b=SENTENCE)
def test_the_key_of_a_statement_and_its_differences_agree(
    superuser: Connection, a: str, b: str
) -> None:
    if "\0" in a + b or any("\ud800" <= c <= "\udfff" for c in a + b):
        return
    differences, same_key, conflict = superuser.execute(
        "select memos_private.differences(%(a)s, %(b)s),"
        " memos_private.statement_key(%(a)s) = memos_private.statement_key(%(b)s),"
        " memos_private.conflict(%(a)s, %(b)s)",
        {"a": a, "b": b},
    ).fetchone()
    assert (differences == []) == same_key
    assert not (same_key and conflict)
    assert set(differences) <= {"date", "name", "negation", "number", "order", "word"}


# Before writing -----------------------------------------------------------------------------------


def test_duplicates_are_suggested_with_how_they_match(app: Connection, user: UUID) -> None:
    exact = add(app, user, "Anna takes 20 mg of aspirin daily", p_embedding=toward(0))
    other = add(app, user, "Anna takes 200 mg of aspirin daily", p_embedding=toward(0.1))
    same = add(app, user, "Anna takes 20 mg of aspirin daily!", p_embedding=toward(0))
    meaning = add(app, user, "A pill against headache each morning", p_embedding=toward(0.2))
    add(app, user, "The weather was fine", p_embedding=toward(1.5))
    text = "Anna takes 20 mg of aspirin daily"
    suggested = rows(app, "memos.find_duplicates", user, text, toward(0))
    assert [(row[0], row[4], row[8]) for row in suggested] == [
        (exact, "exact", []),
        (same, "same", []),
        (other, "meaning", ["number"]),
        (meaning, "meaning", suggested[3][8]),
    ]
    assert suggested[0][5] == suggested[1][5] == 1
    assert suggested[3][5] == pytest.approx(math.cos(0.2), abs=1e-3)
    without = rows(app, "memos.find_duplicates", user, "Anna took 20 mg aspirin daily")
    assert {row[0] for row in without} == {exact, same, other}
    assert {row[4] for row in without} == {"spelling"}
    assert all(row[7] is None for row in without)
    assert rows(app, "memos.find_duplicates", user, text, toward(0), p_limit=1)[0][0] == exact
    assert rows(app, "memos.find_duplicates", user, "xyzzy") == []
    assert rows(app, "memos.find_duplicates", uuid4(), text, toward(0)) == []
    assert value(app, "memos.memory_stats", user) == 5, "nothing is written"


@pytest.mark.parametrize(
    "named",
    [
        {"p_content": None}, {"p_content": " "}, {"p_limit": 0}, {"p_limit": None},
        {"p_min_similarity": 1.5}, {"p_min_similarity": float("nan")}, {"p_min_similarity": None},
        {"p_embedding": "[1,2,3]"}, {"p_embedding": "[0,0]"}, {"p_model": "none"},
        {"p_language": "klingon"}, {"p_content": "x" * 1048577},
    ],
)  # fmt: skip
def test_bad_questions_for_duplicates(app: Connection, user: UUID, named: Any) -> None:
    error = failure(app, "memos.find_duplicates", user, **{"p_content": "x"} | named)
    assert error.sqlstate == "MO400"


def test_neighbours_are_looked_for_once(app: Connection, superuser: Connection, user: UUID) -> None:
    rows(app, "memos.add_memories", user, [{"content": f"tea number {n}"} for n in range(300)])
    with superuser.transaction():
        superuser.execute("set local track_functions = 'pl'")
        superuser.execute("set local role memos_app")
        assert len(rows(superuser, "memos.find_duplicates", user, "tea number 7")) == 5
        superuser.execute("reset role")
        calls = superuser.execute(
            "select calls from pg_stat_xact_user_functions where funcname = 'lexical_neighbours'"
        ).fetchone()
    assert calls == (1,), "and not for each memory"


# Merging ------------------------------------------------------------------------------------------


@pytest.fixture
def doubles(app: Connection, user: UUID) -> list[UUID]:
    ids = [
        add(app, user, "The user drinks green tea.", p_tags=["tea"], p_embedding=toward(0)),
        add(app, user, "User drinks green tea", p_tags=["drink"], p_embedding=toward(0)),
        add(app, user, "User drinks green tea!", p_provenance="model"),
        add(app, user, "User drinks black tea", p_embedding=toward(0)),
    ]
    for memory in ids:
        value(app, "memos.set_note", user, memory, ["tea"])
    value(app, "memos.link_memories", user, ids[1], ids[3], "supports")
    return ids


def test_a_dry_run_shows_what_the_run_does_and_undo_restores_it(
    app: Connection, superuser: Connection, user: UUID, doubles: list[UUID]
) -> None:
    before = image(superuser, user)
    shown = rows(app, "memos.consolidate_memories", user, p_summarize=False)
    assert image(superuser, user) == before
    done = consolidate(app, user, p_summarize=False)
    assert [row[1:] for row in shown] == [row[1:] for row in done]
    ((run_id, action, kept, sources, content, reason),) = done
    assert shown[0][0] is None
    assert (action, kept, content) == ("merge", doubles[0], "The user drinks green tea.")
    assert sorted(sources) == sorted(doubles[1:3])
    assert "what the user said" in reason

    assert found(app, user, "green tea", p_limit=3)[0] == kept
    assert not set(found(app, user, "green tea")) & set(sources)
    assert set(found(app, user, "green tea", p_include_cold=True)) >= set(sources)
    assert found(app, user, "green tea", p_tags=["drink"]) == [kept]
    assert value(app, "memos.get_memory", user, sources[0]) == sources[0]
    assert {row[0] for row in rows(app, "memos.list_links", user, kept) if row[2] == "duplicate_of"}
    assert consolidate(app, user, p_summarize=False) == [], "once is enough"

    assert value(app, "memos.undo_consolidation", user, run_id) == 1
    after = image(superuser, user, "version,recorded_at")
    record = {"memory_history", "consolidation_run", "consolidation_action"}
    untouched = image(superuser, user)
    for table in set(before) - record - {"memory"}:
        assert untouched[table] == before[table], table
    # The one that had got tags says what it said, as a new version; the others are the same rows.
    assert len(set(untouched["memory"]) - set(before["memory"])) == 1
    assert after["memory"] == sorted(
        json.dumps(
            {k: v for k, v in json.loads(row).items() if k not in ("version", "recorded_at")},
            sort_keys=True,
        )
        for row in before["memory"]
    )
    assert failure(app, "memos.undo_consolidation", user, run_id).sqlstate == "MO409"
    ((listed, _, undone, _, actions),) = rows(app, "memos.list_consolidations", user)
    assert listed == run_id
    assert undone is not None
    assert actions[0]["memory_id"] == str(kept)


@pytest.mark.parametrize("tag", ["same", "other"])
def test_undo_goes_on_when_what_stayed_has_become_cold(
    app: Connection, superuser: Connection, user: UUID, tag: str
) -> None:
    kept = add(app, user, "It rains.", p_tags=["same"])
    source = add(app, user, "It rains", p_tags=[tag])
    ((run_id, *_),) = consolidate(app, user, p_summarize=False)
    value(app, "memos.move_to_tier", user, kept, "cold")
    assert value(app, "memos.undo_consolidation", user, run_id) == 1
    assert tiers(superuser, user)[source] == "warm"
    assert rows(app, "memos.list_links", user, kept) == []
    assert [row[4] for row in rows(app, "memos.get_memory", user, kept)] == [["same"]]


def test_undo_without_new_tags_restores_every_row_as_it_was(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    for content in ("It rains.", "It rains", "it rains!", "the dog barks", "The dog barks."):
        value(app, "memos.set_note", user, add(app, user, content), ["k"])
    before = image(superuser, user)
    done = consolidate(app, user, p_summarize=False)
    assert [len(row[3]) for row in done] == [2, 1]
    value(app, "memos.undo_consolidation", user, done[0][0])
    after = image(superuser, user)
    for table in set(before) - {"consolidation_run", "consolidation_action"}:
        assert after[table] == before[table], table


@pytest.mark.parametrize("what", ["kept", "source", "deleted"])
def test_undo_refuses_when_something_was_touched_since(
    app: Connection, superuser: Connection, user: UUID, doubles: list[UUID], what: str
) -> None:
    ((run_id, _, kept, sources, *_),) = consolidate(app, user, p_summarize=False)
    touched = kept if what == "kept" else sources[0]
    if what == "deleted":
        value(app, "memos.delete_memory", user, touched)
    else:
        value(app, "memos.update_memory", user, touched, {"importance": 0.9})
    before = image(superuser, user)
    error = failure(app, "memos.undo_consolidation", user, run_id)
    assert error.sqlstate == "MO409"
    assert str(touched) in error.diag.message_detail
    assert image(superuser, user) == before


@pytest.mark.parametrize(
    "other",
    [
        {"p_privacy_level": "restricted"},
        {"p_kind": "episodic"},
        {"p_occurred_at": "2024-01-02T00:00:00Z"},
        {"p_language": "german"},
    ],
)
def test_another_level_kind_day_or_language_is_another_memory(
    app: Connection, user: UUID, other: dict[str, Any]
) -> None:
    add(app, user, "It rains.")
    add(app, user, "It rains", **other)
    assert consolidate(app, user) == []


def test_pinned_memories_and_facts_are_never_merged_away(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    first, pinned = add(app, user, "It rains."), add(app, user, "It rains", p_importance=0.1)
    tagged = add(app, user, "it rains!", p_tags=["weather"])
    value(app, "memos.pin_memory", user, pinned)
    for content in ("Lives in Rome", "Lives in Rome."):
        add(app, user, content, p_kind="fact")
    # The memory of an asserted value, whatever kind it is given later.
    fact = rows(app, "memos.assert_fact", user, "Anna", "city", "Rome")[0][1]
    value(app, "memos.update_memory", user, fact, {"kind": "semantic"})
    content = app.execute("select content from memos.get_memory(%s, %s)", (user, fact)).fetchone()
    add(app, user, f"{content[0]}!")
    ((_, _, kept, sources, _, reason),) = consolidate(app, user)
    assert (kept, sources) == (pinned, [first])
    assert "pinned" in reason
    assert tiers(superuser, user)[tagged] == "warm", "the pinned one cannot take over its tag"

    later = [add(app, user, content) for content in ("It snows.", "It snows")]
    ((_, _, kept, sources, *_),) = consolidate(app, user, p_max_clusters=1)
    assert [kept, *sources] == later, "what cannot be merged takes no place"


def test_the_caller_may_know_better(app: Connection, superuser: Connection, user: UUID) -> None:
    kept, other = add(app, user, "She likes tea"), add(app, user, "She enjoys tea")
    pinned = add(app, user, "She loves tea")
    value(app, "memos.pin_memory", user, pinned)
    before = image(superuser, user)
    assert failure(app, "memos.merge_memories", user, kept, [other, pinned]).sqlstate == "MO409"
    assert image(superuser, user) == before
    run_id = value(app, "memos.merge_memories", user, kept, [other], "the same to me")
    assert tiers(superuser, user)[other] == "cold"
    assert rows(app, "memos.list_consolidations", user)[0][4][0]["reason"] == "the same to me"
    value(app, "memos.undo_consolidation", user, run_id)
    for table in ("memory", "memory_link", "memory_note"):
        assert image(superuser, user)[table] == before[table]
    for arguments in ((kept, []), (kept, [kept]), (kept, [other, other]), (kept, None)):
        with pytest.raises(psycopg.Error) as caught:
            app.execute("select memos.merge_memories(%s, %s, %s::uuid[])", (user, *arguments))
        assert caught.value.sqlstate == "MO400"
    assert failure(app, "memos.merge_memories", user, kept, [uuid4()]).sqlstate == "MO404"
    for memory in (kept, other):
        value(app, "memos.move_to_tier", user, memory, "cold")
    value(app, "memos.merge_memories", user, kept, [other])
    assert (tiers(superuser, user)[kept], tiers(superuser, user)[other]) == ("warm", "cold")
    assert failure(app, "memos.merge_memories", uuid4(), kept, [other]).sqlstate == "MO404"


# Summaries ----------------------------------------------------------------------------------------

WALKS = [
    "Anna walks in the park with her dog",
    "In the park there is a pond that Anna likes",
    "A dog was swimming in the pond",
    "The park closes early and the pond freezes",
    "Ducks live on the pond all winter long",
]


def cluster(app: Connection, user: UUID, **named: Any) -> list[UUID]:
    ids = [
        add(app, user, content, p_embedding=toward(n / 20), **named)
        for n, content in enumerate(WALKS)
    ]
    value(app, "memos.link_similar", user)
    return ids


def test_a_cluster_is_summarised_from_its_sources_once(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    ids = cluster(app, user, p_kind="episodic", p_tags=["walk"], p_confidence=0.7)
    before = image(superuser, user)
    shown = rows(app, "memos.consolidate_memories", user)
    assert image(superuser, user) == before
    done = consolidate(app, user)
    assert [row[3:] for row in shown] == [row[3:] for row in done]
    ((run_id, action, summary, sources, content, _),) = done
    assert (action, set(sources)) == ("summarize", set(ids))
    assert shown[0][2] is None
    assert set(content.split("\n")) <= set(WALKS)
    stored = app.execute(
        "select kind, tags, provenance, confidence, tier from memos.get_memory(%s, %s)",
        (user, summary),
    ).fetchone()
    assert stored == ("episodic", ["walk"], "model", pytest.approx(0.7), "warm")
    derived = rows(app, "memos.list_links", user, summary)
    assert {(row[0], row[1], row[2]) for row in derived} == {
        (source, "to", "derived_from") for source in ids
    }
    assert set(tiers(superuser, user).values()) == {"warm"}, "sources stay as they are"
    assert consolidate(app, user) == []

    assert value(app, "memos.undo_consolidation", user, run_id) == 1
    after = image(superuser, user)
    for table in set(before) - {"consolidation_run", "consolidation_action", "memory_history"}:
        assert after[table] == before[table], table
    versions = rows(app, "memos.memory_history", user, summary)
    assert versions[0][16:] == ("delete", f"undo of consolidation {run_id}")


def test_sources_are_set_aside_on_request_but_no_pinned_one(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    ids = cluster(app, user)
    value(app, "memos.pin_memory", user, ids[0])
    before = image(superuser, user)
    ((run_id, _, summary, *_),) = consolidate(app, user, p_set_aside_sources=True)
    assert tiers(superuser, user) == {
        **dict.fromkeys(ids[1:], "cold"), ids[0]: "warm", summary: "warm",
    }  # fmt: skip
    value(app, "memos.undo_consolidation", user, run_id)
    assert image(superuser, user)["memory"] == before["memory"]


def test_a_chain_of_likeness_is_no_cluster(app: Connection, user: UUID) -> None:
    for n in range(12):
        add(app, user, f"{WALKS[n % 5]} and more of it {'x' * n}", p_embedding=toward(n * 0.4))
    value(app, "memos.link_similar", user)
    done = consolidate(app, user, p_min_similarity=0.9, p_min_sources=2)
    assert done
    assert all(len(row[3]) <= 3 for row in done), "each is near the middle one"


@pytest.mark.parametrize(
    "other",
    [
        "Anna does not walk in the park with her dog",
        "Anna walks in the park at 8 with her dog",
        "Hanna walks in the park with her dog",
        "Anna walks in the park on Monday with her dog",
    ],
)
def test_what_may_contradict_is_not_boiled_down(
    app: Connection, superuser: Connection, user: UUID, other: str
) -> None:
    add(app, user, other, p_embedding=toward(0.01))
    cluster(app, user)
    ((*_, content, _),) = consolidate(app, user)
    assert other not in content.split("\n")
    assert WALKS[0] not in content.split("\n")


def test_levels_do_not_mix_in_a_summary(app: Connection, user: UUID) -> None:
    ids = cluster(app, user)
    value(app, "memos.update_memory", user, ids[2], {"privacy_level": "restricted"})
    ((_, _, _, sources, content, _),) = consolidate(app, user)
    assert ids[2] not in sources
    assert WALKS[2] not in content


def test_what_was_derived_is_no_evidence(app: Connection, user: UUID) -> None:
    ids = cluster(app, user)
    for memory in ids[:3]:
        value(app, "memos.update_memory", user, memory, {"provenance": "model"})
        value(app, "memos.link_memories", user, memory, ids[4], "derived_from")
    assert consolidate(app, user, p_min_sources=3) == []
    ((_, _, _, sources, *_),) = consolidate(app, user, p_min_sources=3, p_include_derived=True)
    assert set(ids[:3]) <= set(sources)


def test_a_summary_of_several_days_says_which(app: Connection, user: UUID) -> None:
    for n, content in enumerate(WALKS):
        add(
            app, user, content, p_embedding=toward(n / 20),
            p_occurred_at=f"2024-03-{n + 1:02}T12:00:00Z",
        )  # fmt: skip
    value(app, "memos.link_similar", user)
    ((*_, content, _),) = consolidate(app, user)
    assert all(line[:8] == "2024-03-" for line in content.split("\n"))


# Users, sessions, jobs ----------------------------------------------------------------------------


def test_nothing_crosses_users(app: Connection, superuser: Connection, user: UUID) -> None:
    other = uuid4()
    for owner in (user, other):
        add(app, owner, "It rains." if owner == user else "It rains", p_embedding=toward(0))
    before = image(superuser, other)
    assert consolidate(app, user) == []
    add(app, user, "it rains!")
    ((run_id, *_),) = consolidate(app, user)
    assert image(superuser, other) == before
    assert failure(app, "memos.undo_consolidation", other, run_id).sqlstate == "MO404"
    assert rows(app, "memos.list_consolidations", other) == []


@pytest.mark.parametrize(
    "named",
    [
        {"p_dry_run": None}, {"p_min_similarity": float("nan")}, {"p_min_similarity": None},
        {"p_max_clusters": 0}, {"p_max_clusters": None}, {"p_min_sources": 1},
        {"p_min_sources": 33}, {"p_merge": None}, {"p_summarize": None},
        {"p_include_derived": None}, {"p_set_aside_sources": None},
    ],
)  # fmt: skip
def test_bad_arguments(app: Connection, user: UUID, named: Any) -> None:
    assert failure(app, "memos.consolidate_memories", user, **named).sqlstate == "MO400"
    assert failure(app, "memos.consolidate_memories", None).sqlstate == "MO400"
    assert failure(app, "memos.undo_consolidation", user, None).sqlstate == "MO404"


def test_two_runs_at_once_do_not_double_their_effect(
    module_database: Database, app: Connection, user: UUID
) -> None:
    for n in range(10):
        for form in ("The rule number {} holds.", "Rule number {} holds", "rule number {} holds!"):
            add(app, user, form.format(n))

    def work(_: int) -> list[Any]:
        with module_database.connect("memos_app") as session:
            return consolidate(session, user, p_summarize=False)

    answers = at_once(3, work)
    assert sorted(map(len, answers)) == [0, 0, 10]
    assert len(rows(app, "memos.list_consolidations", user)) == 1


def test_writers_and_runs_at_once_neither_deadlock_nor_lose_anything(
    module_database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    ids = [add(app, user, f"statement {n // 3}{'.' * (n % 3)}") for n in range(60)]
    done = threading.Event()

    def work(number: int) -> None:
        with module_database.connect("memos_app") as session:
            if number == 0:
                try:
                    for turn, memory in enumerate(ids[::2]):
                        changes = {"importance": turn / 100, "tags": [f"t{turn}"]}
                        value(session, "memos.update_memory", user, memory, changes)
                finally:
                    done.set()
            else:
                while not done.is_set():
                    for run in {row[0] for row in consolidate(session, user, p_summarize=False)}:
                        refused = sqlstate_of(
                            session, "select memos.undo_consolidation(%s, %s)", user, run
                        )
                        assert refused in (None, "MO409")

    at_once(3, work)
    assert tiers(superuser, user).keys() == set(ids)


def test_the_job_goes_where_something_is_new_and_merges_only(
    module_database: Database, app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    cluster(app, user)
    for n in range(130):
        add(app, user, f"Rule number {n} holds.")
        add(app, user, f"rule number {n} holds")
    assert [row[0] for row in rows(admin, "memos_admin.users_to_consolidate", user)] == [user]

    def work(_: int) -> None:
        with module_database.connect("memos_admin") as session:
            session.execute("call memos_admin.consolidate_memories(%s)", (user,))

    at_once(2, work)
    runs = rows(app, "memos.list_consolidations", user)
    actions = [action for run in runs for action in run[4]]
    assert {action["action"] for action in actions} == {"merge"}
    assert len(actions) == 130
    assert len({action["memory_id"] for action in actions}) == 130
    assert rows(admin, "memos_admin.users_to_consolidate", user) == []
    before = image(superuser, user)
    work(0)
    assert image(superuser, user) == before
    add(app, user, "rule number 5 holds!")
    assert len(rows(admin, "memos_admin.users_to_consolidate", user)) == 1
    work(0)
    for run in rows(app, "memos.list_consolidations", user):
        value(app, "memos.undo_consolidation", user, run[0])
    assert set(tiers(superuser, user).values()) == {"warm"}


def test_a_run_that_is_killed_leaves_nothing(
    module_database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    for content in ("It rains.", "It rains"):
        add(app, user, content)
    before = image(superuser, user)
    with module_database.connect("memos_app", autocommit=False) as session:
        assert len(consolidate(session, user)) == 1
        superuser.execute("select pg_terminate_backend(%s)", (session.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            session.commit()
    assert image(superuser, user) == before
    assert len(consolidate(app, user)) == 1
