"""The registry of what is warm elsewhere, and the pins that keep it so while a tool runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_support import Connection, at_once, failure, now, row_counts, rows, value
from support.postgres import Database

MODEL = "llama3:8b"


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


def register(
    app: Connection, user: UUID, name: str, content: str = "You are.", **named: Any
) -> Any:
    return value(app, "memos.register_prefix", user, name, MODEL, content, **named)


def report(app: Connection, user: UUID, name: str, state: str, **named: Any) -> None:
    value(app, "memos.report_prefix", user, name, MODEL, state, **named)


def states(app: Connection, user: UUID) -> dict[str, str]:
    return {row[0]: row[4] for row in rows(app, "memos.list_prefixes", user)}


def warm(app: Connection, user: UUID, *names: str) -> None:
    """Registered and used, in this order."""
    for name in names:
        register(app, user, name, f"prompt of {name}")
        report(app, user, name, "warm")


def evict(app: Connection, user: UUID, keep: int, **named: Any) -> set[str]:
    return {row[0] for row in rows(app, "memos.evict_prefixes", user, keep, **named)}


def test_a_prefix_is_cold_then_warm_and_used_and_evicted(app: Connection, user: UUID) -> None:
    assert register(app, user, "system", "You are a kind helper.") == "cold"
    report(app, user, "system", "warming")
    assert states(app, user) == {"system": "warming"}
    report(app, user, "system", "warm", p_warm_ms=840)
    report(app, user, "system", "warm")
    assert register(app, user, "system", "You are a kind helper.") == "warm"
    (row,) = rows(app, "memos.list_prefixes", user, "system", MODEL)
    assert row[:7] == ("system", MODEL, "ollama", "prefix", "warm", 6, 840)
    assert row[7] - now(app) > timedelta(minutes=29)
    assert row[9] == 2
    report(app, user, "system", "evicted")
    assert states(app, user) == {"system": "evicted"}


def test_other_content_is_cold_again_and_found_by_what_it_is(app: Connection, user: UUID) -> None:
    warm(app, user, "system")
    found = rows(app, "memos.list_prefixes", user, p_content="prompt of system")
    assert [row[4] for row in found] == ["warm"]
    assert register(app, user, "system", "You are somebody else.") == "cold"
    assert rows(app, "memos.list_prefixes", user, p_content="prompt of system") == []
    assert states(app, user) == {"system": "cold"}


def test_models_and_servers_are_told_apart(app: Connection, user: UUID) -> None:
    register(app, user, "style", "lora-7", p_kind="adapter", p_backend="vllm", p_tokens=0)
    register(app, user, "style")
    report(app, user, "style", "warm", p_backend="vllm")
    found = {row[2:5] for row in rows(app, "memos.list_prefixes", user)}
    assert found == {("vllm", "adapter", "warm"), ("ollama", "prefix", "cold")}


def test_a_server_lets_go_when_the_time_is_over(app: Connection, user: UUID) -> None:
    warm(app, user, "system")
    report(app, user, "system", "warm", p_ttl="1 microsecond")
    assert states(app, user) == {"system": "evicted"}
    assert evict(app, user, 0) == set(), "there is nothing left to let go"


def test_the_least_recently_used_go_and_pinned_ones_stay(app: Connection, user: UUID) -> None:
    warm(app, user, "a", "b", "c", "d")
    report(app, user, "a", "warm")
    assert evict(app, user, 3) == {"b"}
    until = value(app, "memos.pin_prefix", user, "c", MODEL, "web_scrape")
    assert timedelta(seconds=5) < until - now(app) < timedelta(seconds=5.3)
    assert evict(app, user, 1) == {"a", "d"}
    assert evict(app, user, 0) == set()
    assert states(app, user) == {"a": "evicted", "b": "evicted", "c": "warm", "d": "evicted"}
    (row,) = rows(app, "memos.list_prefixes", user, "c")
    assert row[8] == until
    assert evict(app, user, 0, p_backend="vllm") == evict(app, uuid4(), 0) == set()


def test_a_pin_lasts_as_long_as_the_tool_usually_takes(app: Connection, user: UUID) -> None:
    pin = "memos.tool_pin"
    usual = {"web_search": 1.95, "vision": 10.4, "memory_store": 1, "of_its_own": 3.9}
    for tool, seconds in usual.items():
        assert value(app, pin, user, tool) == timedelta(seconds=seconds)
    assert value(app, "memos.record_latency", user, "web_search", 10_000) == timedelta(seconds=13)
    assert value(app, pin, user, "web_search") == timedelta(seconds=13)
    assert value(app, pin, uuid4(), "web_search") == timedelta(seconds=1.95)
    register(app, user, "x")
    first = value(app, "memos.pin_prefix", user, "x", MODEL, "web_search")
    assert value(app, "memos.pin_prefix", user, "x", MODEL, "memory_store") == first


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(latencies=st.lists(st.integers(0, 100_000), min_size=1, max_size=130))
def test_the_latest_hundred_latencies_count(app: Connection, latencies: list[int]) -> None:
    user = uuid4()
    with app.transaction():
        pins = [value(app, "memos.record_latency", user, "tool", ms) for ms in latencies]
    window = sorted(latencies[-100:])
    p95 = window[-(-len(window) * 95 // 100) - 1]
    assert pins[-1] == timedelta(milliseconds=min(max(p95 * 1.3, 1000), 60_000))
    assert value(app, "memos.tool_pin", user, "tool") == pins[-1]


def test_many_workers_report_at_once(module_database: Database, user: UUID) -> None:
    def work(number: int) -> None:
        with module_database.connect("memos_app") as session:
            for turn in range(10):
                warm(session, user, f"p{(number + turn) % 3}")
                value(session, "memos.record_latency", user, "tool", 2000)
                evict(session, user, 1)

    at_once(4, work)
    with module_database.connect("memos_app") as app:
        assert sum(row[9] for row in rows(app, "memos.list_prefixes", user)) == 40
        assert list(states(app, user).values()).count("warm") <= 3


LONG = "repeat('x', 257)"
BAD = [
    *(f"memos.list_prefixes({arguments})" for arguments in ("null",)),
    *(
        f"memos.register_prefix({arguments})"
        for arguments in (
            "null, 'a', 'm', 'c'", "%(user)s, null, 'm', 'c'", "%(user)s, ' ', 'm', 'c'",
            f"%(user)s, {LONG}, 'm', 'c'", "%(user)s, 'a', null, 'c'", "%(user)s, 'a', '', 'c'",
            "%(user)s, 'a', 'm', null", "%(user)s, 'a', 'm', ''", "%(user)s, 'a', 'm', 'c', null",
            "%(user)s, 'a', 'm', 'c', 'b', null", "%(user)s, 'a', 'm', 'c', 'b', 'other'",
            "%(user)s, 'a', 'm', 'c', 'b', 'prefix', -1",
        )
    ),
    *(
        f"memos.report_prefix(%(user)s, 'known', '{MODEL}', {arguments})"
        for arguments in (
            "null", "'other'", "'warm', -1", "'warm', 1, null", "'warm', 1, '0'",
            "'warm', 1, '-1 hour'", "'warm', 1, '31 days'", "'warm', 1, '1 hour', null",
        )
    ),
    *(f"memos.evict_prefixes(%(user)s, {arguments})" for arguments in ("null", "-1", "0, null")),
    *(f"memos.tool_pin(%(user)s, {tool})" for tool in ("null", "''", LONG)),
    *(f"memos.record_latency(%(user)s, {given})" for given in ("null, 1", "'t', null", "'t', -1")),
    f"memos.pin_prefix(%(user)s, 'known', '{MODEL}', null)",
    f"memos.pin_prefix(%(user)s, null, '{MODEL}', 't')",
]  # fmt: skip


@pytest.mark.parametrize("call", BAD)
def test_a_bad_argument_is_refused_and_nothing_written(
    app: Connection, superuser: Connection, user: UUID, call: str
) -> None:
    register(app, user, "known")
    before = row_counts(superuser)
    with pytest.raises(psycopg.Error) as caught:
        app.execute(f"select * from {call}", {"user": user})
    assert caught.value.sqlstate == "MO400"
    assert caught.value.diag.message_detail
    assert caught.value.diag.message_hint
    assert row_counts(superuser) == before


def test_nobody_touches_what_another_registered(
    module_database: Database, app: Connection, user: UUID
) -> None:
    other = uuid4()
    warm(app, other, "system")
    assert states(app, user) == {}
    for call in (
        ("memos.report_prefix", user, "system", MODEL, "evicted"),
        ("memos.pin_prefix", user, "system", MODEL, "web_search"),
    ):
        assert failure(app, *call).sqlstate == "MO404"
    with module_database.connect("memos_user") as session:
        session.execute("select memos.use_context(%s, false)", (module_database.token(user),))
        assert failure(session, "memos.list_prefixes", other).sqlstate == "MO403"
        assert states(session, user) == {}
    assert states(app, other) == {"system": "warm"}
