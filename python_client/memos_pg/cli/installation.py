"""Commands about the installation."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Annotated

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from rich.console import Console
from rich.markup import escape

from memos_pg import doctor as doctor_module
from memos_pg import migrate as migration
from memos_pg import render
from memos_pg.cli.base import (
    AsJson,
    Dsn,
    Output,
    app,
    find_dsn,
    speaking,
)
from memos_pg.client import MemOS
from memos_pg.errors import BadArgument


@app.command()
def migrate(ctx: typer.Context, dsn: Dsn = None, as_json: AsJson = False) -> None:
    """Install memOS, or bring it up to date; running it again changes nothing."""
    with speaking(ctx, as_json) as output:
        report = migration.migrate(find_dsn(ctx, dsn), output.log)

        def draw(console: Console) -> None:
            if not report.changed:
                console.print("Nothing to do: the database is up to date.")
            else:
                console.print(
                    f"Applied {len(report.applied)} migrations, "
                    f"loaded {len(report.loaded)} new or changed files."
                )
            if report.skipped:
                console.print(
                    "This server has no plpython3u: the local and HTTP embedding providers are "
                    "left out. Pass vectors, or run [bold]memos worker --embedder[/].",
                    style="yellow",
                )

        output.show(report, draw)


@app.command()
def rollback(
    ctx: typer.Context,
    to: Annotated[
        int | None, typer.Option("--to", help="Keep migrations up to this number.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove memOS and its data.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Undo the newest migration, all after --to, or --all. Data in what they made is lost."""
    with speaking(ctx, as_json) as output:
        if everything and to is not None:
            raise BadArgument("--to and --all exclude each other")
        where = find_dsn(ctx, dsn)
        applied = migration.state(where).applied
        undo = _to_undo(applied, to, everything)
        if undo and not yes:
            _confirm(output, undo)
        report = migration.MigrationReport()
        if undo:
            report = migration.rollback(where, len(undo), output.log)
        output.show(
            report, lambda console: console.print(f"Undid {len(report.rolled_back)} migrations.")
        )


def _to_undo(applied: tuple[str, ...], to: int | None, everything: bool) -> tuple[str, ...]:
    if everything:
        return applied
    if to is None:
        return applied[-1:]
    numbers = [int(name.split(".")[0]) for name in applied]
    if to != 0 and to not in numbers:
        raise BadArgument(
            "no applied migration has this number",
            detail=f"--to {to}; applied: {', '.join(map(str, numbers)) or 'none'}",
            hint="Give the number of the newest migration to keep, or 0.",
        )
    return tuple(name for name, number in zip(applied, numbers, strict=True) if number > to)


def _confirm(output: Output, undo: tuple[str, ...]) -> None:
    if output.as_json or not sys.stdin.isatty():
        raise BadArgument(
            "a rollback has to be confirmed",
            detail=f"It would undo {', '.join(undo)} and lose the data in what they made.",
            hint="Give --yes.",
        )
    output.progress.print(f"This undoes {', '.join(undo)}.", style="bold")
    if not typer.confirm("The data in what they made is lost. Go on?", err=True):
        raise typer.Exit(1)


@app.command()
def doctor(ctx: typer.Context, dsn: Dsn = None, as_json: AsJson = False) -> None:
    """Check the installation; exits with 1 when something is wrong."""
    with speaking(ctx, as_json) as output:
        checks = doctor_module.examine(find_dsn(ctx, dsn))
        count = {
            level: sum(check.level == level for check in checks) for level in ("ok", "warn", "fail")
        }

        def draw(console: Console) -> None:
            marks = {"ok": "[green]ok[/]", "warn": "[yellow]warn[/]", "fail": "[bold red]FAIL[/]"}
            table = render.table("", "check", "what")
            for check in checks:
                what = escape(check.message)
                if check.advice:
                    what += f"\n[dim]{escape(check.advice)}[/]"
                table.add_row(marks[check.level], check.name, what)
            console.print(table)
            console.print(
                f"{count['ok']} ok, {count['warn']} warnings, {count['fail']} wrong",
                style="bold red" if count["fail"] else "",
            )

        output.show({"ok": not count["fail"], "checks": checks}, draw)
        if count["fail"]:
            raise typer.Exit(1)


@app.command()
def status(ctx: typer.Context, dsn: Dsn = None, as_json: AsJson = False) -> None:
    """What is installed and stored: versions, migrations, sizes, embeddings."""
    with speaking(ctx, as_json) as output:
        where = find_dsn(ctx, dsn)
        state = migration.state(where)
        with psycopg.connect(where, autocommit=True) as connection:
            database, version, size = connection.execute(
                """
                select current_database(), current_setting('server_version'),
                    pg_size_pretty(pg_database_size(current_database()))
                """
            ).fetchone()
            live = dict(
                connection.execute(
                    """
                    select case when relname ~ '^memory_history_' then 'memory_history'
                        else relname end, sum(n_live_tup)::bigint
                    from pg_stat_all_tables
                    where schemaname = 'memos_private' and relname ~ '^memory(_history_.*)?$'
                    group by 1
                    """
                ).fetchall()
            )
            models = [] if state.pending else MemOS.on(connection).embedding_status()
        facts = {
            "database": database,
            "server": version,
            "size": size,
            "migrations": len(state.applied),
            "pending": [*state.pending, *state.stale],
            # The statistics collector's counts: near enough, and they cost nothing.
            "memories": live.get("memory", 0),
            "versions": live.get("memory", 0) + live.get("memory_history", 0),
            "embedding_models": models,
        }

        def draw(console: Console) -> None:
            console.print(
                render.pairs(
                    {
                        "database": f"{database}, {size}",
                        "server": f"PostgreSQL {version}",
                        "migrations": f"{len(state.applied)} applied, {len(state.pending)} pending",
                        "files": f"{len(state.stale)} to load" if state.stale else "all loaded",
                        "memories": f"about {facts['memories']}, {facts['versions']} versions",
                    },
                    "memOS",
                )
            )
            if models:
                table = render.table("model", "provider", "dimensions", "done", "pending", "failed")
                for model in models:
                    name = f"{model.model} *" if model.is_default else model.model
                    numbers = (model.dimensions, model.done, model.pending, model.failed)
                    table.add_row(escape(name), model.provider, *map(str, numbers))
                console.print(table)

        output.show(facts, draw)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(ctx: typer.Context, dsn: Dsn = None) -> None:
    """Start psql on the database; other arguments go to it."""
    with speaking(ctx, False):
        folder = os.environ.get("MEMOS_PG_BIN")
        program = shutil.which("psql", path=folder) if folder else shutil.which("psql")
        if program is None:
            raise BadArgument(
                "psql is not installed",
                detail=f"not found in {folder or 'PATH'}",
                hint="Install PostgreSQL's client programs, or set MEMOS_PG_BIN.",
            )
        parts = conninfo_to_dict(find_dsn(ctx, dsn))
        password = parts.pop("password", None)
        if password is not None:
            # Arguments are for every user of the machine to read, the environment is not.
            os.environ["PGPASSWORD"] = str(password)
        sys.stdout.flush()
        os.execv(program, [program, make_conninfo(**parts), *ctx.args])


if __name__ == "__main__":
    app()
