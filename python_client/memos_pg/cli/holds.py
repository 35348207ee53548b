"""Commands about legal holds."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from memos_pg import render
from memos_pg.cli.base import AsJson, Dsn, Role, app, bound_user, client, speaking

holds = typer.Typer(no_args_is_help=True)
app.add_typer(
    holds,
    name="hold",
    help="Legal holds: nothing of the user is deleted, erased or dropped for its age.",
)

HeldUser = Annotated[str, typer.Argument(help="The user: any outside id, or a uuid.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; kept on record.")]


@holds.command()
def place(
    ctx: typer.Context,
    user: HeldUser,
    reason: Reason,
    role: Role = "memos_admin",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Keep everything of a user from now on: no deletion, no erasure, whatever its age."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        hold_id = memos.place_legal_hold(bound_user(memos, user).user_id(), reason)
        output.show({"hold_id": hold_id}, lambda console: console.print(str(hold_id)))


@holds.command()
def release(
    ctx: typer.Context,
    user: HeldUser,
    hold_id: Annotated[str, typer.Argument(help="The hold's uuid.")],
    reason: Reason,
    role: Role = "memos_admin",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """End a hold. What is due of the user goes at the next maintenance."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        released = memos.release_legal_hold(bound_user(memos, user).user_id(), hold_id, reason)
        said = "Released." if released else "It was released before."
        output.show({"released": released}, lambda console: console.print(said))


@holds.command(name="list")
def list_(
    ctx: typer.Context,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Of this user only.")] = None,
    released: Annotated[bool, typer.Option("--all", help="Released ones, too.")] = False,
    role: Role = "memos_admin",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Holds, oldest first."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        held = memos.legal_holds(bound_user(memos, user).user_id() if user else None, released)

        def draw(console: Console) -> None:
            if not held:
                console.print("Nobody is under a legal hold.")
                return
            table = render.table("hold id, user id", "held", "why")
            for hold in held:
                ended = f"\n[dim]{escape(hold.release_reason)}[/]" if hold.release_reason else ""
                table.add_row(
                    f"{hold.hold_id}\n[dim]{hold.user_id}[/]",
                    render.period(hold.placed_at, hold.released_at),
                    escape(hold.reason) + ended,
                )
            console.print(table)

        output.show(held, draw)
