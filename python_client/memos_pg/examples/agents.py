"""Three processes work on one question through a scratchpad, and one of them is killed.

    python -m memos_pg.examples.agents            (with MEMOS_DSN, or after make up: .memos/dsn)

A planner asks the questions that the goal comes down to, a searcher looks for answers in a year of
talks (the demo's), a verifier decides between them, and the planner draws the conclusion. They are
plain programs without a model, and know of each other only what is on the scratchpad. Half way, the
searcher hangs on what it has taken and is killed; another one gets its token, its notes and, once
the lease is over, its action. What proved good is remembered, and found in a new session.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from memos_pg.calls.scratchpad import ClaimedAction, Entry
from memos_pg.calls.search import SearchResult
from memos_pg.client import MemOS, User, conninfo
from memos_pg.demo import conversation
from memos_pg.errors import Conflict

GOAL = "Which fault codes did the robots show, and what was behind each of them?"
#: What the goal comes down to, and what an answer looks like. A model would have thought of these.
PLAN = {
    "What fault code did cell 4 show after the long shutdown?": r"SRVO-\d+",
    "Why did cell 4 lose its position, what was dead?": r"dead encoder batteries",
    "What fault code did robot 5 show with the heavy fixture?": r"SRVO-\d+",
    "What payload was typed in for robot 5?": r"\d+ kilos instead of \d+",
}
AGENTS = ("planner", "searcher", "verifier")
LEASE = timedelta(seconds=1.5)
TIMEOUT = 60.0


@dataclass(frozen=True)
class Report:
    """What came of it."""

    scratchpad_id: UUID
    killed: int
    conclusion: str
    promoted: int
    found: list[SearchResult]


class Agent:
    """A process: takes actions of its kind from the scratchpad until it is closed."""

    def __init__(self, connection: psycopg.Connection[Any], user: User, pad: UUID) -> None:
        self.connection, self.user, self.pad = connection, user, pad
        self.name = type(self).__name__.lower()

    def run(self) -> None:
        """Work until the scratchpad is closed, by whomever."""
        self.connection.execute("listen memos_scratchpad")
        self.begin()
        while self.user.get_scratchpad(self.pad).status == "open":
            try:
                action = self.user.claim_action(self.pad, self.name, [self.takes], LEASE)
                if action is None:
                    # Whoever changes something wakes us. A dead worker wakes nobody.
                    list(self.connection.notifies(timeout=0.2, stop_after=1))
                    continue
                # What it leads to and that it is done: both, or neither.
                with self.connection.transaction():
                    self.work(action)
                    self.user.complete_action(
                        self.pad, action.action_id, self.name, attempt=action.attempt
                    )
            except Conflict:
                continue  # closed, or given to somebody else, meanwhile
        self.connection.close()

    takes: str

    def begin(self) -> None:
        """Before anything else."""

    def work(self, action: ClaimedAction) -> None:
        """Do what the action says."""
        raise NotImplementedError


class Planner(Agent):
    """Asks at the beginning, concludes at the end."""

    takes = "conclude"

    def begin(self) -> None:
        with self.connection.transaction():
            whole = self.user.add_action(self.pad, "conclude", "answer the goal", 0)
            for question, pattern in PLAN.items():
                asked = self.user.ask_question(self.pad, question, agent=self.name)
                # A part of the whole, which is not handed out before all of its parts are done.
                self.user.add_action(
                    self.pad, "search", question, details={"pattern": pattern}, parent_id=whole,
                    subject_id=asked,
                )  # fmt: skip
            self.user.add_note(self.pad, self.name, "Quote the talks as they are.", "searcher")

    def work(self, action: ClaimedAction) -> None:
        """All questions are answered by now, as well as they can be."""
        findings = self.user.list_entries(self.pad, ["finding"], statuses=["verified"])
        asked = [question.question_id for question in self.user.list_questions(self.pad)]
        findings.sort(key=lambda finding: asked.index(finding.question_id))
        conclusion = "Fault codes and their causes: " + " ".join(
            finding.content.split(": ", 1)[-1] for finding in findings
        )
        self.user.add_reasoning(
            self.pad, conclusion, "synthesis", [finding.entry_id for finding in findings], 0.85,
            self.name,
        )  # fmt: skip
        self.user.write_public(self.pad, self.name, "conclusion", conclusion, timedelta(days=1))


class Searcher(Agent):
    """Looks for answers in the user's memories."""

    takes = "search"

    def work(self, action: ClaimedAction) -> None:
        done = self.user.read_private(self.pad, self.name, "searched") or 0
        if done == len(PLAN) // 2 and "HANGS" in os.environ:
            time.sleep(TIMEOUT)
        self.user.register_reference(
            self.pad, "search", action.description, agent=self.name
        )  # of a dead worker too: asked again, since its transaction left nothing
        # What was said, not what agents have made of it before.
        for hit in self.user.search_memories(action.description, limit=5, kinds=["episodic"]):
            sentence = re.search(rf"[^.!?]*{action.details['pattern']}[^.!?]*", hit.content, re.I)
            if sentence is None:
                continue
            source = f"memory:{hit.memory_id}"
            self.user.register_reference(self.pad, "source", source, agent=self.name)
            seen = self.user.add_observation(
                self.pad, hit.content, "search_result", source, 1 / (1 + hit.rank), agent=self.name
            )
            self.user.add_finding(
                self.pad, sentence[0].strip() + ".", action.subject_id, "fact", source,
                0.5, self.name, [seen],
            )  # fmt: skip
        self.user.add_action(
            self.pad, "verify", action.description, 1, action.details, action.parent_id,
            subject_id=action.subject_id,
        )  # fmt: skip
        self.user.write_private(self.pad, self.name, "searched", done + 1)


