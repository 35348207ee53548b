"""The key command: a program outside of the database that tells the key of a user."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence

from memos_pl.errors import MemosError

HINT = "See memos_admin.set_key_command; run the command as the server's account to try it."


def run_command(argv: Sequence[str], timeout_seconds: int, user_id: str) -> bytes | None:
    """What `argv` and the user's id print as 64 hexadecimal digits; None when they print nothing.

    What it prints never stands in an error; what it says on standard error does.
    """
    try:
        run = subprocess.run(
            [*argv, user_id],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        failure = f"no answer within {timeout_seconds} s"
    except OSError as error:
        failure = f"it cannot be started: {error.strerror}"
    else:
        said = run.stderr.decode("utf-8", "replace").strip()[:500]
        if run.returncode != 0:
            failure = f"exit status {run.returncode}{': ' if said else ''}{said}"
        elif not run.stdout.strip():
            return None
        elif re.fullmatch(rb"[0-9a-fA-F]{64}", run.stdout.strip()):
            return bytes.fromhex(run.stdout.strip().decode("ascii"))
        else:
            failure = f"it printed {len(run.stdout)} bytes that are not 64 hexadecimal digits"
    raise MemosError("the key command failed", f"{argv[0]}, user {user_id}: {failure}", HINT)
