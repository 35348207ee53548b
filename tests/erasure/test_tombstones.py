"""What was erased is refused on every way in, in whatever dress, and nothing else is."""

# Letters that look like others are what this is about.
# ruff: noqa: RUF001

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from erasure_support import SECRET, call, erase, found
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from memory_support import Connection, add, failure, rows, value, vector
from psycopg.types.json import Jsonb
from support.postgres import Database

DRESSES = {
    "case": SECRET.upper(),
    "spaces": "  Mira\tkeeps  a\u00a0zylophan\n under her bed .",
    "zero width": "Mi\u200bra k\u2060eeps a zylo\ufeffphan un\u00adder her bed",
    "tags": "Mira keeps a zylophan\U000e0041 under her bed",
    "direction": "\u202eMira keeps a zylophan under her bed\u202c",
    "cyrillic": "Мirа kеерs а zуlорhаn undеr hеr bеd",
    "greek": "Μira keeps α zylοphαn under her bed",
    "full width": "Ｍｉｒａ ｋｅｅｐｓ ａ ｚｙｌｏｐｈａｎ under her bed",
    "bold": "𝐌𝐢𝐫𝐚 keeps a 𝘇𝘆𝗹𝗼𝗽𝗵𝗮𝗻 under her bed",
    "accents": "Míra kéeps à zylophan under her bed",
    "quotes": "“Mira keeps a zylophan under her bed…”",
    "dated": "2024-05-01: Mira keeps a zylophan under her bed.",
    "a sentence of more": "So she said. Mira keeps a zylophan under her bed. Then she left.",
    "a line of more": "- one\n- Mira keeps a zylophan under her bed\n- two",
}
OTHERS = [
    "Mira keeps a zylophan under her desk.",
    "Mira keeps two zylophans under her bed.",
    "Mira keeps no zylophan under her bed.",
    "Does Mira keep a zylophan under her bed?",
    "Mira keeps a zylophan under her bed and another one in the hall.",
]


@pytest.fixture
def erased(app: Connection, user: UUID) -> UUID:
    """The receipt of the secret."""
    return erase(app, user, add(app, user, SECRET))[0]


@pytest.mark.parametrize("dress", DRESSES)
def test_no_dress_helps(app: Connection, user: UUID, erased: UUID, dress: str) -> None:
    refused = failure(app, "memos.add_memory", user, DRESSES[dress])
    assert refused.sqlstate == "MO451"
    assert str(erased) in refused.diag.message_detail
    assert "zylophan" not in str(refused).lower()


@pytest.mark.parametrize("text", OTHERS)
def test_other_statements_are_welcome(app: Connection, user: UUID, erased: UUID, text: str) -> None:
    assert add(app, user, text)


def test_numbers_and_signs_tell_values_apart(app: Connection, user: UUID) -> None:
    for gone, stays in (("takes 3.5 mg", "takes 35 mg"), ("knows C++", "knows C#")):
        erase(app, user, add(app, user, gone))
        add(app, user, stays)


