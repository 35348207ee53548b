"""Commands about the memories of one user."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from memos_pg import render
from memos_pg.calls.memory import Memory
from memos_pg.cli.base import (
    AsJson,
    Dsn,
    MemoryId,
    Role,
    UserName,
    When,
    app,
    bound_user,
    client,
    speaking,
    time_option,
)


@app.command()
def user(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The user: any outside id, or a uuid.")],
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """A user's uuid, and how much is stored for them."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        bound = bound_user(memos, name)
        user_id, stats = bound.user_id(), bound.memory_stats()
        facts = {"user id": user_id, **asdict(stats)}
        output.show(
            {"user_id": user_id, "stats": stats},
            lambda console: console.print(render.pairs(facts, name)),
        )


@app.command()
def add(
    ctx: typer.Context,
    content: Annotated[str, typer.Argument(help="What to remember; - reads standard input.")],
    user: UserName,
    kind: Annotated[str | None, typer.Option(help="semantic, episodic, ...")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    session: Annotated[str | None, typer.Option(help="The session it belongs to.")] = None,
    occurred_at: When = None,
    importance: Annotated[float | None, typer.Option(help="From 0 to 1.")] = None,
    privacy_level: Annotated[
        str | None, typer.Option(help="minimal, balanced, comprehensive or restricted.")
    ] = None,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Store a memory; the same content is stored once."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        text = sys.stdin.read().rstrip("\n") if content == "-" else content
        memory_id = bound_user(memos, user).add_memory(
            text,
            kind=kind,
            tags=tag or None,
            session_id=session,
            occurred_at=time_option("--occurred-at", occurred_at),
            importance=importance,
            privacy_level=privacy_level,
        )
        output.show({"memory_id": memory_id}, lambda console: console.print(str(memory_id)))


@app.command(name="list")
def list_(
    ctx: typer.Context,
    user: UserName,
    kind: Annotated[list[str] | None, typer.Option(help="A kind; may be repeated.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most so many rows.")] = 50,
    after: Annotated[str | None, typer.Option(help="The last id of the page before.")] = None,
    include_cold: Annotated[
        bool, typer.Option("--include-cold", help="List cold memories, too.")
    ] = False,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Memories, newest first."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        found = bound_user(memos, user).list_memories(
            kind or None, tag or None, limit, after, include_cold or None
        )

        def draw(console: Console) -> None:
            if not found:
                console.print("Nothing stored.")
                return
            table = render.table("memory id", "when", "kind", "content")
            for memory in found:
                when = render.short(memory.occurred_at or memory.recorded_at)
                table.add_row(str(memory.memory_id), when, memory.kind, escape(memory.content))
            console.print(table)

        output.show(found, draw)


@app.command()
def show(
    ctx: typer.Context,
    memory_id: MemoryId,
    user: UserName,
    valid_at: When = None,
    recorded_at: When = None,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """One memory, with everything that is known of it."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        memory = bound_user(memos, user).get_memory(
            memory_id,
            valid_at=time_option("--valid-at", valid_at),
            recorded_at=time_option("--recorded-at", recorded_at),
        )
        output.show(memory, lambda console: _render_memory(console, memory))


def _render_memory(console: Console, memory: Memory) -> None:
    facts = asdict(memory)
    console.print(Panel(escape(facts.pop("content")), box=box.ROUNDED, expand=False))
    console.print(render.pairs({name.replace("_", " "): value for name, value in facts.items()}))


@app.command()
def history(
    ctx: typer.Context,
    memory_id: MemoryId,
    user: UserName,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Every version of a memory, with the times it was true and the times it was known."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        versions = bound_user(memos, user).memory_history(memory_id)

        def draw(console: Console) -> None:
            table = render.table("#", "true", "known", "change", "content")
            for version in versions:
                reason = f"\n[dim]{escape(version.reason)}[/]" if version.reason else ""
                table.add_row(
                    str(version.version),
                    render.period(version.valid_from, version.valid_until),
                    render.period(version.recorded_at, version.recorded_until),
                    version.change,
                    escape(version.content) + reason,
                )
            console.print(table)

        output.show(versions, draw)


@app.command()
def update(
    ctx: typer.Context,
    memory_id: MemoryId,
    content: Annotated[str, typer.Argument(help="What it says from now on.")],
    user: UserName,
    reason: Annotated[str | None, typer.Option("--reason", "-r", help="Why; on record.")] = None,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Give a memory another content: a new version; the old one stays on record."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        version = bound_user(memos, user).update_memory(
            memory_id, {"content": content}, reason=reason
        )
        output.show({"version": version}, lambda console: console.print(f"Version {version}."))


@app.command()
def delete(
    ctx: typer.Context,
    memory_id: MemoryId,
    user: UserName,
    reason: Annotated[str | None, typer.Option("--reason", "-r", help="Why; on record.")] = None,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Take a memory out of what is known now; it stays on record (memos erase does not keep it)."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        deleted = bound_user(memos, user).delete_memory(memory_id, reason=reason)
        output.show(
            {"deleted": deleted},
            lambda console: console.print("Deleted." if deleted else "There is no such memory."),
        )


@app.command()
def pin(
    ctx: typer.Context,
    memory_id: MemoryId,
    user: UserName,
    off: Annotated[bool, typer.Option("--off", help="Unpin it.")] = False,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Pin a memory: it never decays, and models do not rewrite it."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        bound_user(memos, user).pin_memory(memory_id, pinned=not off)
        output.show(
            {"pinned": not off}, lambda console: console.print("Unpinned." if off else "Pinned.")
        )
