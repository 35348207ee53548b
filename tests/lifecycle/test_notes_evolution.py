"""How a new memory changes its neighbours, how that is taken back, and the old network's JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import Connection, add, at_once, failure, rows, value, vector
from psycopg.types.json import Jsonb
from support.postgres import Database

sys.path.insert(0, str(Path(__file__).parents[1] / "plpython"))

from misbehaving_server import MisbehavingServer


@pytest.fixture(scope="module", autouse=True)
def model(module_database: Database) -> None:
    with module_database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.register_embedding_model", "v", 2, "external")


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


def image(superuser: Connection, user: UUID) -> dict[str, Any]:
    """Every row that an evolution may touch; a memory's version and time of recording apart."""
    found = {}
    for table, left_out in (
        ("memory", "version,recorded_at"),
        ("memory_note", "evolved"),
        ("memory_link", ""),
        ("embedding", ""),
        ("embedding_queue", "version,enqueued_at,available_at"),
    ):
        statement = f"""
            select to_jsonb(t) - string_to_array(%s, ',') from memos_private.{table} as t
            where user_id = %s order by to_jsonb(t)::text
        """
        found[table] = superuser.execute(statement, (left_out, user)).fetchall()
    for key in found:
        found[key] = sorted(json.dumps(row[0], sort_keys=True) for row in found[key])
    return found


@pytest.fixture
def trio(app: Connection, user: UUID) -> list[UUID]:
    """Three linked memories with notes; the last is the new one."""
    texts = {
        "Anna takes Lisinopril for her blood pressure": ["med", "anna"],
        "The blood pressure of Anna was high in May": [],
        "Anna's doctor raised her Lisinopril": ["med", "doctor"],
    }
    ids = [
        add(app, user, text, p_tags=tags, p_embedding=vector(1, n / 10))
        for n, (text, tags) in enumerate(texts.items())
    ]
    assert value(app, "memos.link_similar", user) == 3
    for memory, keywords in zip(
        ids, (["Lisinopril", "Anna"], ["pressure", "May"], ["lisinopril", "doctor"]), strict=True
    ):
        value(app, "memos.set_note", user, memory, keywords, ["health"], f"about {keywords[0]}")
    return ids


def links_of(app: Connection, user: UUID, memory: UUID) -> list[Any]:
    return rows(app, "memos.list_links", user, memory)


def evolve(app: Connection, user: UUID, memory: UUID, **named: Any) -> tuple[UUID | None, Any]:
    ((evolution_id, changes),) = rows(app, "memos.evolve_memory", user, memory, **named)
    return evolution_id, changes


def history(app: Connection, user: UUID, memory: UUID) -> list[tuple[Any, ...]]:
    statement = "select version, content, tags, reason from memos.memory_history(%s, %s)"
    return app.execute(statement, (user, memory)).fetchall()


def test_what_is_shared_propagates_and_the_rest_stays(
    app: Connection, superuser: Connection, user: UUID, trio: list[UUID]
) -> None:
    old, other, new = trio
    before = image(superuser, user)
    evolution_id, changes = evolve(app, user, new)
    assert [change["memory_id"] for change in changes["neighbours"]] == [str(old)]
    ((_, version, keywords, tags, context, made_by, _),) = rows(app, "memos.get_note", user, old)
    assert (version, keywords, made_by) == (1, ["Lisinopril", "Anna"], "caller")
    assert tags == ["health", "lisinopril"]
    assert context == "about Lisinopril [later: about lisinopril]"
    assert history(app, user, old)[1][:3] == (
        2, "Anna takes Lisinopril for her blood pressure", ["med", "anna", "doctor"],
    )  # fmt: skip
    assert history(app, user, old)[0][3] == f"evolution {evolution_id}"
    links = {
        row[0]: row[2:5]
        for row in rows(app, "memos.list_links", user, new)
        if row[4] != "automatic"
    }
    assert links == {old: ("related", pytest.approx(1, abs=0.1), "evolution")}
    assert len(history(app, user, other)) == 1
    (entry,) = rows(app, "memos.list_evolutions", user, old)
    assert entry[:3] == (evolution_id, new, "rules")
    assert [change["target"] for change in entry[6]] == ["memory", "note", "link"]

    assert value(app, "memos.undo_evolution", user, evolution_id) == 3
    assert image(superuser, user) == before
    assert history(app, user, old)[2][:3] == (3, history(app, user, old)[0][1], ["med", "anna"])
    assert failure(app, "memos.undo_evolution", user, evolution_id).sqlstate == "MO409"
    assert rows(app, "memos.list_evolutions", user)[0][5] is not None


