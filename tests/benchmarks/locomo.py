"""Whether the evidence is found: LoCoMo conversations, one user each."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from pgvector import HalfVector
from psycopg.types.json import Jsonb

from tests.benchmarks.corpus import ADD_MEMORIES, DIMENSIONS, Workshop, connect
from tests.benchmarks.measure import Report, compared, interleaved, say
from tests.support.postgres import Database

VARIABLE = "MEMOS_LOCOMO"
FILES = ("locomo_dev_turns.jsonl", "locomo_dev_questions.jsonl", "locomo_dev_minilm.npz")
MODEL = "minilm"
LIMIT = 20
SEARCH = (
    "select memory_id from memos.search_memories("
    "p_user_id => %s, p_query => %s, p_embedding => %b, p_limit => %s, p_fusion => %s, "
    "p_weights => %s, p_rrf_k => %s) order by rank"
)
PLAIN = "select memory_id from plain where user_id = %s order by embedding <=> %b limit %s"
METHODS: dict[str, tuple[str, dict[str, int] | None, int]] = {
    "dense only": ("calibrated", {"lexical": 0}, 60),
    "lexical only": ("calibrated", {"dense": 0}, 60),
    "rrf k=60": ("rrf", None, 60),
    "rrf k=5": ("rrf", None, 5),
    "calibrated": ("calibrated", None, 60),
}


@dataclass(frozen=True)
class Question:
    """A question, and the turns that answer it."""

    user_id: UUID
    text: str
    embedding: HalfVector
    evidence: set[str]


@dataclass(frozen=True)
class Data:
    """Conversations as they are stored, and the questions about them."""

    questions: list[Question]
    turns: dict[tuple[UUID, UUID], list[str]]  # of each memory: the same words are one memory
    users: int


def run(workshop: Workshop) -> list[Report]:
    """Evidence found by each lane alone and by each fusion, and what that takes."""
    if VARIABLE not in os.environ:
        note = f"not run: {VARIABLE} has to name a folder with {', '.join(FILES)}"
        return [Report("locomo", note)]
    folder = Path(os.environ[VARIABLE])
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise SystemExit(f"{VARIABLE}={folder} has no {', '.join(missing)}")
    database = workshop.new_database(MODEL)
    data = _load(database, folder)
    asked = data.questions[:: 10 if workshop.quick else 1]
    say(f"asking {len(asked)} questions in {1 + len(METHODS)} ways")
    found: dict[str, list[list[str]]] = defaultdict(list)
    with connect(database) as connection:
        contenders = {"plain scan": _scanner(connection, data, asked, found["plain scan"])} | {
            name: _searcher(connection, data, asked, found[name], name) for name in METHODS
        }
        seconds = interleaved(contenders, len(asked), warm_up=0)
    times = compared(seconds, [(name, "plain scan") for name in contenders])
    baseline = _scores(asked, found["plain scan"])
    rows = []
    for time in times:
        scores = _scores(asked, found[str(time["what"])])
        rows.append(
            {"what": time["what"]}
            | scores
            | {"R@10 ratio": scores["R@10"] / baseline["R@10"]}
            | {name: time[name] for name in ("p50 ratio", "p95 ratio")}
        )
    return [
        Report(
            "locomo: evidence found",
            f"{len(asked)} questions with evidence, {len(data.turns):,} memories of {data.users} "
            f"users, {DIMENSIONS} dimensions (MiniLM), limit {LIMIT}. Ratios: to a plain exact "
            "scan of the vectors, in R@10 and in time.",
            rows,
        )
    ]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _load(database: Database, folder: Path) -> Data:
    turns, questions, vectors = (folder / name for name in FILES)
    with np.load(vectors) as stored:
        turn_vectors, question_vectors = stored["turns"], stored["questions"]
    conversations: dict[str, list[tuple[dict[str, Any], HalfVector]]] = defaultdict(list)
    for turn, vector in zip(_lines(turns), turn_vectors, strict=True):
        conversations[turn["conversation"]].append((turn, HalfVector(vector)))
    say(f"loading {len(turn_vectors):,} turns of {len(conversations)} conversations")
    users = {name: database.user_id(name) for name in conversations}
    memories: dict[tuple[UUID, UUID], list[str]] = defaultdict(list)
    with connect(database) as connection:
        for name, said in conversations.items():
            objects = Jsonb([_memory(turn) for turn, _ in said])
            embeddings = [vector for _, vector in said]
            stored_rows = connection.execute(
                ADD_MEMORIES, (users[name], objects, embeddings, MODEL)
            ).fetchall()
            for ordinal, memory_id in stored_rows:
                memories[users[name], memory_id].append(said[ordinal - 1][0]["turn"])
    with connect(database, None) as connection:
        connection.execute(
            "create table plain as "
            "select user_id, memory_id, embedding from memos_private.embedding"
        )
        connection.execute("alter table plain add primary key (user_id, memory_id)")
        connection.execute("grant select on plain to memos_app")
        connection.execute("vacuum analyze")
    return Data(
        [
            Question(
                users[question["conversation"]],
                question["text"],
                HalfVector(vector),
                set(question["evidence"]),
            )
            for question, vector in zip(_lines(questions), question_vectors, strict=True)
            if question["evidence"]
        ],
        dict(memories),
        len(users),
    )


def _memory(turn: dict[str, Any]) -> dict[str, Any]:
    said_at = datetime.strptime(turn["date"], "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)
    return {
        "content": turn["embedded_text"],
        "kind": "episodic",
        "session_id": str(turn["session"]),
        "position": turn["position"],
        "occurred_at": said_at.isoformat(),
    }


def _turns(data: Data, user_id: UUID, rows: list[Any]) -> list[str]:
    return [turn for (memory_id,) in rows for turn in data.turns[user_id, memory_id]]


def _searcher(
    connection: psycopg.Connection[Any],
    data: Data,
    questions: list[Question],
    found: list[list[str]],
    method: str,
) -> Callable[[int], None]:
    fusion, weights, k = METHODS[method]

    def search(number: int) -> None:
        asked = questions[number]
        rows = connection.execute(
            SEARCH,
            (
                asked.user_id,
                asked.text,
                asked.embedding,
                LIMIT,
                fusion,
                Jsonb(weights) if weights else None,
                k,
            ),
        ).fetchall()
        found.append(_turns(data, asked.user_id, rows))

    return search


def _scanner(
    connection: psycopg.Connection[Any],
    data: Data,
    questions: list[Question],
    found: list[list[str]],
) -> Callable[[int], None]:
    def scan(number: int) -> None:
        asked = questions[number]
        rows = connection.execute(PLAIN, (asked.user_id, asked.embedding, LIMIT)).fetchall()
        found.append(_turns(data, asked.user_id, rows))

    return scan


def _scores(questions: list[Question], found: list[list[str]]) -> dict[str, float]:
    """R@k: mean share of a question's evidence among the first k turns; hit@10: any of it;
    nDCG@10: with binary gains."""
    rows = []
    for question, turns in zip(questions, found, strict=True):
        relevant = np.array([turn in question.evidence for turn in turns] + [False] * LIMIT)
        gains = 1 / np.log2(np.arange(10) + 2)
        ideal = gains[: len(question.evidence)].sum()
        recall = [relevant[:k].sum() / len(question.evidence) for k in (5, 10, 20)]
        rows.append([*recall, relevant[:10].any(), (gains * relevant[:10]).sum() / ideal])
    means = np.mean(rows, axis=0)
    names = ("R@5", "R@10", "R@20", "hit@10", "nDCG@10")
    return dict(zip(names, map(float, means), strict=True))
