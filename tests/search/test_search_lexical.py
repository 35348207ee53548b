"""The lexical lane: what a word is (codes!), what a query can ask for, BM25 against bm25s."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import bm25s
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_support import Connection, add, assert_index_equals_a_recount, at_once, rows, value
from memos_pg.migrate import migrate, pending, rollback
from support.postgres import Database

LEXICAL_ONLY = {"dense": 0}
CODES = [
    ("J1", ["j1", "J 1", "J-1"], ["J2 is fine", "a J without number", "1 of them"]),
    ("SRVO-062", ["srvo-062", "srvo 062", "SRVO062", "SRVO/062", "SRVO\u2011062"],
     ["SRVO alarms, SRVO again, SRVO", "room 062 and door 062", "SRVO-063", "-062 volts"]),
    ("R-30iB", ["r-30ib", "R30iB", "R 30iB", "r 30ib"], ["R-31iB", "30iB", "R and R again"]),
    ("A06B-6117-H204", ["a06b 6117 h204", "A06B6117H204", "a06b-6117-h204"],
     ["A06B-6117-H205", "A06B A06B A06B", "6117 H205"]),
    ("ISO/IEC 27001", ["iso/iec 27001", "ISO IEC 27001", "ISO/IEC-27001", "iso/iec27001"],
     ["ISO 9001, ISO 9002", "IEC 60601", "27001 people, of 27001"]),
    ("3.14.2", ["3.14.2", "version 3.14.2"], ["3.14.3", "3.14", "2 of 14"]),
    ("COVID-19", ["covid-19", "Covid 19", "COVID19"], ["19 people, 19 cats", "covid", "-19 °C"]),
    ("+49 170 1234567", ["+49 170 1234567", "+491701234567", "49 170 1234567", "+49-170-1234567"],
     ["+49 171 7654321", "170 170 170", "49 and 49"]),
    ("10mg/5ml", ["10mg/5ml", "10MG 5ML", "10 mg/5 ml", "10mg5ml"],
     ["10mg 10mg", "5ml 5ml", "10 5"]),
    ("ERR_4711", ["err_4711", "ERR-4711", "err 4711", "Err4711"],
     ["ERR_4712 err err", "4711 4711"]),
    ("2023-05-08", ["2023-05-08", "20230508", "2023 05 08"], ["2023-06-09", "05 05 08 08", "2023"]),
]  # fmt: skip
PROSE = [
    "it's", "what's John's dog's name?", "well-known", "5-6 days", "a dash - between words",
    "a dash \u2013 between", "one\u2014two", 'a lone " quote', 'a 5" pipe and a 3" hose',
    "-5 degrees", "from -20 to -10", "--force", "ls -l", "C* and D*", "**bold** words", "5*3*2",
    "2 * 3", "e-mail", "\u201cquoted\u201d",
    "'single' quotes", "rock 'n' roll", "- item\n- item", "a -- b", '""', '" "',
]  # fmt: skip


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


def found(app: Connection, user: UUID, query: str, **named: Any) -> list[UUID]:
    """Memories in the order of a search for words alone."""
    hits = rows(app, "memos.search_memories", user, query, p_weights=LEXICAL_ONLY, **named)
    return [hit[1] for hit in hits]


def lane(superuser: Connection, user: UUID, query: str) -> dict[UUID, float]:
    """BM25 of the lane, with everything that the query asks for."""
    return dict(
        superuser.execute(
            """
            select l.memory_id, l.score
            from memos_private.query_terms(%(user)s, %(query)s) as t
            cross join memos_private.query_conditions(%(user)s, %(query)s, null, false) as c
            cross join lateral memos_private.lexical_lane(
                %(user)s, t.lexemes, t.idf, t.length, 1.2, 0.75, null, false, t.terms
            ) as l
            where (c.required is null or l.memory_id = any (c.required))
                and (c.excluded is null or l.memory_id <> all (c.excluded))
            """,
            {"user": user, "query": query},
        ).fetchall()
    )


def lexemes(superuser: Connection, text: str, language: str = "english") -> set[str]:
    (array,) = superuser.execute(
        "select tsvector_to_array(memos_private.text_lexemes(('memos.' || %s)::regconfig, %s))",
        (language, text),
    ).fetchone()
    return set(array)


@pytest.mark.parametrize(("code", "spellings", "others"), CODES, ids=[code[0] for code in CODES])
def test_a_code_is_found_however_it_is_spelled_and_comes_first(
    app: Connection, user: UUID, code: str, spellings: list[str], others: list[str]
) -> None:
    wanted = add(app, user, f"After a long day in the workshop the display said {code} once more")
    for other in others:
        add(app, user, other)
    for number in range(20):
        add(app, user, f"Something else of every day, the {number}th")
    for spelling in [code, *spellings]:
        for query in (spelling, f"what about {spelling}?"):
            assert found(app, user, query)[:1] == [wanted], query


@pytest.mark.parametrize(
    ("written", "query"),
    [
        ("SRVO 062", "SRVO-062"),
        ("SRVO062", "SRVO-062"),
        ("SRVO062", "srvo 062"),
        ("SRVO 062", "SRVO062"),
        ("10 mg", "10mg"),
        ("ask mother/daughter", "daughter"),
        ("-062", "062"),
        ("https://x.org/guides/memos", "memos"),
    ],
)
def test_either_spelling_finds_the_other(
    app: Connection, user: UUID, written: str, query: str
) -> None:
    memory = add(app, user, written)
    assert found(app, user, query) == [memory]


def test_plain_words_stay_the_lexemes_that_postgresql_makes(superuser: Connection) -> None:
    for text in [
        "It's a well-known thing",
        "12.5 of 100",
        "a.b@c.de",
        "https://x.org",
        "30 60",
        "",
    ]:
        plain = superuser.execute(
            "select tsvector_to_array(to_tsvector('memos.english', %s))", (text,)
        ).fetchone()[0]
        assert lexemes(superuser, text) == set(plain)
    assert lexemes(superuser, "30-60 kg, 3-2") == {"30", "60", "kg", "3", "2"}, "a range is no code"
    assert lexemes(superuser, "x1-" * 40 + "x") == {"x1", "x"}, "nor what is longer than any code"


def test_accents_and_languages(app: Connection, user: UUID) -> None:
    cafe = add(app, user, "We met at the Café Zoë")
    houses = add(app, user, "Viele Häuser in der Straße", p_language="german")
    dogs = add(app, user, "большие собаки", p_language="russian")
    assert found(app, user, "cafe zoe") == [cafe]
    assert found(app, user, "CAFÉ") == [cafe]
    assert found(app, user, "haus") == [houses]
    assert found(app, user, "собака") == [dogs]


def test_a_word_at_the_end_of_a_very_long_text(app: Connection, superuser: Connection) -> None:
    user = uuid4()
    long = add(app, user, "filler words " * 6_000 + "SRVO-062 alarm. " + "more of it " * 500)
    add(app, user, "short and about nothing")
    assert found(app, user, "srvo 062") == [long]
    assert list(lane(superuser, user, '"srvo-062 alarm"')) == [long]
    assert lane(superuser, user, '"alarm srvo-062"') == {}
    assert list(lane(superuser, user, '"alarm more"')) == [long]


def test_a_phrase_across_the_pieces_of_a_long_text(superuser: Connection) -> None:
    """Wherever it stands, it is found once, and cut words make none."""
    for place in range(7_980, 8_020):
        text = "x" + " y" * (place // 2) + " " * (1 + place % 2) + "kiwi gecko" + " y" * 4_000
        assert superuser.execute(
            "select memos_private.has_phrase('memos.english', %s, 'kiwi gecko'),"
            " memos_private.has_phrase('memos.english', %s, 'wi gecko')",
            (text, text),
        ).fetchone() == (True, False)


@pytest.mark.parametrize("text", PROSE)
def test_prose_asks_for_nothing_special(superuser: Connection, text: str) -> None:
    for query in (text, f"{text} and so on", f"so {text}"):
        (syntax,) = superuser.execute(
            "select memos_private.has_query_syntax(%s)", (query,)
        ).fetchone()
        assert not syntax, query


def test_phrase_prefix_and_exclusion(app: Connection, superuser: Connection, user: UUID) -> None:
    side_by_side = add(app, user, "The support group meets on Monday")
    apart = add(app, user, "A group that can support you")
    recovery = add(app, user, "Her recovery goes well, recovering from the group")
    recovered = add(app, user, "He recovered")

    def ids(query: str) -> set[UUID]:
        return set(lane(superuser, user, query))

    assert ids("support group") == {side_by_side, apart, recovery}
    assert ids('"support group"') == {side_by_side}
    assert ids('"supporting groups"') == {side_by_side}, "stemmed like everything else"
    assert ids('recovery "support group"') == {side_by_side}, "required, whatever else is asked"
    assert ids('"group support"') == set()
    assert ids('"support group" "on monday"') == {side_by_side}
    assert ids('"support group" "recovery goes"') == set()
    assert ids('"the" group') == ids("group"), "no word to look for"
    assert ids("recov*") == {recovery, recovered}
    assert ids("recovery*") == {recovery}
    assert ids("group -support") == {recovery}
    assert ids("group -supporting") == {recovery}
    assert ids('group -"support group"') == {apart, recovery}
    assert ids("group -the") == ids("group")
    assert ids("-support") == set(), "nothing to look for"


def test_a_search_heeds_phrases_prefixes_and_exclusions(app: Connection, user: UUID) -> None:
    texts = [
        "the support group met",
        "group without support",
        "he recovered well",
        "recovery group",
    ]
    group, loose, well, recovery = (add(app, user, text) for text in texts)

    def found(query: str, **named: Any) -> set[UUID]:
        return {row[1] for row in rows(app, "memos.search_memories", user, query, **named)}

    for fusion in ("calibrated", "rrf"):
        assert found("support group", p_fusion=fusion) == {group, loose, recovery}
        assert found('"support group"', p_fusion=fusion) == {group}
        assert found("recov*", p_fusion=fusion) == {well, recovery}
        assert found("group -support", p_fusion=fusion) == {recovery}
    moment = value(app, "clock_timestamp")
    value(app, "memos.delete_memory", user, recovery)
    assert found("group -support") == set()
    assert found("group -support", p_recorded_at=moment) == {recovery}


def test_what_a_query_excludes_is_in_no_lane(app: Connection, admin: Connection) -> None:
    user = uuid4()
    rows(admin, "memos_admin.register_embedding_model", "two", 2, "external")
    named = {"p_embedding": "[1,0]", "p_model": "two"}
    add(app, user, "the kiwi", **named)
    other = add(app, user, "a gecko", p_embedding="[0.5,1]", p_model="two")
    hits = rows(app, "memos.search_memories", user, "animals -kiwi", **named)
    assert [hit[1] for hit in hits] == [other]


def test_conditions_in_every_language_of_the_user(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    german = add(app, user, "Die alten Häuser stehen leer", p_language="german")
    english = add(app, user, "Old houses, alte Haus")
    assert set(lane(superuser, user, '"alte haus"')) == {german, english}
    assert set(lane(superuser, user, "haus -leer")) == {english}


def test_a_prefix_counts_as_one_term(app: Connection, superuser: Connection, user: UUID) -> None:
    texts = ["kiwi kiwifruit x", "kiwi y", "z y x", "kiwifruit kiwifruit q"]
    memories = [add(app, user, text, p_language="simple") for text in texts]
    scores = lane(superuser, user, "kiw*")
    one_word = [text.replace("kiwifruit", "kiwi").split() for text in texts]
    assert [scores.get(m, 0) for m in memories] == pytest.approx(scored(one_word, ["kiwi"]))


def test_a_prefix_takes_the_first_64_words(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    words = [f"kiwi{number:03}x" for number in range(100)]
    memories = [add(app, user, word) for word in words]
    assert set(lane(superuser, user, "kiwi*")) == set(memories[:64])


def test_conditions_of_the_past(app: Connection, superuser: Connection, user: UUID) -> None:
    memory = add(app, user, "the support group of old")
    (before,) = superuser.execute("select clock_timestamp()").fetchone()
    value(app, "memos.update_memory", user, memory, {"content": "group support later"})

    superuser.execute("select set_config('memos.user_id', %s, false)", (str(user),))

    def conditions(query: str) -> tuple[Any, Any]:
        return superuser.execute(
            """
            select c.required, c.excluded
            from memos_private.eligible_versions(
                %(user)s, null, null, null, null, null, null, null, %(at)s, false, null
            ) as s
            cross join memos_private.query_conditions(%(user)s, %(query)s, s, true) as c
            """,
            {"user": user, "query": query, "at": before},
        ).fetchone()

    assert conditions('"support group"') == ([memory], None)
    assert conditions('"group support"') == ([], None)
    assert conditions("-later x") == (None, [])
    assert conditions("-old x") == (None, [memory])
    assert conditions('"the"') == (None, None)
    assert found(app, user, "supp*", p_recorded_at=before) == [memory]
    assert found(app, user, "supp* of", p_recorded_at=before) == [memory]


@pytest.mark.parametrize(
    "query",
    [
        "kiwi ab-1 " * 10_000, '"a kiwi" ' * 11_000, '"' * 100_000, '" kiwi' * 16_000,
        " -aa kiwi" * 11_000, "kiw* " * 20_000, "x*" * 50_000, "1-" * 50_000, "1 " * 50_000,
        "a1" * 50_000, "a" * 100_000 + "-1", "*" * 100_000, "-" * 100_000, "/a" * 50_000,
        "é-1" * 25_000, " ".join(f"w{number}" for number in range(15_000)),
    ],
    ids=lambda query: query[:8],
)  # fmt: skip
def test_a_query_of_100_kilobytes_is_bounded(app: Connection, user: UUID, query: str) -> None:
    add(app, user, "kiwi")
    app.execute("set statement_timeout = '3s'")
    found(app, user, query)


def test_the_rarest_64_words_of_a_query_count(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    words = [f"w{number:03}x" for number in range(100)]
    add(app, user, " ".join(words))
    for start in range(1, 5):
        add(app, user, " ".join(words[start * 10 :]))
    lexemes, idf = superuser.execute(
        "select lexemes, idf from memos_private.query_terms(%s, %s)", (user, " ".join(words))
    ).fetchone()
    assert lexemes == words[:64]
    assert idf == sorted(idf, reverse=True)


def test_a_query_without_words_has_no_lexemes(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    add(app, user, "the kiwi")
    for query, expected in [
        ("the of and", None), (None, None), ("unknown", []), ("unkn*", []), ("kiw*", ["kiwi"]),
    ]:  # fmt: skip
        assert superuser.execute(
            "select lexemes from memos_private.query_terms(%s, %s)", (user, query)
        ).fetchone() == (expected,)
        assert superuser.execute(
            "select lexemes from memos_private.query_terms(%s, %s)", (uuid4(), query)
        ).fetchone() == (None,), "of nobody's memories"


def scored(tokens: list[list[str]], query: list[str]) -> list[float]:
    """BM25 of each document, by bm25s. Its Lucene form leaves out the constant factor k1 + 1."""
    if not any(tokens):
        return [0.0] * len(tokens)
    index = bm25s.BM25(k1=1.2, b=0.75, method="lucene", dtype="float64")
    index.index(tokens, show_progress=False)
    known = [token for token in query if token in index.vocab_dict]
    scores = index.get_scores(known) if known else [0.0] * len(tokens)
    return [float(score) * 2.2 for score in scores]


def assert_scores_are_those_of_bm25s(superuser: Connection, user: UUID, query: str) -> None:
    """Of the lane, for the texts as they are now, taken apart by the same rule. A code of several
    words counts as often as it has parts."""
    documents = superuser.execute(
        """
        select m.memory_id, m.language::text, array(
            select l.lexeme
            from memos_private.lexemes(m.language, m.content) as l
            cross join generate_series(1, l.frequency)
        )
        from memos_private.memory as m where m.user_id = %s
        """,
        (user,),
    ).fetchall()
    wanted = {
        lexeme
        for language in {language for _, language, _ in documents}
        for lexeme in lexemes(superuser, query, language.removeprefix("memos."))
    }
    parts = {"srvo062": 2, "r30ib": 2, "20230508": 3}
    repeated = [lexeme for lexeme in sorted(wanted) for _ in range(parts.get(lexeme, 1))]
    expected = scored([tokens for _, _, tokens in documents], repeated)
    scores = lane(superuser, user, query)
    assert [scores.get(memory, 0.0) for memory, *_ in documents] == pytest.approx(
        expected, rel=1e-9, abs=1e-12
    )


WORD = st.sampled_from(
    [
        "the", "kiwi", "running", "ran", "Häuser", "café", "SRVO-062", "R-30iB", "2023-05-08", "-7",
        "and/or",
    ]
)  # fmt: skip
TEXT = st.lists(WORD, min_size=1, max_size=20).map(" ".join)
LANGUAGE = st.sampled_from([None, "simple", "german"])
STEP = st.one_of(
    st.tuples(st.just("add"), st.lists(TEXT, min_size=1, max_size=5, unique=True), LANGUAGE),
    st.tuples(st.just("update"), TEXT, LANGUAGE),
    st.tuples(st.just("delete"), TEXT, LANGUAGE),
    st.tuples(st.just("fold"), TEXT, LANGUAGE),
)


def take(step: tuple[Any, ...], app: Connection, admin: Connection, user: UUID, n: int) -> None:
    kind, argument, language = step
    mine = [memory for memory, *_ in rows(app, "memos.list_memories", user)]
    if kind == "add":
        batch = [{"content": text, "language": language} for text in argument]
        rows(app, "memos.add_memories", user, batch)
    elif kind == "fold":
        value(admin, "memos_admin.fold_postings", user)
    elif mine and kind == "update":
        change = {"content": f"{argument} {uuid4()}", "language": language}
        value(app, "memos.update_memory", user, mine[n % len(mine)], change)
    elif mine:
        value(app, "memos.delete_memory", user, mine[n % len(mine)])


@settings(
    max_examples=25, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(steps=st.lists(STEP, min_size=1, max_size=12), query=st.lists(WORD, min_size=1, max_size=4))
def test_scores_are_those_of_bm25s_after_any_writes(
    app: Connection, admin: Connection, superuser: Connection, steps: list[Any], query: list[str]
) -> None:
    user = uuid4()
    for number, step in enumerate(steps):
        take(step, app, admin, user, number)
    assert_scores_are_those_of_bm25s(superuser, user, ", ".join(query))
    assert_index_equals_a_recount(superuser)


@settings(max_examples=3, deadline=None, derandomize=True, database=None)
@given(plans=st.lists(st.lists(STEP, min_size=8, max_size=8), min_size=4, max_size=4))
def test_scores_are_those_of_bm25s_after_concurrent_writes(
    module_database: Database, plans: list[list[Any]]
) -> None:
    """Sessions of one user at once. One may delete what another is about to change: that fails."""
    user = uuid4()

    def session(number: int) -> int:
        done = 0
        with (
            module_database.connect("memos_app") as app,
            module_database.connect("memos_admin") as admin,
        ):
            for n, step in enumerate(plans[number]):
                try:
                    take(step, app, admin, user, number + n)
                    done += 1
                except Exception as error:
                    if getattr(error, "sqlstate", None) not in {"MO404", "MO409"}:
                        raise
        return done

    assert sum(at_once(4, session)) >= 16
    with module_database.connect() as superuser:
        assert_index_equals_a_recount(superuser)
        for query in ("kiwi SRVO-062", "run, haus, R-30iB, 2023-05-08"):
            assert_scores_are_those_of_bm25s(superuser, user, query)


def fill(app: Connection, user: UUID, seed: int) -> None:
    """Memories of several languages, some with a past, one very long."""
    chance = random.Random(seed)
    words = [
        "kiwi",
        "SRVO-062",
        "Häuser",
        "10mg/5ml",
        "the",
        "and/or",
        "running",
        "+49 170 1234567",
    ]
    for language in (None, "german"):
        batch = [
            {"content": f"{' '.join(chance.choices(words, k=9))} n{n}", "language": language}
            for n in range(150)
        ]
        answer = rows(app, "memos.add_memories", user, batch)
        for _, memory, *_ in answer[:20]:
            value(app, "memos.update_memory", user, memory, {"content": f"R-30iB {memory}"})
        for _, memory, *_ in answer[20:30]:
            value(app, "memos.delete_memory", user, memory)
    add(app, user, "the " * 40)


def assert_history_equals_a_recount(superuser: Connection) -> None:
    stored = superuser.execute("""
        select h.memory_id, h.version, l.lexeme, l.frequency
        from memos_private.memory_history as h
        cross join lateral unnest(h.lexemes, h.frequencies) as l (lexeme, frequency)
    """).fetchall()
    counted = superuser.execute("""
        select h.memory_id, h.version, l.lexeme, l.frequency
        from memos_private.memory_history as h
        cross join lateral memos_private.lexemes(h.language, h.content) as l
    """).fetchall()
    assert len(counted) > 100
    assert sorted(stored) == sorted(counted)


def test_a_rebuilt_index_equals_a_recount(database: Database) -> None:
    users = [uuid4(), uuid4()]
    with database.connect("memos_app") as app, database.connect() as superuser:
        for number, user in enumerate(users):
            fill(app, user, number)
        before = lane(superuser, users[0], "srvo 062, häuser")
        superuser.execute("delete from memos_private.posting where lexeme < 'm'")
        superuser.execute("update memos_private.corpus set documents = 7, tokens = 7")
        superuser.execute(
            "update memos_private.memory_history set lexemes = '{}', frequencies = '{}'"
        )
        with database.connect("memos_admin") as admin:
            blocks = value(admin, "memos_admin.rebuild_postings")
        assert superuser.execute("select count(*) from memos_private.posting").fetchone() == (
            blocks,
        )
        assert_index_equals_a_recount(superuser)
        assert_history_equals_a_recount(superuser)
        assert lane(superuser, users[0], "srvo 062, häuser") == pytest.approx(before)
        (largest,) = superuser.execute(
            "select max(cardinality(memory_ids)) from memos_private.posting"
        ).fetchone()
        assert largest == 64
        memory = rows(app, "memos.list_memories", users[1])[0][0]
        value(app, "memos.delete_memory", users[1], memory)
        assert_index_equals_a_recount(superuser)


def test_an_upgrade_indexes_the_codes_of_existing_memories(database: Database) -> None:
    user = uuid4()
    with database.connect("memos_app") as app:
        fill(app, user, 1)
    while "0009.lexical" not in pending(database.dsn):
        rollback(database.dsn, 1)
    holders = "select sum(cardinality(memory_ids)) from memos_private.posting where lexeme = %s"
    with database.connect() as superuser:
        assert superuser.execute(holders, ("-062",)).fetchone()[0] > 100
        assert superuser.execute(holders, ("srvo062",)).fetchone()[0] is None
    migrate(database.dsn)
    with database.connect() as superuser, database.connect("memos_app") as app:
        assert superuser.execute(holders, ("-062",)).fetchone()[0] is None
        assert superuser.execute(holders, ("srvo062",)).fetchone()[0] > 100
        assert_index_equals_a_recount(superuser)
        assert_history_equals_a_recount(superuser)
        fill(app, user, 2)
        assert_index_equals_a_recount(superuser)
