"""How answers look: tables and panels for people, plain values for JSON."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

_NUMERIC = {"rank", "score", "#", "dimensions", "done", "pending", "failed"}
_WRAPPED = {"content", "what", "why"}


def console(stream: Any) -> Console:
    """A console for standard output or standard error."""
    # A pipe has no width: 100 columns, whatever the environment says, so that output is the same.
    return Console(file=stream, width=None if stream.isatty() else 100)


def plain(value: Any) -> Any:
    """The JSON form of what calls return."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID | Path):
        return str(value)
    return value


def short(time: datetime | None) -> str:
    """A time to the minute; nothing for none."""
    return "" if time is None else f"{time:%Y-%m-%d %H:%M}"


def period(start: datetime | None, end: datetime | None) -> str:
    """A period on two lines."""
    return f"{short(start)}\n{short(end) or 'still'}"


def table(*columns: str) -> Table:
    """A table whose text columns may wrap and whose numbers stand right."""
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        numeric = column in _NUMERIC
        result.add_column(
            column,
            justify="right" if numeric else "left",
            no_wrap=column not in _WRAPPED,
            overflow="fold",
        )
    return result


def pairs(facts: dict[str, Any], title: str | None = None) -> Panel:
    """Names and values in a panel, without those that say nothing."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        if value is None or value in ("", [], {}):
            continue
        text = short(value) if isinstance(value, datetime) else value
        if isinstance(text, dict):
            text = ", ".join(f"{key}: {item}" for key, item in text.items())
        elif isinstance(text, list):
            text = ", ".join(map(str, text))
        grid.add_row(name, escape(str(text)))
    return Panel(grid, title=title, title_align="left", box=box.ROUNDED, expand=False)


def why(explanation: dict[str, Any] | None) -> str:
    """An explanation in a few words: rank in each lane that found it, lift by the others."""
    lanes = (explanation or {}).get("lanes", {})
    parts = [f"{lane} {found['rank']}" for lane, found in lanes.items() if "rank" in found]
    parts += [
        f"{lane} +{lanes[lane]['share']:.1f}"
        for lane in ("context", "graph", "time")
        if lanes.get(lane, {}).get("share", 0) >= 0.05
    ]
    return ", ".join(parts)