def ways_in(app: Connection, user: UUID) -> dict[str, Callable[[], Any]]:
    """A write of the secret through every function that takes a text."""
    there = add(app, user, "there before", p_embedding=vector(1, 0))
    other = add(app, user, "there, too")
    pad = value(app, "memos.open_scratchpad", user, "a goal")
    question = value(app, "memos.ask_question", user, pad, "what then?")
    findings = [value(app, "memos.add_finding", user, pad, f"finding {n}") for n in range(2)]
    action = value(app, "memos.add_action", user, pad, "look", "at something")
    rows(app, "memos.claim_action", user, pad, "worker")
    said = SECRET.upper()
    json = {"a": [{"b": said}]}

    def do(function: str, *arguments: Any, **named: Any) -> Callable[[], Any]:
        return lambda: rows(app, f"memos.{function}", user, *arguments, **named)

    return {
        "add_memory": do("add_memory", said),
        "add_memory metadata": do("add_memory", "x1", p_metadata=json),
        "add_memory tags": do("add_memory", "x2", p_tags=[said]),
        "add_memories": do("add_memories", [{"content": "fine"}, {"content": said}]),
        "update_memory": do("update_memory", there, {"content": said}),
        "update_memory metadata": do("update_memory", there, {"metadata": {said: 1}}),
        "assert_fact value": do("assert_fact", "Mira", "secret", said),
        "assert_fact content": do("assert_fact", "Mira", "it", "is", p_content=said),
        "quarantine_memories": do("quarantine_memories", [{"content": said}], "page"),
        "set_note": do("set_note", there, ["x"], [], said),
        "set_note keyword": do("set_note", there, [said]),
        "apply_evolution": do("apply_evolution", there, {"neighbours": [
            {"memory_id": str(other), "content": said}]}),
        "apply_evolution note": do("apply_evolution", there, {"neighbours": [
            {"memory_id": str(other), "note": {"keywords": [], "tags": [], "context": said}}]}),
        "open_scratchpad": do("open_scratchpad", said),
        "add_observation": do("add_observation", pad, said),
        "add_reasoning": do("add_reasoning", pad, said),
        "add_example": do("add_example", pad, "in", said),
        "add_step": do("add_step", pad, "act", "worker", Jsonb(json)),
        "add_note": do("add_note", pad, "worker", said),
        "add_finding": do("add_finding", pad, said),
        "ask_question": do("ask_question", pad, said),
        "add_contradiction": do("add_contradiction", pad, *findings, said),
        "add_action": do("add_action", pad, "look", said),
        "complete_action": do("complete_action", pad, action, "worker", Jsonb(json)),
        "update_entry": do("update_entry", pad, question, {"metadata": json}),
        "write_public": do("write_public", pad, "worker", "k", Jsonb(json)),
        "write_private": do("write_private", pad, "worker", "k", Jsonb(json)),
        "register_reference": do("register_reference", pad, "artifact", "k", said),
        "close_scratchpad reason": do("close_scratchpad", pad, p_reason=said),
        "cache_put": do("cache_put", "query", "key", Jsonb(json)),
        "cache_put key": do("cache_put", "query", said, Jsonb({"a": 1})),
        "cache_put question": do("cache_put", "query", "key", Jsonb({"a": 1}),
                                 p_embedding=vector(1, 0), p_question=said),
        "update_settings": do("update_settings", {"preferences": json}),
        "register_prefix": do("register_prefix", said, "llm", "text"),
        "search_memories recorded": do("search_memories", "tea", p_record=True, p_purpose=said),
    }  # fmt: skip


def test_every_way_in(
    app: Connection, superuser: Connection, user: UUID, admin: Connection
) -> None:
    ways = ways_in(app, user)
    receipt, _ = erase(app, user, add(app, user, SECRET))
    open_ways = []
    for name, write in ways.items():
        try:
            write()
            open_ways.append((name, "done"))
        except psycopg.Error as error:
            if error.sqlstate != "MO451":
                open_ways.append((name, str(error)))
    assert open_ways == []
    assert found(admin, receipt) == []


def test_a_memory_in_quarantine_is_not_released_into_a_tombstone(
    app: Connection, superuser: Connection, user: UUID, erased: UUID
) -> None:
    superuser.execute("alter table memos_private.quarantine disable trigger t10_refuse_erased")
    ((_, waiting),) = rows(app, "memos.quarantine_memories", user, [{"content": SECRET}], "page")
    superuser.execute("alter table memos_private.quarantine enable trigger t10_refuse_erased")
    assert failure(app, "memos.release_memory", user, waiting).sqlstate == "MO451"


def test_a_fact_is_refused_in_whatever_words_and_form(app: Connection, user: UUID) -> None:
    _, memory, *_ = rows(app, "memos.assert_fact", user, "Anna", "home_town", "Köln")[0]
    erase(app, user, memory)
    period = {"p_valid_from": "2001-01-01", "p_valid_until": "2002-01-01"}
    for said, named in (("KOLN", {}), ("Köln", {"p_content": "She lives there"}), ("köln", period)):
        refused = failure(app, "memos.assert_fact", user, "anna", "home town", said, **named)
        assert refused.sqlstate == "MO451"
    assert rows(app, "memos.get_facts", user) == []
    assert rows(app, "memos.assert_fact", user, "Anna", "home town", "Bonn")


