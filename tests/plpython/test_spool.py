"""Lines that outlive a transaction, without a database."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from memos_pl import spool


def collected(name: str, folder: Path) -> list[str]:
    lines = []
    for file in spool.take(name, folder):
        lines += spool.read(name, file, folder)
        spool.remove(name, file, folder)
    return lines


def test_lines_are_kept_in_order_and_taken_once(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    assert spool.take("7", folder) == []
    for line in ("one", "zwei: ä", "three"):
        assert spool.append("7", line, folder)
    assert spool.size("7", folder) == len("one\nzwei: ä\nthree\n".encode())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "7").stat().st_mode) == 0o600
    assert collected("7", folder) == ["one", "zwei: ä", "three"]
    assert collected("7", folder) == []
    assert spool.size("7", folder) == 0


def test_databases_do_not_meet(tmp_path: Path) -> None:
    spool.append("7", "seven", tmp_path)
    spool.append("77", "seventy-seven", tmp_path)
    assert collected("7", tmp_path) == ["seven"]
    assert collected("77", tmp_path) == ["seventy-seven"]


def test_what_was_put_aside_stays_until_it_is_removed(tmp_path: Path) -> None:
    spool.append("7", "one", tmp_path)
    [first] = spool.take("7", tmp_path)
    spool.append("7", "two", tmp_path)
    assert first in spool.take("7", tmp_path)
    assert len(spool.take("7", tmp_path)) == 2
    spool.remove("7", first, tmp_path)
    spool.remove("7", first, tmp_path)
    assert collected("7", tmp_path) == ["two"]


@pytest.mark.parametrize("file", ["8.x", "7", "7./../../secret", "../7.x", ""])
def test_no_other_file_is_read_or_removed(tmp_path: Path, file: str) -> None:
    with pytest.raises(ValueError, match="is no file of 7"):
        spool.read("7", file, tmp_path)
    with pytest.raises(ValueError, match="is no file of 7"):
        spool.remove("7", file, tmp_path)


def test_a_full_file_takes_no_more(tmp_path: Path) -> None:
    assert spool.append("7", "x" * 9, tmp_path, most=10)
    assert not spool.append("7", "", tmp_path, most=10)
    assert collected("7", tmp_path) == ["x" * 9]
    assert spool.append("7", "", tmp_path, most=10)


def test_damaged_bytes_are_read(tmp_path: Path) -> None:
    spool.append("7", "one", tmp_path)
    with (tmp_path / "7").open("ab") as file:
        file.write(b"\xff\xfe half")
    assert collected("7", tmp_path) == ["one", "\ufffd\ufffd half"]


def test_nothing_is_lost_between_writers_and_collectors(tmp_path: Path) -> None:
    def write(number: int) -> list[str]:
        for turn in range(200):
            spool.append("7", f"{number} {turn}", tmp_path)
        return []

    def collect(_: int) -> list[str]:
        return [line for _ in range(50) for line in collected("7", tmp_path)]

    with ThreadPoolExecutor(5) as pool:
        writers = [pool.submit(write, number) for number in range(4)]
        found = pool.submit(collect, 0).result()
        for writer in writers:
            writer.result()
    found += collected("7", tmp_path)
    assert sorted(found) == sorted(f"{n} {turn}" for n in range(4) for turn in range(200))