def test_a_dry_run_shows_it_and_changes_nothing(
    app: Connection, superuser: Connection, user: UUID, trio: list[UUID]
) -> None:
    before = image(superuser, user)
    shown = evolve(app, user, trio[2], p_dry_run=True)
    assert shown[0] is None
    assert image(superuser, user) == before
    assert evolve(app, user, trio[2])[1] == shown[1]


def test_nothing_in_common_changes_nothing(
    app: Connection, superuser: Connection, user: UUID, trio: list[UUID]
) -> None:
    assert evolve(app, user, trio[0]) == (None, {"links": [], "reason": "", "neighbours": []})
    assert rows(app, "memos.list_evolutions", user) == []


def test_another_privacy_level_and_a_pinned_memory_are_left_alone(
    app: Connection, user: UUID, trio: list[UUID]
) -> None:
    old, _, new = trio
    value(app, "memos.pin_memory", user, old)
    _, changes = evolve(app, user, new, p_dry_run=True)
    assert "tags" not in changes["neighbours"][0]
    value(app, "memos.update_memory", user, new, {"privacy_level": "restricted"})
    assert evolve(app, user, new, p_dry_run=True)[1]["neighbours"] == []


def test_rewritten_content_is_a_version_embedded_anew_and_restored_with_its_vector(
    app: Connection, superuser: Connection, user: UUID, trio: list[UUID]
) -> None:
    old, _, new = trio
    before = image(superuser, user)
    evolution_id = value(
        app, "memos.apply_evolution", user, new,
        {"neighbours": [
            {"memory_id": str(old), "version": 1, "content": "Rewritten", "metadata": {"a": 1}},
         ],
         "links": [{"to": str(old), "type": "supports", "weight": 0.5}], "reason": "said so"},
        "llama",
    )  # fmt: skip
    assert [row[1] for row in history(app, user, old)][1] == "Rewritten"
    pending = "select count(*) from memos_private.embedding_queue where user_id = %s"
    assert superuser.execute(pending, (user,)).fetchone() == (1,)
    assert value(app, "memos.undo_evolution", user, evolution_id) == 2
    after = image(superuser, user)
    # The automatic links went with the vector; the next link job makes them again.
    links = {"memory_link"}
    assert {k: v for k, v in after.items() if k not in links} == {
        k: v for k, v in before.items() if k not in links
    }
    assert superuser.execute(pending, (user,)).fetchone() == (0,)


@pytest.mark.parametrize("what", ["memory", "note", "link"])
def test_what_was_changed_since_is_not_overwritten(
    app: Connection, superuser: Connection, user: UUID, trio: list[UUID], what: str
) -> None:
    old, _, new = trio
    evolution_id, _ = evolve(app, user, new)
    if what == "memory":
        value(app, "memos.update_memory", user, old, {"importance": 0.9})
    elif what == "note":
        value(app, "memos.set_note", user, old, ["changed"])
    else:
        value(app, "memos.link_memories", user, old, new, "related", 0.1)
    before = image(superuser, user)
    error = failure(app, "memos.undo_evolution", user, evolution_id)
    assert error.sqlstate == "MO409"
    assert str(old) in error.diag.message_detail
    assert image(superuser, user) == before