def test_the_first_of_a_batch_is_named_and_none_is_stored(
    app: Connection, user: UUID, erased: UUID
) -> None:
    batch = [{"content": f"fine {n}"} for n in range(3)] + [{"content": SECRET}] * 2
    refused = failure(app, "memos.add_memories", user, batch)
    assert refused.diag.message_detail.startswith("memory 4 of the batch")
    assert rows(app, "memos.list_memories", user) == []


def test_tombstones_are_of_one_user(app: Connection, superuser: Connection, user: UUID) -> None:
    other = uuid4()
    for owner in (user, other):
        erase(app, owner, add(app, owner, SECRET))
    add(app, uuid4(), SECRET)
    digests = superuser.execute(
        "select digest from memos_private.erasure_tombstone where user_id = any (%s)",
        ([user, other],),
    ).fetchall()
    assert len({bytes(d) for (d,) in digests}) == len(digests) == 2


def test_they_outlast_rotation_and_maintenance(
    module_database: Database, app: Connection, admin: Connection, user: UUID, erased: UUID
) -> None:
    key = value(admin, "memos_admin.rotate_erasure_key")
    assert failure(app, "memos.add_memory", user, SECRET).sqlstate == "MO451"
    later, _ = erase(app, user, add(app, user, "something else to forget"))
    assert value(admin, "memos_admin.rotate_erasure_key") == key + 1
    admin.execute("call memos_admin.run_maintenance()")
    for text in (SECRET, "Something else to forget"):
        assert failure(app, "memos.add_memory", user, text).sqlstate == "MO451"
    assert found(admin, erased) == found(admin, later) == []
    for role in ("memos_app", "memos_admin", "memos_user", "memos_auditor"):
        with module_database.connect(role) as connection, pytest.raises(psycopg.Error) as caught:
            connection.execute("select secret from memos_private.erasure_key")
        assert caught.value.sqlstate == "42501"


def test_lifted_by_an_operator_it_may_be_said_again(
    app: Connection, admin: Connection, user: UUID
) -> None:
    memory = add(app, user, SECRET)
    rows(app, "memos.update_memory", user, memory, {"content": "what it said later"})
    receipt, _ = erase(app, user, memory)
    lift = "memos_admin.lift_tombstones"
    for bad, code in (((receipt, None), "MO400"), ((uuid4(), "x"), "MO404"), ((None, "x"), "MO400"),
                      ((receipt, "x", " "), "MO400")):  # fmt: skip
        assert failure(admin, lift, *bad).sqlstate == code
    assert value(admin, lift, receipt, "the user says so", "never said") == 0
    assert value(admin, lift, receipt, "the user says so", SECRET.upper()) == 1
    add(app, user, SECRET)
    assert found(admin, receipt) == []
    assert failure(app, "memos.add_memory", user, "what it said later").sqlstate == "MO451"
    assert value(admin, lift, receipt, "the user says so") == 1
    add(app, user, "what it said later")
    assert failure(app, lift, receipt, "mine").sqlstate == "42501"


def test_an_older_snapshot_does_not_bring_it_back(
    module_database: Database, app: Connection, user: UUID
) -> None:
    memory = add(app, user, SECRET)
    with module_database.connect("memos_app", autocommit=False) as late:
        late.execute("set transaction isolation level repeatable read")
        late.execute("select count(*) from memos.list_memories(%s)", (user,))
        erase(app, user, memory)
        assert failure(late, "memos.add_memory", user, SECRET.upper()).sqlstate == "40001"
        late.rollback()
        late.execute("set transaction isolation level repeatable read")
        assert failure(late, "memos.add_memory", user, SECRET).sqlstate == "MO451"
        late.rollback()
        late.execute("set transaction isolation level serializable")
        add(late, user, "something else")
        late.commit()
    assert call(app, "select count(*) from memos.list_memories(%s)", user) == 1


@given(st.text(min_size=1, max_size=60).filter(lambda s: "\0" not in s and s.strip()))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_form_is_a_projection(superuser: Connection, text: str) -> None:
    assume(any(c.isalnum() for c in text))  # of nothing but signs, nothing is left to compare
    form = "select memos_private.erasure_form(%s)"
    once = call(superuser, form, text)
    assert once
    assert call(superuser, form, f" \u200b{text}\u2060 ") == once
    digests = call(superuser, "select array_agg(f) from memos_private.erasure_forms(%s) as f", text)
    assert once in digests
