"""Commands about links."""

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
    app,
    bound_user,
    client,
    speaking,
)


@app.command()
def link(
    ctx: typer.Context,
    from_id: MemoryId,
    to_id: MemoryId,
    user: UserName,
    kind: Annotated[str, typer.Option("--type", "-t", help="What the link means.")] = "related",
    weight: Annotated[float, typer.Option(help="How strong it is, 0 to 1.")] = 0.9,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Link two memories, or give their link another weight."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        created = bound_user(memos, user).link_memories(from_id, to_id, kind, weight)
        said = "Linked." if created else "Linked already: the weight is set."
        output.show({"created": created}, lambda console: console.print(said))


@app.command()
def related(
    ctx: typer.Context,
    memory_id: MemoryId,
    user: UserName,
    kind: Annotated[
        list[str] | None, typer.Option("--type", "-t", help="A type to follow; may be repeated.")
    ] = None,
    depth: Annotated[int, typer.Option(help="At most so many links, 1 to 6.")] = 3,
    min_weight: Annotated[float, typer.Option(help="Paths at least that strong.")] = 0.3,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """The memories that links lead to, strongest path first."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        found = bound_user(memos, user).related_memories(memory_id, kind or None, depth, min_weight)

        def draw(console: Console) -> None:
            if not found:
                console.print("Nothing linked.")
                return
            table = render.table("memory id", "weight", "along", "content")
            for memory in found:
                along = "\n".join(memory.types)
                table.add_row(
                    str(memory.memory_id), f"{memory.weight:.3f}", along, escape(memory.content)
                )
            console.print(table)

        output.show(found, draw)
