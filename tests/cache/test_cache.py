"""What is put is got: keys, lifetimes, bounds, namespaces, scopes, bad input."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from memory_support import Connection, at_once, failure, row_counts, rows, value
from psycopg.types.json import Jsonb
from support.postgres import Database

PUT, GET, DROP = "memos.cache_put", "memos.cache_get", "memos.cache_invalidate"
NOBODY = UUID(int=0)


def put(app: Connection, user: UUID | None, namespace: str, key: str, held: Any, **how: Any) -> Any:
    return value(app, PUT, user, namespace, key, Jsonb(held), **how)


def get(app: Connection, user: UUID | None, namespace: str, key: str, **how: Any) -> Any:
    """The value, or None on a miss."""
    ((held, hit, expires_at),) = rows(app, GET, user, namespace, key, **how)
    assert hit == (held is not None) == (expires_at is not None)
    return held


def keys(app: Connection, user: UUID | None, namespace: str) -> set[str]:
    return {row[0] for row in rows(app, "memos.cache_entries", user, namespace)}


@pytest.fixture
def small(admin: Connection) -> str:
    """A namespace of five entries."""
    name = f"small_{uuid4().hex[:8]}"
    policy = {"max_entries": 5, "jitter": 0}
    admin.execute("select memos_admin.set_cache_namespace(%s, %s)", (name, Jsonb(policy)))
    return name


@pytest.mark.parametrize(
    "held", [0, False, "", [], {}, "text", {"a": [1, None, "ü"]}, "x" * 20_000]
)
def test_what_is_put_is_got(app: Connection, user: UUID, held: Any) -> None:
    assert get(app, user, "query", "how?") is None
    assert put(app, user, "query", "how?", held) is True
    assert get(app, user, "query", "how?") == held
    assert put(app, user, "query", "how?", "other") is True
    assert get(app, user, "query", "how?") == "other"
    assert value(app, DROP, user, "query", "how?") == 1
    assert get(app, user, "query", "how?") is None


def test_nothing_crosses_users_but_what_is_shared(app: Connection, user: UUID) -> None:
    other = uuid4()
    put(app, user, "content", "https://a.example/", "mine")
    assert get(app, other, "content", "https://a.example/") is None
    assert get(app, None, "content", "https://a.example/") is None
    put(app, None, "content", "https://a.example/", "everybody's")
    assert get(app, other, "content", "https://a.example/") == "everybody's"
    assert get(app, user, "content", "https://a.example/") == "mine", "one's own comes first"
    assert value(app, DROP, other, "content") == 0
    assert value(app, DROP, None, "content") >= 1
    assert get(app, other, "content", "https://a.example/") is None


def test_a_bound_session_reads_what_is_shared_and_changes_only_its_own(
    module_database: Database, app: Connection, user: UUID
) -> None:
    put(app, None, "content", "https://shared.example/", 1)
    with module_database.connect("memos_user") as bound:
        bound.execute("select memos.use_context(%s, false)", (module_database.token(user),))
        assert get(bound, user, "content", "https://shared.example/") == 1
        assert get(bound, None, "content", "https://shared.example/") == 1
        assert put(bound, user, "content", "https://shared.example/", 2) is True
        assert failure(bound, PUT, None, "content", "k", Jsonb(1)).sqlstate == "MO403"
        assert failure(bound, DROP, None).sqlstate == "MO403"
        assert failure(bound, "memos.cache_lease", None, "content", "new").sqlstate == "MO403"
        assert failure(bound, GET, uuid4(), "content", "k").sqlstate == "MO403"
    with module_database.connect("memos_user") as stranger:
        for who in (user, None):
            assert failure(stranger, GET, who, "content", "k").sqlstate == "MO001"
    assert get(app, None, "content", "https://shared.example/") == 1


SAME_ADDRESS = [
    ("HTTP://Example.COM:80/a", "http://example.com/a"),
    ("https://example.com", "https://example.com:443/#top"),
    ("https://e.example/?b=2&a=1", "https://e.example/?a=1&b=2&utm_source=x&fbclid=y"),
    ("https://e.example/a/./b/../c", "https://e.example/a/c"),
    ("https://e.example./x?", "https://e.example/x"),
]
OTHER_ADDRESS = [
    ("http://example.com/a", "https://example.com/a"),
    ("https://example.com/a", "https://example.com/A"),
    ("https://example.com/a", "https://example.com/a/"),
    ("https://example.com:8443/", "https://example.com/"),
    ("https://e.example/?a=1&a=2", "https://e.example/?a=2&a=1"),
    ("https://e.example/?a=1", "https://e.example/?a=2"),
]


@pytest.mark.parametrize(("one", "other"), SAME_ADDRESS)
def test_one_resource_is_one_entry(app: Connection, user: UUID, one: str, other: str) -> None:
    put(app, user, "content", one, 1)
    assert get(app, user, "content", other) == 1
    put(app, user, "content", other, 2)
    assert len(keys(app, user, "content")) == 1


@pytest.mark.parametrize(("one", "other"), OTHER_ADDRESS)
def test_two_resources_are_two_entries(app: Connection, user: UUID, one: str, other: str) -> None:
    put(app, user, "content", one, 1)
    assert get(app, user, "content", other) is None


URL_TEXT = st.text(st.sampled_from("abAB01/.?&=#%:@ +"), max_size=30)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rest=URL_TEXT, host=st.sampled_from(["E.example", "e.example:80", "u@e.example", "e.example."])
)
def test_a_normalised_key_stays_as_it_is(module_database: Database, rest: str, host: str) -> None:
    """cache_get finds a key that is in its normal form without asking for the rules."""
    with module_database.connect() as connection:
        for form in ("url", "text"):
            query = "select memos_private.cache_key(%s, %s)"
            (once,) = connection.execute(query, (form, f"http://{host}/{rest}")).fetchone()
            assert connection.execute(query, (form, once)).fetchone() == (once,)


def test_words_are_the_key_of_questions_and_settings_are_part_of_it(
    app: Connection, user: UUID
) -> None:
    put(app, user, "query", "What  is\nmemOS?", "a")
    assert get(app, user, "query", " what is MEMOS? ") == "a"
    large = {"p_settings": {"model": "large", "trace_id": 7}}
    assert get(app, user, "query", "what is memos?", **large) is None
    put(app, user, "query", "what is memos?", "b", **large)
    found = get(app, user, "query", "What is memos?", p_settings={"trace_id": 8, "model": "large"})
    assert found == "b", "settings that the namespace does not name are no part of the key"
    assert get(app, user, "query", "What is memOS?") == "a"
    assert value(app, DROP, user, "query", "what is memos?", p_settings={"model": "large"}) == 1
    assert get(app, user, "query", "What is memOS?") == "a"


def test_lifetimes_of_successes_and_failures(app: Connection, user: UUID) -> None:
    def lifetime(key: str, **how: Any) -> float:
        put(app, user, "content", key, 1, **how)
        ((_, _, expires_at),) = rows(app, GET, user, "content", key)
        now = app.execute("select clock_timestamp()").fetchone()[0]
        return (expires_at - now).total_seconds()

    spread = [lifetime(f"page {number}") for number in range(40)]
    assert 3239 <= min(spread) < max(spread) <= 3600
    assert max(spread) - min(spread) > 60, "no jitter"
    assert 269 <= lifetime("failed", p_success=False) <= 300
    assert 8.9 <= lifetime("told", p_ttl="10 seconds") <= 10


def test_an_expired_entry_is_a_miss_and_goes(
    app: Connection, admin: Connection, user: UUID, small: str
) -> None:
    put(app, user, small, "soon", 1, p_ttl="1 millisecond")
    put(app, user, small, "later", 2)
    time.sleep(0.01)
    assert get(app, user, small, "soon") is None
    assert get(app, user, small, "later") == 2
    admin.execute("call memos_admin.run_maintenance()")
    held = {row[0]: row[1:3] for row in rows(app, "memos.cache_stats", user)}
    assert held[small] == (1, 0)


def test_the_least_recently_used_entry_goes_first(app: Connection, user: UUID, small: str) -> None:
    for key in "abcde":
        put(app, user, small, key, key)
    get(app, user, small, "a")
    put(app, uuid4(), small, "f", "somebody else's")
    assert keys(app, user, small) == set("abcde")
    put(app, user, small, "f", "f")
    assert keys(app, user, small) == set("acdef")
    get(app, user, small, "c")
    put(app, user, small, "g", "g")
    put(app, user, small, "h", "h")
    assert keys(app, user, small) == set("acfgh")


def test_bytes_are_bounded(app: Connection, admin: Connection, user: UUID, small: str) -> None:
    policy = Jsonb({"max_entries": 1000, "max_bytes": 50_000})
    admin.execute("select memos_admin.set_cache_namespace(%s, %s)", (small, policy))
    for number in range(60):
        put(app, user, small, f"key {number}", "x" * 2_000)
        held = {row[0]: row[3] for row in rows(app, "memos.cache_stats", user)}
        assert held[small] <= 50_000
    assert len(keys(app, user, small)) == 24
    assert failure(app, PUT, user, small, "huge", Jsonb("x" * 60_000)).sqlstate == "MO400"


def test_all_users_together_are_bounded_by_maintenance(
    app: Connection, admin: Connection, small: str
) -> None:
    users = [uuid4() for _ in range(10)]
    for who in users:
        put(app, who, small, "key", "x" * 1_000)
    policy = Jsonb({"max_total_bytes": 4_000})
    admin.execute("select memos_admin.set_cache_namespace(%s, %s)", (small, policy))
    admin.execute("call memos_admin.maintain_cache(p_limit => 1)")
    assert [who for who in users if get(app, who, small, "key")] == users[-3:]


def test_writers_at_once_keep_the_books(
    module_database: Database, admin: Connection, user: UUID, small: str
) -> None:
    def work(number: int) -> None:
        with module_database.connect("memos_app") as connection:
            for turn in range(30):
                put(
                    connection, user, small, f"{(number * turn) % 9}", turn, p_tags=[f"t{turn % 3}"]
                )
                if turn % 7 == 0:
                    value(connection, DROP, user, small, p_tag=f"t{turn % 2}")

    at_once(6, work)
    with module_database.connect("memos_app") as connection:
        put(connection, user, small, "last", 1)
        assert len(keys(connection, user, small)) <= 5
    admin.execute("select memos_admin.tidy_cache()")
    with module_database.connect() as superuser:
        for table, key in (("cache_usage", "entries"), ("cache_entry", "1")):
            (count,) = superuser.execute(
                f"select coalesce(sum({key}), 0) from memos_private.{table}"
                " where user_id = %s and namespace = %s",
                (user, small),
            ).fetchone()
            assert count == len(keys_of(superuser, user, small)), table
        (orphans,) = superuser.execute(
            "select count(*) from memos_private.cache_tag where (user_id, key_hash) not in"
            " (select user_id, key_hash from memos_private.cache_entry)"
        ).fetchone()
        assert orphans == 0


def keys_of(superuser: Connection, user: UUID, namespace: str) -> list[str]:
    return superuser.execute(
        "select key from memos_private.cache_entry where user_id = %s and namespace = %s",
        (user, namespace),
    ).fetchall()


def test_invalidation_by_prefix_tag_namespace_and_user(app: Connection, user: UUID) -> None:
    for page in ("a/1", "a/2", "b/1"):
        put(app, user, "content", f"https://e.example/{page}", 1, p_tags=[page[0], "page"])
    put(app, user, "expansion", "words", 1, p_tags=["a"])
    put(app, user, "query", "a b", 1)
    assert value(app, DROP, user, "content", p_prefix="https://e.example/a/") == 2
    assert keys(app, user, "content") == {"https://e.example/b/1"}
    assert value(app, DROP, user, "content", p_tag="a") == 0
    assert value(app, DROP, user, p_tag="a") == 1
    assert value(app, DROP, user, "query", p_prefix="A ") == 1
    put(app, user, "finding", "x", 1)
    assert value(app, DROP, user, "content") == 1
    assert value(app, DROP, user) == 1
    assert value(app, DROP, user) == 0


def test_findings_of_higher_confidence_are_kept(app: Connection, user: UUID) -> None:
    assert put(app, user, "subquery", "q", "sure", p_confidence=0.9) is True
    assert put(app, user, "subquery", "q", "guess", p_confidence=0.5) is False
    assert put(app, user, "subquery", "q", "unsaid") is False
    assert get(app, user, "subquery", "q") == "sure"
    assert put(app, user, "subquery", "q", "surer", p_confidence=0.9) is True
    assert get(app, user, "subquery", "q") == "surer"


def test_missions_remember_how_they_went(app: Connection, user: UUID) -> None:
    outcome = "memos.cache_record_outcome"
    put(app, user, "mission", "bake bread", ["mix", "knead", "bake"])
    put(app, user, "mission", "cook soup", ["chop", "boil"])
    assert value(app, outcome, user, "mission", "Bake bread", True) == 1
    assert value(app, outcome, user, "mission", "bake bread", False) == pytest.approx(0.7)
    assert value(app, outcome, user, "mission", "bake bread", True) == pytest.approx(0.79)
    assert value(app, outcome, user, "mission", "cook soup", False) == 0
    put(app, user, "mission", "bake bread", ["buy"])
    best, worst = rows(app, "memos.cache_entries", user, "mission")
    assert (best[0], best[2], best[7]) == ("bake bread", ["buy"], 3)
    assert best[6] == pytest.approx(0.79)
    assert (worst[0], worst[6]) == ("cook soup", 0)
    assert failure(app, outcome, user, "mission", "unheard of", True).sqlstate == "MO404"


def test_everything_is_counted(app: Connection, admin: Connection, user: UUID, small: str) -> None:
    for number in range(8):
        put(app, user, small, f"{number}", 1)
    for _ in range(10):
        get(app, user, small, "7")
    for _ in range(3):
        get(app, user, small, "missing")
    value(app, "memos.cache_report", user, small, p_local_hits=7, p_waits=2)
    columns = "entries, owners, hits, local_hits, misses, hit_rate, fills, waits, evictions"
    query = f"select {columns} from memos_admin.cache_statistics where namespace = %s"
    found = admin.execute(query, (small,)).fetchone()
    assert tuple(map(float, found)) == (5, 1, 10, 7, 3, 0.85, 8, 2, 3)
    over_time = "select sum(hits), sum(misses) from memos_admin.cache_hit_rate where namespace = %s"
    assert admin.execute(over_time, (small,)).fetchone() == (10, 3)
    for _ in range(54 + 64):
        get(app, user, small, "7")
    assert admin.execute(query, (small,)).fetchone()[2] == 128
    admin.execute("call memos_admin.maintain_cache()")
    assert admin.execute(query, (small,)).fetchone()[2] == 128


def test_reading_writes_nothing_that_it_can_do_without(
    module_database: Database, app: Connection, user: UUID, small: str
) -> None:
    put(app, user, small, "key", 1)
    for _ in range(17):
        get(app, user, small, "key")
    with module_database.connect() as superuser:
        before = superuser.execute("select pg_current_xact_id()::text::bigint").fetchone()[0]
        for _ in range(40):
            get(app, user, small, "key")
        after = superuser.execute("select pg_current_xact_id()::text::bigint").fetchone()[0]
    assert after == before + 1
    with app.transaction():
        app.execute("set transaction read only")
        assert get(app, user, small, "key") == 1
        assert get(app, user, small, "missing") is None


def test_a_reader_that_goes_on_for_long_keeps_no_writer_waiting(
    module_database: Database, app: Connection, user: UUID, small: str
) -> None:
    put(app, user, small, "key", 1)
    with module_database.connect("memos_app") as reader, reader.transaction():
        reader.execute("select pg_sleep(1.1)")
        assert get(reader, user, small, "key") == 1
        app.execute("set statement_timeout = '5s'")
        assert put(app, user, small, "key", 2) is True
        app.execute("reset statement_timeout")


NAN = "[NaN,0,0]"
BAD = {
    "unknown namespace": {"p_namespace": "nowhere"},
    "null namespace": {"p_namespace": None},
    "null key": {"p_key": None},
    "blank key": {"p_key": " \n"},
    "key of 1 MB": {"p_key": "k" * 2**20},
    "null value": {"p_value": None},
    "JSON null": {"p_value": Jsonb(None)},
    "huge value": {"p_value": Jsonb("x" * 5_000_000)},
    "no lifetime": {"p_ttl": "0"},
    "negative lifetime": {"p_ttl": "-1 hour"},
    "endless lifetime": {"p_ttl": "1000 years"},
    "null tags": {"p_tags": None},
    "null tag": {"p_tags": ["a", None]},
    "empty tag": {"p_tags": [""]},
    "long tag": {"p_tags": ["t" * 2000]},
    "many tags": {"p_tags": [str(n) for n in range(1001)]},
    "other dimensions": {"p_embedding": "[1,2]"},
    "zero vector": {"p_embedding": "[0,0,0]"},
    "unknown model": {"p_embedding": "[1,2,3]", "p_model": "unheard of"},
    "question without vector": {"p_question": "why?"},
    "long question": {"p_embedding": "[1,2,3]", "p_question": "q" * 10_000},
    "settings no object": {"p_settings": Jsonb([1])},
    "null success": {"p_success": None},
    "confidence NaN": {"p_confidence": "NaN"},
    "confidence of 2": {"p_confidence": 2},
    "the nil user": {"p_user_id": NOBODY},
}


@pytest.fixture(scope="module")
def modelled(module_database: Database) -> None:
    """A registered model of three dimensions."""
    with module_database.connect("memos_admin") as connection:
        connection.execute("select memos_admin.register_embedding_model('three', 3, 'external')")


@pytest.mark.usefixtures("modelled")
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_and_stores_nothing(
    module_database: Database, app: Connection, user: UUID, name: str
) -> None:
    good = {
        "p_user_id": user, "p_namespace": "query", "p_key": "k", "p_value": Jsonb(1),
        "p_tags": ["t"],
    }  # fmt: skip
    with module_database.connect() as superuser:
        before = row_counts(superuser)
        error = failure(app, PUT, **(good | BAD[name]))
        assert error.sqlstate == "MO400", error
        assert error.diag.message_detail
        assert error.diag.message_hint
        assert row_counts(superuser) == before


def test_the_type_refuses_vectors_of_nan(app: Connection, user: UUID) -> None:
    error = failure(app, PUT, user, "query", "k", Jsonb(1), p_embedding=NAN)
    assert isinstance(error, psycopg.DataError)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (GET, ["nowhere", "k"]), (GET, ["query", None]), (GET, ["query", "k" * 2**20]),
        (DROP, [None, "k"]), (DROP, [None, None, "p"]), (DROP, ["query", "k", "p"]),
        (DROP, ["query", None, ""]), (DROP, [None, None, None, ""]), (DROP, ["nowhere"]),
        ("memos.cache_lease", ["query", "k", "-1 s"]), ("memos.cache_lease", ["query", "k", "1 h"]),
        ("memos.cache_lease", ["query", "k", None]), ("memos.cache_release", ["query", "k", None]),
        ("memos.cache_report", ["query", -1]), ("memos.cache_report", ["nowhere"]),
        ("memos.cache_entries", ["query", 0]), ("memos.cache_entries", ["nowhere"]),
        ("memos.cache_record_outcome", ["query", "k", None]),
    ],
)  # fmt: skip
def test_bad_questions_are_refused(
    app: Connection, user: UUID, function: str, arguments: list[Any]
) -> None:
    assert failure(app, function, user, *arguments).sqlstate == "MO400"


@pytest.mark.parametrize(
    "policy",
    [
        {"lifetime": "-1 hour"}, {"jitter": 2}, {"max_entries": 0}, {"scope": "nobody"},
        {"colour": 1}, {"key_form": "guess"}, {"lifetime": "soon"}, {"max_bytes": None}, [1], None,
    ],
)  # fmt: skip
def test_bad_rules_are_refused(admin: Connection, policy: Any) -> None:
    argument = None if policy is None else Jsonb(policy)
    error = failure(admin, "memos_admin.set_cache_namespace", "odd", argument)
    assert error.sqlstate == "MO400", error
    names = [row[0] for row in rows(admin, "memos_admin.cache_namespaces")]
    assert "odd" not in names


def test_a_namespace_may_be_for_single_users_or_for_all_only(
    app: Connection, admin: Connection, user: UUID, small: str
) -> None:
    admin.execute('select memos_admin.set_cache_namespace(%s, \'{"scope": "user"}\')', (small,))
    assert failure(app, PUT, None, small, "k", Jsonb(1)).sqlstate == "MO400"
    assert put(app, user, small, "k", 1)
    admin.execute('select memos_admin.set_cache_namespace(%s, \'{"scope": "shared"}\')', (small,))
    assert failure(app, PUT, user, small, "k", Jsonb(1)).sqlstate == "MO400"
    assert put(app, None, small, "k", 1)
    assert value(admin, "memos_admin.cache_clear", small) == 2
    assert value(admin, "memos_admin.drop_cache_namespace", small) is True
    assert value(admin, "memos_admin.drop_cache_namespace", small) is False
    assert failure(app, GET, user, small, "k").sqlstate == "MO400"
