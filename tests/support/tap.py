"""Reading TAP, the output of pgTAP."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_PLAN = re.compile(r"1\.\.(\d+)(?:\s*#\s*(?P<skip>skip.*))?$", re.IGNORECASE)
_TEST = re.compile(r"(?P<failed>not )?ok\b(?:\s+\d+)?(?P<text>.*)$")
_TODO = re.compile(r"#\s*todo\b", re.IGNORECASE)


@dataclass
class TapReport:
    """What a TAP stream says."""

    planned: int | None = None
    skipped: str | None = None  # why the whole file was skipped
    run: int = 0
    problems: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, lines: list[str]) -> TapReport:
        """Every failed test with its diagnostics, and every way in which tests can go missing."""
        report = cls()
        collecting = False
        for line in lines:
            if plan := _PLAN.match(line):
                if report.planned is not None:
                    report.problems.append("there is a second plan")
                report.planned = int(plan[1])
                report.skipped = plan["skip"]
            elif test := _TEST.match(line):
                report.run += 1
                collecting = bool(test["failed"]) and not _TODO.search(test["text"])
                if collecting:
                    report.problems.append(line)
            elif collecting and line.startswith("#"):
                report.problems.append(line)
            elif not line.startswith("#"):
                collecting = False
        if report.planned is None:
            report.problems.append("there is no plan")
        elif report.run != report.planned:
            report.problems.append(f"{report.planned} tests were planned, {report.run} ran")
        elif report.planned == 0 and not report.skipped:
            report.problems.append("there is no test")
        return report
