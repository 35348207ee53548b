"""Conversations with questions and the turns that answer them: LoCoMo, or the demo's."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from memos_pg import demo
from pgvector import HalfVector

VARIABLE = "MEMOS_LOCOMO"
FILES = ("locomo_dev_turns.jsonl", "locomo_dev_questions.jsonl", "locomo_dev_minilm.npz")
DEMO_DIMENSIONS = 384
PLPYTHON = Path(__file__).parents[2] / "plpython"


@dataclass(frozen=True)
class Turn:
    """What somebody said, and its vector."""

    user: str
    turn: str
    text: str
    session: str
    position: int
    said_at: datetime
    vector: np.ndarray

    @property
    def memory(self) -> dict[str, Any]:
        """As memos.add_memories takes it."""
        return {
            "content": self.text,
            "kind": "episodic",
            "session_id": self.session,
            "position": self.position,
            "occurred_at": self.said_at.isoformat(),
        }


@dataclass(frozen=True)
class Question:
    """A question, its vector, and the turns that answer it."""

    user: str
    text: str
    evidence: frozenset[str]
    vector: np.ndarray

    @property
    def embedding(self) -> HalfVector:
        """The vector as it is sent."""
        return HalfVector(self.vector)


@dataclass(frozen=True)
class Conversations:
    """One user each. Goals hold for LoCoMo only."""

    name: str
    vectors: str
    has_goals: bool
    turns: list[Turn]
    questions: list[Question]

    @property
    def dimensions(self) -> int:
        """Of the vectors."""
        return len(self.turns[0].vector)

    @property
    def users(self) -> list[str]:
        """Everybody, in order."""
        return list(dict.fromkeys(turn.user for turn in self.turns))

    def said_by(self, user: str) -> list[Turn]:
        """One user's turns, in order."""
        return [turn for turn in self.turns if turn.user == user]

    def sample(self) -> Conversations:
        """Two users, and forty of their questions."""
        users = self.users[:2]
        asked = [question for question in self.questions if question.user in users]
        return replace(
            self,
            turns=[turn for turn in self.turns if turn.user in users],
            questions=asked[:: max(1, len(asked) // 40)],
        )

    def __str__(self) -> str:
        return (
            f"{self.name}: {len(self.questions)} questions with evidence, {len(self.turns):,} "
            f"turns of {len(self.users)} users, {self.dimensions} dimensions ({self.vectors})"
        )


@cache
def load(quick: bool) -> Conversations:
    """LoCoMo where MEMOS_LOCOMO names its folder, else the demo. Quick: not all of it."""
    found = _locomo(Path(os.environ[VARIABLE])) if VARIABLE in os.environ else _demo()
    return found.sample() if quick else found


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _locomo(folder: Path) -> Conversations:
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise SystemExit(f"{VARIABLE}={folder} has no {', '.join(missing)}")
    turns, questions, vectors = (folder / name for name in FILES)
    with np.load(vectors) as stored:
        turn_vectors, question_vectors = stored["turns"], stored["questions"]
    return Conversations(
        "LoCoMo",
        "MiniLM",
        True,
        [
            Turn(
                turn["conversation"],
                turn["turn"],
                turn["embedded_text"],
                str(turn["session"]),
                turn["position"],
                datetime.strptime(turn["date"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC),
                vector,
            )
            for turn, vector in zip(_lines(turns), turn_vectors, strict=True)
        ],
        [
            Question(asked["conversation"], asked["text"], frozenset(asked["evidence"]), vector)
            for asked, vector in zip(_lines(questions), question_vectors, strict=True)
            if asked["evidence"]
        ],
    )


def _demo() -> Conversations:
    if str(PLPYTHON) not in sys.path:
        sys.path.append(str(PLPYTHON))  # the package lives in the database, not in this venv
    from memos_pl.hashing import embed_text

    def vector(text: str) -> np.ndarray:
        return np.array(embed_text(text, DEMO_DIMENSIONS), np.float16)

    return Conversations(
        "demo",
        f"hash provider; {VARIABLE} names no folder",
        False,
        [
            Turn(
                "maya",
                f"{said.session}:{said.position}",
                said.memory.content,
                said.session,
                said.position,
                said.occurred_at,
                vector(said.memory.content),
            )
            for said in demo.conversation()
        ],
        [
            Question(
                "maya",
                asked.question,
                frozenset(f"{session}:{position}" for session, position in asked.evidence),
                vector(asked.question),
            )
            for asked in demo.questions()
            if asked.evidence
        ],
    )


def scores(questions: Sequence[Question], found: Sequence[Sequence[str]]) -> dict[str, float]:
    """R@k: mean share of a question's evidence among the first k turns; hit@10: any of it;
    nDCG@10: with binary gains."""
    rows = []
    for question, turns in zip(questions, found, strict=True):
        ranked = list(dict.fromkeys(turns))
        relevant = np.array([turn in question.evidence for turn in ranked[:20]] + [False] * 20)
        gains = 1 / np.log2(np.arange(10) + 2)
        ideal = gains[: len(question.evidence)].sum()
        recall = [relevant[:k].sum() / len(question.evidence) for k in (5, 10, 20)]
        rows.append([*recall, relevant[:10].any(), (gains * relevant[:10]).sum() / ideal])
    means = np.mean(rows, axis=0)
    names = ("R@5", "R@10", "R@20", "hit@10", "nDCG@10")
    return dict(zip(names, map(float, means), strict=True))
