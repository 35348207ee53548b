"""The benchmarks run and print their tables. How fast anything is, no test can say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2]))  # as `python -m tests.benchmarks` has it

from tests.benchmarks.conversations import Question, scores
from tests.benchmarks.corpus import DIMENSIONS, World
from tests.benchmarks.measure import Ratio, interleaved
from tests.benchmarks.side_by_side import OURS, PeerError, Process

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

    # All but cache, which fails where there is no Redis to compare with.
    names = ["locomo", "peers", "ingest", "search", "isolation", "audit", "lifecycle", "scratchpad"]
    small = ("--quick", "--total", "600", "--only", *names)
    run = _run(*small, "--json", str(file), "--plots", str(tmp_path))

    assert run.returncode == 0, run.stderr
    written = json.loads(file.read_text())
    assert f"pgvector {written['conditions']['pgvector']}" in run.stdout
    assert [report["title"] for report in written["reports"]] == [
        "locomo: evidence found",
        "peers: side by side",
        "ingest: time a memory",
        "ingest: an import into a new database",
        "search: one user's search",
        "search: growth with the rows of others",
        "isolation: a signed context",
        "isolation: row-level security on and off",
        "audit: on and off",
        "audit: verification",
        "lifecycle: a pass of maintenance",
        "scratchpad: sixteen workers on one",
    ]
    locomo, peers, *timed, verification, lifecycle, scratchpad = written["reports"]
    assert all(row["seconds"] > 0 for row in verification["rows"] + lifecycle["rows"])
    assert verification["failures"] == []
    assert all(row["transactions"] > 0 for row in scratchpad["rows"])
    assert scratchpad["failures"] == []
    for report in timed:
        assert report["title"] in run.stdout
        for row in report["rows"]:
            assert 0 < row["p50 ms"] <= row["p95 ms"]
            if not row["against"]:
                assert (row["p50 ratio"], row["p95 ratio"]) == (1, 1)
    assert all(0 < row["R@10"] <= row["hit@10"] <= 1 for row in locomo["rows"])
    assert [row["peer"] for row in peers["rows"]] == [peer.name for peer in OURS]
    assert all(0 < row["R@10"] <= 1 for row in peers["rows"])
    # The same search by SQL and through the client, on the same data.
    calibrated = next(row for row in locomo["rows"] if row["what"] == "calibrated")
    memos = next(row for row in peers["rows"] if row["peer"] == "memOS")
    assert memos["R@10"] == pytest.approx(calibrated["R@10"], abs=0.05)
    assert "all ratios of this run" in run.stdout
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "latency_by_total.png",
        "latency_by_user_size.png",
        "recall_by_user_size.png",
    ]


def test_refuses_an_unknown_name() -> None:
    run = _run("--only", "serach")

    assert run.returncode == 2
    assert "invalid choice: 'serach'" in run.stderr


def test_a_peer_that_does_not_work_says_why() -> None:
    process = Process(replace(OURS[0], name="nobody", runner="nobody.py"))

    with pytest.raises(PeerError, match=r"nobody gave up: .*nobody\.py"):
        process.ask(open={"dsn": "", "dimensions": 1})

    process.close()


def test_scores() -> None:
    asked = Question("ann", "where?", frozenset({"a", "b"}), np.zeros(1))

    best = scores([asked], [["a", "b", "c"]])
    half = scores([asked], [["c", "a"]])

    assert best == {"R@5": 1, "R@10": 1, "R@20": 1, "hit@10": 1, "nDCG@10": 1}
    assert half["R@10"] == 0.5
    assert half["nDCG@10"] == pytest.approx(0.387, abs=0.001)  # 1/log2(3) of 1 + 1/log2(3)
    assert set(scores([asked], [[]]).values()) == {0}


def test_vectors_are_neither_noise_nor_all_alike() -> None:
    vectors = World().person("ann", None, 500).vectors.astype(np.float32)

    cosines = (vectors @ vectors.T)[~np.eye(len(vectors), dtype=bool)]
    spectrum = np.linalg.eigvalsh(np.cov(vectors.T))[::-1]

    assert vectors.shape == (500, DIMENSIONS)
    assert 0.1 < np.median(cosines) < 0.5
    assert np.quantile(cosines, 0.99) > 0.6
    assert spectrum[:50].sum() > 0.5 * spectrum.sum()


def test_a_ratio_is_held_against_its_goal() -> None:
    assert Ratio("p50", "scan", 0.7, at_most=0.6).reached == "NO"
    assert Ratio("recall", "exact", 0.99, at_least=0.98).reached == "yes"
    assert Ratio("p50", "scan", 7.0).reached == ""


def test_rounds_are_interleaved_and_own_clocks_count() -> None:
    calls = []
    contenders = {
        "here": lambda number: calls.append(("here", number)),
        "elsewhere": lambda number: calls.append(("elsewhere", number)) or 5.0,
    }

    seconds = interleaved(contenders, rounds=2, warm_up=1)

    assert list(seconds["elsewhere"]) == [5, 5]
    assert seconds["here"].max() < 5
    assert sorted(calls) == [(name, n) for name in ("elsewhere", "here") for n in range(3)]
