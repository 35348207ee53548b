"""The benchmarks run and print their tables. How fast anything is, no test can say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "MEMOS_LOCOMO"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_prints_tables_and_writes_the_same_numbers(tmp_path: Path) -> None:
    file = tmp_path / "numbers.json"

    run = _run("search", "ingest", "locomo", "--quick", "--json", str(file))

    assert run.returncode == 0, run.stderr
    written = json.loads(file.read_text())
    assert f"pgvector {written['conditions']['pgvector']}" in run.stdout
    assert [report["title"] for report in written["reports"]] == [
        "search: one user's search",
        "search: growth with the rows of others",
        "ingest: time a memory",
        "ingest: an import into a new database",
        "locomo",
    ]
    *timed, locomo = written["reports"]
    for report in timed:
        assert report["title"] in run.stdout
        for row in report["rows"]:
            assert 0 < row["p50 ms"] <= row["p95 ms"]
            if not row["against"]:
                assert (row["p50 ratio"], row["p95 ratio"]) == (1, 1)
            assert row["what"] in run.stdout
    assert not locomo["rows"]
    assert "MEMOS_LOCOMO has to name a folder" in run.stdout


def test_refuses_an_unknown_name() -> None:
    run = _run("serach")

    assert run.returncode == 2
    assert "no serach" in run.stderr
