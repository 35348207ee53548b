"""An erased memory is nowhere, whatever was made of it; what is not its own stays."""

from __future__ import annotations

import math
from uuid import UUID, uuid4

from erasure_support import SECRET, TOKEN, call, counts, erase, found, holding, live
from memory_support import (
    Connection,
    add,
    assert_index_equals_a_recount,
    failure,
    rows,
    value,
    vector,
)
from psycopg.types.json import Jsonb
from support.postgres import Database


def contents(app: Connection, user: UUID) -> set[str]:
    listed = rows(app, "memos.list_memories", user, p_limit=1000, p_include_cold=True)
    return {row[2] for row in listed}


def test_nothing_of_a_life_around_it_is_left(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    stranger = uuid4()
    kept = live(app, stranger, "Mira keeps a bassoon under her bed.", "bassoon")
    before = counts(superuser, stranger)
    memory = live(app, user)
    assert len(holding(superuser, TOKEN, user)) > 15, "the life does not reach enough tables"
    receipt, (_, versions, total, by_table, tombstones, *_) = erase(app, user, memory)
    assert holding(superuser, TOKEN, user) == {}
    assert found(admin, receipt) == []
    assert total == sum(by_table.values())
    assert versions >= 7
    assert tombstones >= 4
    assert {"memory", "memory_cold", "memory_history", "fact", "fact_history", "memory_note",
            "quarantine", "scratchpad_entry", "scratchpad", "cache_entry",
            "request"} <= set(by_table)  # fmt: skip
    # What is no copy and not derived stays, and says what it said.
    assert contents(app, user) == {
        "A cello stands in the hall of the flat.", "Mira keeps nothing.",
        "Mira: keeps is a cat", "Mira sleeps badly since May.",
    }  # fmt: skip
    ((settings,),) = superuser.execute(
        "select preferences from memos_private.user_setting where user_id = %s", (user,)
    ).fetchall()
    assert settings == {"second": "tea"}
    ((state,),) = superuser.execute(
        "select state from memos_private.warm_prefix where user_id = %s", (user,)
    ).fetchall()
    assert state == "evicted"
    assert_index_equals_a_recount(superuser)
    assert counts(superuser, stranger) == before
    assert rows(app, "memos.get_memory", stranger, kept)[0][0] == kept
    assert rows(app, "memos.memory_stats", user)


def test_a_rewritten_neighbour_says_again_what_it_said(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, SECRET, p_embedding=vector(1, 0))
    neighbours = [
        add(app, user, f"neighbour {n}", p_tags=["own"], p_embedding=vector(1, n)) for n in range(3)
    ]
    for neighbour in neighbours:
        value(app, "memos.apply_evolution", user, memory, Jsonb({"neighbours": [
            {"memory_id": str(neighbour), "content": f"about her {TOKEN}, {neighbour}",
             "tags": [TOKEN]}
        ]}))  # fmt: skip
    # One is touched since, and one says something else by now.
    rows(app, "memos.update_memory", user, neighbours[1], {"importance": 0.9})
    rows(app, "memos.update_memory", user, neighbours[2], {"content": "her own words", "tags": []})
    erase(app, user, memory)
    assert holding(superuser, TOKEN, user) == {}
    assert contents(app, user) == {"neighbour 0", "neighbour 1", "her own words"}
    restored = superuser.execute(
        "select m.tags, e.embedding::text from memos_private.memory as m"
        " left join memos_private.embedding as e using (user_id, memory_id) where memory_id = %s",
        (neighbours[0],),
    ).fetchone()
    assert restored == (["own"], "[1,0]")
    assert_index_equals_a_recount(superuser)


def test_derived_goes_and_may_come_back_from_what_is_left(
    app: Connection, admin: Connection, user: UUID
) -> None:
    one, other = (add(app, user, f"What was said on day {n} of May") for n in (1, 2))
    derived = add(app, user, "She spoke twice in May", p_provenance="model")
    for source in (one, other):
        rows(app, "memos.link_memories", user, derived, source, "derived_from")
    lone = add(app, user, "She spoke on the first day", p_provenance="model")
    rows(app, "memos.link_memories", user, lone, one, "derived_from")
    receipt, (memories, *_) = erase(app, user, one)
    assert memories == 3
    assert contents(app, user) == {"What was said on day 2 of May"}
    add(app, user, "She spoke twice in May", p_provenance="model")
    assert failure(app, "memos.add_memory", user, "She spoke on the first day").sqlstate == "MO451"
    assert found(admin, receipt) == []


def test_a_summary_is_made_anew_without_it(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    texts = [
        "Anna walks in the park with her dog",
        "In the park there is a pond that Anna likes",
        "A dog was swimming in the pond",
        "The park closes early and the pond freezes",
        "Ducks live on the pond all winter long",
    ]
    ids = {
        text: add(app, user, text, p_embedding=vector(math.cos(n / 20), math.sin(n / 20)))
        for n, text in enumerate(texts)
    }
    value(app, "memos.link_similar", user)
    ((_, action, _, _, summary, _),) = rows(
        app, "memos.consolidate_memories", user, False, p_min_sources=3
    )
    assert action == "summarize"
    quoted = summary.split("\n")[0]
    erase(app, user, ids[quoted])
    assert holding(superuser, quoted, user) == {}
    assert rows(app, "memos.list_consolidations", user) == []
    ((_, action, _, sources, again, _),) = rows(
        app, "memos.consolidate_memories", user, False, p_min_sources=3
    )
    assert (action, quoted in again) == ("summarize", False)
    assert set(sources) == set(ids.values()) - {ids[quoted]}


def test_merged_memories_go_together_whichever_is_named(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    for n in (0, 1):
        ids = [add(app, user, f"{word} {TOKEN} {n} is hers") for word in ("the", "a", "this")]
        value(app, "memos.merge_memories", user, ids[0], ids[1:])
        erase(app, user, ids[n])
        assert holding(superuser, TOKEN, user) == {}


def test_a_deleted_memory_can_still_be_erased(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, SECRET)
    rows(app, "memos.delete_memory", user, memory)
    assert holding(superuser, TOKEN, user) != {}
    erase(app, user, memory)
    assert holding(superuser, TOKEN, user) == {}
    assert failure(app, "memos.erase_memory", user, memory, "again").sqlstate == "MO404"


def test_it_works_without_consent_and_with_memory_off(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, SECRET, p_embedding=vector(1, 0))
    neighbour = add(app, user, "another", p_embedding=vector(1, 1))
    value(app, "memos.apply_evolution", user, memory, Jsonb(
        {"neighbours": [{"memory_id": str(neighbour), "content": f"with a {TOKEN}"}]}
    ))  # fmt: skip
    rows(app, "memos.update_settings", user, {"memory_enabled": False})
    erase(app, user, memory)
    assert holding(superuser, TOKEN, user) == {}


def test_a_short_text_takes_no_longer_one_along(app: Connection, user: UUID) -> None:
    memory = add(app, user, "Yes.")
    add(app, user, "Yes. I like tea.")
    add(app, user, "I like tea with milk and sugar")
    erase(app, user, memory)
    assert contents(app, user) == {"Yes. I like tea.", "I like tea with milk and sugar"}


def test_bad_calls(app: Connection, user: UUID) -> None:
    memory = add(app, user, SECRET)
    for arguments, code in (
        ((user, None, "x"), "MO400"), ((user, memory, None), "MO400"),
        ((user, memory, " "), "MO400"),
        ((user, memory, "x" * 1001), "MO400"), ((None, memory, "x"), "MO400"),
        ((user, uuid4(), "x"), "MO404"), ((uuid4(), memory, "x"), "MO404"),
        ((user, memory, f"she said '{SECRET.upper()}'"), "MO400"),
    ):  # fmt: skip
        assert failure(app, "memos.erase_memory", *arguments).sqlstate == code, arguments
    assert contents(app, user) == {SECRET}
    for reason, code in ((None, "MO400"), ("", "MO400")):
        assert failure(app, "memos.erase_user", user, reason).sqlstate == code
    app.execute("begin isolation level repeatable read")
    assert failure(app, "memos.erase_memory", user, memory, "x").sqlstate == "MO409"
    app.execute("rollback")


def test_an_end_user_erases_own_memories_only(
    module_database: Database, app: Connection, user: UUID
) -> None:
    memory = add(app, user, SECRET)
    stranger = uuid4()
    with module_database.connect("memos_user") as connection:
        assert failure(connection, "memos.erase_memory", user, memory, "x").sqlstate == "MO001"
        token = module_database.token(stranger)
        value(connection, "memos.use_context", token, False)
        assert failure(connection, "memos.erase_memory", user, memory, "x").sqlstate == "MO403"
        assert failure(connection, "memos.erase_user", user, "x").sqlstate == "MO403"
        value(connection, "memos.use_context", module_database.token(user), False)
        ((receipt, *_),) = rows(connection, "memos.erase_memory", user, memory, "x")
        assert [row[0] for row in rows(connection, "memos.erasure_receipts", user)] == [receipt]


def test_the_receipt_says_until_when_backups_hold_it(
    app: Connection, admin: Connection, user: UUID
) -> None:
    rows(admin, "memos_admin.set_setting", "backup_retention_days", "90")
    receipt, rest = erase(app, user, add(app, user, SECRET))
    assert (rest[-1] - rest[-2]).days == 90
    ((listed, scope, reason, by, *_),) = rows(app, "memos.erasure_receipts", user)
    assert (listed, scope, reason, by) == (receipt, "memory", "the user asked", "memos_app")
    assert call(app, "select count(*) from memos.erasure_receipts(%s)", uuid4()) == 0
    assert failure(admin, "memos_admin.verify_erasure", uuid4()).sqlstate == "MO404"
    assert failure(admin, "memos_admin.verify_erasure", None).sqlstate == "MO400"


def test_the_audit_has_the_erasure_and_no_content(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    memory = live(app, user)
    receipt, _ = erase(app, user, memory)
    value(app, "memos.export_user", user)
    ((place, ids),) = superuser.execute(
        "select audit, memory_ids from memos_private.erasure_receipt where receipt_id = %s",
        (receipt,),
    ).fetchall()
    ((action, subject, objects, digest),) = superuser.execute(
        "select action, subject, object_ids, '\\x' || encode(hash, 'hex')"
        " from memos_private.audit_log where (era, pid, number) = (%s, %s, %s)",
        (place["era"], place["pid"], place["number"]),
    ).fetchall()
    assert (action, subject, set(objects)) == ("erase_memory", user, {receipt, memory, *ids})
    assert digest == place["hash"]
    assert rows(admin, "memos_admin.verify_audit") == []
    actions = rows(admin, "memos_admin.audit_entries", user)
    assert "export_user" in str(actions)
    assert TOKEN not in str(actions).lower()


def test_verify_finds_what_is_left_or_back(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, SECRET)
    receipt, _ = erase(app, user, memory)
    superuser.execute(
        "insert into memos_private.request (user_id, request_id, memory_id, recorded_at)"
        " values (%s, 'r', %s, now())",
        (user, memory),
    )
    superuser.execute("alter table memos_private.quarantine disable trigger user")
    superuser.execute(
        "insert into memos_private.quarantine values (%s, %s, %s, 'x', now(), 'x')",
        (user, uuid4(), Jsonb({"content": SECRET.upper(), "tags": ["x"]})),
    )
    superuser.execute("alter table memos_private.quarantine enable trigger user")
    assert found(admin, receipt) == [("quarantine", 1, "text"), ("request", 1, "memory")]
