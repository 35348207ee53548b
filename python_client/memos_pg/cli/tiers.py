"""Commands about tiers."""

from __future__ import annotations

from typing import Annotated

import typer

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
def move(
    ctx: typer.Context,
    memory_id: MemoryId,
    tier: Annotated[str, typer.Argument(help="hot, warm or cold.")],
    user: UserName,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Move a memory to another tier: cold ones are found with --include-cold only."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        moved = bound_user(memos, user).move_to_tier(memory_id, tier)
        said = f"It is {tier} now." if moved else f"It was {tier} already."
        output.show({"moved": moved}, lambda console: console.print(said))
