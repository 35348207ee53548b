"""The README shows what running it prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

from support.postgres import find_bindir

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def examples(language):
    """(code, what the README says it prints) of each block, in order."""
    pattern = rf"```{language}\n(.*?)```\n(?:```\n(.*?)```\n)?"
    return re.findall(pattern, README, re.DOTALL)


def words(text):
    return [line.split() for line in text.splitlines() if line.strip()]


def contains(printed, shown):
    """Whether the shown lines stand in the printed ones, one after the other."""
    printed, shown = words(printed), words(shown)
    return any(
        printed[start : start + len(shown)] == shown
        for start in range(len(printed) - len(shown) + 1)
    )


def test_sql_examples_print_what_is_shown(database):
    for code, shown in examples("sql"):
        run = subprocess.run(
            [find_bindir() / "psql", "-X", "-v", "ON_ERROR_STOP=1", database.dsn],
            input=code,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        assert contains(run.stdout, shown), f"{code}\nprinted\n{run.stdout}"


def test_python_examples_print_what_is_shown(database, tmp_path):
    (tmp_path / ".memos").mkdir()
    (tmp_path / ".memos" / "dsn").write_text(database.dsn + "\n")  # as .ci/server does
    for code, shown in examples("python"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        assert contains(run.stdout, shown), f"{code}\nprinted\n{run.stdout}"
