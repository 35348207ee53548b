"""Pictures of latency and recall by user size, and of growth by the size of everything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.ticker import LogFormatter, StrMethodFormatter

from tests.benchmarks import search
from tests.benchmarks.measure import Report, Row


def draw(reports: Sequence[Report], folder: Path) -> Iterator[Path]:
    """Draw what the search benchmark measured; the names of the files."""
    rows = {report.title: report.rows for report in reports}
    folder.mkdir(parents=True, exist_ok=True)
    if sizes := rows.get(search.BY_SIZE):
        yield _draw(folder / "latency_by_user_size.png", sizes, "user's rows", "p50 ms")
        found = [row for row in sizes if row["recall@10"] != ""]
        yield _draw(folder / "recall_by_user_size.png", found, "user's rows", "recall@10")
    if totals := rows.get(search.BY_TOTAL):
        yield _draw(folder / "latency_by_total.png", totals, "rows of all users", "p50 ms")


def _draw(file: Path, rows: Sequence[Row], x: str, y: str) -> Path:
    lines: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        lines[str(row["what"])].append((float(row[x]), float(row[y])))
    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for label, points in lines.items():
        style = "--" if label.startswith("plain scan") else "-"
        axes.plot(*zip(*sorted(points), strict=True), style, marker="o", label=label)
    axes.set(xlabel=x, ylabel=y, xscale="log")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    if y == "recall@10":
        axes.axhline(search.RECALL, color="grey", linewidth=0.8)
        axes.set_ylim(top=1.005)
    elif x == "user's rows":
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(LogFormatter())
        axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
    else:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
    return file
