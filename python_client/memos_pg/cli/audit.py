"""Commands about the audit."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape

from memos_pg import render
from memos_pg.calls.audit import AuditEntry, Disclosure
from memos_pg.cli.base import (
    AsJson,
    Dsn,
    Role,
    UserName,
    app,
    bound_user,
    client,
    speaking,
    time_option,
)

audit = typer.Typer(no_args_is_help=True)
app.add_typer(audit, name="audit", help="Who did what with whose data, and is the record intact?")

From = Annotated[str | None, typer.Option("--from", help="From this time on, in ISO 8601.")]
Until = Annotated[str | None, typer.Option("--until", help="Before this time, in ISO 8601.")]
SHOWN = 3  # of the ids of a row


@audit.command()
def show(
    ctx: typer.Context,
    user: Annotated[str | None, typer.Option("--user", "-u", help="Of this user only.")] = None,
    from_: From = None,
    until: Until = None,
    action: Annotated[str | None, typer.Option("--action", help="Of this function only.")] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="done, refused or failed.")
    ] = None,
    object_id: Annotated[
        str | None, typer.Option("--object", help="About this memory, scratchpad or fact.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most so many.")] = 50,
    role: Role = "memos_auditor",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Calls, newest first: writes, reads, and what was refused or failed."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        found = memos.audit_entries(
            bound_user(memos, user).user_id() if user else None,
            time_option("--from", from_),
            time_option("--until", until),
            action,
            limit,
            outcome,  # type: ignore[arg-type]
            object_id,
        )

        def draw(console: Console) -> None:
            if not found:
                console.print("Nothing is on record.")
                return
            table = render.table("when", "who", "did what", "to what, of whom")
            for entry in found:
                table.add_row(*_line(entry))
            console.print(table)

        output.show(found, draw)


def _line(entry: AuditEntry) -> tuple[str, ...]:
    ended = "" if entry.outcome == "done" else f"\n[yellow]{entry.outcome} {entry.error}[/]"
    purpose = f"\n[dim]{escape(entry.purpose)}[/]" if entry.purpose else ""
    owner = [f"[dim]of[/] {entry.subject}"] if entry.subject else []
    to = [f"[dim]to[/] {entry.recipient}"] if entry.recipient else []
    who = entry.actor if entry.role == entry.actor else f"{entry.actor} as {entry.role}"
    return (
        f"{entry.statement_at:%Y-%m-%d %H:%M:%S}",
        escape(who),
        escape(entry.action) + ended + purpose,
        "\n".join([*_ids(entry.object_ids), *owner, *to]),
    )


def _ids(object_ids: list[UUID] | None) -> list[str]:
    ids = list(map(str, object_ids or []))
    more = [f"[dim]and {len(ids) - SHOWN} more[/]"] if len(ids) > SHOWN else []
    return ids[:SHOWN] + more


@audit.command()
def verify(
    ctx: typer.Context,
    from_: From = None,
    until: Until = None,
    role: Role = "memos_auditor",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Is the audit as it was written? Exits with 1 when somebody has changed it."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        found = memos.verify_audit(time_option("--from", from_), time_option("--until", until))

        def draw(console: Console) -> None:
            if not found:
                console.print("The audit is intact.")
                return
            table = render.table("month", "chain", "number", "problem", "what")
            for p in found:
                chain = "" if p.pid is None else f"{p.era}/{p.pid}"
                table.add_row(
                    f"{p.month:%Y-%m}" if p.month else "",
                    chain,
                    str(p.number or ""),
                    f"[bold red]{p.problem}[/]",
                    p.detail,
                )
            console.print(table)

        output.show(found, draw)
    if found:
        raise typer.Exit(1)


@audit.command()
def anchor(
    ctx: typer.Context, role: Role = "memos_auditor", dsn: Dsn = None, as_json: AsJson = False
) -> None:
    """Anchor the audit now. Keep what this prints where nobody of this server writes."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        taken = memos.anchor_audit()

        def draw(console: Console) -> None:
            if taken is None:
                console.print("Nothing is on record.")
            else:
                line = f"{taken.number} {taken.taken_at.isoformat()} {taken.hash}"
                console.print(line, highlight=False, soft_wrap=True)

        output.show(taken, draw)


@app.command()
def disclosures(
    ctx: typer.Context,
    user: UserName,
    from_: From = None,
    until: Until = None,
    role: Role = "memos_auditor",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """To whom a user's content was disclosed, oldest first."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        found = memos.accounting_of_disclosures(
            bound_user(memos, user).user_id(),
            time_option("--from", from_),
            time_option("--until", until),
        )

        def draw(console: Console) -> None:
            if not found:
                console.print("Nothing was disclosed.")
                return
            table = render.table("when", "to whom, what for", "what")
            for disclosure in found:
                table.add_row(*_disclosed(disclosure))
            console.print(table)

        output.show(found, draw)


def _disclosed(disclosure: Disclosure) -> tuple[str, ...]:
    purpose = f"\n[dim]{escape(disclosure.purpose)}[/]" if disclosure.purpose else ""
    return (
        render.short(disclosure.disclosed_at),
        str(disclosure.recipient or escape(disclosure.role)) + purpose,
        "\n".join([*_ids(disclosure.object_ids), f"[dim]{escape(disclosure.action)}[/]"]),
    )


@app.command(name="privacy-report")
def privacy_report(
    ctx: typer.Context,
    user: UserName,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """What is held about a user, what the user allowed, and who looked."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        report = bound_user(memos, user).privacy_report()
        output.show(report, lambda console: console.print(render.pairs(report, title=escape(user))))
