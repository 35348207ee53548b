"""The command line: `memos`. Rich tables for people, one JSON document with --json for machines."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import psycopg
import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from memos_pg import doctor as doctor_module
from memos_pg import migrate as migration
from memos_pg import render
from memos_pg.client import MemOS, User, conninfo
from memos_pg.errors import BadArgument, MemOSError
from memos_pg.models import Memory, SearchResult
from memos_pg.worker import WorkerReport, load_embedder, work

app = typer.Typer(
    name="memos",
    help="memOS: the memory of an LLM bot, kept inside PostgreSQL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Dsn = Annotated[
    str | None,
    typer.Option("--dsn", help="libpq connection string; else MEMOS_DSN, else .memos/dsn."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
UserName = Annotated[
    str,
    typer.Option("--user", "-u", envvar="MEMOS_USER", help="The user: any outside id, or a uuid."),
]
Role = Annotated[
    str, typer.Option("--role", help="The role to act as; empty for the one that connects.")
]
MemoryId = Annotated[str, typer.Argument(help="The memory's uuid.")]
When = Annotated[str | None, typer.Option(help="A time in ISO 8601; without a zone, local time.")]


# Where to, and how to print -----------------------------------------------------------------------


@dataclass
class Output:
    """How a command speaks: standard output is for the answer, standard error for the rest."""

    as_json: bool

    def __post_init__(self) -> None:
        self.console = render.console(sys.stdout)
        self.progress = render.console(sys.stderr)

    def log(self, line: str) -> None:
        """Say what goes on; nobody listens with --json."""
        if not self.as_json:
            self.progress.print(f"[dim]{escape(line)}[/dim]", highlight=False)

    def show(self, data: Any, draw: Callable[[Console], None]) -> None:
        """Print the answer in one form or the other."""
        if self.as_json:
            print(json.dumps(render.plain(data), ensure_ascii=False, indent=2))
        else:
            draw(self.console)


@contextmanager
def _speaking(ctx: typer.Context, as_json: bool) -> Iterator[Output]:
    """Give a command its output, and turn what it raises into a message and exit status 1."""
    output = Output(as_json or bool(ctx.find_root().params.get("as_json")))
    try:
        yield output
    except MemOSError as error:
        _fail(output, error.sqlstate, error.message, error.detail, error.hint)
    except psycopg.Error as error:
        diag = error.diag
        message = diag.message_primary or str(error).strip()
        _fail(output, error.sqlstate, message, diag.message_detail, diag.message_hint)
    except migration.MigrationError as error:
        _fail(output, None, str(error))


def _fail(
    output: Output,
    sqlstate: str | None,
    message: str,
    detail: str | None = None,
    hint: str | None = None,
) -> None:
    if output.as_json:
        error = {"sqlstate": sqlstate, "message": message, "detail": detail, "hint": hint}
        print(json.dumps({"error": error}, ensure_ascii=False, indent=2), file=sys.stderr)
    else:
        code = f" ({sqlstate})" if sqlstate else ""
        output.progress.print(f"[bold red]error[/]: {escape(message)}{code}", highlight=False)
        for name, text in (("detail", detail), ("hint", hint)):
            if text:
                output.progress.print(f"  [dim]{name}:[/] {escape(text)}", highlight=False)
    raise typer.Exit(1)


def find_dsn(ctx: typer.Context, dsn: str | None) -> str:
    """The connection string: the option, MEMOS_DSN, or .memos/dsn here or in a folder above."""
    given = dsn or ctx.find_root().params.get("dsn") or os.environ.get("MEMOS_DSN")
    if given:
        return given
    here = Path.cwd()
    for folder in (here, *here.parents):
        path = folder / ".memos" / "dsn"
        if path.is_file():
            return path.read_text(encoding="utf-8").strip()
    raise BadArgument(
        "no database is named",
        detail=f"no .memos/dsn in {here} or above it",
        hint="Give --dsn, set MEMOS_DSN, or run make up in the checkout.",
    )


@contextmanager
def _client(ctx: typer.Context, dsn: str | None, role: str) -> Iterator[MemOS]:
    """A client on one connection: a command needs no pool, and fails at once without a server."""
    with psycopg.connect(conninfo(find_dsn(ctx, dsn), role or None), autocommit=True) as connection:
        yield MemOS.on(connection)


def _user(memos: MemOS, name: str) -> User:
    try:
        return memos.for_user(UUID(name))
    except ValueError:
        return memos.for_user(name)


def _time(name: str, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise BadArgument(
            f"{name} is not a time",
            detail=f"{name} = {value!r}",
            hint="Write it like 2026-03-01 or 2026-03-01T18:30:00+01:00.",
        ) from None
    return time if time.tzinfo else time.astimezone()


@app.callback()
def main(
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Both options may also stand after the command."""


