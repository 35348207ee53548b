"""The worker."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from memos_pg.cli.base import (
    AsJson,
    Dsn,
    Role,
    app,
    find_dsn,
    speaking,
)
from memos_pg.client import MemOS
from memos_pg.worker import WorkerReport, load_embedder, work


@app.command()
def worker(
    ctx: typer.Context,
    embedder: Annotated[
        str | None,
        typer.Option(help="module:callable that turns a list of texts into vectors."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Embed for this model only.")] = None,
    batch: Annotated[int, typer.Option(help="Texts in one call of the embedder.", min=1)] = 64,
    once: Annotated[bool, typer.Option("--once", help="Stop when nothing is pending.")] = False,
    idle: Annotated[float, typer.Option(help="Seconds to wait when nothing is pending.")] = 2.0,
    role: Role = "memos_admin",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Embed pending memories: with a Python callable, else with the database's own providers."""
    with speaking(ctx, as_json) as output:
        callable_ = load_embedder(embedder) if embedder else None
        with (
            _stopped_by_signals() as stop,
            MemOS(find_dsn(ctx, dsn), role=role or None, min_size=1, max_size=1) as memos,
        ):
            report = work(
                memos,
                callable_,
                model=model,
                batch=batch,
                once=once,
                idle=idle,
                stop=stop,
                log=output.log,
            )
        output.show(report, lambda console: _render_work(console, report))


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, instead of ending the process in the middle."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _render_work(console: Console, report: WorkerReport) -> None:
    console.print(f"Embedded {report.embedded}, failed {report.failed}.")
