"""A hot standby of a test server."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .postgres import Server


class Standby:
    """A standby in a folder of its own, as current as when it was made."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.data, self.server, self.folder = folder / "standby", server, folder
        self._as_owner: list[str] = server._postgresql.launcher
        owner = server._postgresql.owner
        if owner:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        self._run(
            "pg_basebackup", "--pgdata", self.data, "--dbname", server.dsn(), "-R", "-c", "fast"
        )
        options = f"-k {folder} -p 5432 -c listen_addresses=''"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", folder / "log", "-o", options, "start")

    def _run(self, program: str, *arguments: Any) -> None:
        command = [*self._as_owner, self.server.program(program), *map(str, arguments)]
        subprocess.run(command, check=True, cwd=self.folder, stdout=subprocess.DEVNULL)

    def dsn(self, database: str, role: str = "memos_app") -> str:
        """How a role connects to it."""
        return f"host={self.folder} port=5432 dbname={database} user={role}"

    @property
    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "log").read_text(encoding="utf-8")

    def stop(self) -> None:
        """Stop it at once."""
        self._run("pg_ctl", "-D", self.data, "-w", "-m", "immediate", "stop")


@contextmanager
def standby_of(server: Server) -> Iterator[Standby]:
    """A standby while the block runs."""
    with tempfile.TemporaryDirectory(prefix="memos-standby-", dir="/tmp") as folder:
        # pg_ctl hands the launcher's death signal on to nobody: the standby is stopped below.
        standby = Standby(server, Path(folder))
        try:
            yield standby
        finally:
            standby.stop()
