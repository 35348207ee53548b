"""hash_embedding, http_embedding and ensure_python_package inside a server."""

import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from memos_pl import hashing
from misbehaving_server import MisbehavingServer

DIMENSIONS = 8


@pytest.fixture
def connection(database: Any) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database.dsn, autocommit=True) as opened:
        yield opened


def options(server: MisbehavingServer, **more: Any) -> str:
    return json.dumps({"url": server.url, "model": "nomic", "timeout_seconds": 5, **more})


HASH = "select memos_private.hash_embedding(%s, %s)::text[]"
HTTP = "select memos_private.http_embedding(%s, %s, %s)::text[]"


def test_vectors_are_those_of_the_package(connection: psycopg.Connection[Any]) -> None:
    texts = ["Penicillin allergy", "私は東京に住んでいます", "❤️", "line\nbreak 'quoted' \\ \"x\""]
    stored, expected, norms = connection.execute(
        """
        select e.embeddings, %s::public.halfvec[],
            array(select public.l2_norm(v) from unnest(e.embeddings) as v)
        from memos_private.hash_embedding(%s, 384) as e(embeddings)
        """,
        (hashing.embed_texts(texts, 384), texts),
    ).fetchone()
    assert stored == expected
    assert norms == [pytest.approx(1, abs=1e-3)] * len(texts)


def test_no_texts_no_vectors(connection: psycopg.Connection[Any]) -> None:
    assert connection.execute(HASH, ([], 8)).fetchone() == ([],)


@pytest.mark.parametrize(
    ("texts", "dimensions"),
    [(["good", ""], 8), ([" \n"], 8), ([None], 8), (None, 8), (["a"], 0), (["a"], None)],
)
def test_bad_arguments(connection: psycopg.Connection[Any], texts: Any, dimensions: Any) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(HASH, (texts, dimensions))
    assert caught.value.sqlstate == "MO400"
    assert caught.value.diag.message_detail
    assert caught.value.diag.message_hint


def test_texts_in_an_array_of_arrays(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(HASH, ([["a", "b"], ["c", "d"]], 8))
    assert caught.value.sqlstate == "MO400"


@pytest.mark.parametrize("api", ["ollama", "openai"])
def test_http_vectors_are_stored_as_given(connection: psycopg.Connection[Any], api: str) -> None:
    texts = ["one", "two", "three"]
    with MisbehavingServer("good", dimensions=DIMENSIONS) as server:
        (vectors,) = connection.execute(
            HTTP, (texts, DIMENSIONS, options(server, api=api, batch=2))
        ).fetchone()
        assert len(server.requests) == 2
        for text, vector in zip(texts, vectors, strict=True):
            assert json.loads(vector) == pytest.approx(server.vector(text), rel=1e-3)


@pytest.mark.parametrize(
    "mode", ["slow", "slow_drip", "server_error", "not_found", "nan", "dropped", "too_few"]
)
def test_a_failing_server_is_an_error(connection: psycopg.Connection[Any], mode: str) -> None:
    with MisbehavingServer(mode, dimensions=DIMENSIONS) as server:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(
                HTTP, (["a secret"], DIMENSIONS, options(server, timeout_seconds=0.5))
            )
        assert server.url in caught.value.diag.message_detail
    assert caught.value.sqlstate == "58030"
    assert caught.value.diag.message_hint
    assert "secret" not in str(caught.value)
    assert connection.execute("select 1").fetchone() == (1,)


def test_options_are_checked_without_texts(connection: psycopg.Connection[Any]) -> None:
    good = '{"url": "http://nowhere.invalid", "model": "m"}'
    assert connection.execute(HTTP, ([], 8, good)).fetchone() == ([],)
    for bad in ["{}", "null", "[]", '{"url": "nowhere", "model": "m"}', None]:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(HTTP, ([], 8, bad))
        assert caught.value.sqlstate == "MO400"


def test_a_key_that_the_server_does_not_have(connection: psycopg.Connection[Any]) -> None:
    with MisbehavingServer("good") as server, pytest.raises(psycopg.Error) as caught:
        connection.execute(HTTP, (["a"], 8, options(server, api_key_env="MEMOS_TEST_NO_SUCH_KEY")))
    assert caught.value.sqlstate == "58030"
    assert "MEMOS_TEST_NO_SUCH_KEY" in caught.value.diag.message_detail


@pytest.mark.parametrize("mode", ["slow", "slow_drip"])
def test_statement_timeout_ends_the_wait(connection: psycopg.Connection[Any], mode: str) -> None:
    connection.execute("set statement_timeout = '500ms'")
    started = time.monotonic()
    with MisbehavingServer(mode) as server, pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute(HTTP, (["a"], 8, options(server, timeout_seconds=30)))
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("function", ["hash_embedding(text[], int)", "ensure_python_package()"])
@pytest.mark.parametrize("role", ["memos_app", "memos_user", "memos_auditor", "memos_admin"])
def test_nobody_who_logs_in_may_call(
    connection: psycopg.Connection[Any], function: str, role: str
) -> None:
    (allowed,) = connection.execute(
        "select has_function_privilege(%s, %s, 'execute')", (role, f"memos_private.{function}")
    ).fetchone()
    assert not allowed


@pytest.mark.parametrize("role", ["memos_owner", "memos_maintenance"])
def test_the_owners_of_the_api_may(connection: psycopg.Connection[Any], role: str) -> None:
    connection.execute(f"set role {role}")
    assert len(connection.execute(HASH, (["a"], 8)).fetchone()[0]) == 1


def replace_module(connection: psycopg.Connection[Any], name: str, source: str) -> None:
    connection.execute(
        "update memos_private.python_module set source = %s, sha256 = %s where name = %s",
        (source, hashlib.sha256(source.encode()).hexdigest(), name),
    )


def test_a_session_notices_a_new_version(connection: psycopg.Connection[Any]) -> None:
    before = connection.execute(HASH, (["a"], 8)).fetchone()
    new = "def embed_texts(texts, dimensions):\n    return ['[1,2]' for _ in texts]\n"
    with connection.transaction(force_rollback=True):
        replace_module(connection, "memos_pl.hashing", new)
        assert connection.execute(HASH, (["a"], 8)).fetchone() == (["[1,2]"],)
    assert connection.execute(HASH, (["a"], 8)).fetchone() == before


def test_a_module_that_does_not_compile_is_an_error_each_time(
    connection: psycopg.Connection[Any],
) -> None:
    replace_module(connection, "memos_pl.hashing", "this is no Python")
    for _ in range(2):
        with pytest.raises(psycopg.Error, match="SyntaxError"):
            connection.execute(HASH, (["a"], 8))


def test_a_tampered_source_is_not_executed(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "update memos_private.python_module set source = 'raise SystemExit'"
        " where name = 'memos_pl.hashing'"
    )
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(HASH, (["a"], 8))
    assert caught.value.sqlstate == "MO500"
    assert "memos_pl.hashing" in caught.value.diag.message_detail


def test_without_the_package(connection: psycopg.Connection[Any]) -> None:
    connection.execute("delete from memos_private.python_module")
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(HASH, (["a"], 8))
    assert caught.value.sqlstate == "MO500"
    assert "memos migrate" in caught.value.diag.message_hint
