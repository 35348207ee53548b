"""Commands about notes and the old network's JSON."""

from __future__ import annotations

import json
from pathlib import Path
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
from memos_pg.errors import BadArgument


@app.command()
def note(
    ctx: typer.Context,
    memory_id: MemoryId,
    user: UserName,
    keyword: Annotated[
        list[str] | None, typer.Option("--keyword", "-k", help="Set it; may be repeated.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Set it; may be repeated.")] = None,
    context: Annotated[str | None, typer.Option(help="Set the line of context.")] = None,
    make: Annotated[bool, typer.Option("--make", help="Make it by rules now.")] = False,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """The note of a memory: keywords, tags and context; with options, set or make it first."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        bound = bound_user(memos, user)
        if keyword or tag or context is not None:
            bound.set_note(memory_id, keyword or [], tag or [], context)
        elif make:
            bound.make_note(memory_id)
        found = bound.get_note(memory_id)

        def draw(console: Console) -> None:
            if found is None:
                console.print("No note yet: memos note --make, or the next maintenance.")
                return
            facts = {
                "keywords": ", ".join(found.keywords),
                "tags": ", ".join(found.tags),
                "context": found.context,
                "made by": found.made_by,
            }
            console.print(render.pairs(facts, str(found.memory_id)))

        output.show(found, draw)


@app.command()
def evolve(
    ctx: typer.Context,
    memory_id: MemoryId,
    user: UserName,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show it.")] = False,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Let a memory change the notes, tags and links of its nearest neighbours."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        done = bound_user(memos, user).evolve_memory(memory_id, dry_run or None)

        def draw(console: Console) -> None:
            table = render.table("memory id", "why")
            for neighbour in done.changes["neighbours"]:
                table.add_row(neighbour["memory_id"], escape(neighbour["why"]))
            console.print(table if done.changes["neighbours"] else "Nothing to change.")
            if done.evolution_id:
                console.print(f"Undo it with: memos undo evolution {done.evolution_id}")

        output.show(done, draw)


@app.command(name="export-network")
def export_network(
    ctx: typer.Context,
    user: UserName,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Memories and links as the JSON of the old semantic network, to standard output."""
    with speaking(ctx, as_json), client(ctx, dsn, role) as memos:
        print(json.dumps(bound_user(memos, user).export_network(), ensure_ascii=False, indent=2))


@app.command(name="import-network")
def import_network(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="The JSON file.", exists=True, dir_okay=False)],
    user: UserName,
    model: Annotated[str | None, typer.Option(help="The model its vectors are of.")] = None,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Read the JSON of the old semantic network; doing it again changes nothing."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        try:
            network = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadArgument(
                "the file is not JSON", detail=f"{path}: {error}", hint="Give another file."
            ) from None
        done = bound_user(memos, user).import_network(network, model)
        output.show(
            done,
            lambda console: console.print(
                f"{done.memories} memories, {done.created} of them new; {done.links} new links, "
                f"{done.dangling} connections that lead nowhere."
            ),
        )
