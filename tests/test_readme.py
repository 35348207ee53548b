"""The README shows what running it prints."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

from psycopg.conninfo import conninfo_to_dict
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


def test_the_examples_print_what_is_shown_one_after_the_other(database, tmp_path):
    """On one database with the demo's model, as after `make demo`: SQL first, then Python."""
    with database.connect() as superuser:
        superuser.execute("select memos_admin.register_embedding_model('hash', 384, 'hash')")
    (tmp_path / ".memos").mkdir()
    parts = conninfo_to_dict(database.dsn)
    address = {name: parts.pop(name) for name in ("host", "port", "user")}
    # The form, and the end, of the file that .ci/server writes.
    dsn = f"postgresql:///{parts['dbname']}?{urlencode(address)}"
    (tmp_path / ".memos" / "dsn").write_text(f"{dsn}\n")
    for code, shown in examples("sql"):
        program = [find_bindir() / "psql", "-X", "-v", "ON_ERROR_STOP=1", dsn]
        assert_prints(program, code, shown)
    for code, shown in examples("python"):
        assert_prints([sys.executable, "-"], code, shown, cwd=tmp_path)


def assert_prints(program, code, shown, **options):
    run = subprocess.run(
        program, input=code, capture_output=True, text=True, check=False, **options
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert contains(run.stdout, shown), f"{code}\nprinted\n{run.stdout}"
