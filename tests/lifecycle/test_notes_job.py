"""Notes of memories: who makes them, when, and what happens when their text changes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from memory_support import Connection, add, at_once, failure, rows, value
from psycopg.types.json import Jsonb
from support.postgres import Database

sys.path.insert(0, str(Path(__file__).parents[1] / "plpython"))

from misbehaving_server import MisbehavingServer

TEA = "Anna drinks green tea with honey every morning"
NOTE = {"keywords": ["tea"], "tags": ["drink"], "context": "It is about tea."}


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


@pytest.fixture(autouse=True)
def rules(admin: Connection) -> None:
    """Each test begins with the rules and an empty queue."""
    value(admin, "memos_admin.configure_note_provider", "off")
    value(admin, "memos_admin.configure_note_provider", "rules")


def configure(admin: Connection, server: MisbehavingServer, **more: Any) -> None:
    options = {"url": server.url, "model": "llama", "timeout_seconds": 1}
    value(admin, "memos_admin.configure_note_provider", "http", Jsonb(options), **more)


def note(app: Connection, user: UUID, memory: UUID) -> Any:
    found = rows(app, "memos.get_note", user, memory)
    return found[0] if found else None


def make(admin: Connection, user: UUID, *arguments: Any) -> None:
    marks = "".join(", %s" for _ in arguments)
    admin.execute(f"call memos_admin.make_notes(%s{marks})", (user, *arguments))


def waiting(superuser: Connection, user: UUID) -> dict[UUID, int]:
    """Memories whose note is to be made, and how often that was attempted."""
    statement = """
        select unnest(memory_ids), 0 from memos_private.note_block where user_id = %(user)s
        union all
        select memory_id, attempts from memos_private.note_queue where user_id = %(user)s
    """
    return dict(superuser.execute(statement, {"user": user}).fetchall())


def due_now(superuser: Connection, user: UUID) -> None:
    superuser.execute(
        "update memos_private.note_queue set available_at = '-infinity' where user_id = %s", (user,)
    )


def test_the_job_makes_the_notes_of_new_memories(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, TEA, p_session_id="s1", p_occurred_at="2024-05-01T08:00:00Z")
    assert note(app, user, memory) is None
    make(admin, user)
    _, version, keywords, _tags, context, made_by, _ = note(app, user, memory)
    assert (version, made_by) == (1, "rules")
    assert "green tea" in " ".join(keywords)
    assert context == f"2024-05-01, session s1: {TEA}"
    assert waiting(superuser, user) == {}
    assert user not in {row[0] for row in rows(admin, "memos_admin.users_to_note")}


def test_a_batch_is_queued_once_and_only_new_texts_again(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    batch = [{"content": f"memory number {n} about tea"} for n in range(450)]
    ids = [row[1] for row in rows(app, "memos.add_memories", user, batch)]
    assert waiting(superuser, user).keys() == set(ids)
    make(admin, user, 100)
    assert len(rows(app, "memos.list_notes", user, p_limit=1000)) == 100
    assert len(waiting(superuser, user)) == 350
    make(admin, user)
    assert waiting(superuser, user) == {}
    value(app, "memos.update_memory", user, ids[0], {"importance": 0.9})
    value(app, "memos.pin_memory", user, ids[1])
    assert waiting(superuser, user) == {}
    value(app, "memos.update_memory", user, ids[2], {"content": "Now it is about coffee"})
    assert waiting(superuser, user).keys() == {ids[2]}
    make(admin, user)
    assert "coffee" in note(app, user, ids[2])[2]
    assert note(app, user, ids[2])[1] == 2


def test_what_is_deleted_leaves_the_queue_and_takes_its_note_along(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    gone, noted = add(app, user, "about to go"), add(app, user, TEA)
    value(app, "memos.delete_memory", user, gone)
    make(admin, user)
    assert waiting(superuser, user) == {}
    value(app, "memos.delete_memory", user, noted)
    assert failure(app, "memos.get_note", user, noted).sqlstate == "MO404"


def test_what_a_caller_says_stands_until_the_text_changes(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, TEA)
    value(app, "memos.set_note", user, memory, ["honey"], ["food"], "sweet")
    make(admin, user)
    assert note(app, user, memory)[2] == ["honey"]
    assert waiting(superuser, user) == {}
    value(admin, "memos_admin.configure_note_provider", "rules", p_remake=True)
    make(admin, user)
    assert note(app, user, memory)[2:6] == (["honey"], ["food"], "sweet", "caller")
    rows(app, "memos.make_note", user, memory)
    assert note(app, user, memory)[5] == "caller"
    value(app, "memos.update_memory", user, memory, {"content": "Anna drinks coffee"})
    make(admin, user)
    assert note(app, user, memory)[5] == "rules"


def test_notes_are_listed_by_keyword_and_tag(app: Connection, user: UUID) -> None:
    ids = [add(app, user, f"memory {n}") for n in range(3)]
    for n, memory in enumerate(ids):
        value(app, "memos.set_note", user, memory, ["Tea", f"k{n}"], ["even"] if n % 2 == 0 else [])
    listed = rows(app, "memos.list_notes", user)
    assert [row[0] for row in listed] == ids[::-1]
    assert listed[0][7] == "memory 2"
    assert len(rows(app, "memos.list_notes", user, "tea")) == 3
    assert [row[0] for row in rows(app, "memos.list_notes", user, "K1")] == [ids[1]]
    assert [row[0] for row in rows(app, "memos.list_notes", user, None, "even")] == ids[::-2]
    assert [row[0] for row in rows(app, "memos.list_notes", user, None, None, 1, ids[2])] == [
        ids[1]
    ]


def test_a_note_is_made_at_once_on_request(app: Connection, user: UUID) -> None:
    memory = add(app, user, TEA)
    ((keywords, _, context),) = rows(app, "memos.make_note", user, memory)
    assert "green tea" in keywords
    assert context == TEA


# Language models ----------------------------------------------------------------------------------


@pytest.mark.parametrize("api", ["ollama", "openai"])
def test_a_language_model_makes_the_notes(
    app: Connection, admin: Connection, superuser: Connection, user: UUID, api: str
) -> None:
    memories = [add(app, user, f"{TEA} {n}") for n in range(2)]
    with MisbehavingServer("good", reply=json.dumps(NOTE)) as server:
        options = {"url": server.url, "model": "llama", "api": api}
        value(admin, "memos_admin.configure_note_provider", "http", Jsonb(options))
        make(admin, user)
        assert len(server.requests) == 2
    for memory in memories:
        assert note(app, user, memory)[2:6] == (["tea"], ["drink"], "It is about tea.", "llama")
    assert waiting(superuser, user) == {}


@pytest.mark.parametrize("mode", ["server_error", "slow", "dropped", "not_json", "other_json"])
def test_a_failing_model_leaves_its_memory_queued_with_the_reason(
    app: Connection, admin: Connection, superuser: Connection, user: UUID, mode: str
) -> None:
    memory = add(app, user, f"my secret: {TEA}")
    warnings: list[str] = []
    admin.add_notice_handler(lambda diag: warnings.append(diag.message_primary or ""))
    with MisbehavingServer(mode, reply=json.dumps(NOTE)) as server:
        configure(admin, server)
        make(admin, user)
        assert len(server.requests) == 1
    assert warnings == ["making a note failed"]
    assert note(app, user, memory) is None
    assert waiting(superuser, user) == {memory: 1}
    status = rows(admin, "memos_admin.note_status")[0]
    assert "model server" in status[7]
    assert "secret" not in status[7]
    make(admin, user)
    assert waiting(superuser, user) == {memory: 1}, "it waits before the next attempt"


def test_a_note_is_given_up_after_enough_attempts_and_can_be_tried_again(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, TEA)
    with MisbehavingServer("good", reply="no JSON at all") as server:
        configure(admin, server)
        for _ in range(7):
            due = superuser.execute(
                "update memos_private.note_queue set available_at = '-infinity'"
                " where user_id = %s and available_at < 'infinity'",
                (user,),
            )
            make(admin, user)
        assert due.rowcount == 0
        assert len(server.requests) == 5
    assert waiting(superuser, user) == {memory: 5}
    assert rows(admin, "memos_admin.note_status")[0][5] == 1
    value(admin, "memos_admin.configure_note_provider", "rules")
    make(admin, user)
    assert note(app, user, memory)[5] == "rules"


def test_no_lock_is_held_while_a_model_thinks_and_a_late_note_is_dropped(
    module_database: Database, app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, TEA)

    def meanwhile(_: Any) -> str:
        with module_database.connect("memos_app") as session:
            session.execute("set lock_timeout = '2s'")
            if value(session, "memos.memory_stats", user) == 1:
                changed = {"content": "Anna drinks coffee"}
                value(session, "memos.update_memory", user, memory, changed)
        return json.dumps(NOTE)

    with MisbehavingServer("good", reply=meanwhile) as server:
        configure(admin, server)
        make(admin, user, 1)
    assert note(app, user, memory) is None, "the note is of a text that is no more"
    assert waiting(superuser, user).keys() == {memory}


def test_two_jobs_at_once_make_each_note_once(
    module_database: Database, app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    batch = [{"content": f"{TEA} {n}"} for n in range(12)]
    rows(app, "memos.add_memories", user, batch)
    with MisbehavingServer("good", reply=json.dumps(NOTE)) as server:
        configure(admin, server)

        def work(_: int) -> None:
            with module_database.connect("memos_admin") as session:
                make(session, user)

        at_once(3, work)
        prompts = [request.body["prompt"] for request in server.requests]
    assert len(prompts) == len(set(prompts)) == 12
    assert len(rows(app, "memos.list_notes", user)) == 12
    assert waiting(superuser, user) == {}


def test_a_claim_outlives_a_killed_job_and_is_made_after_its_lease(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, TEA)
    assert len(value(admin, "memos_admin.claim_notes", user, 10)) == 1
    make(admin, user)
    assert note(app, user, memory) is None, "somebody else has it"
    due_now(superuser, user)
    make(admin, user)
    assert note(app, user, memory)[5] == "rules"


# Arguments ----------------------------------------------------------------------------------------


def test_all_users_take_turns(app: Connection, admin: Connection, superuser: Connection) -> None:
    large, small = sorted(uuid4() for _ in range(2))
    rows(app, "memos.add_memories", large, [{"content": f"tea {n}"} for n in range(300)])
    add(app, small, TEA)
    admin.execute("call memos_admin.make_notes()")
    times = [
        superuser.execute(
            f"select {time}(made_at) from memos_private.memory_note where user_id = %s", (owner,)
        ).fetchone()
        for time, owner in (("min", small), ("max", large))
    ]
    assert times[0] < times[1]
    turns = rows(admin, "memos_admin.memories_to_evolve", None, 300)
    assert small in {row[0] for row in turns}


def test_who_refuses_in_the_middle_is_left_alone(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    add(app, user, TEA)
    rows(app, "memos.withdraw_consent", user, "derived_memories")
    assert value(admin, "memos_admin.claim_notes", user, 10) == []
    assert len(waiting(superuser, user)) == 1
    for content in ("It rains.", "It rains"):
        add(app, user, content)
    assert value(admin, "memos_admin.consolidate_batch", user) == 0
    rows(app, "memos.set_consent", user, "derived_memories", True, "v1")
    assert value(admin, "memos_admin.consolidate_batch", user) == 1
    assert value(admin, "memos_admin.claim_notes", user, 10) != []


def test_off_queues_nothing_and_on_again_queues_what_is_missing(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    value(admin, "memos_admin.configure_note_provider", "off")
    memory = add(app, user, TEA)
    assert waiting(superuser, user) == {}
    assert value(admin, "memos_admin.configure_note_provider", "rules") >= 1
    assert waiting(superuser, user) == {memory: 0}


@pytest.mark.parametrize(
    ("provider", "options"),
    [
        (None, {}),
        ("oracle", {}),
        ("http", {}),
        ("http", {"url": "nowhere", "model": "m"}),
        ("http", {"url": "http://h.invalid", "model": "m", "sql": 1}),
        ("http", {"url": "http://h.invalid", "model": "caller"}),
        ("rules", {"url": "http://h.invalid"}),
        ("rules", None),
    ],
)
def test_bad_providers(admin: Connection, provider: Any, options: Any) -> None:
    given = None if options is None else Jsonb(options)
    error = failure(admin, "memos_admin.configure_note_provider", provider, given)
    assert error.sqlstate == "MO400"
    assert error.diag.message_hint


@pytest.mark.parametrize(
    "arguments",
    [
        (None, [], ""),
        ([""], [], ""),
        (["x" * 257], [], ""),
        ([str(n) for n in range(65)], [], ""),
        (["a"], None, ""),
        (["a"], [None], ""),
        (["a"], [], None),
        (["a"], [], "x" * 2001),
    ],
)
def test_bad_notes(app: Connection, user: UUID, arguments: Any) -> None:
    memory = add(app, user, TEA)
    statement = "select memos.set_note(%s, %s, %s::text[], %s::text[], %s)"
    with pytest.raises(Exception, match="bad argument") as caught:
        app.execute(statement, (user, memory, *arguments))
    assert caught.value.sqlstate == "MO400"


def test_nobody_elses_notes(app: Connection, user: UUID) -> None:
    memory = add(app, user, TEA)
    value(app, "memos.set_note", user, memory, ["tea"])
    for function, arguments in (
        ("memos.get_note", ()),
        ("memos.set_note", (["x"],)),
        ("memos.make_note", ()),
        ("memos.evolve_memory", ()),
    ):
        assert failure(app, function, uuid4(), memory, *arguments).sqlstate == "MO404"
        assert failure(app, function, user, None, *arguments).sqlstate == "MO400"
        assert failure(app, function, None, memory, *arguments).sqlstate == "MO400"
    assert rows(app, "memos.list_notes", uuid4()) == []
    assert failure(app, "memos.list_notes", user, p_limit=0).sqlstate == "MO400"
