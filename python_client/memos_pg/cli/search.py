"""The search command."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from memos_pg import render
from memos_pg.calls.search import SearchResult
from memos_pg.cli.base import (
    AsJson,
    Dsn,
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
def search(
    ctx: typer.Context,
    query: Annotated[str, typer.Argument(help="What to look for, in words.")],
    user: UserName,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most so many rows.")] = 10,
    token_budget: Annotated[int | None, typer.Option(help="At most so many tokens.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="A kind; may be repeated.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    session: Annotated[str | None, typer.Option(help="Within this session only.")] = None,
    valid_at: When = None,
    recorded_at: When = None,
    fusion: Annotated[str | None, typer.Option(help="calibrated or rrf.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why each row is there.")] = False,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Find memories; --valid-at asks what was true then, --recorded-at what was known then."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        found = bound_user(memos, user).search_memories(
            query,
            limit=limit,
            token_budget=token_budget,
            kinds=kind or None,
            tags=tag or None,
            session_id=session,
            valid_at=time_option("--valid-at", valid_at),
            recorded_at=time_option("--recorded-at", recorded_at),
            fusion=fusion,
            explain=explain or None,
        )
        output.show(found, lambda console: _render_results(console, found))


def _render_results(console: Console, found: list[SearchResult]) -> None:
    if not found:
        console.print("Nothing found.")
        return
    explained = any(result.explanation for result in found)
    table = render.table("rank", "score", "when", "content", *(["why"] if explained else []))
    for result in found:
        row = [str(result.rank), f"{result.score:.3f}", render.short(result.occurred_at)]
        row.append(escape(result.content))
        if explained:
            row.append(render.why(result.explanation))
        table.add_row(*row)
    console.print(table)
