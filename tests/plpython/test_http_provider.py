"""http: whatever the server does, good vectors or a clear error, in bounded time and memory."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fake_plpy import FakeError, FakePlpy
from memos_pl import errors, http
from memos_pl.errors import ArgumentError, ProviderError
from misbehaving_server import MODES, MisbehavingServer

TEXTS = ["my secret diagnosis is on file", 'naïve «Käse» "quoted"\n☃', "third"]
DIMENSIONS = 8
GOOD_MODES = {"good", "good_and_closed", "good_but_chunked", "good_without_length"}
# mode: (part of the message, retryable)
FAILURES = {
    "slow": ("too slow", True),
    "slow_headers": ("too slow", True),
    "slow_drip": ("too slow", True),
    "server_error": ("server failed", True),
    "overloaded": ("refused the request", True),
    "not_found": ("refused the request", False),
    "unauthorized": ("refused the request", False),
    "error_with_the_texts": ("refused the request", False),
    "page_with_the_texts": ("server failed", True),
    "wrong_dimension": ("wrong number of dimensions", False),
    "nan": ("not finite", False),
    "infinity": ("not finite", False),
    "overflow": ("too large", False),
    "too_large_number": ("too large", False),
    "null": ("not a vector", False),
    "text_as_number": ("not a vector", False),
    "true_as_number": ("not a vector", False),
    "null_vector": ("not a vector", False),
    "zero_vector": ("zero vector", False),
    "vanishing_vector": ("zero vector", False),
    "dropped": ("dropped the connection in the middle", True),
    "dropped_chunks": ("dropped the connection in the middle", True),
    "dropped_at_once": ("cannot be reached or dropped", True),
    "no_http": ("cannot be reached or dropped", True),
    "not_json": ("not JSON", False),
    "deep_json": ("not JSON", False),
    "other_json": ("not an answer of api", False),
    "too_few": ("wrong number of embeddings", False),
    "too_many": ("wrong number of embeddings", False),
    "redirect": ("redirects", False),
    "huge": ("too large a body", False),
    "huge_without_length": ("too large a body", False),
    "compressed": ("compressed", False),
}


def options(server: MisbehavingServer, **more: Any) -> dict[str, Any]:
    return {"url": server.url, "model": "nomic", "timeout_seconds": 5, **more}


@pytest.fixture(params=["ollama", "openai"])
def api(request: pytest.FixtureRequest) -> Iterator[str]:
    return request.param


def numbers(literals: list[str]) -> list[list[float]]:
    return [[float(number) for number in literal[1:-1].split(",")] for literal in literals]


def test_every_mode_of_the_server_is_tested() -> None:
    assert set(MODES) == set(FAILURES) | GOOD_MODES


@pytest.mark.parametrize("mode", sorted(GOOD_MODES))
def test_vectors_come_in_the_order_of_the_texts(mode: str, api: str) -> None:
    with MisbehavingServer(mode, dimensions=DIMENSIONS) as server:
        vectors = http.embed_texts(TEXTS, DIMENSIONS, options(server, api=api))
        assert numbers(vectors) == [pytest.approx(server.vector(text)) for text in TEXTS]
        (request,) = server.requests
    assert request.path == {"ollama": "/api/embed", "openai": "/v1/embeddings"}[api]
    assert request.body == {"model": "nomic", "input": TEXTS}
    assert "Authorization" not in request.headers


@pytest.mark.parametrize("mode", sorted(FAILURES))
def test_misbehaviour_is_a_clear_error(mode: str, api: str) -> None:
    message, retryable = FAILURES[mode]
    timeout = 0.5 if mode.startswith("slow") else 20
    started = time.monotonic()
    with MisbehavingServer(mode, dimensions=DIMENSIONS) as server:
        with pytest.raises(ProviderError) as caught:
            http.embed_texts(TEXTS, DIMENSIONS, options(server, api=api, timeout_seconds=timeout))
        took = time.monotonic() - started
        assert len(server.requests) == 1
        assert server.url in caught.value.detail
    assert took < timeout + 1
    error = caught.value
    assert message in error.message
    assert error.retryable is retryable
    assert error.hint
    everything = f"{error.message} {error.detail} {error.hint}"
    assert "secret" not in everything
    assert "diagnosis" not in everything
    assert len(everything) < 600


def test_the_server_s_own_words_are_shown() -> None:
    with (
        MisbehavingServer("not_found", dimensions=DIMENSIONS) as server,
        pytest.raises(ProviderError, match=r'HTTP 404: \{"error": "model not found"\}'),
    ):
        http.embed_texts(TEXTS, DIMENSIONS, options(server))


@pytest.mark.parametrize("text", ["a", "Ärger", "error", "straße", "line\nbreak and more", "😀😀"])
@pytest.mark.parametrize("mode", ["error_with_the_texts", "page_with_the_texts"])
def test_no_part_of_a_short_text_is_quoted(text: str, mode: str) -> None:
    with (
        MisbehavingServer(mode, dimensions=DIMENSIONS) as server,
        pytest.raises(ProviderError) as caught,
    ):
        http.embed_texts([text], DIMENSIONS, options(server))
    excerpt = (
        caught.value.detail.partition("HTTP 4")[2] or caught.value.detail.partition("HTTP 5")[2]
    )
    assert text.casefold() not in excerpt
    assert json.dumps(text)[1:-1].casefold() not in excerpt


def test_the_order_of_batches_is_kept() -> None:
    texts = [f"text {number}" for number in range(7)]
    with MisbehavingServer("good", dimensions=DIMENSIONS) as server:
        vectors = http.embed_texts(texts, DIMENSIONS, options(server, batch=3))
        assert numbers(vectors) == [pytest.approx(server.vector(text)) for text in texts]
        assert [request.body["input"] for request in server.requests] == [
            texts[0:3],
            texts[3:6],
            texts[6:7],
        ]


def test_a_second_batch_that_fails_fails_all() -> None:
    with (
        MisbehavingServer("good", "too_few", dimensions=DIMENSIONS) as server,
        pytest.raises(ProviderError),
    ):
        http.embed_texts(TEXTS, DIMENSIONS, options(server, batch=2))


def test_no_texts_check_the_options_only() -> None:
    assert http.embed_texts([], 8, {"url": "http://nowhere.invalid", "model": "m"}) == []
    with pytest.raises(ArgumentError):
        http.embed_texts([], 8, {"url": "nowhere", "model": "m"})


@pytest.mark.parametrize(
    ("api", "given", "path"),
    [
        ("ollama", "", "/api/embed"),
        ("ollama", "/", "/api/embed"),
        ("ollama", "/api", "/api/embed"),
        ("ollama", "/api/embed", "/api/embed"),
        ("ollama", "/proxy", "/proxy/api/embed"),
        ("openai", "", "/v1/embeddings"),
        ("openai", "/v1", "/v1/embeddings"),
        ("openai", "/v1/", "/v1/embeddings"),
        ("openai", "/openai/v1", "/openai/v1/embeddings"),
        ("openai", "/deployments/a/embeddings", "/deployments/a/embeddings"),
        ("openai", "/a/embeddings?api-version=1", "/a/embeddings?api-version=1"),
    ],
)
def test_the_url_may_name_the_server_or_the_endpoint(api: str, given: str, path: str) -> None:
    provider = http.Provider.from_options(
        {"url": f"http://localhost:11434{given}", "api": api, "model": "m"}
    )
    assert provider.url.geturl() == f"http://localhost:11434{path}"
    assert "?" not in provider.address


@pytest.mark.parametrize(
    "bad",
    [
        {"url": None},
        {"url": 7},
        {"url": ""},
        {"url": "localhost:11434"},
        {"url": "ftp://localhost"},
        {"url": "file:///etc/passwd"},
        {"url": "http://"},
        {"url": "http://localhost:port"},
        {"url": "http://localhost:99999"},
        {"url": "http://[::1"},
        {"url": "http://user:hunter2@localhost"},
        {"url": "http://localhost/#hunter2"},
        {"url": "http://localhost/a b"},
        {"url": "http://localhost/\r\nX-Evil: hunter2"},
        {"api": "grpc"},
        {"api": ["ollama"]},
        {"model": ""},
        {"model": None},
        {"api_key_env": "hunter2-is-a-key"},
        {"api_key_env": 1},
        {"timeout_seconds": 0},
        {"timeout_seconds": -1},
        {"timeout_seconds": "30"},
        {"timeout_seconds": True},
        {"timeout_seconds": 1e9},
        {"batch": 0},
        {"batch": 1.5},
        {"batch": True},
        {"api_key": "hunter2"},
        {"timeout": 3},
    ],
)
def test_bad_options_are_the_caller_s_fault(bad: dict[str, Any]) -> None:
    good = {"url": "http://localhost", "model": "m"}
    with pytest.raises(ArgumentError) as caught:
        http.embed_texts(TEXTS, DIMENSIONS, {**good, **bad})
    assert next(iter(bad)) in caught.value.detail
    assert "hunter2" not in f"{caught.value.message} {caught.value.detail} {caught.value.hint}"


@pytest.mark.parametrize("given", [None, [], "x"])
def test_options_are_an_object(given: Any) -> None:
    with pytest.raises(ArgumentError):
        http.embed_texts(TEXTS, DIMENSIONS, given)


@pytest.mark.parametrize("texts", [[""], ["good", "  "], [None], None])
def test_what_cannot_be_embedded_is_not_sent(texts: Any) -> None:
    with MisbehavingServer("good") as server:
        with pytest.raises(ArgumentError):
            http.embed_texts(texts, DIMENSIONS, options(server))
        assert server.requests == []


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMOS_TEST_KEY", "sk-12345")
    with MisbehavingServer("good", dimensions=DIMENSIONS) as server:
        http.embed_texts(TEXTS, DIMENSIONS, options(server, api_key_env="MEMOS_TEST_KEY"))
        assert server.requests[0].headers["Authorization"] == "Bearer sk-12345"


@pytest.mark.parametrize("key", [None, "", "two\r\nlines", "kéy"])
def test_without_a_usable_key_nothing_is_sent(
    key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEMOS_TEST_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("MEMOS_TEST_KEY", key)
    with MisbehavingServer("good") as server:
        with pytest.raises(ProviderError, match="MEMOS_TEST_KEY") as caught:
            http.embed_texts(TEXTS, DIMENSIONS, options(server, api_key_env="MEMOS_TEST_KEY"))
        assert server.requests == []
    assert not caught.value.retryable


def test_the_key_is_never_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMOS_TEST_KEY", "sk-1234567890")
    with (
        MisbehavingServer("unauthorized") as server,
        pytest.raises(ProviderError, match="HTTP 401") as caught,
    ):
        http.embed_texts(TEXTS, DIMENSIONS, options(server, api_key_env="MEMOS_TEST_KEY"))
    assert "incorrect key" in caught.value.detail
    assert "sk-1" not in caught.value.detail
    assert "api_key_env" in caught.value.hint


def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ProviderError, match="Connection refused") as caught:
            http.embed_texts(TEXTS, DIMENSIONS, {"url": url, "model": "m"})
    assert caught.value.retryable


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "x" * 70 + ".invalid"])
def test_no_such_host(host: str) -> None:
    with pytest.raises(ProviderError, match="cannot be reached"):
        http.embed_texts(TEXTS, DIMENSIONS, {"url": f"http://{host}", "model": "m"})


def test_https_to_a_server_without_it() -> None:
    with MisbehavingServer("good") as server:
        url = server.url.replace("http:", "https:")
        with pytest.raises(ProviderError, match="cannot be reached"):
            http.embed_texts(TEXTS, DIMENSIONS, {"url": url, "model": "m", "timeout_seconds": 5})


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with MisbehavingServer("good", dimensions=DIMENSIONS) as server:
        assert len(http.embed_texts(TEXTS, DIMENSIONS, options(server))) == len(TEXTS)


class Cancelled(Exception):
    """What the server raises in a cancelled statement."""


@pytest.mark.parametrize("mode", ["slow", "slow_headers", "slow_drip"])
def test_a_cancelled_statement_ends_the_wait(mode: str) -> None:
    started = time.monotonic()

    def check() -> None:
        if time.monotonic() - started > 0.5:
            raise Cancelled

    with MisbehavingServer(mode) as server:
        with pytest.raises(Cancelled):
            http.embed_texts(TEXTS, DIMENSIONS, options(server, timeout_seconds=20), check)
        assert time.monotonic() - started < 2


def test_sql_sees_an_io_error() -> None:
    with (
        MisbehavingServer("server_error") as server,
        pytest.raises(FakeError) as caught,
    ):
        errors.call(FakePlpy(), http.embed_texts, TEXTS, DIMENSIONS, options(server))
    assert caught.value.fields["sqlstate"] == "58030"
