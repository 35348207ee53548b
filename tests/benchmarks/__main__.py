"""The program: runs the benchmarks and prints their tables at the end."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from memos_pg.render import console

from tests.benchmarks import (
    audit,
    cache,
    ingest,
    isolation,
    lifecycle,
    locomo,
    plots,
    search,
    side_by_side,
    working_memory,
)
from tests.benchmarks.corpus import SIZES, Workshop
from tests.benchmarks.measure import print_ratios, print_report, say

BENCHMARKS = {
    "locomo": locomo.run,
    "peers": side_by_side.run,
    "ingest": ingest.run,
    "search": search.run,
    "isolation": isolation.run,
    "audit": audit.run,
    "lifecycle": lifecycle.run,
    "scratchpad": working_memory.run,
    "cache": cache.run,
}


def main() -> None:
    """Run what the command line names, or everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=list(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="few rows and rounds: does it work?")
    parser.add_argument("--total", type=int, metavar="ROWS", help="rows of all users together")
    parser.add_argument("--peers", action="store_true", help="install other packages and compare")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", default=Path(".memos/bench"))
    arguments = parser.parse_args()
    if arguments.total is not None and arguments.total < 3 * SIZES[0]:
        parser.error(f"--total: at least {3 * SIZES[0]}")

    reports = []
    with Workshop(arguments.quick, arguments.total, arguments.peers) as workshop:
        conditions = workshop.versions | {
            "Python": platform.python_version(),
            "cores": str(os.cpu_count()),
        }
        for name, run in BENCHMARKS.items():
            if name in arguments.only:
                say(f"{name}:")
                reports += run(workshop)
        say("done")
    out = console(sys.stdout)
    out.print(", ".join(f"{name} {value}" for name, value in conditions.items()), highlight=False)
    if arguments.quick:
        out.print("--quick: shows that it works, not how fast it is")
    out.print()
    for report in reports:
        print_report(out, report)
    ratios = [ratio for report in reports for ratio in report.ratios]
    print_ratios(out, ratios, judge=not arguments.quick)
    for file in plots.draw(reports, arguments.plots):
        out.print(f"plot: {file}", highlight=False)
    if arguments.json:
        content = {"conditions": conditions, "quick": arguments.quick}
        content["reports"] = [asdict(report) for report in reports]
        arguments.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    if failures := [failure for report in reports for failure in report.failures]:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
