"""Private values: tried as another agent, with and without tokens, in every way there is."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from memory_support import Connection, failure, value
from psycopg.types.json import Jsonb
from scratchpad_support import Pad
from support.people import sqlstate_of
from support.postgres import Database

SECRET = "thoughts of the planner"


@pytest.fixture
def tokens(pad: Pad) -> dict[str, str]:
    """Two registered agents; the planner has written a secret."""
    found = {name: pad.call("register_agent", name) for name in ("planner", "searcher")}
    with pad.connection.transaction():
        value(pad.connection, "memos.use_agent", pad.user, found["planner"])
        pad.call("write_private", "planner", "k", Jsonb(SECRET))
    return found


@pytest.fixture(params=["memos_app", "memos_user"])
def session(
    module_database: Database, pad: Pad, request: pytest.FixtureRequest
) -> Iterator[Connection]:
    """Another session of the same user: the bot's, or the user's own."""
    with module_database.connect(request.param) as connection:
        if request.param == "memos_user":
            connection.execute(
                "select memos.use_context(%s, false)", (module_database.token(pad.user),)
            )
        yield connection


READS = (
    ("read_private", ["planner", "k"]),
    ("list_values", ["planner"]),
    ("agent_context", ["planner"]),
)
WRITES = (
    ("write_private", ["planner", "k", Jsonb("forged")]),
    ("write_public", ["planner", "k", Jsonb(1)]),
    ("add_note", ["planner", "forged"]),
    ("add_step", ["forged", "planner"]),
    ("claim_action", ["planner"]),
    ("register_reference", ["search", "x", None, "planner"]),
)


@pytest.mark.parametrize("shown", ["no token", "the searcher's", "a forged one", "a foreign one"])
def test_nobody_else_reads_or_acts_as_a_registered_agent(
    pad: Pad, tokens: dict[str, str], session: Connection, shown: str, app: Connection
) -> None:
    attacker = pad.on(session)
    if shown == "the searcher's":
        value(session, "memos.use_agent", pad.user, tokens["searcher"], False)
        assert attacker.call("read_private", "searcher", "k") is None
    elif shown == "a forged one":
        session.execute("select set_config('memos.agent', %s, false)", ("0" * 64,))
    elif shown == "a foreign one":
        other = Pad.open(app, pad.user)
        value(session, "memos.use_agent", pad.user, other.call("register_agent", "planner"), False)
    for function, arguments in READS + WRITES:
        assert attacker.fails(function, *arguments) == "MO403", function
    assert pad.fails("read_private", "planner", "k") == "MO403"
    # What it may see without naming an agent does not have it either.
    seen = [
        attacker.rows(f)
        for f in ("list_values", "list_entries", "scratchpad_changes", "list_actions")
    ]
    assert SECRET not in str(seen)


def test_the_agent_itself_reads_in_any_session_and_a_replacement_too(
    pad: Pad, tokens: dict[str, str], session: Connection
) -> None:
    with session.transaction():
        assert value(session, "memos.use_agent", pad.user, tokens["planner"]) == "planner"
        assert pad.on(session).call("read_private", "planner", "k") == SECRET
        assert SECRET in str(pad.on(session).rows("agent_context", "planner"))
    assert pad.on(session).fails("read_private", "planner", "k") == "MO403"


def test_a_bound_session_names_no_other_agent(
    pad: Pad, tokens: dict[str, str], session: Connection
) -> None:
    """Not even one that nobody registered."""
    value(session, "memos.use_agent", pad.user, tokens["searcher"], False)
    bound = pad.on(session)
    assert bound.fails("write_private", "nobody", "k", Jsonb(1)) == "MO403"
    assert bound.fails("add_note", "nobody", "x") == "MO403"
    bound.call("add_note", "searcher", "x", "nobody")
    bound.call("add_observation", "without a name")


def test_tokens_are_good_for_their_user_only(
    pad: Pad, tokens: dict[str, str], app: Connection
) -> None:
    assert failure(app, "memos.use_agent", uuid4(), tokens["planner"]).sqlstate == "MO403"
    for bad in ("", "x", tokens["planner"][:-1], tokens["planner"].upper() + "0"):
        assert failure(app, "memos.use_agent", pad.user, bad).sqlstate == "MO403", bad
    assert failure(app, "memos.use_agent", pad.user, None).sqlstate == "MO400"
    assert failure(app, "memos.use_agent", pad.user, tokens["planner"], None).sqlstate == "MO400"


def test_a_name_is_registered_once(pad: Pad, tokens: dict[str, str]) -> None:
    assert pad.fails("register_agent", "planner") == "MO409"
    assert len(set(tokens.values())) == 2


def test_the_table_has_neither_tokens_nor_an_open_door(
    pad: Pad, tokens: dict[str, str], session: Connection, module_database: Database
) -> None:
    with module_database.connect() as superuser:
        stored = superuser.execute("select * from memos_private.scratchpad_agent").fetchall()
    assert not any(token in str(stored) for token in tokens.values())
    for table in ("scratchpad_private_value", "scratchpad_agent"):
        statement = f"select * from memos_private.{table}"
        assert sqlstate_of(session, statement) == "42501"


def test_promotion_and_notifications_carry_no_private_value(
    pad: Pad, tokens: dict[str, str], module_database: Database
) -> None:
    with module_database.connect("memos_app") as listener:
        listener.execute("listen memos_scratchpad")
        with pad.connection.transaction():
            value(pad.connection, "memos.use_agent", pad.user, tokens["planner"])
            pad.call("write_private", "planner", "another", Jsonb(SECRET))
        pad.call("add_observation", SECRET + " in public")
        heard = [n.payload for n in listener.notifies(timeout=0.2)]
    changes = pad.rows("scratchpad_changes")
    assert heard == [f"{pad.id} 0"]
    assert [c["subject"] for c in changes] == ["observation"]
    assert SECRET not in str(changes)
    assert pad.rows("close_scratchpad") == []


def test_an_unbound_call_does_not_depend_on_the_session_before(
    pad: Pad, tokens: dict[str, str]
) -> None:
    """A pooled connection that was left bound refuses, rather than acts as somebody else."""
    value(pad.connection, "memos.use_agent", pad.user, tokens["planner"], False)
    assert pad.fails("add_note", "somebody", "x") == "MO403"
    pad.connection.execute("discard all")
    pad.call("add_note", "somebody", "x")
