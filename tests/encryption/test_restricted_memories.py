"""Restricted memories through their life: what is encrypted, and what is not made of them."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from key_support import LOCKED, SEALED, contents, everything, keyed, opened, stored, tell
from memory_support import (
    Connection,
    add,
    assert_index_equals_a_recount,
    failure,
    rows,
    value,
    vector,
    vectors,
)
from support.people import sqlstate_of
from support.postgres import Database


@pytest.fixture
def wrapping(app: Connection, user: UUID) -> Iterator[bytes]:
    """The key of a user, who has nothing yet."""
    return keyed(app, user)


def test_stored_without_a_word_of_it(
    module_database: Database, app: Connection, user: UUID, wrapping: bytes
) -> None:
    with opened(app, user, wrapping):
        memory = tell(
            app,
            user,
            "zzsecret at night",
            p_metadata={"note": "zzsecretmetadata"},
            p_tags=["sleep"],
        )
        batch = [
            {"content": "zzsecretfirst", "privacy_level": "restricted"},
            {"content": "open", "privacy_level": "balanced"},
            {
                "content": "zzsecretsecond",
                "privacy_level": "restricted",
                "metadata": {"a": "zzsecretb"},
            },
        ]
        made = rows(app, "memos.add_memories", user, batch)
        assert [row[2] for row in made] == [True] * 3
        # The same text is the same memory, and the same request gets the same answer.
        assert tell(app, user, "zzsecret at night") == memory
        assert rows(app, "memos.add_memories", user, batch)[2][1:] == (made[2][1], False)
        asked = tell(app, user, "zzsecretasked", p_request_id="r1")
        assert tell(app, user, "zzsecretasked", p_request_id="r1") == asked
        assert contents(app, user) == [
            "zzsecret at night", "zzsecretfirst", "open", "zzsecretsecond", "zzsecretasked",
        ]  # fmt: skip
    with module_database.connect() as superuser:
        assert_index_equals_a_recount(superuser)
    assert "zzsecret" not in everything(module_database)
    assert contents(app, user, p_tags=["sleep"]) == [LOCKED]
    assert contents(app, user) == [LOCKED, LOCKED, "open", LOCKED, LOCKED]


def test_no_vector_is_taken_or_made(
    database: Database, user: UUID, request: pytest.FixtureRequest
) -> None:
    with database.connect("memos_admin") as admin:
        admin.execute("select memos_admin.register_embedding_model('three', 3, 'external')")
        admin.execute("select memos_admin.register_embedding_model('hash', 64, 'hash')")
    with database.connect("memos_app") as app:
        wrapping = keyed(app, user)
        with opened(app, user, wrapping):
            refused = "select memos.add_memory(%s, 'a', p_embedding => %s, p_privacy_level => %s)"
            assert sqlstate_of(app, refused, user, vector(1, 2, 3), "restricted") == "MO400"
            assert sqlstate_of(app, refused, user, vector(1, 2, 3), "balanced") is None
            batch = "select memos.add_memories(%s, %s, %s)"
            one = '[{"content": "b", "privacy_level": "restricted"}]'
            assert sqlstate_of(app, batch, user, one, vectors([1, 2, 3])) == "MO400"
            memory = tell(app, user, "c")
            assert rows(app, "memos.memory_stats", user)[0][7:9] == (1, 1)
        with database.connect("memos_admin") as admin:
            admin.execute("select memos_admin.register_embedding_model('later', 64, 'hash')")
            admin.execute("call memos_admin.embed_pending()")
            claimed = admin.execute("select content from memos_admin.claim_embeddings('w')")
            assert [row[0] for row in claimed] == []
        # Lowered, it is embedded like any other; raised again, its vectors go.
        count = "select count(*) from memos_private.embedding where memory_id = %s"
        with opened(app, user, wrapping):
            value(app, "memos.update_memory", user, memory, {"privacy_level": "balanced"})
        with database.connect("memos_admin") as admin:
            admin.execute("call memos_admin.embed_pending()")
        assert database.value(count, memory) == 2
        with opened(app, user, wrapping):
            value(app, "memos.update_memory", user, memory, {"privacy_level": "restricted"})
        assert database.value(count, memory) == 0


def test_the_level_decides(
    module_database: Database, app: Connection, user: UUID, wrapping: bytes
) -> None:
    memory = add(app, user, "zzsecretphone lessons", p_metadata={"teacher": "zzsecretlylow"})
    with opened(app, user, wrapping):
        value(app, "memos.update_memory", user, memory, {"tags": ["music"]})
        assert value(app, "memos.update_memory", user, memory, {"privacy_level": "restricted"}) == 3
        # With all that it was before.
        history = rows(app, "memos.memory_history", user, memory)
        assert [(row[1], row[4]) for row in history] == [
            ("zzsecretphone lessons", {"teacher": "zzsecretlylow"})
        ] * 3
        assert rows(app, "memos.search_memories", user, "zzsecretphone") == []
        assert value(app, "memos.update_memory", user, memory, {"content": "cello"}) == 4
        assert value(app, "memos.update_memory", user, memory, {"content": "cello"}) == 4
        assert value(app, "memos.update_memory", user, memory, {"metadata": {"a": 1}}) == 5
        assert value(app, "memos.update_memory", user, memory, {"privacy_level": "minimal"}) == 6
        assert [row[3] for row in rows(app, "memos.search_memories", user, "cello")] == ["cello"]
    assert stored(module_database, memory)[0::2] == ("cello", {"a": 1})
    assert "zzsecretlylo" not in everything(module_database)
    assert [row[1] for row in rows(app, "memos.memory_history", user, memory)] == [
        *[LOCKED] * 5, "cello",
    ]  # fmt: skip
    with module_database.connect() as superuser:
        assert_index_equals_a_recount(superuser)


def test_the_same_content_twice(app: Connection, user: UUID, wrapping: bytes) -> None:
    with opened(app, user, wrapping):
        first, second = tell(app, user, "one"), tell(app, user, "two")
        update = "select memos.update_memory(%s, %s, %s)"
        assert sqlstate_of(app, update, user, second, '{"content": "one"}') == "MO409"
        # In clear and encrypted, it is two memories.
        assert add(app, user, "one") != first
        assert sqlstate_of(app, update, user, first, '{"privacy_level": "balanced"}') == "MO409"
    assert tell(app, uuid4(), "one") != first


def test_the_past_is_read_like_the_present(app: Connection, user: UUID, wrapping: bytes) -> None:
    with opened(app, user, wrapping):
        memory = tell(app, user, "before")
    then = app.execute("select clock_timestamp()").fetchone()[0]
    with opened(app, user, wrapping):
        value(app, "memos.update_memory", user, memory, {"content": "after"})
        row = rows(app, "memos.get_memory", user, memory, p_recorded_at=then)[0]
        assert (row[1], row[2]) == (1, "before")
        row = rows(app, "memos.get_memory", user, memory, p_valid_at=then)[0]
        assert (row[1], row[2]) == (1, "before")


def test_found_beside_what_is_found(app: Connection, user: UUID, wrapping: bytes) -> None:
    with opened(app, user, wrapping):
        add(app, user, "we spoke of the weather", p_session_id="s", p_position=1)
        hidden = tell(app, user, "and of pills", p_session_id="s", p_position=2)
    search = {"p_record": True, "p_explain": True}
    found = rows(app, "memos.search_memories", user, "weather", **search)
    assert [row[3] for row in found] == ["we spoke of the weather", LOCKED]
    assert "links only" in found[0][11]["encrypted"]
    with opened(app, user, wrapping):
        assert rows(app, "memos.search_memories", user, "weather")[1][3] == "and of pills"
        replayed = rows(app, "memos.replay_search", user, found[0][12])
        assert replayed[1][3] == "and of pills"
        budget = rows(app, "memos.search_memories", user, "weather", p_token_budget=12)
        assert [row[3] for row in budget] == ["we spoke of the weather", "and of pills"]
        assert rows(app, "memos.search_memories", user, "pills") == []
        rows(app, "memos.pin_memory", user, hidden)
        hot = rows(app, "memos.hot_memories", user, p_token_budget=10)
        assert [(row[3], row[11]) for row in hot] == [("and of pills", 3)]
    assert [row[3] for row in rows(app, "memos.hot_memories", user)] == [LOCKED]
    assert rows(app, "memos.replay_search", user, found[0][12])[1][3] == LOCKED


def test_nothing_is_derived(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        wrapping = keyed(app, user)
        with opened(app, user, wrapping):
            one = tell(app, user, "Drinks two glasses of wine.")
            two = tell(app, user, "drinks two glasses of wine")
            plain = add(app, user, "something else to compare it with")
            value(app, "memos.link_memories", user, one, plain)
            assert rows(app, "memos.related_memories", user, plain)[0][5] == (
                "Drinks two glasses of wine."
            )
            assert rows(app, "memos.find_duplicates", user, "Drinks two glasses of wine.") == []
        assert rows(app, "memos.related_memories", user, plain)[0][5] == LOCKED
        assert rows(app, "memos.list_links", user, plain)[0][-1] == LOCKED
        admin.execute("call memos_admin.make_notes()")
        admin.execute("call memos_admin.run_maintenance()")
        assert {row[0] for row in rows(app, "memos.list_notes", user)} <= {plain}
        assert failure(app, "memos.make_note", user, one).sqlstate == "MO400"
        assert failure(app, "memos.set_note", user, one, ["wine"]).sqlstate == "MO400"
        assert rows(app, "memos.consolidate_memories", user, p_dry_run=True) == []
        assert {row[0] for row in rows(app, "memos.list_memories", user)} == {one, two, plain}
        with opened(app, user, wrapping):
            fact = "select memos.assert_fact(%s, 'Ann', 'illness', 'zoster', p_privacy_level => %s)"
            assert sqlstate_of(app, fact, user, "restricted") == "MO400"
            assert sqlstate_of(app, fact, user, "balanced") is None
            network = value(app, "memos.export_network", user)["memories"]
            assert network[str(one)]["content"] == "Drinks two glasses of wine."
        assert value(app, "memos.export_network", user)["memories"][str(one)]["content"] == LOCKED
        database.value("select memos_admin.rebuild_postings()")
        with database.connect() as superuser:
            assert_index_equals_a_recount(superuser)


def test_cold_and_back(
    module_database: Database, app: Connection, user: UUID, wrapping: bytes
) -> None:
    with opened(app, user, wrapping):
        memory = tell(app, user, "zzsecretcold facts", p_metadata={"a": "zzsecretb"})
        rows(app, "memos.move_to_tier", user, memory, "cold")
        assert rows(app, "memos.get_memory", user, memory)[0][2] == "zzsecretcold facts"
        assert contents(app, user) == []
        assert contents(app, user, p_include_cold=True) == ["zzsecretcold facts"]
    assert "zzsecretcold" not in everything(module_database)
    assert contents(app, user, p_include_cold=True) == [LOCKED]
    with opened(app, user, wrapping):
        assert tell(app, user, "zzsecretcold facts") == memory
        assert contents(app, user) == ["zzsecretcold facts"]


def test_what_cannot_be_told_from_a_sealed_text_is_refused(app: Connection, user: UUID) -> None:
    memory = add(app, user, "fine")
    for bad in (LOCKED, f"{SEALED}1:AAAA", "memos:sealed:"):
        assert failure(app, "memos.add_memory", user, bad).sqlstate == "MO400"
        changes = {"content": bad}
        assert failure(app, "memos.update_memory", user, memory, changes).sqlstate == "MO400"
    add(app, user, f"quoted: {LOCKED}")


def test_tampering_is_loud(
    module_database: Database, app: Connection, user: UUID, wrapping: bytes
) -> None:
    with opened(app, user, wrapping):
        memory, other = tell(app, user, "true"), tell(app, user, "other")
    sealed, others = stored(module_database, memory)[0], stored(module_database, other)[0]
    head, _, data = sealed.rpartition(":")
    for changed in (
        others,  # of another memory
        f"{head}:{data[:30]}{'A' if data[30] != 'A' else 'B'}{data[31:]}",
        f"{head}:{data[:-4]}",
        f"{head}:{data[:-1]}",
        f"{head}:{data}\n",
        f"{head}:",
        f"{head}:AAAA",
        f"memos:sealed:1:7:{data}",
        f"memos:sealed:2:1:{data}",
        "memos:sealed:x",
    ):
        with module_database.connect() as superuser:
            superuser.execute(
                "update memos_private.memory set content = %s where memory_id = %s",
                (changed, memory),
            )
        with opened(app, user, wrapping):
            for call in ("get_memory(%s, %s)", "update_memory(%s, %s, '{\"tags\": []}')"):
                assert sqlstate_of(app, f"select memos.{call}", user, memory) == "MO500", changed
            assert sqlstate_of(app, "select memos.list_memories(%s)", user) == "MO500", changed
            value_of = "select set_config('memos.user_id', %s, true)"
            app.execute(value_of, (str(user),))
            assert sqlstate_of(app, "select content from memos.memory") == "MO500", changed


def test_required(database: Database, user: UUID) -> None:
    with database.connect("memos_admin") as admin:
        setting = "memos_admin.set_setting"
        assert failure(admin, setting, "restricted_encryption", "often").sqlstate == "MO400"
        rows(admin, setting, "restricted_encryption", "required")
    with database.connect("memos_app") as app:
        memory = add(app, user, "open")
        refused = failure(app, "memos.add_memory", user, "x", p_privacy_level="restricted")
        assert refused.sqlstate == "MO451"
        raised = {"privacy_level": "restricted"}
        assert failure(app, "memos.update_memory", user, memory, raised).sqlstate == "MO451"
        with opened(app, user, keyed(app, user)):
            tell(app, user, "x")
            value(app, "memos.update_memory", user, memory, raised)


def test_the_users_own_level_encrypts(
    module_database: Database, app: Connection, user: UUID, wrapping: bytes
) -> None:
    rows(app, "memos.update_settings", user, {"default_privacy_level": "restricted"})
    assert failure(app, "memos.add_memory", user, "anything").sqlstate == "MO403"
    with opened(app, user, wrapping):
        memory = add(app, user, "anything")
        assert sqlstate_of(app, "select memos.assert_fact(%s, 'a', 'b', 'c')", user) == "MO400"
    assert stored(module_database, memory)[0].startswith(SEALED)
