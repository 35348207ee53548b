"""What every runner speaks: a JSON object a line on standard input, one a line as the answer.

{"open": {"dsn", "dimensions"}} -> {"version"}; {"add": [turns]} -> {"added"};
{"search": {"user", "text", "vector", "limit"}} -> {"turns": [ids, best first], "seconds"}.

No package but the standard library: a runner is started by the Python of its own environment.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any, Protocol


class Vectors:
    """In place of a model: the vector that was given with a text."""

    def __init__(self) -> None:
        self._by_text: dict[str, list[float]] = {}

    def give(self, text: str, vector: list[float]) -> None:
        """Remember the vector of a text."""
        self._by_text[text.strip()] = vector  # some packages trim what they are asked

    def embed(self, text: str) -> list[float]:
        """The vector of one text."""
        return self._by_text[text.strip()]

    def embed_all(self, texts: list[str]) -> list[list[float]]:
        """The vectors of several texts."""
        return [self.embed(text) for text in texts]


class Store(Protocol):
    """One package, used as its documentation shows."""

    version: str

    def __init__(self, dsn: str, dimensions: int, vectors: Vectors) -> None:
        """Open it on an empty database (memOS: a migrated one)."""

    def add(self, turns: list[dict[str, Any]]) -> None:
        """Store turns (user, turn, text, session, position, said_at) of one user."""

    def search(self, user: str, text: str, limit: int) -> list[str]:
        """The turns that answer the text, best first. Its time is what counts."""


def serve(make: type[Store]) -> None:
    """Answer requests until the input ends."""
    # Standard output is for answers: what a package prints goes to standard error.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    vectors = Vectors()
    store: Store | None = None
    for line in sys.stdin:
        ((name, given),) = json.loads(line).items()
        if name == "open":
            store = make(given["dsn"], given["dimensions"], vectors)
            answer: dict[str, Any] = {"version": store.version}
        elif name == "add":
            for turn in given:
                vectors.give(turn["text"], turn.pop("vector"))
            store.add(given)
            answer = {"added": len(given)}
        else:
            vectors.give(given["text"], given["vector"])
            start = time.perf_counter()
            turns = store.search(given["user"], given["text"], given["limit"])
            answer = {"seconds": time.perf_counter() - start, "turns": turns}
        print(json.dumps(answer), file=answers, flush=True)
