"""Lines in a file that outlive the transaction that writes them: a call that fails takes its row
of the audit back with everything else.

A file is named after its database. Whoever collects takes it away under another name, reads it, and
removes it when its lines are committed: until then nothing is lost, and nothing is there twice as
long as the names of what was read are remembered.
"""

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: In the data directory, which is where the server's processes are.
FOLDER = Path("memos_audit")
#: Beyond it nobody collects: the disk must not fill up.
MOST_BYTES = 64 * 2**20


def append(name: str, line: str, folder: Path = FOLDER, most: int = MOST_BYTES) -> bool:
    """Add a line; False where the file has grown too large."""
    folder.mkdir(mode=0o700, exist_ok=True)
    data = line.encode() + b"\n"
    with _locked(folder / name, os.O_CREAT | os.O_APPEND | os.O_WRONLY) as file:
        if os.fstat(file).st_size + len(data) > most:
            return False
        while data:
            data = data[os.write(file, data) :]
    return True


def take(name: str, folder: Path = FOLDER) -> list[str]:
    """Put the file aside for reading; returns the names of all that were put aside."""
    path = folder / name
    if path.exists():
        # Whoever waits for the lock finds another file under the name afterwards.
        with _locked(path, os.O_RDONLY):
            path.rename(folder / f"{name}.{uuid.uuid4()}")
    if not folder.exists():
        return []
    return sorted(found.name for found in folder.iterdir() if _is_of(found.name, name))


def read(name: str, file: str, folder: Path = FOLDER) -> list[str]:
    """The lines of a file that was put aside."""
    return _aside(name, file, folder).read_text(encoding="utf-8", errors="replace").splitlines()


def remove(name: str, file: str, folder: Path = FOLDER) -> None:
    """Remove a file that was put aside, if it is there."""
    _aside(name, file, folder).unlink(missing_ok=True)


def size(name: str, folder: Path = FOLDER) -> int:
    """Bytes that wait to be collected."""
    path = folder / name
    return path.stat().st_size if path.exists() else 0


def _is_of(file: str, name: str) -> bool:
    return file.startswith(f"{name}.")


def _aside(name: str, file: str, folder: Path) -> Path:
    if not _is_of(file, name) or Path(file).name != file:
        raise ValueError(f"{file} is no file of {name}")
    return folder / file


@contextmanager
def _locked(path: Path, flags: int) -> Iterator[int]:
    """The file that has this name while the lock is held."""
    while True:
        file = os.open(path, flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_still(path, file):
                yield file
                return
        finally:
            os.close(file)


def _is_still(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
