"""Retention: a function of what is stored and of the time asked about, and of nothing else."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_support import Connection, add, failure, rows, value
from support.postgres import Database
from usage_support import NOW, ago, counted, run, use

RETENTION = "memos.memory_retention"
DAYS = {"semantic": 30, "conversational": 7, "crisis": 365, "of_its_own": 30}


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


def power_law(days: float, stability: float) -> float:
    return (1 + 19 / 81 * max(days, 0) / stability) ** -0.5


def expected(
    kind: str, importance: float, happened: datetime, uses: list[datetime], at: datetime
) -> float:
    """The definition once more: FSRS-4.5 over the last use of each day."""
    day = timedelta(days=1)
    last_of_day = sorted({use.date(): use for use in sorted(uses)}.values())
    stability = DAYS[kind] * (0.5 + importance)
    last = min([happened, *last_of_day])
    for moment in last_of_day:
        forgotten = 1 - power_law((moment - last) / day, stability)
        growth = 31.16 * stability**-0.1367 * (math.exp(1.0461 * forgotten) - 1)
        stability = min(stability * (1 + growth), 36500)
        last = moment
    return power_law((at - max(happened, last)) / day, stability)


def remember(app: Connection, user: UUID, **named: Any) -> UUID:
    return add(app, user, f"a memory: {uuid4()}", **named)


def at(app: Connection, user: UUID, memory: UUID, *times: datetime) -> list[float]:
    """Retention at each of these times."""
    return [value(app, RETENTION, user, memory, time) for time in times]


MINUTES = st.integers(0, 5 * 365 * 24 * 60)
LIVES = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(list(DAYS)),
        "importance": st.sampled_from([0.0, 0.25, 0.5, 1.0]),
        "happened": MINUTES,
        "uses": st.lists(MINUTES, max_size=8),
        "asked": st.lists(st.integers(-10 * 365, 100 * 365), min_size=2, max_size=5),
        "folds": st.integers(0, 8),
        "order": st.randoms(use_true_random=False),
    }
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(life=LIVES)
def test_it_is_its_definition_whatever_ran_when(
    app: Connection, admin: Connection, superuser: Connection, life: dict[str, Any]
) -> None:
    user = uuid4()
    happened = ago(minutes=life["happened"])
    named = {key: life[key] for key in ("kind", "importance")}
    one, other = (remember(app, user, p_occurred_at=happened, **_p(named)) for _ in range(2))
    uses = [ago(minutes=minutes) for minutes in life["uses"]]
    asked = sorted(NOW + timedelta(days=days) for days in life["asked"])

    # One is used in order and counted once at the end, the other in any order, counted in portions.
    shuffled = uses.copy()
    life["order"].shuffle(shuffled)
    for number, moment in enumerate(shuffled):
        use(app, user, other, moment)
        if number >= life["folds"]:
            value(admin, "memos_admin.fold_access_batch", user)
    use(app, user, one, *sorted(uses)) if uses else None
    before = at(app, user, one, *asked)
    assert before == at(app, user, other, *asked) == at(app, user, one, *asked)
    run(admin, user)
    run(admin, user)
    assert at(app, user, one, *asked) == at(app, user, other, *asked) == before
    rows_counted = counted(superuser, user)
    assert rows_counted.get(one) == rows_counted.get(other)

    assert all(0 < retained <= 1 for retained in before)
    assert before == sorted(before, reverse=True), "it falls with time"
    for moment, retained in zip(asked, before, strict=True):
        assert retained == pytest.approx(expected(**named, happened=happened, uses=uses, at=moment))


def _p(named: dict[str, Any]) -> dict[str, Any]:
    return {f"p_{key}": value for key, value in named.items()}


def test_a_tenth_is_forgotten_after_the_stability_of_its_kind(app: Connection, user: UUID) -> None:
    for kind, days in DAYS.items():
        memory = remember(app, user, p_kind=kind, p_occurred_at=ago(days=100))
        (retained,) = at(app, user, memory, ago(days=100 - days))
        assert retained == pytest.approx(0.9)


def test_it_counts_from_the_writing_where_nothing_happened(app: Connection, user: UUID) -> None:
    memory = remember(app, user)
    today, later = at(app, user, memory, NOW - timedelta(days=9), NOW + timedelta(days=30))
    assert today == 1
    assert later == pytest.approx(0.9, abs=1e-4)
    value(app, "memos.update_memory", user, memory, {"content": f"reworded: {uuid4()}"})
    assert at(app, user, memory, NOW + timedelta(days=30)) == [later]


def test_what_is_ahead_is_not_forgotten(app: Connection, user: UUID) -> None:
    memory = remember(app, user, p_occurred_at=NOW + timedelta(days=50))
    use(app, user, memory)
    assert at(app, user, memory, NOW, NOW + timedelta(days=50)) == [1, 1]
    assert at(app, user, memory, NOW + timedelta(days=51))[0] < 1


def test_use_at_intervals_makes_it_last_and_repetition_does_not(
    app: Connection, user: UUID
) -> None:
    unused, once, crammed, spaced = (
        remember(app, user, p_occurred_at=ago(days=90)) for _ in range(4)
    )
    use(app, user, once, ago(days=1))
    use(app, user, crammed, *(ago(days=1, minutes=minutes) for minutes in range(9)))
    use(app, user, spaced, ago(days=60), ago(days=30), ago(days=1))
    in_a_year = NOW + timedelta(days=365)
    a, b, c, d = (at(app, user, memory, in_a_year)[0] for memory in (unused, once, crammed, spaced))
    assert a < b < d
    assert c == pytest.approx(b, abs=0.001)


def test_pinned_is_one_for_ever(app: Connection, user: UUID) -> None:
    memory = remember(app, user, p_occurred_at=ago(days=4000))
    value(app, "memos.pin_memory", user, memory)
    assert at(app, user, memory, NOW, NOW + timedelta(days=40000)) == [1, 1]
    value(app, "memos.pin_memory", user, memory, False)
    assert at(app, user, memory, NOW)[0] < 0.5


def test_another_kind_or_importance_or_time_counts_at_once(
    app: Connection, admin: Connection, user: UUID
) -> None:
    uses = [ago(days=70), ago(days=20)]
    memories = [remember(app, user, p_occurred_at=ago(days=100)) for _ in range(2)]
    use(app, user, memories, *uses)
    run(admin, user)
    use(app, user, memories[1], uses[0])
    change = {"kind": "crisis", "importance": 1.0, "occurred_at": ago(days=200).isoformat()}
    for memory in memories:
        value(app, "memos.update_memory", user, memory, change)
        assert at(app, user, memory, NOW)[0] == pytest.approx(
            expected("crisis", 1, ago(days=200), uses, NOW)
        )


def test_an_operator_sets_how_long_a_kind_lasts(
    app: Connection, admin: Connection, user: UUID
) -> None:
    uses = [ago(days=70), ago(days=20)]
    unused, used = (
        remember(app, user, p_kind="weather", p_occurred_at=ago(days=100)) for _ in range(2)
    )
    use(app, user, used, *uses)
    run(admin, user)
    rows(admin, "memos_admin.set_retention", "weather", 7, "tomorrow it is another one")
    try:
        for memory, history in ((unused, []), (used, uses)):
            assert at(app, user, memory, NOW)[0] == pytest.approx(
                expected("conversational", 0.5, ago(days=100), history, NOW)
            )
        assert ("weather", 7, "tomorrow it is another one") in rows(
            admin, "memos_admin.retention_parameters"
        )
    finally:
        rows(admin, "memos_admin.set_retention", "weather", 30, "as all others")
    assert at(app, user, used, NOW)[0] == pytest.approx(
        expected("semantic", 0.5, ago(days=100), uses, NOW)
    )


@pytest.mark.parametrize("days", [40, 3 * 365])
def test_an_old_perfect_match_ranks_first(
    app: Connection, admin: Connection, user: UUID, days: int
) -> None:
    old = add(app, user, "My sister Ana plays the oboe", p_occurred_at=ago(days=days))
    others = [add(app, user, f"My sister called, number {n}, about a concert") for n in range(20)]
    for _ in range(3):
        use(app, user, others)
    run(admin, user)
    question = "Which instrument does my sister Ana play, the oboe?"
    assert rows(app, "memos.search_memories", user, question)[0][1] == old


def test_use_decides_between_equals_and_explains_it(
    app: Connection, admin: Connection, user: UUID
) -> None:
    ids = [add(app, user, f"The boat is moored at pier {name}") for name in ("north", "south")]
    add(app, user, "Somebody moored something else there, as far as anybody knows")
    question = "Where is the boat moored?"
    search = "memos.search_memories"
    assert [row[1] for row in rows(app, search, user, question)][:2] == ids
    use(app, user, ids[1])
    run(admin, user)
    found = rows(app, search, user, question, p_explain=True, p_weights={"retention": 0.33})
    assert [row[1] for row in found][:2] == ids[::-1]
    lanes = [row[11]["lanes"] for row in found]
    assert [lane["factors"]["retention"] for lane in lanes] == [pytest.approx(1.33), 1, 1]
    for row, lane in zip(found, lanes, strict=True):
        assert sum(part["share"] for part in lane.values()) == pytest.approx(row[4])
    assert [row[1] for row in rows(app, search, user, question)][:2] == ids[::-1]
    off = {"retention": 0}
    assert [row[1] for row in rows(app, search, user, question, p_weights=off)][:2] == ids
    then = rows(app, search, user, question, p_valid_at=datetime.now(UTC), p_explain=True)
    assert {row[11]["lanes"]["factors"]["retention"] for row in then} == {1}


def test_the_ends_of_the_calendar_are_times_like_others(app: Connection, user: UUID) -> None:
    memory = value(app, "memos.add_memory", user, "long ago", p_occurred_at="4713-01-02 BC")
    for time, least, most in (("294276-12-31", 0, 0.01), ("4713-01-01 BC", 1, 1)):
        retained = value(app, RETENTION, user, memory, time)
        assert least <= retained <= most
        assert retained > 0


BAD = [
    "memos.memory_retention(null, %(memory)s)",
    "memos.memory_retention(%(user)s, null)",
    "memos.memory_retention(%(user)s, %(memory)s, null)",
    "memos.memory_retention(%(user)s, %(memory)s, 'infinity')",
    "memos.memory_retention(%(user)s, %(memory)s, '-infinity')",
    "memos.memory_usage(null)",
    *(f"memos.memory_usage(%(user)s, {limit})" for limit in ("null", "0", "1001")),
    *(
        f"memos_admin.set_retention({arguments})"
        for arguments in (
            "null, 1, 'x'", "'', 1, 'x'", "'Two words', 1, 'x'", "'a', null, 'x'", "'a', 0, 'x'",
            "'a', -1, 'x'", "'a', 'NaN', 'x'", "'a', 'Infinity', 'x'", "'a', 36501, 'x'",
            "'a', 1, null", "'a', 1, ' '", "'a', 1, repeat('x', 1001)",
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("call", BAD)
def test_a_bad_argument_is_refused(
    app: Connection, admin: Connection, user: UUID, call: str
) -> None:
    memory = remember(app, user)
    role = admin if call.startswith("memos_admin.") else app
    with pytest.raises(psycopg.Error) as caught:
        role.execute(f"select * from {call}", {"user": user, "memory": memory})
    assert caught.value.sqlstate == "MO400"
    assert caught.value.diag.message_detail
    assert caught.value.diag.message_hint


def test_nobody_learns_of_another_users_memories(
    module_database: Database, app: Connection, admin: Connection, user: UUID
) -> None:
    other = uuid4()
    memory = remember(app, other)
    use(app, other, memory)
    run(admin, other)
    for unknown in (memory, uuid4()):
        assert failure(app, RETENTION, user, unknown).sqlstate == "MO404"
    assert rows(app, "memos.memory_usage", user) == []
    with module_database.connect("memos_user") as session:
        assert failure(session, RETENTION, other, memory).sqlstate == "MO001"
        session.execute("select memos.use_context(%s, false)", (module_database.token(user),))
        assert failure(session, RETENTION, other, memory).sqlstate == "MO403"


def test_what_is_counted_meanwhile_is_reckoned_by_the_new_setting(
    module_database: Database, app: Connection, admin: Connection, user: UUID
) -> None:
    memory = remember(app, user, p_kind="weather", p_occurred_at=ago(days=100))
    use(app, user, memory, ago(days=70), ago(days=20))
    counting = threading.Thread(target=run, args=(admin, user))
    with module_database.connect("memos_admin", autocommit=False) as session:
        rows(session, "memos_admin.set_retention", "weather", 7, "tomorrow it is another one")
        counting.start()
        counting.join(0.3)
        assert counting.is_alive(), "it does not wait"
        session.commit()
    counting.join()
    try:
        assert at(app, user, memory, NOW)[0] == pytest.approx(
            expected("conversational", 0.5, ago(days=100), [ago(days=70), ago(days=20)], NOW)
        )
    finally:
        rows(admin, "memos_admin.set_retention", "weather", 30, "as all others")
