"""An embedding server on localhost that misbehaves as told, for tests.

    with MisbehavingServer("server_error", "good", dimensions=8) as server:
        ...  # server.url; the first request fails, all later ones succeed

It answers both protocols, Ollama's and OpenAI's, by the path of the request. A mode is the name of
a method of `_Handler` without `answer_`; `MODES` lists them. `server.requests` holds what it got.
With `reply` it is a language model that says just that (or what a function makes of a request).
"""

import json
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from zlib import crc32


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class MisbehavingServer:
    """A server that treats its requests by the given modes, one each; the last mode stays."""

    def __init__(
        self,
        *modes: str,
        dimensions: int = 8,
        reply: str | Callable[[dict[str, Any]], str] | None = None,
    ) -> None:
        unknown = set(modes) - set(MODES)
        if unknown or not modes:
            raise ValueError(f"modes: {modes}; known are {MODES}")
        self.modes = list(modes)
        self.dimensions = dimensions
        self.reply = reply
        self.requests: list[Request] = []
        self.closing = threading.Event()  # wakes the slow ones
        self._lock = threading.Lock()
        self._httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._httpd.misbehaving = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._httpd.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """The base URL, for the option `url` of a model."""
        return f"http://127.0.0.1:{self._httpd.server_port}"

    def __enter__(self) -> "MisbehavingServer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._httpd.shutdown()
        self._httpd.server_close()  # waits for the threads of the requests
        self._thread.join()

    def vector(self, text: str) -> list[float]:
        """What mode good answers for a text: of unit length, different for different texts."""
        numbers = [crc32(f"{text} {index}".encode()) / 2**32 for index in range(self.dimensions)]
        norm = math.hypot(*numbers)
        return [number / norm for number in numbers]

    def note(self, request: Request) -> str:
        """Keep a request; the mode it is to be treated by."""
        with self._lock:
            self.requests.append(request)
            return self.modes.pop(0) if len(self.modes) > 1 else self.modes[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.owner: MisbehavingServer = self.server.misbehaving  # type: ignore[attr-defined]
        length = int(self.headers["Content-Length"])
        self.body = json.loads(self.rfile.read(length))
        mode = self.owner.note(Request(self.path, dict(self.headers), self.body))
        self.close_connection = True
        getattr(self, f"answer_{mode}")()

    do_GET = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the tests' output is for the tests."""

    # -- helpers

    def texts(self) -> list[str]:
        if "messages" in self.body:
            return [message["content"] for message in self.body["messages"]]
        return self.body.get("input") or [self.body["prompt"]]

    def vectors(self) -> list[list[float]]:
        return [self.owner.vector(text) for text in self.texts()]

    def answer(self, vectors: list[Any]) -> bytes:
        reply = self.owner.reply
        if reply is not None:
            said = reply if isinstance(reply, str) else reply(self.body)
            if self.path.endswith("/generate"):
                return json.dumps({"model": self.body["model"], "response": said}).encode()
            return json.dumps({"choices": [{"message": {"content": said}}]}).encode()
        if self.path.endswith("/embed"):
            return json.dumps({"model": self.body["model"], "embeddings": vectors}).encode()
        data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
        data.reverse()  # the order is in the index only
        return json.dumps({"object": "list", "data": data}).encode()

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def drip(self, data: bytes) -> None:
        """A byte from time to time: every single read is fast, the whole takes forever."""
        for byte in data * 1000:
            if self.owner.closing.wait(0.05):
                return
            try:
                self.wfile.write(bytes([byte]))
            except OSError:  # the client gave up, as it should
                return

    # -- modes

    def answer_good(self) -> None:
        self.send(self.answer(self.vectors()))

    def answer_good_and_closed(self) -> None:
        self.send(self.answer(self.vectors()), Connection="close")

    def answer_good_without_length(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answer(self.vectors()))

    def answer_good_but_chunked(self) -> None:
        self.send_chunks(self.answer(self.vectors()), end=True)

    def send_chunks(self, body: bytes, end: bool) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body), 100):
            chunk = body[start : start + 100]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if end:
            self.wfile.write(b"0\r\n\r\n")

    def answer_slow(self) -> None:
        self.owner.closing.wait(60)

    def answer_slow_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Wait: ")
        self.drip(b"more")

    def answer_slow_drip(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        self.drip(b" ")

    def answer_server_error(self) -> None:
        self.send(b'{"error":"out of memory"}', status=500)

    def answer_overloaded(self) -> None:
        self.send(b'{"error":"try again"}', status=429)

    def answer_not_found(self) -> None:
        self.send(b'{"error":"model not found"}', status=404)

    def answer_unauthorized(self) -> None:
        key = self.headers.get("Authorization", "")
        self.send(json.dumps({"error": f"incorrect key: {key}"}).encode(), status=401)

    def answer_error_with_the_texts(self) -> None:
        texts = ", ".join(self.texts())
        self.send(json.dumps({"error": f"cannot embed: {texts}"}).encode(), status=400)

    def answer_page_with_the_texts(self) -> None:
        self.send(f"<h1>Bad</h1>{json.dumps(self.body)}".encode(), status=502)

    def answer_wrong_dimension(self) -> None:
        self.send(self.answer([vector[:-1] for vector in self.vectors()]))

    def _spoil(self, number: str) -> None:
        vectors: list[list[Any]] = [list(vector) for vector in self.vectors()]
        vectors[-1][-1] = "SPOILED"
        self.send(self.answer(vectors).replace(b'"SPOILED"', number.encode()))

    def answer_nan(self) -> None:
        self._spoil("NaN")

    def answer_infinity(self) -> None:
        self._spoil("-Infinity")

    def answer_overflow(self) -> None:
        self._spoil("1e999")

    def answer_too_large_number(self) -> None:
        self._spoil("65520")

    def answer_null(self) -> None:
        self._spoil("null")

    def answer_text_as_number(self) -> None:
        self._spoil('"0.5"')

    def answer_true_as_number(self) -> None:
        self._spoil("true")

    def answer_null_vector(self) -> None:
        self.send(self.answer([None for _ in self.vectors()]))

    def answer_zero_vector(self) -> None:
        self.send(self.answer([[0.0] * len(vector) for vector in self.vectors()]))

    def answer_vanishing_vector(self) -> None:
        self.send(self.answer([[1e-9] * len(vector) for vector in self.vectors()]))

    def answer_dropped(self) -> None:
        body = self.answer(self.vectors())
        self.send(body[: len(body) // 2], Content_Length=str(len(body)))

    def answer_dropped_chunks(self) -> None:
        self.send_chunks(self.answer(self.vectors())[:150], end=False)

    def answer_dropped_at_once(self) -> None:
        pass

    def answer_no_http(self) -> None:
        self.wfile.write(b"220 mail.example.com ESMTP\r\n")

    def answer_not_json(self) -> None:
        self.send(b"<html>Welcome</html>")

    def answer_deep_json(self) -> None:
        self.send(b"[" * 200_000)

    def answer_other_json(self) -> None:
        self.send(b'{"status":"ok"}')

    def answer_too_few(self) -> None:
        self.send(self.answer(self.vectors()[:-1]))

    def answer_too_many(self) -> None:
        self.send(self.answer([*self.vectors(), *self.vectors()]))

    def answer_redirect(self) -> None:
        self.send(b"", status=307, Location=f"{self.owner.url}/elsewhere/api/embed")

    def answer_huge(self) -> None:
        self._send_until_refused({"Content-Length": str(10**10)})

    def answer_huge_without_length(self) -> None:
        self._send_until_refused({})

    def _send_until_refused(self, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            while not self.owner.closing.is_set():
                self.wfile.write(b" " * 100_000)
        except OSError:  # the client gave up, as it should
            pass

    def answer_compressed(self) -> None:
        self.send(b"\x1f\x8b", Content_Encoding="gzip")


MODES = tuple(name.removeprefix("answer_") for name in vars(_Handler) if name.startswith("answer_"))
