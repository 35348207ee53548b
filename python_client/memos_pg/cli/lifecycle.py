"""Commands about uses, retention and the hot set."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from memos_pg import render
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
def used(
    ctx: typer.Context,
    user: UserName,
    memory_id: Annotated[
        list[str] | None, typer.Argument(help="Memories that were just used; none: show uses.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most so many rows.")] = 20,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Say that memories went into a prompt; without ids: the most used ones."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        bound = bound_user(memos, user)
        if memory_id:
            count = bound.record_access(memory_id)
            output.show(
                {"recorded": count},
                lambda console: console.print(f"Recorded {count} use{'s' * (count != 1)}."),
            )
            return
        found = bound.memory_usage(limit)

        def draw(console: Console) -> None:
            if not found:
                console.print("Nothing used.")
                return
            table = render.table("memory id", "uses", "last used", "retention", "tier")
            for row in found:
                table.add_row(
                    str(row.memory_id),
                    str(row.uses),
                    render.short(row.last_used_at),
                    f"{row.retention:.3f}",
                    f"{row.tier}, pinned" if row.pinned else row.tier,
                )
            console.print(table)

        output.show(found, draw)


@app.command()
def retention(
    ctx: typer.Context,
    memory_id: MemoryId,
    user: UserName,
    at: When = None,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """How well a memory is retained, from 0 to 1: now, or at another time."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        retained = bound_user(memos, user).memory_retention(memory_id, time_option("--at", at))
        output.show({"retention": retained}, lambda console: console.print(f"{retained:.3f}"))


@app.command()
def hot(
    ctx: typer.Context,
    user: UserName,
    budget: Annotated[int | None, typer.Option("--budget", help="At most so many tokens.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most so many rows.")] = 50,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """What belongs into every prompt: pinned memories, then the most used ones."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        found = bound_user(memos, user).hot_memories(budget, limit)

        def draw(console: Console) -> None:
            if not found:
                console.print("Nothing is pinned or hot.")
                return
            table = render.table("rank", "memory id", "why", "tokens", "content")
            for row in found:
                why = "pinned" if row.pinned else f"{row.uses} uses"
                table.add_row(
                    str(row.rank), str(row.memory_id), why, str(row.tokens), escape(row.content)
                )
            console.print(table)

        output.show(found, draw)
