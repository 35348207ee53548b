"""Commands about facts."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from memos_pg import render
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

facts = typer.Typer(no_args_is_help=True)
app.add_typer(facts, name="fact", help="Attributes of entities that have one value at a time.")

Entity = Annotated[str, typer.Argument(help="What it is about, such as Alice.")]
FactId = Annotated[str, typer.Argument(help="The fact's uuid.")]
Reason = Annotated[str, typer.Option(help="Kept on record.")]
Attribute = Annotated[str, typer.Argument(help='What of it, such as "home town".')]


@facts.command(name="assert")
def assert_(
    ctx: typer.Context,
    entity: Entity,
    attribute: Attribute,
    value: Annotated[str, typer.Argument(help="The one value it has.")],
    user: UserName,
    valid_from: When = None,
    valid_until: When = None,
    memory: Annotated[str | None, typer.Option(help="The memory it was taken from.")] = None,
    confidence: Annotated[float, typer.Option(help="From 0 to 1.")] = 1.0,
    provenance: Annotated[
        str, typer.Option(help="Who says so: user, model, tool, imported or system.")
    ] = "user",
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """The attribute has this value from now on, or for a period; what was held then, no more."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        fact = bound_user(memos, user).assert_fact(
            entity,
            attribute,
            value,
            time_option("--valid-from", valid_from),
            time_option("--valid-until", valid_until),
            memory,
            confidence,
            provenance,
        )
        since = f"since {render.short(fact.valid_from)}"
        if fact.valid_until:
            since += f" until {render.short(fact.valid_until)}"
        said = f"{fact.change.capitalize()}: {since}."
        output.show(fact, lambda console: console.print(said))


@facts.command(name="list")
def list_(
    ctx: typer.Context,
    user: UserName,
    entity: Annotated[str | None, typer.Option(help="Of this entity only.")] = None,
    attribute: Annotated[str | None, typer.Option(help="This attribute only.")] = None,
    valid_at: When = None,
    recorded_at: When = None,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """What holds now, or held and was known at those times."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        found = bound_user(memos, user).get_facts(
            entity,
            attribute,
            time_option("--valid-at", valid_at),
            time_option("--recorded-at", recorded_at),
        )

        def draw(console: Console) -> None:
            if not found:
                console.print("Nothing known.")
                return
            table = render.table("fact id", "true", "what")
            for fact in found:
                what = escape(f"{fact.entity}: {fact.attribute} is {fact.value}")
                true = render.period(fact.valid_from, fact.valid_until)
                table.add_row(str(fact.fact_id), true, what)
            console.print(table)

        output.show(found, draw)


@facts.command()
def history(
    ctx: typer.Context,
    entity: Entity,
    attribute: Attribute,
    user: UserName,
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Every value it was held to have, with the times it was true and the times it was known."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        versions = bound_user(memos, user).fact_history(entity, attribute)

        def draw(console: Console) -> None:
            if not versions:
                console.print("Nothing known.")
                return
            table = render.table("true", "known", "change", "said by", "what")
            for version in versions:
                table.add_row(
                    render.period(version.valid_from, version.valid_until),
                    render.period(version.recorded_at, version.recorded_until),
                    version.change,
                    f"{version.provenance} ({version.confidence:.2g})",
                    escape(version.value),
                )
            console.print(table)

        output.show(versions, draw)


@facts.command()
def end(
    ctx: typer.Context,
    fact_id: FactId,
    user: UserName,
    valid_until: When = None,
    reason: Reason = "user_request",
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """A fact holds no more from now on, or from then; what follows is not known."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        until = time_option("--valid-until", valid_until)
        ended = bound_user(memos, user).end_fact(fact_id, until, reason)
        said = "Ended." if ended else "There is no such fact, or it had ended by then."
        output.show({"ended": ended}, lambda console: console.print(said))


@facts.command()
def retract(
    ctx: typer.Context,
    fact_id: FactId,
    user: UserName,
    reason: Reason = "user_request",
    role: Role = "memos_app",
    dsn: Dsn = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw a fact: nothing is held for its period any more. It stays on record."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        retracted = bound_user(memos, user).retract_fact(fact_id, reason)
        said = "Retracted." if retracted else "There is no such fact."
        output.show({"retracted": retracted}, lambda console: console.print(said))
