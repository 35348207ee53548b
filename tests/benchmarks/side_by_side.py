"""memOS and other packages on the same server, with the same turns, questions and vectors."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.conversations import Conversations, Turn, load, scores
from tests.benchmarks.corpus import Workshop
from tests.benchmarks.locomo import MODEL
from tests.benchmarks.measure import Ratio, Report, Row, interleaved, p50_ratio, say
from tests.support.postgres import Database

RUNNERS = Path(__file__).parent / "peers"
ENVIRONMENTS = Path(__file__).parents[2] / ".memos" / "peers"
LIMIT = 10
# memOS' pool hands out ten connections in turns, and psycopg prepares a statement at its sixth
# execution on each.
WARM_UP = 100
FASTER = 0.2


@dataclass(frozen=True)
class Peer:
    """Something to compare with; one that requires packages gets an environment of its own."""

    name: str
    runner: str
    has_words: bool
    environment: str = ""
    requires: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


MEMOS = Peer("memOS", "memos_client.py", True)
PLAIN = Peer("plain scan", "plain_scan.py", False)
LLAMAINDEX = ("llama-index-vector-stores-postgres~=0.9.0",)
OURS = (PLAIN, MEMOS, Peer("pgvector + ts_rank, RRF", "handwritten.py", True))
THEIRS = (
    Peer("mem0", "mem0_store.py", True, "mem0", ("mem0ai~=2.2", "psycopg[binary,pool]~=3.3")),
    Peer(
        "LangGraph PostgresStore",
        "langgraph_store.py",
        False,
        "langgraph",
        ("langgraph-checkpoint-postgres~=3.2", "psycopg[binary,pool]~=3.3"),
    ),
    Peer("LlamaIndex hybrid", "llamaindex_store.py", True, "llamaindex", LLAMAINDEX, ("hybrid",)),
    Peer("LlamaIndex fusion", "llamaindex_store.py", True, "llamaindex", LLAMAINDEX, ("fusion",)),
)


class PeerError(Exception):
    """A peer that could not be installed, or that gave up."""

    def __init__(self, peer: Peer, why: str) -> None:
        super().__init__(f"{peer.name} {why}")
        self.peer = peer


class Process:
    """A runner, working."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.found: dict[int, list[str]] = {}
        ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
        self.log = ENVIRONMENTS / f"{Path(peer.runner).stem}{''.join(peer.arguments)}.log"
        with self.log.open("w") as errors:
            self.process = subprocess.Popen(
                [_python(peer), RUNNERS / peer.runner, *peer.arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request, and its answer."""
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.process.wait()
            last = self.log.read_text().strip().splitlines()[-1:]
            raise PeerError(self.peer, f"gave up: {''.join(last)} (see {self.log})")
        return json.loads(line)

    def load(self, database: Database, data: Conversations) -> str:
        """Give it a database and the turns; its version."""
        dsn = database.app_dsn if self.peer is MEMOS else database.dsn
        version = self.ask(open={"dsn": dsn, "dimensions": data.dimensions})["version"]
        for user in data.users:
            self.ask(add=[_as_json(turn) for turn in data.said_by(user)])
        with database.connect() as connection:
            connection.execute("vacuum analyze")
        return version

    def searcher(self, data: Conversations) -> Callable[[int], float]:
        """Asks one question a round; the seconds that the search took there."""

        def search(number: int) -> float:
            # The first rounds only warm up, with questions that are asked again later.
            at = number - WARM_UP
            asked = data.questions[at % len(data.questions)]
            answer = self.ask(
                search={
                    "user": asked.user,
                    "text": asked.text,
                    "vector": asked.vector.tolist(),
                    "limit": LIMIT,
                }
            )
            if at >= 0:
                self.found[at] = answer["turns"]
            return answer["seconds"]

        return search

    def close(self) -> None:
        """Let it end."""
        with contextlib.suppress(BrokenPipeError):  # it has ended
            self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def run(workshop: Workshop) -> list[Report]:
    """Everybody answers every question, in turns."""
    data = load(workshop.quick)
    processes: dict[str, Process] = {}
    versions: dict[str, str] = {}
    failed: dict[str, str] = {}

    def give_up(error: PeerError) -> None:
        if error.peer in OURS:
            raise error
        say(f"NOT COMPARED: {error}")
        failed[error.peer.name] = str(error)

    with contextlib.ExitStack() as stack:
        for peer in (*OURS, *(THEIRS if workshop.install_peers else ())):
            try:
                _install(peer)
                say(f"loading {len(data.turns):,} turns into {peer.name}")
                process = stack.enter_context(contextlib.closing(Process(peer)))
                versions[peer.name] = process.load(_database(workshop, peer, data), data)
                processes[peer.name] = process
            except PeerError as error:
                give_up(error)
        seconds: dict[str, np.ndarray] = {}
        while not seconds:
            say(f"asking {len(data.questions)} questions of {len(processes)}")
            contenders = {name: process.searcher(data) for name, process in processes.items()}
            try:
                seconds = interleaved(contenders, len(data.questions), WARM_UP)
            except PeerError as error:  # once more, without it
                give_up(error)
                del processes[error.peer.name]
    found = {
        name: scores(data.questions, [process.found[at] for at in range(len(data.questions))])
        for name, process in processes.items()
    }
    return [_report(workshop, data, versions, failed, seconds, found)]


def _report(
    workshop: Workshop,
    data: Conversations,
    versions: dict[str, str],
    failed: dict[str, str],
    seconds: dict[str, np.ndarray],
    scored: dict[str, dict[str, float]],
) -> Report:
    rows: list[Row] = [
        {
            "peer": peer.name,
            "R@10": scored[peer.name]["R@10"],
            "nDCG@10": scored[peer.name]["nDCG@10"],
            "p50 ms": float(np.median(seconds[peer.name]) * 1e3),
            "x plain scan": p50_ratio(seconds, peer.name, PLAIN.name),
            "x memOS": p50_ratio(seconds, peer.name, MEMOS.name),
            "words": "yes" if peer.has_words else "no",
            "version": versions[peer.name],
        }
        for peer in (*OURS, *THEIRS)
        if peer.name in seconds
    ]
    rows += [dict.fromkeys(rows[0], "") | {"peer": name, "version": "FAILED"} for name in failed]
    note = f"{data}, limit {LIMIT}. Time of the search call alone, inside the package's process."
    if not workshop.install_peers:
        note += " Others were not asked for: PEERS=1 installs and compares them."
    note += "".join(f" NOT COMPARED: {why}." for why in failed.values())
    ratios = _ratios(data, seconds, scored)
    return Report("peers: side by side", note, rows, ratios, [*failed.values()])


def _ratios(
    data: Conversations, seconds: dict[str, np.ndarray], scored: dict[str, dict[str, float]]
) -> list[Ratio]:
    rivals = [peer for peer in (*OURS[2:], *THEIRS) if peer.name in seconds]
    best = max(rivals, key=lambda peer: scored[peer.name]["R@10"])
    ratios = [Ratio("memOS' client: p50", PLAIN.name, p50_ratio(seconds, MEMOS.name, PLAIN.name))]
    for who, group in (("", rivals), (" package", [peer for peer in rivals if peer.requires])):
        if hybrid := [peer.name for peer in group if peer.has_words]:
            fastest = min(hybrid, key=lambda name: np.median(seconds[name]))
            value = p50_ratio(seconds, MEMOS.name, fastest)
            against = f"fastest{who} with words: {fastest}"
            ratios.append(Ratio("memOS' client: p50", against, value, FASTER))
    recall = scored[MEMOS.name]["R@10"] / scored[best.name]["R@10"]
    least = 1.0 if data.has_goals else None
    ratios.append(Ratio("memOS' client: R@10", f"best: {best.name}", recall, at_least=least))
    return ratios


def _as_json(turn: Turn) -> dict[str, Any]:
    return asdict(turn) | {"said_at": turn.said_at.isoformat(), "vector": turn.vector.tolist()}


def _database(workshop: Workshop, peer: Peer, data: Conversations) -> Database:
    if peer is MEMOS:
        return workshop.new_database(MODEL, data.dimensions)
    return workshop.server.create_database()


def _python(peer: Peer) -> Path:
    if not peer.requires:
        return Path(sys.executable)
    return ENVIRONMENTS / peer.environment / "bin" / "python"


def _install(peer: Peer) -> None:
    """Make its environment, once."""
    folder = ENVIRONMENTS / peer.environment
    stamp = folder / "installed"
    wanted = "\n".join(peer.requires)
    if not peer.requires or (stamp.exists() and stamp.read_text() == wanted):
        return
    say(f"installing {', '.join(peer.requires)}")
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [sys.executable, "-m", "venv", folder],
        [_python(peer), "-m", "pip", "install", "--no-input", "--disable-pip-version-check",
         *peer.requires],
    ):  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            why = (errors or done.stderr.splitlines() or ["no word why"])[-1]
            raise PeerError(peer, f"did not install: {why}")
    stamp.write_text(wanted)