def test_memories_are_named_by_id_and_stale_decisions_refused(
    app: Connection, superuser: Connection, user: UUID, trio: list[UUID]
) -> None:
    old, other, new = map(str, trio)
    before = image(superuser, user)
    bad = {
        "MO409": [{"neighbours": [{"memory_id": old, "version": 2, "tags": ["x"]}]}],
        "MO404": [
            {"neighbours": [{"memory_id": str(uuid4()), "tags": ["x"]}]},
            {"links": [{"to": str(uuid4()), "type": "related", "weight": 1}]},
            {"neighbours": [{"memory_id": other, "tags": ["x"]}, {"memory_id": str(uuid4())}]},
        ],
        "MO400": [
            [], {"sql": 1}, {"neighbours": {}}, {"neighbours": [0]}, {"neighbours": [{}]},
            {"neighbours": [{"memory_id": 0}]}, {"neighbours": [{"memory_id": new, "tags": ["x"]}]},
            {"neighbours": [{"memory_id": old}, {"memory_id": old}]},
            {"neighbours": [{"memory_id": old, "tags": "x"}]},
            {"neighbours": [{"memory_id": old, "version": "one"}]},
            {"neighbours": [{"memory_id": old, "user_id": 1}]},
            {"neighbours": [{"memory_id": old, "content": " "}]},
            {"neighbours": [{"memory_id": old, "note": {"made_by": "x"}}]},
            {"neighbours": [{"memory_id": old, "note": {"tags": [""]}}]},
            {"neighbours": [{"memory_id": old, "note": {"tags": "x"}}]},
            {"links": [{"to": old, "type": "related"}]},
            {"links": [{"to": old, "type": "related", "weight": 2}]},
            {"links": [{"to": old, "type": "related", "weight": 1e300}]},
            {"links": [{"to": old, "type": "related", "weight": "1"}]},
            {"links": [{"to": old, "type": "Is A", "weight": 1}]},
            {"links": [{"to": new, "type": "related", "weight": 1}]},
            {"reason": "x" * 901},
        ],
    }  # fmt: skip
    for sqlstate, cases in bad.items():
        for changes in cases:
            error = failure(app, "memos.apply_evolution", user, new, Jsonb(changes))
            assert error.sqlstate == sqlstate, changes
    assert failure(app, "memos.apply_evolution", user, new, None).sqlstate == "MO400"
    assert failure(app, "memos.apply_evolution", user, new, {}, " ").sqlstate == "MO400"
    assert failure(app, "memos.apply_evolution", uuid4(), new, {}).sqlstate == "MO404"
    assert failure(app, "memos.undo_evolution", user, uuid4()).sqlstate == "MO404"
    value(app, "memos.pin_memory", user, old)
    pinned = {"neighbours": [{"memory_id": old, "content": "x"}]}
    assert failure(app, "memos.apply_evolution", user, new, pinned).sqlstate == "MO409"
    value(app, "memos.pin_memory", user, old, False)
    assert image(superuser, user) == before
    assert rows(app, "memos.list_evolutions", user) == []


def test_cold_memories_evolve_like_others_and_a_weight_may_be_tiny(
    app: Connection, user: UUID, trio: list[UUID]
) -> None:
    def cool() -> None:
        for memory in trio:
            value(app, "memos.move_to_tier", user, memory, "cold")

    old, other, new = trio
    cool()
    evolution_id = value(
        app, "memos.apply_evolution", user, new, Jsonb({
            "neighbours": [{"memory_id": str(old), "tags": ["x"]}],
            "links": [{"to": str(other), "type": "related", "weight": 1e-300}],
        }),
    )  # fmt: skip
    cool()
    assert value(app, "memos.undo_evolution", user, evolution_id) == 2
    value(app, "memos.move_to_tier", user, new, "cold")
    assert evolve(app, user, new)[0] is not None
    cool()
    assert len(rows(app, "memos.make_note", user, old)) == 1


def test_a_link_that_a_caller_made_holds(app: Connection, user: UUID, trio: list[UUID]) -> None:
    old, _, new = trio
    value(app, "memos.link_memories", user, old, new, "related", 0.25)
    evolve(app, user, new)
    links = {row[2]: row[3:5] for row in rows(app, "memos.list_links", user, new) if row[0] == old}
    assert links["related"] == (0.25, "caller")


