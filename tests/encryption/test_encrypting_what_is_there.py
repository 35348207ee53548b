"""Making a key encrypts what was stored before, with everything that was made of it."""

from __future__ import annotations

from uuid import UUID

from key_support import LOCKED, contents, everything, key, keyed, opened, tell
from memory_support import (
    Connection,
    add,
    assert_index_equals_a_recount,
    failure,
    row_counts,
    rows,
    value,
)
from support.people import sqlstate_of
from support.postgres import Database


def fill(database: Database, user: UUID) -> dict[str, UUID]:
    """Restricted memories in every table that holds something of a memory; all say "zzsecret"."""
    ids = {}
    with database.connect("memos_admin") as admin:
        admin.execute("select memos_admin.register_embedding_model('hash', 64, 'hash')")
    with database.connect("memos_app") as app:
        ids["plain"] = add(app, user, "an open memory with some words", p_metadata={"open": 1})
        for n in range(4):
            ids[f"like {n}"] = tell(
                app,
                user,
                f"zzsecretlike the same words over and over {n}",
                p_metadata={"m": "zzsecretmeta"},
            )
        ids["updated"] = tell(app, user, "zzsecretold version")
        rows(app, "memos.update_memory", user, ids["updated"], {"content": "zzsecretnew version"})
        ids["raised"] = add(app, user, "zzsecretonce in clear")
        rows(app, "memos.update_memory", user, ids["raised"], {"privacy_level": "restricted"})
        ids["deleted"] = tell(app, user, "zzsecretdeleted one")
        rows(app, "memos.delete_memory", user, ids["deleted"])
        ids["cold"] = tell(app, user, "zzsecretcold one", p_metadata={"c": "zzsecretmeta"})
        ids["gone cold"] = tell(app, user, "zzsecretgone cold unembedded")
        rows(
            app,
            "memos.assert_fact",
            user,
            "Ann",
            "illness",
            "zzsecretfact",
            p_privacy_level="restricted",
        )
        rows(
            app,
            "memos.assert_fact",
            user,
            "Ann",
            "illness",
            "zzsecretcure",
            p_privacy_level="restricted",
        )
        rows(app, "memos.move_to_tier", user, ids["gone cold"], "cold")
        with database.connect("memos_admin") as admin:
            admin.execute("call memos_admin.embed_pending()")
            admin.execute("call memos_admin.link_similar()")
            admin.execute("call memos_admin.make_notes()")
        assert rows(app, "memos.evolve_memory", user, ids["like 2"])[0][0]
        rows(
            app,
            "memos.update_memory",
            user,
            ids["like 1"],
            {"content": "zzsecretlike changed since"},
        )
        rows(app, "memos.move_to_tier", user, ids["cold"], "cold")
        rows(app, "memos.merge_memories", user, ids["like 2"], [ids["like 3"]])
        rows(app, "memos.cache_put", user, "content", "q", {"answer": "zzsecretcached"})
        add(app, user, "waiting for its vector and its note")
        ids["waiting"] = tell(app, user, "zzsecretwaiting for its vector and its note")
    return ids


