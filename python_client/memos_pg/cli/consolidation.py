"""Commands about duplicates, merges and summaries, and taking things back."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from memos_pg import render
from memos_pg.cli.base import AsJson, Dsn, Role, UserName, app, bound_user, client, speaking


@app.command()
def duplicates(
    ctx: typer.Context,
    content: Annotated[str, typer.Argument(help="What might be remembered already.")],
    user: UserName,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most so many rows.")] = 5,
    min_similarity: Annotated[float | None, typer.Option(help="From 0 to 1.")] = None,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """What is like a text, and in what it differs; nothing is written."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        found = bound_user(memos, user).find_duplicates(
            content, limit=limit, min_similarity=min_similarity
        )

        def draw(console: Console) -> None:
            if not found:
                console.print("Nothing like it.")
                return
            table = render.table("memory id", "match", "similarity", "differs in", "content")
            for row in found:
                table.add_row(
                    str(row.memory_id),
                    row.match,
                    f"{row.similarity:.3f}",
                    ", ".join(row.differences),
                    escape(row.content),
                )
            console.print(table)

        output.show(found, draw)


@app.command()
def consolidate(
    ctx: typer.Context,
    user: UserName,
    dry_run: Annotated[
        bool, typer.Option("--dry-run/--apply", help="Only show it, or do it.")
    ] = True,
    min_similarity: Annotated[float | None, typer.Option(help="Of a cluster, 0 to 1.")] = None,
    min_sources: Annotated[int | None, typer.Option(help="Fewest memories of a summary.")] = None,
    summarize: Annotated[bool, typer.Option(help="Summarize clusters, too.")] = True,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Merge memories that say the same, and summarize clusters of similar ones."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        done = bound_user(memos, user).consolidate_memories(
            dry_run,
            min_similarity=min_similarity,
            min_sources=min_sources,
            summarize=summarize,
        )

        def draw(console: Console) -> None:
            if not done:
                console.print("Nothing to consolidate.")
                return
            table = render.table("action", "sources", "why", "content")
            for action in done:
                sources = "\n".join(map(str, action.source_ids))
                table.add_row(action.action, sources, action.reason, escape(action.content))
            console.print(table)
            if done[0].run_id is None:
                console.print("Nothing was changed; do it with --apply.")
            else:
                console.print(f"Undo it with: memos undo consolidation {done[0].run_id}")

        output.show(done, draw)


class Undoable(StrEnum):
    """What can be taken back as a whole."""

    consolidation = "consolidation"
    evolution = "evolution"


@app.command()
def undo(
    ctx: typer.Context,
    what: Annotated[Undoable, typer.Argument(help="What to take back.")],
    run_id: Annotated[str, typer.Argument(help="Its uuid.")],
    user: UserName,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Take a consolidation or an evolution back; refused when something changed since."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        bound = bound_user(memos, user)
        if what is Undoable.consolidation:
            steps = bound.undo_consolidation(run_id)
        else:
            steps = bound.undo_evolution(run_id)
        output.show({"undone": steps}, lambda console: console.print(f"Took {steps} steps back."))
