"""The period a question asks about, and how well an event time fits it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from memory_support import Connection
from psycopg.types.range import TimestamptzRange
from support.postgres import Database

# A Wednesday.
NOW = datetime(2023, 11, 15, 12, 30, tzinfo=UTC)

PERIODS = {
    "What did Ann do in May 2023?": "2023-05-01 2023-06-01",
    "What did Ann paint in may, 2023": "2023-05-01 2023-06-01",
    "the trip on 7 May 2023": "2023-05-07 2023-05-08",
    "May 7th, 2023": "2023-05-07 2023-05-08",
    "Where was she on the 7th of May?": "2023-05-07 2023-05-08",
    "Who called on May 7?": "2023-05-07 2023-05-08",
    "Who called on December 24": "2022-12-24 2022-12-25",
    "What was taken on December 1,2023 in Rome": "2023-12-01 2023-12-02",
    "photos of 2023-05-07": "2023-05-07 2023-05-08",
    "What happened in 2023-05?": "2023-05-01 2023-06-01",
    "on the first of June, who left?": "2023-06-01 2023-06-02",
    "on Jan 3rd 2024": "2024-01-03 2024-01-04",
    "on Feb. 3, 2022": "2022-02-03 2022-02-04",
    "Where did he live in 2022?": "2022-01-01 2023-01-01",
    "Which games did Nate win in 2022, and why?": "2022-01-01 2023-01-01",
    "What had she read by 2022": "- 2023-01-01",
    "What does John do in summer 2023?": "2023-06-01 2023-09-22",
    "the spring of 2022": "2022-03-01 2022-06-22",
    "skiing in winter 2022": "2022-12-01 2023-03-22",
    "Where did we hike last summer?": "2023-06-01 2023-09-22",
    "Where did we go during the summer?": "2023-06-01 2023-09-22",
    "What did Ann do last winter?": "2022-12-01 2023-03-22",
    "the numbers of Q3 2023": "2023-07-01 2023-10-01",
    "revenue in Q4": "2023-10-01 2024-01-01",
    "What did I eat last week?": "2023-11-06 2023-11-13",
    "What did I eat this week": "2023-11-13 2023-11-20",
    "meetings this month": "2023-11-01 2023-12-01",
    "meetings last month": "2023-10-01 2023-11-01",
    "this year's resolutions": "2023-01-01 2024-01-01",
    "What did they see during their camping trip last year?": "2022-01-01 2023-01-01",
    "What did I say yesterday?": "2023-11-14 2023-11-15",
    "Tell me what I said yesterday.": "2023-11-14 2023-11-15",
    "It was in May. What was it?": "2023-05-01 2023-06-01",
    "What have I written today?": "2023-11-15 2023-11-16",
    "What did I dream last night": "2023-11-14 2023-11-15",
    "What did he say this morning": "2023-11-15 2023-11-16",
    "What did we decide two weeks ago?": "2023-10-29 2023-11-05",
    "a week ago": "2023-11-05 2023-11-12",
    "a couple of days ago": "2023-11-13 2023-11-14",
    "3 days ago": "2023-11-12 2023-11-13",
    "Where did Caroline move from 4 years ago?": "2019-05-17 2020-05-16",
    "100 days ago": "2023-08-07 2023-08-08",
    "Who visited last May?": "2023-05-01 2023-06-01",
    "Who visited last November": "2022-11-01 2022-12-01",
    "Who visited last Tuesday?": "2023-11-14 2023-11-15",
    "Who visited last Wednesday?": "2023-11-08 2023-11-09",
    "Who visits this Friday?": "2023-11-17 2023-11-18",
    "What did I buy on Sunday?": "2023-11-12 2023-11-13",
    "When did she go camping in March?": "2023-03-01 2023-04-01",
    "When did she go camping in December?": "2022-12-01 2023-01-01",
    "In June, what did she buy?": "2023-06-01 2023-07-01",
    "Who came in May with the dog?": "2023-05-01 2023-06-01",
    "between March and June 2023": "2023-03-01 2023-07-01",
    "from March to June": "2023-03-01 2023-07-01",
    "Where was John between August 11 and August 15 2023?": "2023-08-11 2023-08-16",
    "between 2019 and 2021": "2019-01-01 2022-01-01",
    "between November and February": "2022-11-01 2024-03-01",
    "What changed since January?": "2023-01-01 -",
    "What did he write before June 2022": "- 2022-06-01",
    "anything new until March 2023?": "- 2023-04-01",
    "after Christmas 2022": "2022-12-27 -",
    "after May 2023 and before August 2023": "2023-06-01 2023-08-01",
    "What did we eat at Christmas?": "2022-12-24 2022-12-27",
    "costumes on Halloween": "2023-10-31 2023-11-01",
    "during the weekend of 15 July 2023": "2023-07-15 2023-07-17",
    "the week of July 5, 2023": "2023-07-03 2023-07-10",
    "Where did we go last weekend?": "2023-11-11 2023-11-13",
    "two weekends ago": "2023-10-29 2023-11-05",
    "in the first week of August": "2023-08-01 2023-08-08",
    "the second week of November": "2023-11-08 2023-11-16",
    "the last week of June 2023": "2023-06-23 2023-07-01",
    "in the first half of September 2022": "2022-09-01 2022-09-16",
    "early June 2023": "2023-06-01 2023-06-13",
    "mid-June 2023": "2023-06-10 2023-06-22",
    "late June 2023": "2023-06-19 2023-07-01",
    "at the end of 2022": "2022-08-08 2023-01-01",
    "in the past two months": "2023-09-15 2023-11-16",
    "over the last 3 weeks": "2023-10-25 2023-11-16",
    "June last year": "2022-06-01 2022-07-01",
    "in June of last year": "2022-06-01 2022-07-01",
    "What did John do the week before August 3, 2023 with his kids?": "2023-07-24 2023-08-04",
    "the puppy she got two weeks before August 11, 2023": "2023-07-25 2023-08-12",
    "on the Sunday before October 25, 2022": "2022-10-23 2022-10-26",
    "last weekend before April 10, 2023": "2023-04-08 2023-04-11",
    "What did Jo watch in May 2022 and in July 2022?": "2022-05-01 2022-08-01",
    "IN  THE\nSUMMER OF 2022": "2022-06-01 2022-09-22",
}

NOTHING = [
    "",
    "What kind of pot did Mel make with clay?",
    "May I ask something?",
    "May has a dog",
    "Who is May?",
    "What does May like about June?",
    "What did April give to June?",
    "this may be wrong",
    "this may or may not help",
    "the house he lived in may have been sold",
    "What did she do after May left?",
    "the cake made by April",
    "a photo of May",
    "the 7 may come, the second may not",
    "a second opinion, wait a second",
    "Did the band march in the march?",
    "to march for an hour",
    "2023 steps",
    "She walked 2023 steps",
    "in 2000 words",
    "a total of 2000 people",
    "between 1900 and 2000 calories",
    "error SRVO-2023",
    "part 2023-A in stock",
    "call 20230507",
    "version 2023.1",
    "7/5",
    "5/7/2023",
    "How long ago was her birthday?",
    "a while ago",
    "ago ago ago",
    "What did Ann paint recently?",
    "What are the plans for the summer?",
    "in the past",
    "the last day of the trip",
    "the last week of the trip",
    "last but not least",
    "this is the third time",
    "two weeks before the wedding",
    "How many weeks passed between them?",
    "Does he train on Mondays?",
    "What do they love during Thanksgiving?",
    "the fall of Rome",
    "spring rolls in a spring",
    "q3 of the exam",
    "31.12.",
    "in month 5",
    "after 2023 and before 2020 what",
    "x" * 1001 + " in May 2023",
]


@pytest.fixture
def reader(module_database: Database) -> Iterator[Connection]:
    """The owner of the database: the functions are private."""
    with module_database.connect() as connection:
        yield connection


def period(connection: Connection, question: str, now: datetime = NOW) -> TimestamptzRange | None:
    """What the function makes of a question, within a second."""
    connection.execute("set statement_timeout = '1s'")
    (row,) = connection.execute(
        "select memos_private.question_period(%s, %s)", (question, now)
    ).fetchall()
    return row[0]


def written(given: TimestamptzRange | None) -> str | None:
    """The days of a period, as the table has them."""
    if given is None:
        return None
    return " ".join(
        f"{bound.astimezone(UTC):%Y-%m-%d}" if bound else "-"
        for bound in (given.lower, given.upper)
    )


@pytest.mark.parametrize(("question", "expected"), PERIODS.items())
def test_period_of_a_question(reader: Connection, question: str, expected: str) -> None:
    """Months, days, seasons, relative times, open ends."""
    assert written(period(reader, question)) == expected


@pytest.mark.parametrize("question", NOTHING)
def test_no_period(reader: Connection, question: str) -> None:
    """People called May, verbs, quantities and codes are not dates."""
    assert period(reader, question) is None


def test_session_settings_change_nothing(reader: Connection) -> None:
    """The answer is that of UTC for every time zone, date style and interval style."""
    questions = [
        "yesterday",
        "last week",
        "in May 2023",
        "two weeks ago",
        "2023-05-07",
        "this year",
    ]
    now = datetime(2023, 3, 26, 23, 59, tzinfo=UTC)
    expected = [written(period(reader, question, now)) for question in questions]
    assert expected[0] == "2023-03-25 2023-03-26"
    for zone, style, intervals in product(
        ["UTC", "Pacific/Kiritimati", "America/New_York", "Europe/Berlin"],
        ["ISO, MDY", "SQL, DMY", "German, YMD"],
        ["postgres", "sql_standard"],
    ):
        for name, setting in [
            ("TimeZone", zone),
            ("DateStyle", style),
            ("IntervalStyle", intervals),
        ]:
            reader.execute("select set_config(%s, %s, false)", (name, setting))
        assert expected == [
            reader.execute(
                "select concat_ws(' ', to_char(lower(p) at time zone 'UTC', 'YYYY-MM-DD'),"
                " to_char(upper(p) at time zone 'UTC', 'YYYY-MM-DD'))"
                " from memos_private.question_period(%s, %s) as p",
                (question, now),
            ).fetchone()[0]
            for question in questions
        ]


def test_no_time_to_count_from(reader: Connection) -> None:
    """Null and infinite times give null."""
    for now in ["infinity", "-infinity", None]:
        (row,) = reader.execute(
            "select memos_private.question_period('yesterday', %s::timestamptz)", (now,)
        ).fetchall()
        assert row == (None,)


WORDS = re.findall(
    r"\S+",
    """in on the of last past this previous two 3 7 31 99 999 7th 2023 1999 2023-02-31 may june
    february q2 winter christmas monday weekend week weeks month quarter quarters year years day
    half first fourth early late end mid- ago before after between and from to since until
    yesterday a few , . ? Ann "yesterday's" (""",
)
QUESTIONS = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5000)


@given(
    question=QUESTIONS | TEXTS,
    now=st.datetimes(datetime(1900, 1, 1), datetime(2999, 12, 31), timezones=st.just(UTC)),
)
@example(question="9" * 100_000, now=NOW)
@example(question="ago " * 25_000, now=NOW)
@example(question="ago " * 250, now=NOW)
@example(question="2023 may " * 111, now=NOW)
@example(question="1 last may of " * 70, now=NOW)
@example(question="last quarters, this weeks", now=datetime(2024, 2, 29, tzinfo=UTC))
@example(question="on February 29", now=datetime(2024, 2, 28, tzinfo=UTC))
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_gives_a_period_or_nothing(
    reader: Connection, question: str, now: datetime
) -> None:
    """Never an error, an empty period, one open at both ends, or more than a second."""
    found = period(reader, question, now)
    if found is not None:
        assert not found.isempty
        assert found.lower or found.upper
        assert not (found.lower and found.upper) or found.lower < found.upper


def overlap(connection: Connection, given: str | None, occurred_at: datetime | str | None) -> float:
    """How well a time fits."""
    (row,) = connection.execute(
        "select memos_private.period_overlap(%s::tstzrange, %s::timestamptz)", (given, occurred_at)
    ).fetchall()
    return row[0]


def test_overlap(reader: Connection) -> None:
    """1 inside, linear to 0 at one length or three days outside; nothing without a time."""
    june = "[2023-06-01Z,2023-07-01Z)"
    assert overlap(reader, june, "2023-06-01Z") == overlap(reader, june, "2023-06-30Z") == 1
    assert overlap(reader, june, "2023-05-17Z") == overlap(reader, june, "2023-07-16Z") == 0.5
    assert overlap(reader, june, "2023-05-01Z") == overlap(reader, june, "2025-01-01Z") == 0
    assert overlap(reader, "[2023-06-01Z,2023-06-02Z)", "2023-06-03 12:00Z") == 0.5
    assert overlap(reader, "[2023-06-01Z,)", "2999-01-01Z") == 1
    assert overlap(reader, "[2023-06-01Z,)", "2023-05-17Z") == 0.5
    assert overlap(reader, "(,2023-06-01Z)", "2023-06-16Z") == 0.5
    for given_period, occurred_at in [
        (None, "2023-06-01Z"), (june, None), (None, None), (june, "infinity"), (june, "-infinity"),
    ]:  # fmt: skip
        assert overlap(reader, given_period, occurred_at) == 0


def test_overlap_is_continuous_and_bounded(reader: Connection) -> None:
    """From a long way before to a long way after, in small steps."""
    start = datetime(2023, 5, 1, tzinfo=UTC)
    fits = [
        overlap(reader, "[2023-05-05Z,2023-05-08Z)", start + timedelta(hours=6 * step))
        for step in range(60)
    ]
    assert min(fits) == 0
    assert max(fits) == 1
    assert all(abs(one - other) < 0.1 for one, other in pairwise(fits))


def test_overlap_is_inlined(reader: Connection) -> None:
    """The ranking statement evaluates an expression, not a function call."""
    plan = reader.execute(
        "explain (verbose, costs off) select memos_private.period_overlap(p, t)"
        " from (values (tstzrange(now(), null), now())) as v (p, t) offset 0"
    ).fetchall()
    assert "period_overlap" not in str(plan)
