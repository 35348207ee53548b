"""What every command shares: the application, where to connect, how to print."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import psycopg
import typer
from rich.console import Console
from rich.markup import escape

from memos_pg import migrate as migration
from memos_pg import render
from memos_pg.client import MemOS, User, conninfo
from memos_pg.errors import BadArgument, MemOSError
from memos_pg.keys import FileKeystore

app = typer.Typer(
    name="memos",
    help="memOS: the memory of an LLM bot, kept inside PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Dsn = Annotated[
    str | None,
    typer.Option("--dsn", help="libpq connection string; else MEMOS_DSN, else .memos/dsn."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
UserName = Annotated[
    str,
    typer.Option("--user", "-u", envvar="MEMOS_USER", help="The user: any outside id, or a uuid."),
]
Role = Annotated[
    str, typer.Option("--role", help="The role to act as; empty for the one that connects.")
]
MemoryId = Annotated[str, typer.Argument(help="The memory's uuid.")]
When = Annotated[str | None, typer.Option(help="A time in ISO 8601; without a zone, local time.")]


@dataclass
class Output:
    """How a command speaks: standard output is for the answer, standard error for the rest."""

    as_json: bool

    def __post_init__(self) -> None:
        self.console = render.console(sys.stdout)
        self.progress = render.console(sys.stderr)

    def log(self, line: str) -> None:
        """Say what goes on; nobody listens with --json."""
        if not self.as_json:
            self.progress.print(f"[dim]{escape(line)}[/dim]", highlight=False)

    def show(self, data: Any, draw: Callable[[Console], None]) -> None:
        """Print the answer in one form or the other."""
        if self.as_json:
            print(json.dumps(render.plain(data), ensure_ascii=False, indent=2))
        else:
            draw(self.console)


@contextmanager
def speaking(ctx: typer.Context, as_json: bool) -> Iterator[Output]:
    """Give a command its output, and turn what it raises into a message and exit status 1."""
    output = Output(as_json or bool(ctx.find_root().params.get("as_json")))
    try:
        yield output
    except MemOSError as error:
        _fail(output, error.sqlstate, error.message, error.detail, error.hint)
    except psycopg.Error as error:
        diag = error.diag
        message = diag.message_primary or str(error).strip()
        _fail(output, error.sqlstate, message, diag.message_detail, diag.message_hint)
    except migration.MigrationError as error:
        _fail(output, None, str(error))


def _fail(
    output: Output,
    sqlstate: str | None,
    message: str,
    detail: str | None = None,
    hint: str | None = None,
) -> None:
    if output.as_json:
        error = {"sqlstate": sqlstate, "message": message, "detail": detail, "hint": hint}
        print(json.dumps({"error": error}, ensure_ascii=False, indent=2), file=sys.stderr)
    else:
        code = f" ({sqlstate})" if sqlstate else ""
        output.progress.print(f"[bold red]error[/]: {escape(message)}{code}", highlight=False)
        for name, text in (("detail", detail), ("hint", hint)):
            if text:
                output.progress.print(f"  [dim]{name}:[/] {escape(text)}", highlight=False)
    raise typer.Exit(1)


def find_dsn(ctx: typer.Context, dsn: str | None) -> str:
    """The connection string: the option, MEMOS_DSN, or .memos/dsn here or in a folder above."""
    given = dsn or ctx.find_root().params.get("dsn") or os.environ.get("MEMOS_DSN")
    if given:
        return given
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / ".memos" / "dsn"
        if path.is_file():
            return path.read_text(encoding="utf-8").strip()
    raise BadArgument(
        "no database is named",
        detail=f"no .memos/dsn in {here} or above it",
        hint="Give --dsn, set MEMOS_DSN, or run make up in the checkout.",
    )


@contextmanager
def client(ctx: typer.Context, dsn: str | None, role: str) -> Iterator[MemOS]:
    """A client on one connection: a command needs no pool, and fails at once without a server."""
    with psycopg.connect(conninfo(find_dsn(ctx, dsn), role or None), autocommit=True) as connection:
        yield MemOS.on(connection)


def bound_user(memos: MemOS, name: str) -> User:
    if folder := os.environ.get("MEMOS_KEYSTORE"):
        memos = memos.with_keys(FileKeystore(folder))
    try:
        return memos.for_user(UUID(name))
    except ValueError:
        return memos.for_user(name)


def time_option(name: str, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise BadArgument(
            f"{name} is not a time",
            detail=f"{name} = {value!r}",
            hint="Write it like 2026-03-01 or 2026-03-01T18:30:00+01:00.",
        ) from None
    return time if time.tzinfo else time.astimezone()


@app.callback()
def main(
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Both options may also stand after the command."""
