"""Embed what is pending: with any Python callable, or with what the database runs itself."""

from __future__ import annotations

import importlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg

from memos_pg.calls import Vector
from memos_pg.calls.embedding import ClaimedEmbedding
from memos_pg.client import MemOS
from memos_pg.errors import BadArgument

Embedder = Callable[[list[str]], Sequence[Vector]]
Log = Callable[[str], None]


@dataclass(slots=True)
class WorkerReport:
    """What a worker has done so far, in passages (memories, when the database embeds)."""

    embedded: int = 0
    failed: int = 0


def load_embedder(name: str) -> Embedder:
    """The callable that `module:callable` names, looked up from the working directory too."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise BadArgument(
            "embedder is not of the form module:callable",
            detail=f"embedder = {name!r}",
            hint="For example: my_package.embedding:embed",
        )
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise BadArgument(
            "embedder cannot be imported", detail=str(error), hint="Is it installed here?"
        ) from error
    if not callable(found):
        raise BadArgument("embedder is not callable", detail=f"{name} is {found!r}")
    return found


def default_name() -> str:
    """A name for this process, under which it leases passages."""
    return f"{socket.gethostname()}:{os.getpid()}"


def work(
    memos: MemOS,
    embedder: Embedder | None = None,
    *,
    name: str | None = None,
    model: str | None = None,
    batch: int = 64,
    once: bool = False,
    idle: float = 2.0,
    stop: threading.Event | None = None,
    log: Log = lambda line: None,
) -> WorkerReport:
    """Embed until `stop` is set, or, with `once`, until nothing is left to claim.

    `stop` is obeyed between batches, so that no lease is left behind.
    """
    stop = stop or threading.Event()
    name = name or default_name()
    report = WorkerReport()
    while not stop.is_set():
        try:
            if embedder is None:
                progress = _embed_in_database(memos, batch, report)
            else:
                claims = memos.claim_embeddings(name, batch, model=model)
                progress = bool(claims)
                _embed(memos, embedder, name, claims, report, log)
        except psycopg.OperationalError as error:
            if once:
                raise
            # The database restarts or fails over: the pool connects again.
            log(f"the database is not reachable, trying again: {error}")
            progress = False
        if not progress:
            if once:
                break
            stop.wait(idle)
    return report


def _embed(
    memos: MemOS,
    embedder: Embedder,
    name: str,
    claims: list[ClaimedEmbedding],
    report: WorkerReport,
    log: Log,
) -> None:
    """Embed a batch; where that fails, one passage at a time: a bad text fails no other."""
    if not claims:
        return
    try:
        vectors = list(embedder([claim.content for claim in claims]))
        if len(vectors) != len(claims):
            raise ValueError(f"the embedder gave {len(vectors)} vectors for {len(claims)} texts")
    except Exception as error:  # whatever a foreign callable raises is this passage's failure
        _divide(memos, embedder, name, claims, report, log, error)
        return
    try:
        stored = memos.complete_embeddings(name, claims, vectors)
    except BadArgument as error:
        _divide(memos, embedder, name, claims, report, log, error)
        return
    report.embedded += stored
    log(f"embedded {stored} passages")


def _divide(
    memos: MemOS,
    embedder: Embedder,
    name: str,
    claims: list[ClaimedEmbedding],
    report: WorkerReport,
    log: Log,
    error: Exception,
) -> None:
    if len(claims) > 1:
        for claim in claims:
            _embed(memos, embedder, name, [claim], report, log)
        return
    reason = f"{type(error).__name__}: {error}"
    report.failed += memos.fail_embeddings(name, [(claims[0], reason)])
    log(f"failed memory {claims[0].memory_id}: {reason}")


def _embed_in_database(memos: MemOS, batch: int, report: WorkerReport) -> bool:
    """One round of the database's own providers; whether it got anything done."""
    before = memos.embedding_status()
    if not sum(model.pending for model in before):
        return False
    memos.embed_pending(batch)
    after = memos.embedding_status()
    done = sum(model.done for model in after) - sum(model.done for model in before)
    failed = sum(model.failed for model in after) - sum(model.failed for model in before)
    report.embedded += max(done, 0)
    report.failed += max(failed, 0)
    return done + failed > 0