# The job ------------------------------------------------------------------------------------------


def test_the_job_evolves_each_new_memory_once_whoever_runs_it(
    module_database: Database, app: Connection, admin: Connection, user: UUID, trio: list[UUID]
) -> None:
    def work(_: int) -> None:
        with module_database.connect("memos_admin") as session:
            session.execute("call memos_admin.evolve_memories(%s)", (user,))

    at_once(2, work)
    (entry,) = rows(app, "memos.list_evolutions", user)
    assert (entry[1], entry[2]) == (trio[2], "rules")
    assert rows(admin, "memos_admin.memories_to_evolve", user, 10) == []
    work(0)
    assert len(rows(app, "memos.list_evolutions", user)) == 1


def test_a_model_decides_and_another_users_memory_is_out_of_reach(
    app: Connection, admin: Connection, user: UUID, trio: list[UUID]
) -> None:
    old, _, new = trio
    stranger = add(app, uuid4(), "somebody else's memory")
    named = [str(stranger)]

    def reply(body: dict[str, Any]) -> str:
        shown = json.loads(body["prompt"])
        near = [neighbour["memory_id"] for neighbour in shown["neighbours"]]
        change = {
            "memory_id": (named or near)[0],
            "tags": ["medicine"],
            "context": "Anna's medicine",
        }
        return json.dumps({"reason": "r", "neighbours": [change] if near else [], "links": []})

    job = "call memos_admin.evolve_memories(%s)"
    try:
        with MisbehavingServer("good", reply=reply) as server:
            options = Jsonb({"url": server.url, "model": "llama"})
            value(admin, "memos_admin.configure_note_provider", "http", options)
            admin.execute(job, (user,))
            assert rows(app, "memos.list_evolutions", user) == []
            assert new in {row[1] for row in rows(admin, "memos_admin.memories_to_evolve", user, 9)}
            named.clear()
            admin.execute(job, (user,))
    finally:
        value(admin, "memos_admin.configure_note_provider", "rules")
    entries = rows(app, "memos.list_evolutions", user)
    assert {entry[2] for entry in entries} == {"llama"}
    assert rows(app, "memos.get_note", user, old)[0][3:5] == (["medicine"], "Anna's medicine")
    for entry in entries:
        value(app, "memos.undo_evolution", user, entry[0])
    assert rows(app, "memos.get_note", user, old)[0][4] == "about Lisinopril"


# JSON ---------------------------------------------------------------------------------------------


def test_a_network_goes_to_another_user_and_back_complete(
    app: Connection, user: UUID, trio: list[UUID]
) -> None:
    value(app, "memos.link_memories", user, trio[2], trio[0], "supports", 0.5)
    network = value(app, "memos.export_network", user)
    assert set(network["memories"]) == set(map(str, trio))
    node = network["memories"][str(trio[2])]
    assert node["embedding"] == pytest.approx([1, 0.2], abs=1e-3)
    assert {(c["connection_type"], c["bidirectional"]) for c in node["connections"]} == {
        ("semantic", True), ("supports", False),
    }  # fmt: skip
    other = uuid4()
    links = len({
        frozenset((key, c["target_id"], c["connection_type"]))
        for key, n in network["memories"].items() for c in n["connections"]
    })  # fmt: skip
    assert rows(app, "memos.import_network", other, network, "v") == [(3, 3, links, 0)]
    assert rows(app, "memos.import_network", other, network, "v") == [(3, 0, 0, 0)]
    assert rows(app, "memos.import_network", user, network, "v") == [(3, 0, 0, 0)]

    def shape(exported: Any) -> Any:
        names = {key: node["content"] for key, node in exported["memories"].items()}
        return {
            node["content"]: (
                node["memory_type"], node["attributes"], node["embedding"],
                sorted(
                    json.dumps(c | {"target_id": names[c["target_id"]]}, sort_keys=True)
                    for c in node["connections"]
                ),
            )
            for node in exported["memories"].values()
        }  # fmt: skip

    assert shape(value(app, "memos.export_network", other)) == shape(network)


