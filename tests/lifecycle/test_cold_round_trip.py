"""To cold storage and back: nothing is lost, nothing is left behind, and nothing is done twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from cold_support import (
    KEPT_ASIDE,
    assert_nothing_is_kept_aside,
    assert_tiers_are_consistent,
    image,
    move,
    results,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_support import Connection, add, failure, now, rows, value, vector, vectors
from support.postgres import Database


@pytest.fixture(scope="module", autouse=True)
def models(module_database: Database) -> None:
    with module_database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.register_embedding_model", "first", 3, "external",
             p_options={"window_chars": 40})  # fmt: skip
        rows(admin, "memos_admin.register_embedding_model", "second", 2, "external")


@pytest.fixture
def superuser(module_database: Database) -> Iterator[Connection]:
    with module_database.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def sessions(module_database: Database) -> Iterator[tuple[Connection, Connection, Connection]]:
    with (
        module_database.connect("memos_app") as app,
        module_database.connect("memos_admin") as admin,
        module_database.connect() as superuser,
    ):
        yield app, admin, superuser


words = st.lists(
    st.sampled_from(
        ["the", "running", "kiwi", "Straße", "café", "собаки", "القهوة", "过敏", "🎉", "J1", "A-62"]
    ),
    min_size=1, max_size=12,
).map(" ".join)  # fmt: skip
memories = st.fixed_dictionaries(
    {
        "content": words,
        "tags": st.lists(st.sampled_from(["a", 'b"{}', "Ä,'", "\\x"]), max_size=3),
        "metadata": st.dictionaries(st.text(max_size=3), st.none() | st.floats(-1e9, 1e9)),
        "language": st.sampled_from([None, "german", "russian", "simple"]),
        "session_id": st.none() | st.sampled_from(["s1", "s 2"]),
        "position": st.none() | st.integers(0, 5),
        "occurred_at": st.none() | st.sampled_from(["1955-01-01T00:00:00.000001Z", "2999-01-01"]),
        "importance": st.floats(0, 1, width=32),
        "embedding": st.none() | st.sampled_from([[1, 0, 0], [0, -1e-7, 2], [0.1, 0.2, 60000]]),
    }
)  # \u0000 is no text of PostgreSQL
memories = memories.filter(lambda memory: "\\u0000" not in json.dumps(memory))
links = st.lists(
    st.tuples(
        st.integers(0, 5), st.integers(0, 5), st.sampled_from(["related", "supports", "own_type"]),
        st.sampled_from(["caller", "automatic", "evolution"]),
    ),
    max_size=8,
)  # fmt: skip


@settings(
    max_examples=20, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    given_memories=st.lists(memories, min_size=1, max_size=6, unique_by=lambda m: m["content"]),
    given_links=links, steps=st.lists(st.sets(st.integers(0, 5)), min_size=1, max_size=3),
    back=st.permutations(range(6)), claimed=st.booleans(), hot=st.sets(st.integers(0, 5)),
)  # fmt: skip
def test_moving_there_and_back_changes_nothing(
    sessions: Any,
    given_memories: Any,
    given_links: Any,
    steps: Any,
    back: Any,
    claimed: Any,
    hot: Any,
) -> None:
    """Byte by byte, in whatever portions they go and in whatever order they come back."""
    app, admin, superuser = sessions
    user = uuid4()
    added = rows(app, "memos.add_memories", user, given_memories)
    ids = list(dict.fromkeys(row[1] for row in added))
    for a, b, kind, origin in given_links:
        if a != b and max(a, b) < len(ids):
            rows(app, "memos.link_memories", user, ids[a], ids[b], kind)
            superuser.execute(
                "update memos_private.memory_link set origin = %s where user_id = %s"
                " and type = %s and %s in (from_id, to_id)",
                (origin, user, kind, ids[a]),
            )
    value(app, "memos.pin_memory", user, ids[0])
    value(app, "memos.update_memory", user, ids[-1], {"valid_until": "2999-06-01"})
    if claimed:
        work = [r for r in rows(admin, "memos_admin.claim_embeddings", "w", 9999) if r[0] == user]
        done = [r for r in work if r[3] == "second"][:2] + [r for r in work if r[3] == "first"][:1]
        literal = vectors(*[[1, 2] if r[3] == "second" else [1, 2, 3] for r in done])
        if done:
            value(admin, "memos_admin.complete_embeddings", "w", results(done), literal)
    rows(app, "memos.link_similar", user, p_limit=2)
    warm = {ids[n] for n in hot if n < len(ids)}
    assert move(superuser, user, warm, "hot") == len(warm)

    before = image(superuser, user)
    known = {r[0]: r for r in rows(app, "memos.list_memories", user)}
    cold: set[UUID] = set()
    for step in steps:
        going = {ids[n] for n in step if n < len(ids)}
        assert move(superuser, user, going, "cold") == len(going - cold), "those there are skipped"
        cold |= going
    assert_tiers_are_consistent(superuser)
    tier = -1  # the last column of a memory
    for memory, row in known.items():
        expected = (*row[:tier], "cold") if memory in cold else row
        assert rows(app, "memos.get_memory", user, memory) == [expected]
    for n in back:
        if n < len(ids):
            assert move(superuser, user, [ids[n]], "hot" if ids[n] in warm else "warm") == (
                ids[n] in cold
            )
    assert image(superuser, user) == before
    assert_nothing_is_kept_aside(superuser, user)


def test_a_cold_memory_is_in_no_table_that_is_searched(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    memory, other = (
        add(app, user, f"kiwi {n}", p_embedding=vector(1, n, 0), p_session_id="s") for n in (1, 2)
    )
    value(app, "memos.link_memories", user, memory, other)
    rows(app, "memos.link_similar", user)
    assert value(app, "memos.move_to_tier", user, memory, "cold") is True
    tables = superuser.execute("""
        select a.attrelid::regclass::text, a.attname from pg_attribute as a
        join pg_class as c on c.oid = a.attrelid
        where c.relnamespace = 'memos_private'::regnamespace and c.relkind in ('r', 'p')
            and not c.relispartition
            and a.attname in ('memory_id', 'memory_ids', 'from_id', 'to_id')
    """).fetchall()
    found = {
        table
        for table, column in tables
        if superuser.execute(
            f"select 1 from {table} where %s::text = any (array[{column}::text])"
            if column != "memory_ids"
            else f"select 1 from {table} where %s::uuid = any (memory_ids)",
            (memory,),
        ).fetchone()
    }
    # Whoever works through the queue of notes drops what is not warm.
    queues = {"memos_private.note_block"}
    assert found - queues == {f"memos_private.{table}" for table in KEPT_ASIDE}
    assert image(superuser, user)["corpus"] == ["(memos.english,1,2)"]


def test_the_columns_of_memory_are_those_of_a_cold_memory(superuser: Connection) -> None:
    """A migration that adds one has to add it to both."""
    columns = {
        table: [
            (name, type_)
            for name, type_ in superuser.execute(
                "select attname, format_type(atttypid, atttypmod) from pg_attribute"
                " where attrelid = %s::regclass and attnum > 0 and not attisdropped",
                (f"memos_private.{table}",),
            )
        ]
        for table in ("memory", "memory_cold", "memory_link", "memory_link_cold")
    }
    own = ["lexemes", "frequencies", "pending", "links_due", "moved_at"]
    assert [c for c in columns["memory_cold"] if c[0] not in own] == columns["memory"]
    assert [c for c in columns["memory_link_cold"] if c[0] != "moved_at"] == columns["memory_link"]


def linked(app: Connection, user: UUID, memory: UUID) -> list[UUID]:
    return sorted(row[0] for row in rows(app, "memos.list_links", user, memory))


def test_a_link_waits_for_both_of_its_ends(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    a, b, c = (add(app, user, f"memory {n}") for n in range(3))
    for x, y in ((a, b), (b, c), (a, c)):
        value(app, "memos.link_memories", user, x, y)
    before = image(superuser, user)["link"]
    move(superuser, user, [a, b], "cold")
    assert linked(app, user, a) == [b, c], "both ends stay visible"
    assert linked(app, user, c) == [a, b]
    assert {row[0] for row in rows(app, "memos.related_memories", user, c)} == {a, b}
    move(superuser, user, [a], "warm")
    assert len(image(superuser, user)["link"]) == 1
    assert_tiers_are_consistent(superuser)
    move(superuser, user, [b], "warm")
    assert image(superuser, user)["link"] == before


def test_a_link_goes_with_an_end_that_is_deleted_meanwhile(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    a, b, c = (add(app, user, f"memory {n}") for n in range(3))
    value(app, "memos.link_memories", user, a, b)
    value(app, "memos.link_memories", user, a, c)
    move(superuser, user, [a], "cold")
    assert value(app, "memos.delete_memory", user, b) is True
    assert linked(app, user, a) == [c]
    assert value(app, "memos.unlink_memories", user, c, a) is True
    assert linked(app, user, a) == []
    move(superuser, user, [a], "warm")
    assert image(superuser, user)["link"] == []
    assert_nothing_is_kept_aside(superuser, user)


def link_queue(superuser: Connection, user: UUID) -> set[UUID]:
    query = "select unnest(memory_ids) from memos_private.link_queue where user_id = %s"
    return {row[0] for row in superuser.execute(query, (user,))}


def test_automatic_links_are_made_anew_only_when_something_has_changed(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    a, b = (
        add(app, user, f"a memory that is long enough {n}", p_embedding=vector(1, n / 10, 0))
        for n in (1, 2)
    )
    rows(app, "memos.link_similar", user)
    assert linked(app, user, a) == [b]
    move(superuser, user, [a], "cold")
    move(superuser, user, [a], "warm")
    assert link_queue(superuser, user) == set()

    move(superuser, user, [a], "cold")
    new = add(app, user, "a memory that is new and near", p_embedding=vector(1, 0.1, 0))
    rows(app, "memos.link_similar", user)
    assert linked(app, user, new) == [b]
    move(superuser, user, [a], "warm")
    rows(app, "memos.link_similar", user)
    assert linked(app, user, new) == sorted([a, b])

    move(superuser, user, [a], "cold")
    value(app, "memos.update_memory", user, b, {"content": "about something else, long enough"})
    move(superuser, user, [a], "warm")
    assert linked(app, user, a) == [new], "what it said is gone, and so is the likeness"
    assert a in link_queue(superuser, user)


def test_a_model_that_comes_or_goes_meanwhile(database: Database, user: UUID) -> None:
    with (
        database.connect("memos_app") as app,
        database.connect("memos_admin") as admin,
        database.connect() as superuser,
    ):
        for name in ("first", "second"):
            rows(admin, "memos_admin.register_embedding_model", name, 2, "external")
        memory = add(app, user, "kiwi", p_embedding=vector(1, 0))
        move(superuser, user, [memory], "cold")
        rows(admin, "memos_admin.register_embedding_model", "third", 2, "external")
        rows(admin, "memos_admin.set_default_embedding_model", "third")
        admin.execute("call memos_admin.drop_embedding_model('first')")
        move(superuser, user, [memory], "warm")
        assert image(superuser, user)["embedding"] == []
        claimed = rows(admin, "memos_admin.claim_embeddings", "w")
        assert sorted(row[3] for row in claimed) == ["second", "third"]
        assert_nothing_is_kept_aside(superuser, user)


def test_what_is_pending_waits_with_its_memory(
    app: Connection, admin: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, "kiwi")

    def mine() -> list[Any]:
        return [r for r in rows(admin, "memos_admin.claim_embeddings", "w", 999) if r[0] == user]

    move(superuser, user, [memory], "cold")
    assert mine() == []
    move(superuser, user, [memory], "warm")
    work = mine()
    assert len(work) == 2
    move(superuser, user, [memory], "cold")
    done = ("w", results(r for r in work if r[3] == "second"), vectors([1, 2]))
    late = value(admin, "memos_admin.complete_embeddings", *done)
    assert late == 0, "dropped, as for a memory that is gone"
    move(superuser, user, [memory], "warm")
    assert value(admin, "memos_admin.complete_embeddings", *done) == 1


def test_the_same_content_is_the_same_memory_in_every_tier(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    memory, other = add(app, user, "kiwi"), add(app, user, "mango", p_request_id="r")
    move(superuser, user, [memory, other], "cold")
    assert add(app, user, "mango again", p_request_id="r") == other, "the first answer"
    assert rows(app, "memos.get_memory", user, other)[0][-1] == "cold"
    batch = [{"content": "new"}, {"content": "kiwi", "embedding": [1, 2, 3]}, {"content": "kiwi"}]
    answer = rows(app, "memos.add_memories", user, batch)
    assert [row[2] for row in answer] == [True, False, False]
    assert {answer[1][1], answer[2][1]} == {memory}
    assert rows(app, "memos.get_memory", user, memory)[0][-1] == "warm"
    hit = rows(app, "memos.search_memories", user, None, p_embedding=vector(1, 2, 3))[0]
    assert hit[1] == memory, "the vector is stored"

    error = failure(app, "memos.update_memory", user, memory, {"content": "mango"})
    assert error.sqlstate == "MO409"
    assert str(other) in error.diag.message_detail
    assert rows(app, "memos.get_memory", user, memory)[0][1:3] == (1, "kiwi")
    assert_tiers_are_consistent(superuser)


@pytest.mark.parametrize(
    "change",
    [
        ("memos.update_memory", {"importance": 0.9}),
        ("memos.pin_memory",),
        ("memos.link_memories",),
    ],
)
def test_a_change_makes_it_warm(
    app: Connection, superuser: Connection, user: UUID, change: tuple[Any, ...]
) -> None:
    memory, other = add(app, user, "kiwi"), add(app, user, "mango")
    move(superuser, user, [memory, other], "cold")
    function, *arguments = change
    value(app, function, user, memory, *(arguments or ([other] if "link" in function else [])))
    assert rows(app, "memos.get_memory", user, memory)[0][-1] == "warm"
    assert rows(app, "memos.search_memories", user, "kiwi")[0][1] == memory
    assert_tiers_are_consistent(superuser)


def test_a_cold_memory_is_deleted_like_any_other(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, "kiwi", p_embedding=vector(1, 2, 3))
    then = now(app)
    move(superuser, user, [memory], "cold")
    assert value(app, "memos.delete_memory", user, memory, "no longer true") is True
    assert value(app, "memos.delete_memory", user, memory) is False
    assert failure(app, "memos.get_memory", user, memory).sqlstate == "MO404"
    (version,) = rows(app, "memos.memory_history", user, memory)
    assert version[-2:] == ("delete", "no longer true")
    (hit,) = rows(app, "memos.search_memories", user, None, p_embedding=vector(1, 2, 3),
                  p_recorded_at=then)  # fmt: skip
    assert hit[1] == memory
    assert_nothing_is_kept_aside(superuser, user)


def test_lists_counts_and_views(
    module_database: Database, app: Connection, superuser: Connection, user: UUID
) -> None:
    a, b, c = (
        add(app, user, f"kiwi {n}", p_tags=["t"], p_embedding=vector(1, 2, n)) for n in range(3)
    )
    versions = rows(app, "memos.memory_history", user, a)
    stats = rows(app, "memos.memory_stats", user)[0]
    assert move(superuser, user, [b], "hot") == 1
    assert move(superuser, user, [a], "cold") == 1
    listed = [row[0] for row in rows(app, "memos.list_memories", user)]
    assert listed == [c, b]
    page = rows(app, "memos.list_memories", user, p_include_cold=True, p_limit=2, p_tags=["t"])
    assert [row[0] for row in page] == [c, b]
    page = rows(app, "memos.list_memories", user, p_include_cold=True, p_after=b)
    assert [(row[0], row[-1]) for row in page] == [(a, "cold")]
    assert rows(app, "memos.memory_history", user, a) == versions
    after = rows(app, "memos.memory_stats", user)[0]
    pending = 8
    assert (stats[pending], after[pending]) == (3, 2), "what waits with a cold memory is not due"
    assert after[:pending] + after[pending + 1 : -1] == stats[:pending] + stats[pending + 1 : -1]
    assert after[-1] == {"hot": 1, "warm": 1, "cold": 1}
    with module_database.connect("memos_user") as mine:
        token = module_database.token(user)
        mine.execute("select memos.use_context(%s, false)", (token,))
        seen = mine.execute("select memory_id, tier from memos.memory").fetchall()
        assert set(seen) == {(a, "cold"), (b, "hot"), (c, "warm")}
        assert mine.execute("select count(*) from memos.memory_version").fetchone() == (3,)
        assert value(mine, "memos.move_to_tier", user, a, "warm") is True
        assert failure(mine, "memos.move_to_tier", uuid4(), a, "cold").sqlstate == "MO403"


def test_hot_warm_and_back_is_a_flag(app: Connection, superuser: Connection, user: UUID) -> None:
    memory = add(app, user, "kiwi")
    before = image(superuser, user)
    assert value(app, "memos.move_to_tier", user, memory, "hot") is True
    assert value(app, "memos.move_to_tier", user, memory, "hot") is False
    assert rows(app, "memos.get_memory", user, memory)[0][-1] == "hot"
    assert value(app, "memos.move_to_tier", user, memory, "warm") is True
    assert value(app, "memos.move_to_tier", user, memory, "warm") is False
    assert image(superuser, user) == before
    assert value(app, "memos.move_to_tier", user, memory, "cold") is True
    assert value(app, "memos.move_to_tier", user, memory, "cold") is False
    assert value(app, "memos.move_to_tier", user, memory, "hot") is True
    assert rows(app, "memos.get_memory", user, memory)[0][-1] == "hot"


def test_bad_input(app: Connection, user: UUID) -> None:
    memory = add(app, user, "kiwi")
    for tier in ("lukewarm", "", "COLD", "x" * 10_000, None):
        error = failure(app, "memos.move_to_tier", user, memory, tier)
        assert (error.sqlstate, error.diag.message_primary) == ("MO400", "bad argument: p_tier")
        assert len(error.diag.message_detail) < 300
    for tier in ("hot", "warm", "cold"):
        assert failure(app, "memos.move_to_tier", user, uuid4(), tier).sqlstate == "MO404"
        assert failure(app, "memos.move_to_tier", uuid4(), memory, tier).sqlstate == "MO404"
        assert failure(app, "memos.move_to_tier", user, None, tier).sqlstate == "MO400"
    assert failure(app, "memos.list_memories", user, p_include_cold=None).sqlstate == "MO400"


def test_another_users_cold_memory_is_out_of_reach(
    app: Connection, superuser: Connection, user: UUID
) -> None:
    memory = add(app, user, "kiwi")
    move(superuser, user, [memory], "cold")
    other = uuid4()
    assert failure(app, "memos.get_memory", other, memory).sqlstate == "MO404"
    assert failure(app, "memos.move_to_tier", other, memory, "warm").sqlstate == "MO404"
    assert failure(app, "memos.update_memory", other, memory, {"importance": 1}).sqlstate == "MO404"
    assert value(app, "memos.delete_memory", other, memory) is False
    assert move(superuser, other, [memory], "warm") == 0
    assert add(app, other, "kiwi") != memory
    assert rows(app, "memos.search_memories", other, "kiwi", p_include_cold=True)[0][1] != memory


def test_a_missing_month_is_made_on_demand_and_guarded(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app, database.connect() as superuser:
        memory = add(app, user, "kiwi")
        for table in ("memory_cold", "embedding_cold"):
            for (partition,) in superuser.execute(
                "select inhrelid::regclass::text from pg_inherits where inhparent = %s::regclass",
                (f"memos_private.{table}",),
            ).fetchall():
                superuser.execute(f"drop table {partition}")
        assert value(app, "memos.move_to_tier", user, memory, "cold") is True
        made = superuser.execute(
            "select c.relname, c.relrowsecurity and c.relforcerowsecurity from pg_class as c"
            " join pg_inherits as i on i.inhrelid = c.oid"
            " where i.inhparent in ('memos_private.memory_cold'::regclass,"
            " 'memos_private.embedding_cold'::regclass)"
        ).fetchall()
        month = superuser.execute("select to_char(now() at time zone 'UTC', 'YYYY')").fetchone()[0]
        assert len(made) == 2
        assert all(guarded and month in name for name, guarded in made)
        assert value(app, "memos.move_to_tier", user, memory, "warm") is True
    with database.connect("memos_admin") as admin:
        admin.execute("select memos_admin.maintain_partitions()")


def test_other_rules_for_lexemes_reach_cold_memories(database: Database, user: UUID) -> None:
    with (
        database.connect("memos_app") as app,
        database.connect("memos_admin") as admin,
        database.connect() as superuser,
    ):
        memory = add(app, user, "running kiwis")
        before = image(superuser, user)
        move(superuser, user, [memory], "cold")
        superuser.execute("update memos_private.memory_cold set lexemes = '{}', frequencies = '{}'")
        superuser.execute("update memos_private.cold_place set length = 0")
        rows(admin, "memos_admin.rebuild_postings")
        assert superuser.execute("select length from memos_private.cold_place").fetchone() == (2,)
        (hit,) = rows(app, "memos.search_memories", user, "run", p_include_cold=True)
        assert hit[1] == memory
        move(superuser, user, [memory], "warm")
        assert image(superuser, user) == before
