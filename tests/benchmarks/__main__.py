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

from tests.benchmarks import ingest, isolation, locomo, search
from tests.benchmarks.corpus import Workshop
from tests.benchmarks.measure import print_report, say

BENCHMARKS = {
    "search": search.run,
    "ingest": ingest.run,
    "isolation": isolation.run,
    "locomo": locomo.run,
}


def main() -> None:
    """Run what the command line names, or everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="few rows and rounds: does it work?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")

    reports = []
    with Workshop(arguments.quick) as workshop:
        conditions = workshop.versions | {
            "Python": platform.python_version(),
            "cores": str(os.cpu_count()),
        }
        for name in arguments.names or BENCHMARKS:
            say(f"{name}:")
            reports += BENCHMARKS[name](workshop)
        say("done")
    out = console(sys.stdout)
    out.print(", ".join(f"{name} {value}" for name, value in conditions.items()), highlight=False)
    if arguments.quick:
        out.print("--quick: shows that it works, not how fast it is")
    out.print()
    for report in reports:
        print_report(out, report)
    if arguments.json:
        content = {"conditions": conditions, "quick": arguments.quick}
        content["reports"] = [asdict(report) for report in reports]
        arguments.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
