"""Commands that erase, check erasures, export and import."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from memos_pg import render
from memos_pg.calls.erasure import Erasure
from memos_pg.cli.base import (
    AsJson,
    Dsn,
    MemoryId,
    Output,
    Role,
    UserName,
    app,
    bound_user,
    client,
    find_dsn,
    speaking,
)
from memos_pg.errors import BadArgument
from memos_pg.scrub import scrub as scrub_files

erase = typer.Typer(no_args_is_help=True)
app.add_typer(erase, name="erase", help="Remove for good what a user has, with a receipt.")

ErasedUser = Annotated[str, typer.Argument(help="The user: any outside id, or a uuid.")]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Why; kept on the receipt.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@erase.command()
def memory(
    ctx: typer.Context,
    memory_id: MemoryId,
    user: UserName,
    reason: Reason,
    yes: Yes = False,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Erase a memory, what says the same, and what is derived from it."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        _confirm(output, yes, f"memory {memory_id} and all that is derived from it")
        _show(output, bound_user(memos, user).erase_memory(memory_id, reason))


@erase.command(name="user")
def user_(
    ctx: typer.Context,
    user: ErasedUser,
    reason: Reason,
    yes: Yes = False,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Erase everything of a user."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        _confirm(output, yes, f"everything of user {user}")
        _show(output, bound_user(memos, user).erase_user(reason))


def _confirm(output: Output, yes: bool, what: str) -> None:
    if yes:
        return
    if output.as_json or not sys.stdin.isatty():
        raise BadArgument(
            "an erasure has to be confirmed", detail=f"It would remove {what}.", hint="Give --yes."
        )
    if not typer.confirm(f"This removes {what} for good. Go on?", err=True):
        raise typer.Exit(1)


def _show(output: Output, erasure: Erasure) -> None:
    def draw(console: Console) -> None:
        table = render.table("table", "rows")
        for name, count in sorted(erasure.counts.items()):
            table.add_row(name, str(count))
        console.print(table)
        console.print(
            f"Receipt {erasure.receipt_id}: {erasure.memories} memories, {erasure.row_count} rows, "
            f"{erasure.tombstones} tombstones. Backups and the WAL archive hold them until "
            f"{erasure.backups_until:%Y-%m-%d}."
        )

    output.show(erasure, draw)


@app.command(name="verify-erasure")
def verify_erasure(
    ctx: typer.Context,
    receipt_id: Annotated[str, typer.Argument(help="The receipt of an erasure.")],
    role: Role = "memos_admin",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Scan for what was erased; exits with 1 when there is anything of it."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        found = memos.verify_erasure(receipt_id)

        def draw(console: Console) -> None:
            if not found:
                console.print("Nothing of it is there.")
                return
            table = render.table("table", "rows", "found by")
            for finding in found:
                table.add_row(finding.table_name, str(finding.row_count), finding.how)
            console.print(table)

        output.show(found, draw)
    if found:
        raise typer.Exit(1)


@app.command()
def export(
    ctx: typer.Context,
    user: ErasedUser,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Else standard output.")] = None,
    role: Role = "memos_app",
    dsn: Dsn = None,
) -> None:
    """Write everything held about a user as JSON."""
    with speaking(ctx, False) as output, client(ctx, dsn, role) as memos:
        text = json.dumps(bound_user(memos, user).export_user(), ensure_ascii=False)
        if file is None:
            print(text)
        else:
            # What is private stays so.
            file.touch(mode=0o600)
            file.write_text(text + "\n", encoding="utf-8")
            output.log(f"wrote {file}")


@app.command(name="import")
def import_(
    ctx: typer.Context,
    user: Annotated[str, typer.Argument(help="Into which user, who has nothing yet.")],
    file: Annotated[Path, typer.Argument(help="What memos export wrote.", exists=True)],
    role: Role = "memos_admin",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Read what memos export wrote, here or on another server."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        try:
            exported = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadArgument(
                "the file is no export", detail=f"{file}: {error}", hint="Make one: memos export."
            ) from None
        imported = memos.import_user(bound_user(memos, user).user_id(), exported)
        total = sum(table.imported for table in imported)
        output.show(
            imported,
            lambda console: console.print(f"Imported {total} rows into {len(imported)} tables."),
        )


@app.command()
def scrub(ctx: typer.Context, yes: Yes = False, dsn: Dsn = None, as_json: AsJson = False) -> None:
    """Rewrite the tables, so that their files hold nothing of what was erased or deleted.

    Each table is locked meanwhile. A vacuum makes the room of deleted rows free for others, but
    does not write over it.
    """
    with speaking(ctx, as_json) as output:
        if not yes and (output.as_json or not sys.stdin.isatty()):
            raise BadArgument(
                "this has to be confirmed",
                detail="It locks one table after the other while it is rewritten.",
                hint="Give --yes.",
            )
        if not yes and not typer.confirm("This locks each table for a while. Go on?", err=True):
            raise typer.Exit(1)
        done = scrub_files(find_dsn(ctx, dsn), output.log)
        output.show({"tables": done}, lambda console: console.print(f"Rewrote {len(done)} tables."))
