"""`memos demo`: a year of a person's talks with a bot, and questions to check by eye."""

from __future__ import annotations

import json
import statistics
import textwrap
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

import psycopg
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from memos_pg import render
from memos_pg.calls.memory import NewMemory
from memos_pg.calls.search import SearchResult
from memos_pg.client import MemOS, User, conninfo
from memos_pg.errors import BrokenInvariant, NotFound, NotYours
from memos_pg.worker import work

MODEL, DIMENSIONS = "hash", 384
SHOWN_ROWS = 3
SHOWN_CHARACTERS = 200
#: The questions that are shown in full, by their place; all of them count. The first ones ask for
#: words that stand in the answer, the later ones use other words, or ask about another time.
SHOWN_QUESTIONS = (0, 1, 3, 7, 9, 12, 19, 22)
SEARCH_LIMIT = 10

#: A fact that changes, and when each content of it became true.
FACT_BEFORE = "Maya takes sertraline, 50 mg a day."
FACT_AFTER = "Maya takes sertraline, 75 mg a day."
FACT_QUESTION = "How much sertraline does Maya take a day?"
FACT_SINCE = datetime(2025, 1, 14, 18, 14, 44, tzinfo=UTC)
FACT_CHANGED = datetime(2025, 9, 3, 8, 0, tzinfo=UTC)
FACT_ASKED = datetime(2025, 3, 10, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of the conversation."""

    session: str
    position: int
    occurred_at: datetime
    speaker: str
    text: str

    @property
    def memory(self) -> NewMemory:
        """The message as a memory; its request id makes loading it twice store it once."""
        return NewMemory(
            content=f"{self.speaker}: {self.text}",
            kind="episodic",
            session_id=self.session,
            position=self.position,
            occurred_at=self.occurred_at,
            provenance="model" if self.speaker == "Anchor" else "user",
            request_id=f"demo:{self.session}:{self.position}",
        )


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its answer, and the messages (session, position) in which it stands."""

    question: str
    answer: str
    evidence: frozenset[tuple[str, int]]
    as_of: datetime | None = None

    def answered_by(self, result: SearchResult) -> bool:
        """Whether this row is one of those that hold the answer."""
        return (result.session_id, result.position) in self.evidence


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question found: the rank of the first row that holds the answer, if any."""

    question: str
    answer: str
    rank: int | None
    milliseconds: float


@dataclass(slots=True)
class DemoReport:
    """Everything the demo found out."""

    turns: int = 0
    created: int = 0
    model: str | None = None
    embedded: int = 0
    answers: list[Answer] = field(default_factory=list)
    fact: dict[str, str] = field(default_factory=dict)
    stranger_found: int = 0
    stranger_refused: list[str] = field(default_factory=list)
    hit_rate_3: float = 0.0
    hit_rate_10: float = 0.0
    search_ms_median: float = 0.0


def _lines(name: str) -> list[dict[str, Any]]:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


@cache
def conversation() -> tuple[Turn, ...]:
    """The messages, in order."""
    return tuple(
        Turn(**line | {"occurred_at": datetime.fromisoformat(line["occurred_at"])})
        for line in _lines("conversation.jsonl")
    )


@cache
def questions() -> tuple[Question, ...]:
    """The questions."""
    return tuple(
        Question(
            line["question"],
            line["answer"],
            frozenset((session, position) for session, position in line["evidence"]),
            datetime.fromisoformat(line["as_of"]) if "as_of" in line else None,
        )
        for line in _lines("questions.jsonl")
    )


def run(dsn: str, name: str, console: Console | None = None) -> DemoReport:
    """Run the whole demo as the user `name`, telling it to `console`; repeating it is harmless."""
    console = console or Console(quiet=True)
    report = DemoReport()
    with (
        psycopg.connect(conninfo(dsn, "memos_admin"), autocommit=True) as admin,
        psycopg.connect(conninfo(dsn, "memos_app"), autocommit=True) as app,
    ):
        operator, memos = MemOS.on(admin), MemOS.on(app)
        person = memos.for_user(name)
        _load(console, report, operator, person)
        _ask_all(console, report, person)
        _change(console, report, operator, person)
        _intrude(console, report, operator, memos, person)
        _sum_up(console, report, person)
    return report


def _heading(console: Console, title: str, text: str) -> None:
    console.print()
    console.rule(f"[bold]{escape(title)}[/]", align="left", style="dim")
    console.print(text, highlight=False)
    console.print()


def _load(console: Console, report: DemoReport, operator: MemOS, person: User) -> None:
    turns = conversation()
    _heading(
        console,
        "1  Remember",
        f"A year of {turns[0].speaker}'s talks with a bot, one memory a message: "
        "one call, one transaction.",
    )
    report.model = _ensure_model(operator)
    start = time.perf_counter()
    stored = person.add_memories([turn.memory for turn in turns])
    seconds = time.perf_counter() - start
    report.turns = len(stored)
    report.created = sum(row.created for row in stored)
    console.print(
        f"  {report.turns} messages in {seconds:.2f} s, {report.created} of them new; "
        "findable by their words at once",
        highlight=False,
    )
    start = time.perf_counter()
    report.embedded = work(operator, once=True, batch=1000).embedded
    seconds = time.perf_counter() - start
    pending = person.memory_stats().pending
    if report.model is None:
        console.print(
            "  [yellow]no embeddings: this server has no plpython3u, and no model is registered[/]"
        )
    elif pending:
        console.print(
            f"  [yellow]{pending} embeddings of the model {escape(report.model)} are pending: "
            "start memos worker --embedder ...[/]",
            highlight=False,
        )
    else:
        console.print(
            f"  {report.embedded} embedded in {seconds:.2f} s by the model "
            f"{escape(report.model)}, inside the database",
            highlight=False,
        )


def _ensure_model(operator: MemOS) -> str | None:
    """The default embedding model: the built-in one, if none is registered and it can run."""
    models = operator.embedding_status()
    if not models and _has_plpython(operator):
        operator.register_embedding_model(MODEL, DIMENSIONS, "hash")
        models = operator.embedding_status()
    return next((model.model for model in models if model.is_default), None)


def _has_plpython(operator: MemOS) -> bool:
    from memos_pg.calls import Call

    query = "select exists (select from pg_extension where extname = 'plpython3u')"
    return operator.execute(Call(query, (), lambda rows: rows[0][0]))


def _ask_all(console: Console, report: DemoReport, person: User) -> None:
    asked = questions()
    shown = [asked[place] for place in SHOWN_QUESTIONS]
    _heading(
        console,
        "2  Ask",
        f"{len(shown)} of {len(asked)} questions, each with the first {SHOWN_ROWS} rows of one "
        "search. [green]✓[/] marks a message\nthat holds the answer; at the right is why a row is "
        "there: its rank by meaning and by\nwords, and what its surroundings add to its score.",
    )
    for question in asked:
        start = time.perf_counter()
        found = person.search_memories(
            question.question, limit=SEARCH_LIMIT, valid_at=question.as_of, explain=True
        )
        milliseconds = (time.perf_counter() - start) * 1000
        rank = next((row.rank for row in found if question.answered_by(row)), None)
        report.answers.append(Answer(question.question, question.answer, rank, milliseconds))
        if question in shown:
            _show_answer(console, question, found[:SHOWN_ROWS])
    count = len(report.answers)
    report.hit_rate_3 = sum((answer.rank or 99) <= 3 for answer in report.answers) / count
    report.hit_rate_10 = sum(answer.rank is not None for answer in report.answers) / count
    console.print(
        f"  All {count} questions: the answer is among the first 3 rows for "
        f"[bold]{report.hit_rate_3:.0%}[/], among the first 10 for "
        f"[bold]{report.hit_rate_10:.0%}[/].",
        highlight=False,
    )
    missed = [answer.question for answer in report.answers if answer.rank is None]
    for question in missed:
        console.print(f"  [dim]missed: {escape(question)}[/]", highlight=False)


def _show_answer(console: Console, question: Question, found: list[SearchResult]) -> None:
    when = f" [dim](asked as of {question.as_of:%Y-%m-%d})[/]" if question.as_of else ""
    console.print(f"[bold cyan]{escape(question.question)}[/]{when}", highlight=False)
    console.print(f"[dim]expected: {escape(question.answer)}[/]", highlight=False)
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(width=1, style="green")
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, style="bold")
    table.add_column(ratio=1)
    table.add_column(style="dim", no_wrap=True)
    for row in found:
        speaker, _, text = row.content.partition(": ")
        table.add_row(
            "✓" if question.answered_by(row) else "",
            f"{row.occurred_at:%Y-%m-%d}" if row.occurred_at else "",
            escape(speaker),
            escape(textwrap.shorten(text, SHOWN_CHARACTERS, placeholder=" ...")),
            escape(render.why(row.explanation)),
        )
    console.print(table)


def _change(console: Console, report: DemoReport, operator: MemOS, person: User) -> None:
    _heading(
        console,
        "3  Change",
        "A fact changes. The update is a new version: what was true before, and what the bot knew\n"
        "before, can both still be asked.",
    )
    memory_id = person.add_memory(
        FACT_BEFORE, tags=["demo-fact"], occurred_at=FACT_SINCE, request_id="demo:fact"
    )
    changes = {"content": FACT_AFTER, "valid_from": FACT_CHANGED}
    person.update_memory(memory_id, changes, reason="dose raised")
    work(operator, once=True, batch=1000)
    versions = person.memory_history(memory_id)
    times: dict[str, dict[str, datetime]] = {
        "now": {},
        f"as it was on {FACT_ASKED:%Y-%m-%d}": {"valid_at": FACT_ASKED},
        "as the bot knew it before the update": {"recorded_at": versions[0].recorded_at},
    }
    console.print(f"[bold cyan]{FACT_QUESTION}[/]", highlight=False)
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(ratio=1)
    for label, period in times.items():
        found = person.search_memories(FACT_QUESTION, tags=["demo-fact"], limit=1, **period)
        if len(found) != 1:
            raise BrokenInvariant(
                "the demo's fact is not found",
                detail=f"search {label}: {len(found)} rows",
                hint="Run: memos doctor",
            )
        report.fact[label] = found[0].content
        table.add_row(label, f"{escape(found[0].content)} [dim](version {found[0].version})[/]")
    console.print(table)
    console.print(f"  memos history -u {person.user} {memory_id}", style="dim", highlight=False)


def _intrude(
    console: Console, report: DemoReport, operator: MemOS, memos: MemOS, person: User
) -> None:
    _heading(
        console,
        "4  Keep apart",
        "A second user asks the same questions, then tries to reach over.",
    )
    stranger = memos.for_user(f"stranger to {person.user}")
    report.stranger_found = sum(
        len(stranger.search_memories(question.question)) for question in questions()
    )
    console.print(
        f"  {len(questions())} searches by the second user: "
        f"[bold]{report.stranger_found}[/] rows found",
        highlight=False,
    )
    memory_id = person.list_memories(limit=1)[0].memory_id
    token = operator.mint_context(stranger.user_id())
    bound = memos.with_context(token).for_user(person.user_id())
    attempts = {
        "a memory of the first user, by its id": lambda: stranger.get_memory(memory_id),
        "the first user's name, over a signed context": lambda: bound.search_memories("sertraline"),
    }
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    for what, attempt in attempts.items():
        try:
            attempt()
        except (NotFound, NotYours) as error:
            report.stranger_refused.append(error.sqlstate)
            said = f"[dim]{error.sqlstate}: {escape(error.message)}[/]"
            table.add_row(what, "[green]refused[/]", said)
        else:
            raise BrokenInvariant(
                "the second user was let in", detail=what, hint="Run: memos doctor"
            )
    console.print(table)


def _sum_up(console: Console, report: DemoReport, person: User) -> None:
    report.search_ms_median = statistics.median(answer.milliseconds for answer in report.answers)
    slowest = max(answer.milliseconds for answer in report.answers)
    stats = person.memory_stats()
    console.print()
    console.print(
        Panel(
            f"{stats.memories} memories in {stats.sessions} sessions, "
            f"{stats.content_bytes / 1024:.0f} KiB of text, {stats.versions} versions\n"
            f"a search: {report.search_ms_median:.1f} ms (median of {len(report.answers)}; "
            f"the slowest {slowest:.1f} ms), with its round trip\n\n"
            f"Go on:  [bold]memos search -u {escape(str(person.user))} --explain "
            f'"what helps her sleep?"[/]\n'
            f"        [bold]memos doctor[/]",
            title="memOS",
            title_align="left",
            box=box.ROUNDED,
            expand=False,
        ),
        highlight=False,
    )