def test_every_trace_goes(database: Database, user: UUID) -> None:
    ids = fill(database, user)
    with database.connect() as superuser:
        before = row_counts(superuser)
        (versions,) = superuser.execute("""
            select count(*)
            from (
                select content from memos_private.memory
                union all select content from memos_private.memory_cold
                union all select content from memos_private.memory_history
            ) as v
            where v.content like '%zzsecret%'
        """).fetchone()
    for table in (
        "memory", "memory_history", "memory_cold", "embedding", "embedding_cold",
        "embedding_history", "embedding_queue", "memory_link", "memory_note", "fact",
        "fact_history", "cache_entry", "consolidation_action",
        "memory_evolution", "evolution_change",
    ):  # fmt: skip
        assert before[f"memos_private.{table}"], f"nothing in {table}: the test tests nothing"
    assert "zzsecret" in everything(database)
    with database.connect("memos_app") as app:
        told = contents(app, user, p_include_cold=True)
        words = rows(app, "memos.search_memories", user, "words")
        assert len(words) > 1
        wrapping = key()
        encrypted = value(app, "memos.create_user_key", user, wrapping)
        found = [line for line in everything(database).splitlines() if "zzsecret" in line]
        assert found == []
        assert encrypted == versions > 10
        status = rows(app, "memos.key_status", user)[0]
        assert status[4:] == (False, versions, 0)
        # Nothing is lost, and the others are as they were.
        with opened(app, user, wrapping):
            assert contents(app, user, p_include_cold=True) == told
            history = rows(app, "memos.memory_history", user, ids["raised"])
            assert [row[1] for row in history] == ["zzsecretonce in clear"] * 2
            deleted = rows(app, "memos.memory_history", user, ids["deleted"])
            assert deleted[0][1] == "zzsecretdeleted one"
            row = rows(app, "memos.get_memory", user, ids["cold"])[0]
            assert (row[2], row[5]) == ("zzsecretcold one", {"c": "zzsecretmeta"})
            assert value(app, "memos.encrypt_restricted", user) == 0
            assert tell(app, user, "zzsecretcold one") == ids["cold"]
            assert tell(app, user, "zzsecretnew version") == ids["updated"]
        assert failure(app, "memos.encrypt_restricted", user).sqlstate == "MO403"
        assert [row[1] for row in rows(app, "memos.search_memories", user, "words")] == [
            ids["plain"]
        ]
        row = rows(app, "memos.get_memory", user, ids["plain"])[0]
        assert (row[2], row[5]) == ("an open memory with some words", {"open": 1})
    with database.connect("memos_admin") as admin:
        admin.execute("call memos_admin.embed_pending()")
        admin.execute("call memos_admin.run_maintenance()")
        assert rows(admin, "memos_admin.encryption_status")[0] == (
            "when_keyed", False, 1, 0, versions, 0, 0,
        )  # fmt: skip
    assert "zzsecret" not in everything(database)
    with database.connect() as superuser:
        assert_index_equals_a_recount(superuser)
        vectors = superuser.execute(
            "select memory_id from memos_private.embedding as e"
            " join memos_private.memory as m using (user_id, memory_id)"
            " where m.privacy_level = 'restricted'"
        ).fetchall()
        assert vectors == []


def test_what_slipped_by_is_counted_and_caught(database: Database, user: UUID) -> None:
    """A restored backup, or a session whose snapshot was older than the key."""
    with database.connect("memos_app") as app, database.connect("memos_app") as late:
        late.execute("begin isolation level repeatable read")
        late.execute("select count(*) from memos.memory_stats(%s)", (user,))
        wrapping = keyed(app, user)
        tell(late, user, "zzsecretlate")
        late.execute("commit")
        with opened(app, user, wrapping):
            twin = tell(app, user, "zzsecretlate")
            assert contents(app, user) == ["zzsecretlate", "zzsecretlate"]
        assert rows(app, "memos.key_status", user)[0][5:] == (1, 1)
        with database.connect("memos_admin") as admin:
            assert rows(admin, "memos_admin.encryption_status")[0][4:] == (1, 1, 1)
        with opened(app, user, wrapping):
            assert value(app, "memos.encrypt_restricted", user) == 1
            assert rows(app, "memos.list_memories", user)[0][0] == twin
            assert contents(app, user) == ["zzsecretlate"]
    assert "zzsecret" not in everything(database)


def test_not_on_an_old_snapshot(app: Connection, user: UUID) -> None:
    with app.transaction():
        app.execute("set transaction isolation level repeatable read")
        create = "select memos.create_user_key(%s, %s)"
        assert sqlstate_of(app, create, user, key()) == "MO409"
    assert rows(app, "memos.key_status", user) == [(None, None, None, None, False, 0, 0)]


def test_nothing_to_tell(database: Database, user: UUID) -> None:
    with database.connect("memos_admin") as admin, database.connect("memos_app") as app:
        status = "memos_admin.encryption_status"
        assert rows(admin, status) == [("when_keyed", False, 0, 0, 0, 0, 0)]
        tell(app, user, "in clear")
        assert rows(admin, status) == [("when_keyed", False, 0, 0, 0, 1, 0)]
        keyed(app, user)
        assert rows(admin, status) == [("when_keyed", False, 1, 0, 1, 0, 0)]
        value(admin, "memos_admin.destroy_user_key", user)
        assert rows(admin, status) == [("when_keyed", False, 0, 1, 1, 0, 0)]


def test_nobody_elses(app: Connection, user: UUID) -> None:
    other = value(app, "memos.user_id", "somebody else")
    tell(app, other, "stays")
    tell(app, user, "goes")
    keyed(app, user)
    assert contents(app, other) == ["stays"]
    assert contents(app, user) == [LOCKED]
