"""The worker: leases, failures of the embedder, a clean stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest
from memos_pg import BadArgument, MemOS, User
from memos_pg.worker import load_embedder, work
from support.postgres import Database

HERE = Path(__file__).parent


def letters(texts: list[str]) -> list[list[float]]:
    return [[text.count("a") + 1.0, text.count("e") + 1.0, len(text) + 1.0] for text in texts]


@pytest.fixture
def model(operator: MemOS) -> MemOS:
    """The operator of a database with a model of three dimensions, embedded outside."""
    operator.register_embedding_model("letters", 3, "external")
    return operator


def test_everything_pending_is_embedded(alice: User, model: MemOS) -> None:
    alice.add_memories([{"content": f"memory {number}"} for number in range(10)])
    sizes = []

    def embedder(texts: list[str]) -> list[list[float]]:
        sizes.append(len(texts))
        return letters(texts)

    report = work(model, embedder, batch=4, once=True)
    assert (report.embedded, report.failed) == (10, 0)
    assert sizes == [4, 4, 2]
    (status,) = model.embedding_status()
    assert (status.done, status.pending) == (10, 0)
    found = alice.search_memories("", embedding=letters(["memory 3"])[0], limit=1)
    assert found


def test_a_changed_memory_is_embedded_again(alice: User, model: MemOS) -> None:
    memory_id = alice.add_memory("aaa")
    assert work(model, letters, once=True).embedded == 1
    alice.update_memory(memory_id, {"content": "eee"})
    assert model.embedding_status()[0].pending == 1
    assert work(model, letters, once=True).embedded == 1


def test_one_bad_text_fails_no_other(alice: User, model: MemOS) -> None:
    alice.add_memories([{"content": text} for text in ("good", "poison", "fine")])
    lines: list[str] = []

    def embedder(texts: list[str]) -> list[list[float]]:
        if "poison" in texts:
            raise RuntimeError("cannot read this")
        return letters(texts)

    report = work(model, embedder, once=True, log=lines.append)
    assert (report.embedded, report.failed) == (2, 1)
    assert any("cannot read this" in line for line in lines)
    (status,) = model.embedding_status()
    assert (status.done, status.pending + status.failed) == (2, 1)


@pytest.mark.parametrize(
    ("embedder", "words"),
    [
        (lambda texts: [[1.0, 2.0]] * len(texts), "dimensions"),
        (lambda texts: [[0.0, 0.0, 0.0]] * len(texts), "BadArgument"),
        (lambda texts: [[float("nan")] * 3] * len(texts), "BadArgument"),
        (lambda texts: [], "0 vectors for 1 texts"),
        (lambda texts: None, "TypeError"),
    ],
)
def test_useless_vectors_are_failures_not_embeddings(
    alice: User, model: MemOS, database: Database, embedder, words: str
) -> None:
    alice.add_memory("x")
    report = work(model, embedder, once=True)
    assert (report.embedded, report.failed) == (0, 1)
    assert model.embedding_status()[0].done == 0
    error = database.value("select last_error from memos_private.embedding_queue")
    assert words in error


def test_without_an_embedder_the_database_embeds(alice: User, operator: MemOS) -> None:
    operator.register_embedding_model("hash", 64, "hash")
    alice.add_memories([{"content": f"memory {number}"} for number in range(5)])
    report = work(operator, once=True, batch=2)
    assert (report.embedded, report.failed) == (5, 0)
    assert operator.embedding_status()[0].pending == 0


def test_nothing_to_do_for_the_database_ends_too(alice: User, model: MemOS) -> None:
    alice.add_memory("waits for an external worker")
    assert work(model, once=True).embedded == 0


def test_new_memories_are_noticed_until_the_stop(alice: User, model: MemOS) -> None:
    stop = threading.Event()
    reports = []
    thread = threading.Thread(
        target=lambda: reports.append(work(model, letters, idle=0.05, stop=stop))
    )
    thread.start()
    alice.add_memory("came later")
    deadline = time.monotonic() + 10
    while alice.memory_stats().embedded < 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert reports[0].embedded == 1


def test_a_lost_connection_is_survived(
    alice: User, model: MemOS, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.add_memory("x")
    stop = threading.Event()
    claim = model.claim_embeddings
    outages = [psycopg.OperationalError("the database is restarting")]

    def flaky(*arguments, **options):
        if outages:
            raise outages.pop()
        stop.set()
        return claim(*arguments, **options)

    monkeypatch.setattr(model, "claim_embeddings", flaky)
    lines: list[str] = []
    report = work(model, letters, idle=0.05, stop=stop, log=lines.append)
    assert report.embedded == 1
    assert "restarting" in lines[0]


def test_once_a_lost_database_is_an_error(database: Database) -> None:
    with (
        MemOS(database.admin_dsn, min_size=0, max_size=1, timeout=0.5) as memos,
        memos.pool.connection(),
        pytest.raises(psycopg.OperationalError),
    ):
        work(memos, letters, once=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_command_after_its_batch(
    alice: User, model: MemOS, database: Database, tmp_path: Path, number: signal.Signals
) -> None:
    alice.add_memories([{"content": f"memory {number}"} for number in range(3)])
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "memos_pg.cli", "worker"),
            *("--dsn", database.dsn, "--embedder", "embedders:slow", "--batch", "2"),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])},
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "began").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Embedded 2, failed 0." in out
    # Nothing stays leased to the process that is gone: the rest can be claimed at once.
    assert len(model.claim_embeddings("another")) == 1


def test_embedders_are_imported_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    assert load_embedder("embedders:letters")(["a"]) == [[2.0, 1.0, 2.0]]
    assert load_embedder("embedders:Namespace.embed")(["a"]) == [[2.0, 1.0, 2.0]]


@pytest.mark.parametrize(
    "name", ["embedders", "nowhere:embed", "embedders:nothing", "embedders:NUMBER", ":", ""]
)
def test_a_wrong_name_is_a_bad_argument(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    with pytest.raises(BadArgument, match="embedder"):
        load_embedder(name)
