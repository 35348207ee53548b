"""Commands about scratchpads."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import psycopg
import typer
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from memos_pg import render
from memos_pg.calls.scratchpad import (
    Action,
    Change,
    Entry,
    Question,
    Scratchpad,
    ScratchpadQuality,
    Value,
)
from memos_pg.cli.base import (
    AsJson,
    Dsn,
    Role,
    UserName,
    app,
    bound_user,
    client,
    find_dsn,
    speaking,
)
from memos_pg.client import MemOS, User, conninfo

commands = typer.Typer(
    name="scratchpad", help="The working memory of agents.", no_args_is_help=True
)
app.add_typer(commands)

ScratchpadId = Annotated[str, typer.Argument(help="The scratchpad's uuid.")]
_SHOWN = 8
_LONGEST = 160
_MARKS = {
    "answered": "green", "verified": "green", "completed": "green", "open": "green",
    "partial": "yellow", "in_progress": "yellow", "searching": "yellow",
    "conflict": "red", "failed": "red", "retracted": "red", "blocked": "red",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class View:
    """What there is to see of a scratchpad."""

    scratchpad: Scratchpad
    quality: ScratchpadQuality
    questions: list[Question]
    actions: list[Action]
    values: list[Value]
    entries: list[Entry]

    @classmethod
    def of(cls, user: User, scratchpad_id: str) -> View:
        """Read it, at about one time."""
        return cls(
            user.get_scratchpad(scratchpad_id),
            user.scratchpad_quality(scratchpad_id),
            user.list_questions(scratchpad_id),
            user.list_actions(scratchpad_id, limit=_SHOWN),
            user.list_values(scratchpad_id),
            user.list_entries(scratchpad_id, limit=_SHOWN),
        )


@commands.command("list")
def list_(
    ctx: typer.Context,
    user: UserName,
    status: Annotated[
        list[str] | None,
        typer.Option("--status", help="open, completed or abandoned; may be repeated."),
    ] = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 20,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """The user's scratchpads, newest first."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        found = bound_user(memos, user).list_scratchpads(status or None, limit)

        def draw(console: Console) -> None:
            if not found:
                console.print("No scratchpads.")
                return
            table = render.table("scratchpad id", "status", "changed", "content")
            for pad in found:
                table.add_row(
                    str(pad.scratchpad_id),
                    _marked(pad.status),
                    render.short(pad.changed_at),
                    escape(pad.goal),
                )
            console.print(table)

        output.show(found, draw)


@commands.command()
def show(
    ctx: typer.Context,
    scratchpad_id: ScratchpadId,
    user: UserName,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """One scratchpad: quality, questions, actions, public values, what was put down last."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        view = View.of(bound_user(memos, user), scratchpad_id)
        output.show(view, lambda console: console.print(drawn(view)))


@commands.command()
def watch(
    ctx: typer.Context,
    scratchpad_id: ScratchpadId,
    user: UserName,
    seconds: Annotated[
        float | None, typer.Option(help="Stop after so long; else when it is closed.")
    ] = None,
    interval: Annotated[float, typer.Option(help="Look again after so long without news.")] = 2.0,
    role: Role = "memos_app",
    dsn: Dsn = None,
) -> None:
    """A scratchpad as it changes, until it is closed."""
    with (
        speaking(ctx, as_json=False) as output,
        psycopg.connect(conninfo(find_dsn(ctx, dsn), role or None), autocommit=True) as connection,
    ):
        person = bound_user(MemOS.on(connection), user)
        connection.execute("listen memos_scratchpad")
        end = None if seconds is None else time.monotonic() + seconds
        changes: deque[Change] = deque(maxlen=_SHOWN)
        last = 0
        with Live(console=output.console, auto_refresh=False) as live:
            while True:
                # An announcement only wakes. What changed is read: a lost one loses nothing.
                new = person.scratchpad_changes(scratchpad_id, last)
                if new or not last:
                    changes.extend(new)
                    last = new[-1].sequence if new else last
                    view = View.of(person, scratchpad_id)
                    live.update(drawn(view, changes), refresh=True)
                if view.scratchpad.status != "open" or (end and time.monotonic() > end):
                    return
                list(connection.notifies(timeout=interval, stop_after=1))


@commands.command()
def close(
    ctx: typer.Context,
    scratchpad_id: ScratchpadId,
    user: UserName,
    promote: Annotated[
        bool, typer.Option("--promote/--no-promote", help="Make memories of what is good.")
    ] = True,
    reason: Annotated[str | None, typer.Option(help="Why it is closed.")] = None,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Close a scratchpad, and make memories of what is good enough on it."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        person = bound_user(memos, user)
        made = person.close_scratchpad(scratchpad_id, promote, reason)

        def draw(console: Console) -> None:
            table = render.table("memory id", "kind", "content")
            for promotion in made:
                memory = person.get_memory(promotion.memory_id)
                table.add_row(str(memory.memory_id), memory.kind, escape(memory.content))
            console.print(table if made else "Closed. Nothing was promoted.")

        output.show(made, draw)


def drawn(view: View, changes: Iterable[Change] = ()) -> Group:
    """The whole scratchpad, as it is shown; what changed last comes first, where a screen ends."""
    pad, quality = view.scratchpad, view.quality
    title = Text.assemble((pad.goal, "bold"), "  ", Text.from_markup(_marked(pad.status)))
    facts = {
        "quality": f"{quality.quality:.2f}",
        "observations": _share(quality.observation_quality),
        "reasoning": _share(quality.reasoning_confidence),
        "coverage": _share(quality.coverage),
        "do next": quality.recommendations,
        "changed": pad.changed_at,
    }
    parts: list[Panel | Text | Table] = [title, render.pairs(facts), *map(_line, changes)]
    if view.questions:
        table = render.table("status", "confidence", "findings", "content")
        for question in view.questions:
            table.add_row(
                _marked(question.status),
                _share(question.confidence),
                str(question.findings),
                _short(question.question),
            )
        parts += [Text("Questions", "bold"), table]
    if view.actions:
        table = render.table("status", "#", "agent", "content")
        for action in view.actions:
            table.add_row(
                _marked(action.status),
                str(action.priority),
                escape(action.agent or action.for_agent or ""),
                _short(f"{action.type}: {action.description}"),
            )
        parts += [Text("Actions", "bold"), table]
    if view.values:
        table = render.table("key", "agent", "content")
        for value in view.values:
            table.add_row(escape(value.key), escape(value.agent), _short(str(value.value)))
        parts += [Text("Public values", "bold"), table]
    if view.entries:
        table = render.table("kind", "quality", "agent", "content")
        for entry in view.entries:
            table.add_row(
                entry.kind,
                _share(entry.quality),
                escape(entry.agent or ""),
                _short(entry.content),
            )
        parts += [Text("Put down last", "bold"), table]
    return Group(*parts)


def _line(change: Change) -> Text:
    by = f" by {change.agent}" if change.agent else ""
    said = f"{change.subject} {change.status or change.operation}{by}"
    return Text(f"{change.sequence:>5} {change.changed_at:%H:%M:%S} {said}", "dim")


def _short(text: str) -> str:
    return escape(text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "...")


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _marked(status: str) -> str:
    color = _MARKS.get(status)
    return f"[{color}]{status}[/]" if color else status
