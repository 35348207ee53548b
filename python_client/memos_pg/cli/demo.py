"""The demo."""

from __future__ import annotations

from typing import Annotated

import typer

from memos_pg.cli.base import (
    AsJson,
    Dsn,
    app,
    find_dsn,
    speaking,
)


@app.command()
def demo(
    ctx: typer.Context,
    user_seed: Annotated[
        str, typer.Option("--user-seed", help="Whose memory the conversation becomes.")
    ] = "maya",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Load a year of conversation, ask it questions, change a fact, and show the isolation."""
    from memos_pg.demo import run

    with speaking(ctx, as_json) as output:
        report = run(find_dsn(ctx, dsn), user_seed, None if output.as_json else output.console)
        output.show(report, lambda console: None)
