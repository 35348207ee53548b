"""Commands about the caches: `memos cache ...`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import psycopg
import typer
from psycopg.rows import dict_row
from rich.console import Console

from memos_pg import render
from memos_pg.cli.base import AsJson, Dsn, app, bound_user, client, find_dsn, speaking
from memos_pg.client import conninfo

cache = typer.Typer(help="The caches: what they hold, how often they hit, and how to empty them.")
app.add_typer(cache, name="cache", no_args_is_help=True)

OneUser = Annotated[
    str | None, typer.Option("--user", "-u", help="One user: any outside id, or a uuid.")
]
Shared = Annotated[bool, typer.Option("--shared", help="The entries that all users share.")]
LABELS = {"oldest": "age", "local_hits": "local", "hit_rate": "rate", "evictions": "evicted"}
Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="One namespace.")]


def _age(time: datetime | None) -> str:
    return "" if time is None else str(datetime.now(time.tzinfo) - time).split(".")[0]


@cache.command()
def stats(
    ctx: typer.Context,
    user: OneUser = None,
    shared: Shared = False,
    over_time: Annotated[bool, typer.Option("--over-time", help="Hit rate by 5 minutes.")] = False,
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Entries, bytes, age, hits, misses, fills, waits and evictions of each namespace."""
    with speaking(ctx, as_json) as output:
        if user is not None or shared:
            with client(ctx, dsn, "memos_app") as memos:
                holder = memos.for_everyone() if shared else bound_user(memos, user)
                held = holder.cache_stats()

            def draw(console: Console) -> None:
                table = render.table("namespace", "entries", "expired", "bytes", "oldest")
                for row in held:
                    numbers = (f"{n:,}" for n in (row.entries, row.expired, row.bytes))
                    table.add_row(row.namespace, *numbers, _age(row.oldest))
                console.print(table)

            output.show(held, draw)
            return
        view = "cache_hit_rate" if over_time else "cache_statistics"
        order = "bucket, namespace" if over_time else "namespace"
        where = conninfo(find_dsn(ctx, dsn), "memos_admin")
        with psycopg.connect(where, autocommit=True, row_factory=dict_row) as connection:
            rows = connection.execute(
                f"select * from memos_admin.{view} order by {order}"
            ).fetchall()
        output.show(rows, lambda console: _draw(console, rows))


def _draw(console: Console, rows: list[dict[str, Any]]) -> None:
    if not rows:
        console.print("Nothing has been asked of the caches yet.")
        return
    names = [name for name in rows[0] if name not in ("shared_entries", "owners", "newest")]
    table = render.table(*(LABELS.get(name, name) for name in names))
    for row in rows:
        table.add_row(*(_shown(name, row[name]) for name in names))
    console.print(table)


def _shown(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in ("oldest", "newest"):
        return _age(value)
    if name == "hit_rate":
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value}".removesuffix("+00:00")


@cache.command()
def clear(
    ctx: typer.Context,
    namespace: Namespace = None,
    user: OneUser = None,
    shared: Shared = False,
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Empty the caches of all users, of one, or the shared ones; or one namespace of them."""
    with speaking(ctx, as_json) as output:
        if user is not None or shared:
            with client(ctx, dsn, "memos_app") as memos:
                holder = memos.for_everyone() if shared else bound_user(memos, user)
                count = holder.cache_invalidate(namespace=namespace)
        else:
            with client(ctx, dsn, "memos_admin") as memos:
                count = memos.cache_clear(namespace)
        output.show(
            {"removed": count}, lambda console: console.print(f"Removed {count:,} entries.")
        )