class Verifier(Agent):
    """Decides which of the findings answers a question."""

    takes = "verify"

    def work(self, action: ClaimedAction) -> None:
        findings = self.user.list_entries(
            self.pad, ["finding"], question_id=action.subject_id, limit=100
        )
        if not findings:
            self.user.set_question_status(
                self.pad, action.subject_id, "partial", 0.0, [action.description], self.name
            )
            return
        said: dict[str, list[Entry]] = {}
        for finding in findings:
            value = re.search(action.details["pattern"], finding.content, re.I)[0].lower()
            said.setdefault(value, []).append(finding)
        # The answer whose sentence shares most words with the question.
        best, *others = sorted(
            said.values(),
            key=lambda group: max(_shared(action.description, f.content) for f in group),
            reverse=True,
        )
        kept = max(best, key=lambda f: _shared(action.description, f.content))
        for other in others:
            clash = self.user.add_contradiction(
                self.pad, kept.entry_id, other[0].entry_id, f"two answers: {action.description}",
                self.name,
            )  # fmt: skip
            self.user.resolve_contradiction(
                self.pad, clash, "it is about something else", kept.entry_id, self.name
            )
        self.user.update_entry(self.pad, kept.entry_id, {"status": "verified", "quality": 0.9})
        self.user.set_question_status(self.pad, action.subject_id, "answered", 0.9, agent=self.name)


def _shared(one: str, other: str) -> int:
    words = (set(re.findall(r"\w+", text.lower())) for text in (one, other))
    return len(set.intersection(*words))


def run(dsn: str, name: str = "maya", say: Callable[[str], object] = print) -> Report:
    """The whole story, told line by line."""
    with psycopg.connect(conninfo(dsn, "memos_app"), autocommit=True) as connection:
        user = MemOS.on(connection).for_user(name)
        user.add_memories([turn.memory for turn in conversation()])
        pad = user.open_scratchpad(GOAL, "agents")
        tokens = {agent: user.register_agent(pad, agent) for agent in AGENTS}
        processes = {
            agent: _start(dsn, name, agent, pad, tokens[agent], hangs=agent == "searcher")
            for agent in AGENTS
        }
        say(f"scratchpad {pad}: {', '.join(f'{a} is {p.pid}' for a, p in processes.items())}")
        try:
            killed = processes["searcher"]
            _wait(lambda: len(user.list_actions(pad, ["in_progress"])) > 0 and _half(user, pad))
            killed.send_signal(signal.SIGKILL)
            killed.wait()
            say(f"searcher {killed.pid} hangs, and is killed with what it has taken")
            processes["searcher"] = _start(dsn, name, "searcher", pad, tokens["searcher"])
            say(f"searcher {processes['searcher'].pid} takes its place")
            _wait(lambda: user.read_public(pad, "conclusion") is not None)
            conclusion = user.read_public(pad, "conclusion")
            say(f"concluded: {conclusion}")
            promoted = user.close_scratchpad(pad)
            say(f"closed: {len(promoted)} entries are memories now")
            for process in processes.values():
                if process.wait(TIMEOUT) != 0:
                    raise RuntimeError(f"an agent ended with status {process.returncode}")
        finally:
            for process in processes.values():
                process.kill()
    with psycopg.connect(conninfo(dsn, "memos_app"), autocommit=True) as connection:
        user = MemOS.on(connection).for_user(name)
        found = user.search_memories("fault codes and their causes", kinds=["semantic"])
        for hit in found[:3]:
            say(f"found in a new session: {hit.content}")
    return Report(pad, killed.pid, conclusion, len(promoted), found)


def _half(user: User, pad: UUID) -> bool:
    """Whether the searcher is at the action at which it hangs."""
    searches = [a for a in user.list_actions(pad) if a.type == "search"]
    done = sum(a.status == "completed" for a in searches)
    taken = [a for a in searches if a.status == "in_progress"]
    return done == len(PLAN) // 2 and bool(taken)


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT
    while not until():
        if time.monotonic() > end:
            raise TimeoutError(f"the agents have not come to an end in {TIMEOUT:.0f} seconds")
        time.sleep(0.05)


def _start(
    dsn: str, name: str, agent: str, pad: UUID, token: str, hangs: bool = False
) -> subprocess.Popen[bytes]:
    # In the environment: everybody on the machine can read a command line.
    secrets = {"MEMOS_DSN": dsn, "MEMOS_AGENT_TOKEN": token} | ({"HANGS": "1"} if hangs else {})
    arguments = [sys.executable, "-m", "memos_pg.examples.agents", agent, name, str(pad)]
    return subprocess.Popen(arguments, env=os.environ | secrets)


def main(arguments: list[str]) -> None:
    """Without arguments the whole story; with them one of its agents."""
    dsn = os.environ.get("MEMOS_DSN") or Path(".memos/dsn").read_text(encoding="utf-8").strip()
    if not arguments:
        run(dsn)
        return
    agent, name, pad = arguments
    kind = {"planner": Planner, "searcher": Searcher, "verifier": Verifier}[agent]
    with psycopg.connect(conninfo(dsn, "memos_app"), autocommit=True) as connection:
        user = MemOS.on(connection).for_user(name).with_agent(os.environ["MEMOS_AGENT_TOKEN"])
        kind(connection, user, UUID(pad)).run()


if __name__ == "__main__":
    main(sys.argv[1:])