OLD: dict[str, Any] = {
    "similarity_threshold": 0.7,
    "max_connections": 10,
    "memories": {
        "0123456789ab": {
            "id": "0123456789ab", "memory_type": "finding", "content": "Water boils at 100 C",
            "attributes": {"source": "book"}, "embedding": [1.0, 0.5],
            "connections": [
                {"target_id": "ba9876543210", "connection_type": "supports", "strength": 0.9,
                 "bidirectional": True, "metadata": {}},
                {"target_id": "gone", "connection_type": "semantic", "strength": 0.8},
                {"target_id": "0123456789ab", "connection_type": "related", "strength": 0.8},
            ],
            "created_at": 1700000000.5, "access_count": 3, "last_accessed": 1700000001.0,
        },
        "ba9876543210": {
            "id": "ba9876543210", "memory_type": "Very Odd", "content": "At sea level",
            "connections": [
                {"target_id": "0123456789ab", "connection_type": "answers", "strength": 7,
                 "bidirectional": False},
            ],
            "created_at": 1700000002,
        },
    },
}  # fmt: skip


def test_the_old_networks_json_is_read_with_its_reverse_edges(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    assert rows(app, "memos.import_network", user, OLD) == [(2, 2, 3, 1)]
    assert rows(app, "memos.import_network", user, OLD) == [(2, 0, 0, 1)]
    listed = app.execute(
        "select content, kind, metadata, provenance, extract(epoch from occurred_at)::float8,"
        " memory_id from memos.list_memories(%s)",
        (user,),
    ).fetchall()
    (level, water) = listed
    assert water[:5] == (
        "Water boils at 100 C", "finding", {"source": "book"}, "imported", 1700000000.5,
    )  # fmt: skip
    assert level[1:3] == ("semantic", {"memory_type": "Very Odd"})
    links = {(row[2], row[1], round(row[3], 3)) for row in links_of(app, user, water[5])}
    assert links == {("supports", "to", 0.9), ("supports", "from", 0.9), ("answers", "from", 1)}
    pending = "select count(*) from memos_private.embedding_queue where user_id = %s"
    assert superuser.execute(pending, (user,)).fetchone() == (2,), (
        "its vectors are of no model here"
    )


NOTE = {"keywords": ["k"], "tags": [], "context": "", "made_by": "caller"}


@pytest.mark.parametrize(
    "network",
    [
        None, [], {}, {"memories": []}, {"memories": {"a": 1}}, {"memories": {"a": {}}},
        {"memories": {"a": {"content": ""}}},
        {"memories": {"a": {"content": "x", "attributes": []}}},
        {"memories": {"a": {"content": "x", "connections": {}}}},
        {"memories": {"a": {"content": "x", "created_at": "now"}}},
        {"memories": {"a": {"content": "x", "created_at": 1e300}}},
        *(
            {"memories": {"a": {"content": "x", "attributes": {"memos": {"note": note}}}}}
            for note in (5, [NOTE], {}, NOTE | {"tags": 5}, NOTE | {"keywords": ["k"] * 65},
                         NOTE | {"made_by": ""})
        ),
        {"memories": {"a": {"content": "x", "connections": [7]}}},
        {"memories": {"a": {"content": "x", "connections": [{"target_id": "a"}]}}},
        {"memories": {"a": {"content": "x", "attributes": {"memos": {"importance": 2}}}}},
    ],
)  # fmt: skip
def test_bad_networks(app: Connection, user: UUID, network: Any) -> None:
    with pytest.raises(psycopg.Error) as caught:
        app.execute(
            "select * from memos.import_network(%s, %s)",
            (user, None if network is None else Jsonb(network)),
        )
    assert caught.value.sqlstate == "MO400"
    assert value(app, "memos.memory_stats", user) == 0
