"""package: the import of the package from rows, as in the server."""

import hashlib
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import memos_pl
import pytest
from fake_plpy import FakeError, FakePlpy
from memos_pl import package

FOLDER = Path(memos_pl.__file__).parent


def rows(**sources: str) -> list[dict[str, str]]:
    """Rows of memos_private.python_module; `__` in a name stands for the dot."""
    return [
        {
            "name": name.replace("__", "."),
            "source": source,
            "sha256": hashlib.sha256(source.encode()).hexdigest(),
        }
        for name, source in sources.items()
    ]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """The tests import other things as memos_pl: put the real one back."""
    modules = {name: sys.modules[name] for name in sys.modules if name.startswith("memos_pl")}
    finders = list(sys.meta_path)
    yield
    package._forget()
    sys.modules.update(modules)
    sys.meta_path[:] = finders


def load(checksum: str = "1", **sources: str) -> Any:
    return package.load(rows(**sources), checksum, FakePlpy().error)


def test_modules_import_each_other_in_any_order() -> None:
    root = load(
        memos_pl__zebra="value = 7",
        memos_pl__ant=(
            "from memos_pl import zebra\nfrom memos_pl.sub.leaf import x\nvalue = zebra.value + x\n"
        ),
        memos_pl__sub="",
        memos_pl__sub__leaf="from memos_pl.zebra import value as x",
        memos_pl="name = 'root'",
    )
    assert root.name == "root"
    assert root.__checksum__ == "1"
    from memos_pl import ant

    assert ant.value == 14
    assert ant.__spec__.origin == "<memos_pl.ant>"


def test_a_new_version_replaces_the_old_one() -> None:
    load(memos_pl="", memos_pl__a="value = 1", memos_pl__gone="")
    load("2", memos_pl="", memos_pl__a="value = 2")
    from memos_pl import a

    assert a.value == 2
    assert sys.modules["memos_pl"].__checksum__ == "2"
    with pytest.raises(ModuleNotFoundError):
        import memos_pl.gone  # noqa: F401
    assert sum(type(f).__name__ == "DatabaseImporter" for f in sys.meta_path) == 1


def test_a_module_that_fails_fails_each_time_and_alone() -> None:
    load(memos_pl="", memos_pl__a="value = 1", memos_pl__b="1 / 0")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            from memos_pl import b  # noqa: F401
    from memos_pl import a

    assert a.value == 1


def test_a_package_that_fails_has_no_checksum() -> None:
    """So that the next call loads it again, and fails again."""
    with pytest.raises(ZeroDivisionError):
        load(memos_pl="1 / 0", memos_pl__a="")
    assert "memos_pl" not in sys.modules


def test_modules_are_imported_when_asked_for() -> None:
    load(memos_pl="", memos_pl__a="")
    assert "memos_pl.a" not in sys.modules


def test_tracebacks_name_module_and_line() -> None:
    load(memos_pl="", memos_pl__a="def f():\n    return 1 / 0\n")
    from memos_pl import a

    with pytest.raises(ZeroDivisionError) as caught:
        a.f()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.filename, last.lineno, last.name) == ("<memos_pl.a>", 2, "f")


def test_a_changed_source_is_not_executed() -> None:
    tampered = rows(memos_pl="", memos_pl__a="value = 1")
    tampered[1]["source"] = "raise SystemExit"
    before = sys.modules["memos_pl"]
    with pytest.raises(FakeError) as caught:
        package.load(tampered, "1", FakePlpy().error)
    assert caught.value.fields["sqlstate"] == "MO500"
    assert "memos_pl.a" in caught.value.fields["detail"]
    assert sys.modules["memos_pl"] is before


def test_the_whole_package_runs_from_rows_alone() -> None:
    """As in the server: an interpreter without a site, a path to the files, or a package."""
    program = f"""
import hashlib, sys
rows = []
for path in {sorted(map(str, FOLDER.rglob("*.py")))!r}:
    source = open(path, encoding="utf-8").read()
    parts = path[len({str(FOLDER.parent)!r}) + 1 : -3].split("/")
    name = ".".join(parts).removesuffix(".__init__")
    digest = hashlib.sha256(source.encode()).hexdigest()
    rows.append(dict(name=name, source=source, sha256=digest))
importer = dict(__name__="memos_pl.package")
exec(next(row["source"] for row in rows if row["name"] == "memos_pl.package"), importer)
importer["load"](rows, "checksum", None)
from memos_pl import hashing, http
assert hashing.__spec__.origin == "<memos_pl.hashing>"
assert http.embed_texts([], 8, dict(url="http://localhost", model="m")) == []
print(hashing.embed_texts(["Penicillin allergy"], 8)[0], sys.modules["memos_pl"].__checksum__)
"""
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True
    )
    literal = "[-0.4617,-0.1836,0.2781,-0.09128,-0.4765,0,0.4725,0.466]"
    assert result.stdout.strip() == f"{literal} checksum"
