"""Embeddings, or any answer, from an HTTP server: Ollama, or what speaks OpenAI's protocol.

Runs in jobs, never inside a user's transaction. The server is not trusted: whatever it does, the
result is either one good vector a text or a ProviderError that says what happened, in bounded time
and memory. Error messages never repeat the texts that were sent.
"""

import io
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from typing import Any
from urllib.parse import SplitResult, urlsplit

from memos_pl.errors import ArgumentError, ProviderError
from memos_pl.hashing import check_texts

MAX_HALF = 65_504  # the largest number of a halfvec
MIN_HALF = 2.0**-24  # the smallest above zero
# How often a waiting request looks whether its statement was cancelled.
CHECK_SECONDS = 0.25
EXCERPT_LENGTH = 200
# Pieces of sent texts of this length are taken out of the server's error messages.
REDACTED_LENGTH = 8
PATHS = {"ollama": "/api/embed", "openai": "/v1/embeddings"}
KNOWN_OPTIONS = frozenset(
    {"url", "api", "model", "api_key_env", "timeout_seconds", "batch", "window_chars"}
)
SERVER_HINT = "Look at the log of the model server; nothing was stored, the texts stay pending."

Check = Callable[[], object]


@dataclass(frozen=True)
class Provider:
    """Where embeddings come from: the checked options of a registered model."""

    url: SplitResult
    api: str
    model: str
    api_key_env: str | None
    timeout_seconds: float
    batch: int

    @classmethod
    def from_options(
        cls, options: Mapping[str, Any], paths: Mapping[str, str] = PATHS
    ) -> "Provider":
        """Check the options of a model; raises ArgumentError on the first that cannot be used.

        `paths`: the path of what is asked for, in each api.
        """
        if not isinstance(options, Mapping):
            raise _bad_option("options", options, "Pass a JSON object.")
        for name in options:
            if name not in KNOWN_OPTIONS:
                raise _bad_option(name, None, f"Known are: {', '.join(sorted(KNOWN_OPTIONS))}.")
        api = options.get("api", "ollama")
        if not isinstance(api, str) or api not in PATHS:
            raise _bad_option("api", api, "Use ollama or openai.")
        model = options.get("model")
        if not isinstance(model, str) or not model:
            raise _bad_option("model", model, "Name the model as the model server knows it.")
        api_key_env = options.get("api_key_env")
        if api_key_env is not None and not (
            isinstance(api_key_env, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", api_key_env)
        ):
            raise _bad_option(
                "api_key_env",
                None,  # it may be the key itself
                "Name an environment variable of the database server that holds the key.",
            )
        timeout = options.get("timeout_seconds", 30)
        if not _is_number(timeout) or not 0 < timeout <= 3600:
            raise _bad_option("timeout_seconds", timeout, "Use more than 0 and at most 3600.")
        batch = options.get("batch", 32)
        if not isinstance(batch, int) or isinstance(batch, bool) or not 1 <= batch <= 2048:
            raise _bad_option("batch", batch, "Use 1 to 2048 texts a request.")
        return cls(
            _endpoint(options.get("url"), paths[api]), api, model, api_key_env, timeout, batch
        )

    @property
    def address(self) -> str:
        """The URL without its query, which may hold a key."""
        return self.url._replace(query="").geturl()

    def headers(self) -> dict[str, str]:
        """Request headers, with the key where one is named."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Connection": "close",
            "User-Agent": "memos",
        }
        if self.api_key_env is not None:
            key = os.environ.get(self.api_key_env, "").strip()
            if not key or not key.isascii() or not key.isprintable():
                raise ProviderError(
                    "no usable key for the model server",
                    f"The environment variable {self.api_key_env} of the database server is "
                    + ("not a key." if key else "not set."),
                    "Set it in the environment of the database server and restart the server.",
                    retryable=False,
                )
            headers["Authorization"] = f"Bearer {key}"
        return headers


def embed_texts(
    texts: Sequence[str | None],
    dimensions: int,
    options: Mapping[str, Any],
    check: Check = lambda: None,
) -> list[str]:
    """Texts as halfvec literals, in the same order, as the server gave them.

    `check` is called while waiting, and ends the wait by raising. Without texts only the options
    are checked. A time-out is for the whole of one request, after the server's name is resolved.
    """
    provider = Provider.from_options(options)
    check_texts(texts)
    literals: list[str] = []
    for start in range(0, len(texts), provider.batch):
        batch = [str(text) for text in texts[start : start + provider.batch]]
        answer = _request(provider, batch, dimensions, check)
        for vector in _vectors(provider, answer, len(batch)):
            literals.append(_literal(provider, vector, dimensions))
    return literals


def _bad_option(name: str, value: object, hint: str) -> ArgumentError:
    detail = f"{name}" if value is None else f"{name}: {json.dumps(value, default=str)[:200]}"
    return ArgumentError("bad option of an HTTP model", detail, hint)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _endpoint(url: object, wanted: str) -> SplitResult:
    hint = "Pass an http or https URL with a host and without user, password or fragment."
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        raise _bad_option("url", None, hint)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        usable = False
    if not usable or "@" in parts.netloc or parts.fragment:
        raise _bad_option("url", None, hint)  # without its value: it may hold a password
    path = parts.path.rstrip("/")
    # As given when it names the endpoint; a base address may or may not end with the version.
    if not path.endswith(wanted[wanted.rindex("/") :]):
        first = wanted[: wanted.index("/", 1)]
        path = path.removesuffix(first) + wanted
    return parts._replace(path=path)


class _DeadlineReader(io.RawIOBase):
    """Reads a socket until a deadline, however slowly the bytes drip, and can be cancelled."""

    def __init__(self, sock: socket.socket, deadline: float, check: Check) -> None:
        self._sock = sock
        self._deadline = deadline
        self._check = check

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while True:
            self._check()
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._sock.settimeout(min(left, CHECK_SECONDS))
            try:
                return self._sock.recv_into(buffer)
            except TimeoutError:
                continue


class _DeadlineSocket:
    """What http.client needs of a socket, with one deadline over everything it does."""

    def __init__(self, sock: socket.socket, deadline: float, check: Check) -> None:
        self._sock = sock
        self._deadline = deadline
        self._check = check

    def sendall(self, data: Any) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)  # of sendall as a whole
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._sock, self._deadline, self._check))

    def close(self) -> None:
        """Nothing: http.client closes before it reads the body. `_connected` closes."""


def _request(provider: Provider, texts: list[str], dimensions: int, check: Check) -> Any:
    """Send one batch; the parsed JSON of the answer."""
    # Numbers take up to 25 bytes, indented ones more; the rest is what servers put around them.
    bound = 1_000_000 + 40 * dimensions * len(texts)
    return exchange(provider, {"model": provider.model, "input": texts}, bound, texts, check)


def exchange(
    provider: Provider,
    body: Mapping[str, Any],
    bound: int,
    private: Sequence[str],
    check: Check,
) -> Any:
    """Send JSON and parse the answer of at most `bound` bytes. No error quotes `private` texts."""
    target = provider.url.path + (f"?{provider.url.query}" if provider.url.query else "")
    headers = provider.headers()
    secrets = [*private, headers.get("Authorization", "").removeprefix("Bearer ")]
    deadline = time.monotonic() + provider.timeout_seconds
    with _failures(provider), _connected(provider, deadline, check) as connection:
        connection.request("POST", target, body=json.dumps(body).encode(), headers=headers)
        response = connection.getresponse()
        _require_success(provider, response, secrets)
        data = _read(provider, response, bound)
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except _NotFiniteError:
        raise misbehaviour(provider, "a number that is not finite", "NaN or Infinity") from None
    except (ValueError, RecursionError):
        raise misbehaviour(provider, "something that is not JSON", f"{len(data)} bytes") from None


@contextmanager
def _connected(provider: Provider, deadline: float, check: Check) -> Iterator[HTTPConnection]:
    """A connection on a socket of our own, so that the deadline covers the handshakes too."""
    host = provider.url.hostname or ""
    connection: HTTPConnection
    if provider.url.scheme == "https":
        connection = HTTPSConnection(host, provider.url.port)
    else:
        connection = HTTPConnection(host, provider.url.port)
    # Without Python's proxy settings: a job's environment must not redirect people's memories.
    sock = socket.create_connection((host, connection.port), provider.timeout_seconds)
    try:
        # Head and body are sent separately, and must not wait for each other's acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if provider.url.scheme == "https":
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        connection.sock = _DeadlineSocket(sock, deadline, check)
        yield connection
    finally:
        sock.close()


@contextmanager
def _failures(provider: Provider) -> Iterator[None]:
    """Turn what the network and http.client raise into a ProviderError."""
    try:
        yield
    except TimeoutError:
        raise ProviderError(
            "the model server is too slow",
            f"{provider.address} did not answer within {provider.timeout_seconds:g} seconds.",
            "Raise timeout_seconds, lower batch, or give the model server more power.",
            retryable=True,
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise ProviderError(
            "the model server's certificate is not trusted",
            f"{provider.address}: {error.verify_message}",
            "Install the certificate's authority on the database server.",
            retryable=False,
        ) from None
    except IncompleteRead:
        raise _dropped(provider) from None
    except (OSError, HTTPException, UnicodeError) as error:  # UnicodeError: no name of a host
        # The error's text may quote what the server sent; its class and errno say enough.
        reason = error.strerror if isinstance(error, OSError) and error.strerror else ""
        raise ProviderError(
            "the model server cannot be reached or dropped the connection",
            f"{provider.address}: {reason or type(error).__name__}",
            "Check that the server runs and that the database server may connect to it.",
            retryable=True,
        ) from None


def _dropped(provider: Provider) -> ProviderError:
    return ProviderError(
        "the model server dropped the connection in the middle of its answer",
        provider.address,
        SERVER_HINT,
        retryable=True,
    )


def misbehaviour(provider: Provider, what: str, detail: str) -> ProviderError:
    return ProviderError(
        f"the model server answered with {what}",
        f"{provider.address}, model {provider.model}: {detail}",
        "Check url, api, model and the registered number of dimensions. Nothing was stored.",
        retryable=False,
    )


def _require_success(provider: Provider, response: HTTPResponse, secrets: list[str]) -> None:
    status = response.status
    if status == 200:
        return
    if 300 <= status < 400:
        raise ProviderError(
            "the model server redirects, which is not followed",
            f"{provider.address}: HTTP {status}",
            "Register the model with the final URL.",
            retryable=False,
        )
    try:
        excerpt = _redacted(response.read(4096), secrets)
    except TimeoutError:
        raise
    except (OSError, HTTPException):  # the status says enough
        excerpt = ""
    if status in (401, 403):
        hint = "Check api_key_env and the key it names."
    elif status == 404:
        hint = "Check url and api, and that the server has the model (ollama pull)."
    else:
        hint = SERVER_HINT
    raise ProviderError(
        "the model server refused the request" if status < 500 else "the model server failed",
        f"{provider.address}, model {provider.model}: HTTP {status}"
        + (f": {excerpt}" if excerpt else ""),
        hint,
        retryable=status in (408, 425, 429) or status >= 500,
    )


def _redacted(body: bytes, secrets: list[str]) -> str:
    """The beginning of an error message, without what it may quote of the texts or key."""
    message = body.decode("utf-8", "replace")
    with suppress(ValueError, RecursionError):  # not JSON, or cut off
        message = json.dumps(json.loads(message), ensure_ascii=False)
    message = message[:1000].casefold()
    hidden = bytearray(len(message))
    for text in filter(None, secrets):
        for form in {text.casefold(), json.dumps(text)[1:-1].casefold()}:
            length = min(REDACTED_LENGTH, len(form))
            pieces = {form[i : i + length] for i in range(len(form) - length + 1)}
            for start in range(len(message) - length + 1):
                if message[start : start + length] in pieces:
                    hidden[start : start + length] = b"\1" * length
    shown = "".join(" " if hide else c for c, hide in zip(message, hidden, strict=True))
    excerpt = " ".join(re.sub(r"[^\x20-\x7e]", " ", shown).split())
    return excerpt[:EXCERPT_LENGTH]


def _read(provider: Provider, response: HTTPResponse, bound: int) -> bytes:
    """The body, if it is complete and not larger than the bound."""
    if response.getheader("Content-Encoding", "identity").lower() != "identity":
        raise misbehaviour(provider, "a compressed body", "Compression was not asked for.")
    data = response.read(bound + 1) if (response.length or 0) <= bound else b" " * (bound + 1)
    if len(data) > bound:
        raise misbehaviour(provider, "too large a body", f"more than {bound} bytes")
    if response.length:  # read(n) returns what there is when the connection ends early
        raise _dropped(provider)
    return data


class _NotFiniteError(Exception):
    pass


def _refuse_constant(name: str) -> None:
    raise _NotFiniteError(name)


def _vectors(provider: Provider, answer: Any, count: int) -> list[Any]:
    """The vectors of an answer, in the order of the texts."""
    try:
        if provider.api == "ollama":
            vectors = answer["embeddings"]
        else:
            by_index = {item["index"]: item["embedding"] for item in answer["data"]}
            vectors = [by_index[index] for index in range(len(answer["data"]))]
        if not isinstance(vectors, list):
            raise TypeError
    except (KeyError, TypeError):
        raise misbehaviour(
            provider, f"JSON that is not an answer of api {provider.api}", "no list of embeddings"
        ) from None
    if len(vectors) != count:
        raise misbehaviour(
            provider, "the wrong number of embeddings", f"{len(vectors)} for {count} texts"
        )
    return vectors


def _literal(provider: Provider, vector: Any, dimensions: int) -> str:
    """One vector as halfvec literal, after every check."""
    if not isinstance(vector, list) or not all(map(_is_number, vector)):
        raise misbehaviour(
            provider, "something that is not a vector", "null, text or a list within an embedding"
        )
    if len(vector) != dimensions:
        raise misbehaviour(
            provider,
            "the wrong number of dimensions",
            f"{len(vector)} instead of the registered {dimensions}",
        )
    largest = max(map(abs, vector))
    if not largest <= MAX_HALF:  # infinite too: JSON's 1e999
        raise misbehaviour(
            provider, "a number that is too large", f"more than {MAX_HALF}, the largest of halfvec"
        )
    if largest < MIN_HALF:
        raise misbehaviour(provider, "a zero vector", f"no number of at least {MIN_HALF:.1e}")
    return "[" + ",".join([f"{value:.9g}" for value in vector]) + "]"