# The installation ---------------------------------------------------------------------------------


@app.command()
def migrate(ctx: typer.Context, dsn: Dsn = None, as_json: AsJson = False) -> None:
    """Install memOS, or bring it up to date; running it again changes nothing."""
    with _speaking(ctx, as_json) as output:
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
    with _speaking(ctx, as_json) as output:
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
    with _speaking(ctx, as_json) as output:
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
    with _speaking(ctx, as_json) as output:
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


# One user -----------------------------------------------------------------------------------------


@app.command()
def user(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The user: any outside id, or a uuid.")],
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """A user's uuid, and how much is stored for them."""
    with _speaking(ctx, as_json) as output, _client(ctx, dsn, role) as memos:
        bound = _user(memos, name)
        user_id, stats = bound.user_id(), bound.memory_stats()
        facts = {"user id": user_id, **asdict(stats)}
        output.show(
            {"user_id": user_id, "stats": stats},
            lambda console: console.print(render.pairs(facts, name)),
        )


@app.command()
def add(
    ctx: typer.Context,
    content: Annotated[str, typer.Argument(help="What to remember; - reads standard input.")],
    user: UserName,
    kind: Annotated[str | None, typer.Option(help="semantic, episodic, ...")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    session: Annotated[str | None, typer.Option(help="The session it belongs to.")] = None,
    occurred_at: When = None,
    importance: Annotated[float | None, typer.Option(help="From 0 to 1.")] = None,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Store a memory; the same content is stored once."""
    with _speaking(ctx, as_json) as output, _client(ctx, dsn, role) as memos:
        text = sys.stdin.read().rstrip("\n") if content == "-" else content
        memory_id = _user(memos, user).add_memory(
            text,
            kind=kind,
            tags=tag or None,
            session_id=session,
            occurred_at=_time("--occurred-at", occurred_at),
            importance=importance,
        )
        output.show({"memory_id": memory_id}, lambda console: console.print(str(memory_id)))


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
    with _speaking(ctx, as_json) as output, _client(ctx, dsn, role) as memos:
        found = _user(memos, user).search_memories(
            query,
            limit=limit,
            token_budget=token_budget,
            kinds=kind or None,
            tags=tag or None,
            session_id=session,
            valid_at=_time("--valid-at", valid_at),
            recorded_at=_time("--recorded-at", recorded_at),
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


@app.command(name="list")
def list_(
    ctx: typer.Context,
    user: UserName,
    kind: Annotated[list[str] | None, typer.Option(help="A kind; may be repeated.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="At most so many rows.")] = 50,
    after: Annotated[str | None, typer.Option(help="The last id of the page before.")] = None,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Memories, newest first."""
    with _speaking(ctx, as_json) as output, _client(ctx, dsn, role) as memos:
        found = _user(memos, user).list_memories(kind or None, tag or None, limit, after)

        def draw(console: Console) -> None:
            if not found:
                console.print("Nothing stored.")
                return
            table = render.table("memory id", "when", "kind", "content")
            for memory in found:
                when = render.short(memory.occurred_at or memory.recorded_at)
                table.add_row(str(memory.memory_id), when, memory.kind, escape(memory.content))
            console.print(table)

        output.show(found, draw)


@app.command()
def show(
    ctx: typer.Context,
    memory_id: MemoryId,
    user: UserName,
    valid_at: When = None,
    recorded_at: When = None,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """One memory, with everything that is known of it."""
    with _speaking(ctx, as_json) as output, _client(ctx, dsn, role) as memos:
        memory = _user(memos, user).get_memory(
            memory_id,
            valid_at=_time("--valid-at", valid_at),
            recorded_at=_time("--recorded-at", recorded_at),
        )
        output.show(memory, lambda console: _render_memory(console, memory))


def _render_memory(console: Console, memory: Memory) -> None:
    facts = asdict(memory)
    console.print(Panel(escape(facts.pop("content")), box=box.ROUNDED, expand=False))
    console.print(render.pairs({name.replace("_", " "): value for name, value in facts.items()}))


@app.command()
def history(
    ctx: typer.Context,
    memory_id: MemoryId,
    user: UserName,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Every version of a memory, with the times it was true and the times it was known."""
    with _speaking(ctx, as_json) as output, _client(ctx, dsn, role) as memos:
        versions = _user(memos, user).memory_history(memory_id)

        def draw(console: Console) -> None:
            table = render.table("#", "true", "known", "change", "content")
            for version in versions:
                reason = f"\n[dim]{escape(version.reason)}[/]" if version.reason else ""
                table.add_row(
                    str(version.version),
                    render.period(version.valid_from, version.valid_until),
                    render.period(version.recorded_at, version.recorded_until),
                    version.change,
                    escape(version.content) + reason,
                )
            console.print(table)

        output.show(versions, draw)


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
    with _speaking(ctx, as_json) as output, _client(ctx, dsn, role) as memos:
        created = _user(memos, user).link_memories(from_id, to_id, kind, weight)
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
    with _speaking(ctx, as_json) as output, _client(ctx, dsn, role) as memos:
        found = _user(memos, user).related_memories(memory_id, kind or None, depth, min_weight)

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


# Operation ----------------------------------------------------------------------------------------


@app.command()
def worker(
    ctx: typer.Context,
    embedder: Annotated[
        str | None,
        typer.Option(help="module:callable that turns a list of texts into vectors."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Embed for this model only.")] = None,
    batch: Annotated[int, typer.Option(help="Texts in one call of the embedder.", min=1)] = 64,
    once: Annotated[bool, typer.Option("--once", help="Stop when nothing is pending.")] = False,
    idle: Annotated[float, typer.Option(help="Seconds to wait when nothing is pending.")] = 2.0,
    role: Role = "memos_admin",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Embed pending memories: with a Python callable, else with the database's own providers."""
    with _speaking(ctx, as_json) as output:
        callable_ = load_embedder(embedder) if embedder else None
        with (
            _stopped_by_signals() as stop,
            MemOS(find_dsn(ctx, dsn), role=role or None, min_size=1, max_size=1) as memos,
        ):
            report = work(
                memos,
                callable_,
                model=model,
                batch=batch,
                once=once,
                idle=idle,
                stop=stop,
                log=output.log,
            )
        output.show(report, lambda console: _render_work(console, report))


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, instead of ending the process in the middle."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _render_work(console: Console, report: WorkerReport) -> None:
    console.print(f"Embedded {report.embedded}, failed {report.failed}.")


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

    with _speaking(ctx, as_json) as output:
        report = run(find_dsn(ctx, dsn), user_seed, None if output.as_json else output.console)
        output.show(report, lambda console: None)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(ctx: typer.Context, dsn: Dsn = None) -> None:
    """Start psql on the database; other arguments go to it."""
    with _speaking(ctx, False):
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
