"""Imports the package from the database: nothing is installed in the server's file system.

memos_private.ensure_python_package() executes this file's source and calls `load`.
"""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

ROOT = "memos_pl"


class DatabaseImporter(MetaPathFinder, InspectLoader):
    """Finds and loads the modules whose sources it holds; all others are left to Python."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.sources = sources

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module of the package, None for others."""
        if fullname not in self.sources:
            return None
        return importlib.util.spec_from_loader(
            fullname, self, origin=f"<{fullname}>", is_package=self.is_package(fullname)
        )

    def is_package(self, fullname: str) -> bool:
        """Whether there are modules below this one, or it is the root."""
        return fullname == ROOT or any(name.startswith(f"{fullname}.") for name in self.sources)

    def get_source(self, fullname: str) -> str:
        """The source, for tracebacks."""
        return self.sources[fullname]

    def get_code(self, fullname: str) -> CodeType:
        """The module's code, under the name that a traceback shows."""
        return self.source_to_code(self.sources[fullname], f"<{fullname}>")


def load(
    rows: Iterable[Mapping[str, str]], checksum: str, fail: Callable[..., object]
) -> ModuleType:
    """Make `rows` (name, source, sha256) the package, in place of what was imported before.

    Its modules are imported when they are first asked for: hashing a query must not wait for the
    import of a network library. The checksum of all is kept as `memos_pl.__checksum__`. `fail` is
    plpy.error.
    """
    sources = {}
    for row in rows:
        if hashlib.sha256(row["source"].encode()).hexdigest() != row["sha256"]:
            fail(
                "a Python module in the database is not what was loaded",
                detail=f"The checksum of {row['name']} differs from its source.",
                hint="Run memos migrate, and find out who changed the table.",
                sqlstate="MO500",
            )
        sources[row["name"]] = row["source"]
    _forget()
    sys.meta_path.insert(0, DatabaseImporter(sources))
    root = importlib.import_module(ROOT)
    root.__checksum__ = checksum  # type: ignore[attr-defined]
    return root


def _forget() -> None:
    """Remove the package and its importers. By name: an earlier version's class is another one."""
    sys.meta_path[:] = [
        finder for finder in sys.meta_path if type(finder).__name__ != DatabaseImporter.__name__
    ]
    for name in list(sys.modules):
        if name == ROOT or name.startswith(f"{ROOT}."):
            del sys.modules[name]
