"""Timing side by side, and the tables that the numbers are printed in."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

_START = time.perf_counter()
Row = dict[str, str | int | float]


@dataclass(frozen=True)
class Ratio:
    """A line of the table at the end: a number, and the bound that it should keep."""

    what: str
    against: str
    value: float
    at_most: float | None = None
    at_least: float | None = None

    @property
    def goal(self) -> str:
        """The bound in words."""
        if self.at_most is not None:
            return f"at most {self.at_most}"
        return f"at least {self.at_least}" if self.at_least is not None else ""

    @property
    def reached(self) -> str:
        """Whether it keeps the bound, if it has one."""
        if not self.goal:
            return ""
        above = self.at_most is not None and self.value > self.at_most
        below = self.at_least is not None and self.value < self.at_least
        return "NO" if above or below else "yes"


@dataclass(frozen=True)
class Report:
    """One table: what was measured, under which conditions, and the numbers."""

    title: str
    note: str
    rows: list[Row] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def say(line: str) -> None:
    """A line of progress, on standard error."""
    print(f"[{time.perf_counter() - _START:5.0f} s] {line}", file=sys.stderr, flush=True)


def interleaved(
    contenders: Mapping[str, Callable[[int], float | None]],
    rounds: int,
    warm_up: int = 6,
    after_warm_up: Callable[[], object] | None = None,
) -> dict[str, np.ndarray]:
    """Seconds that each contender takes in each round; it is passed the number of the round. One
    that works in another process returns the seconds that it measured there.

    A round runs every contender once, so that a machine that slows down slows them all down. Each
    round starts with the next one, so that nobody always finds the caches of the same rival. The
    first rounds are thrown away: psycopg prepares a statement at its sixth execution.
    """
    names = list(contenders)
    seconds = {name: np.empty(rounds) for name in names}
    for number in range(-warm_up, rounds):
        if number == 0 and after_warm_up is not None:
            after_warm_up()
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            measured = contenders[name](number + warm_up)
            elapsed = time.perf_counter() - start
            if number >= 0:
                seconds[name][number] = elapsed if measured is None else measured
    return seconds


def compared(
    seconds: Mapping[str, np.ndarray], pairs: Sequence[tuple[str, str]], **context: str | int
) -> list[Row]:
    """A row for each pair (contender, baseline): milliseconds, and the ratio to the baseline."""
    rows: list[Row] = []
    for name, baseline in pairs:
        p50, p95 = np.percentile(seconds[name], [50, 95])
        base50, base95 = np.percentile(seconds[baseline], [50, 95])
        rows.append(
            context
            | {
                "what": name,
                "against": "" if baseline == name else baseline,
                "n": len(seconds[name]),
                "p50 ms": p50 * 1e3,
                "p95 ms": p95 * 1e3,
                "p50 ratio": p50 / base50,
                "p95 ratio": p95 / base95,
            }
        )
    return rows


def p50_ratio(seconds: Mapping[str, np.ndarray], name: str, baseline: str) -> float:
    """The ratio of two medians."""
    return float(np.median(seconds[name]) / np.median(seconds[baseline]))


def print_report(console: Console, report: Report) -> None:
    """Print it as a table."""
    if report.rows:
        _print_table(console, report.title, report.note, report.rows)
    else:
        console.print(f"[bold]{report.title}[/bold]: {report.note}\n")


def print_ratios(console: Console, ratios: Sequence[Ratio], judge: bool) -> None:
    """Print the table at the end; a quick run is no judge of goals."""
    rows: list[Row] = [
        {
            "what": ratio.what,
            "against": ratio.against,
            "value": ratio.value,
            "goal": ratio.goal,
            "reached": ratio.reached if judge else "",
        }
        for ratio in ratios
    ]
    if rows:
        _print_table(console, "all ratios of this run", "", rows)


def _print_table(console: Console, title: str, note: str, rows: Sequence[Row]) -> None:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption=note,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for name, value in rows[0].items():
        number = isinstance(value, int | float)
        table.add_column(name, justify="right" if number else "left", no_wrap=number)
    for row in rows:
        table.add_row(*map(_shown, row.values()))
    console.print(table)
    console.print()


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if value < 10 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else value
