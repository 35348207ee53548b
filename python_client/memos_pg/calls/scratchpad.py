"""Scratchpads: what agents work out together, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from memos_pg.calls.base import NOTHING, VALUE, Call, Json, bad, call, many, one, optional, scalar


@dataclass(frozen=True, slots=True)
class Scratchpad:
    """A working memory; `sequence` is the number of its last change."""

    scratchpad_id: UUID
    goal: str
    session_id: str | None
    project: str | None
    metadata: Json
    status: str
    reason: str | None
    opened_at: datetime
    changed_at: datetime
    closed_at: datetime | None
    promoted_at: datetime | None
    sequence: int


@dataclass(frozen=True, slots=True)
class Promotion:
    """The memory that an entry became."""

    memory_id: UUID
    entry_id: UUID


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was put down on a scratchpad."""

    entry_id: UUID
    kind: str
    type: str | None
    content: str
    agent: str | None
    source: str | None
    quality: float | None
    status: str | None
    uncertainty: str | None
    basis: list[UUID]
    question_id: UUID | None
    for_agent: str | None
    input: Any
    output: Any
    error: str | None
    duration: timedelta | None
    uses: int
    metadata: Json
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Example:
    """An example, and how well it fits the query."""

    scratchpad_id: UUID
    entry_id: UUID
    input: str
    output: str
    pattern: str | None
    success: float
    uses: int
    score: float


@dataclass(frozen=True, slots=True)
class ScratchpadQuality:
    """How good a scratchpad is, with the parts that make it up."""

    quality: float | None
    observation_quality: float | None
    reasoning_confidence: float | None
    coverage: float | None
    weights: Json
    observations: int
    reasoning_steps: int
    failed_steps: int
    questions: int
    answered: int
    open_contradictions: int
    confidence: float | None
    complete: bool
    uncertainties: list[Json]
    recommendations: list[str]


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and how far it is answered."""

    question_id: UUID | None
    question: str
    criteria: str | None
    status: str
    confidence: float | None
    gaps: list[str]
    findings: int
    agent: str | None
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two findings that cannot both be true."""

    contradiction_id: UUID
    finding_1: UUID
    finding_2: UUID
    description: str
    agent: str | None
    kept: UUID | None
    resolution: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    added_at: datetime


@dataclass(frozen=True, slots=True)
class ClaimedAction:
    """An action that the agent has until its lease ends, in its `attempt`."""

    action_id: UUID
    type: str
    description: str
    priority: int
    details: Json
    parent_id: UUID | None
    subject_id: UUID | None
    attempt: int
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do, or done."""

    action_id: UUID
    type: str
    description: str
    priority: int
    status: str
    details: Json
    parent_id: UUID | None
    subject_id: UUID | None
    for_agent: str | None
    agent: str | None
    attempts: int
    max_attempts: int
    lease_until: datetime | None
    result: Any
    error: str | None
    added_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a scratchpad, public or the agent's own."""

    key: str
    value: Any
    agent: str
    is_private: bool
    written_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reference:
    """What a scratchpad has met once."""

    kind: str
    key: str
    value: str | None
    agent: str | None
    metadata: Json
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """A question or search worded alike, with the best finding."""

    kind: str
    id: UUID | None
    text: str
    similarity: float
    status: str | None
    confidence: float | None
    finding_id: UUID | None
    finding: str | None
    source: str | None
    added_at: datetime


@dataclass(frozen=True, slots=True)
class ContextLine:
    """A line of what an agent should see."""

    section: str
    id: UUID | None
    content: str
    tokens: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a scratchpad, without content."""

    sequence: int
    changed_at: datetime
    subject: str
    subject_id: str | None
    operation: str
    status: str | None
    agent: str | None


def use_agent(user: str | UUID, token: str) -> Call[str]:
    """Bind the transaction to the registered agent that has this token; returns its name."""
    # An argument of None is left out of a call: without a token nothing would be bound.
    if token is None:
        raise bad("token", "text", token)
    return call("memos.use_agent", scalar(str), user=user, token=token)


class ScratchpadCalls:
    """The scratchpads of the user the object is bound to."""

    user: str | UUID

    def open_scratchpad(
        self,
        goal: str,
        session_id: str | None = None,
        project: str | None = None,
        metadata: Any = None,
    ) -> Call[UUID]:
        """Open a working memory for a goal, and return its id."""
        return call(
            "memos.open_scratchpad",
            scalar(UUID),
            user=self.user,
            goal=goal,
            session_id=session_id,
            project=project,
            metadata=metadata,
        )

    def list_scratchpads(
        self,
        statuses: Iterable[str] | None = None,
        limit: int | None = None,
        after: UUID | str | None = None,
    ) -> Call[list[Scratchpad]]:
        """The user's scratchpads, newest first."""
        return call(
            "memos.list_scratchpads",
            many(Scratchpad),
            user=self.user,
            statuses=statuses,
            limit=limit,
            after=after,
        )

    def get_scratchpad(
        self,
        scratchpad_id: UUID | str,
    ) -> Call[Scratchpad]:
        """One scratchpad."""
        return call(
            "memos.get_scratchpad",
            one(Scratchpad),
            user=self.user,
            scratchpad_id=scratchpad_id,
        )

    def close_scratchpad(
        self,
        scratchpad_id: UUID | str,
        promote: bool | None = None,
        reason: str | None = None,
    ) -> Call[list[Promotion]]:
        """Close it and promote what is good; again: the same memories."""
        return call(
            "memos.close_scratchpad",
            many(Promotion),
            user=self.user,
            scratchpad_id=scratchpad_id,
            promote=promote,
            reason=reason,
        )

    def add_observation(
        self,
        scratchpad_id: UUID | str,
        content: str,
        observation_type: str | None = None,
        source: str | None = None,
        quality: float | None = None,
        metadata: Any = None,
        agent: str | None = None,
    ) -> Call[UUID]:
        """Put down what was seen."""
        return call(
            "memos.add_observation",
            scalar(UUID),
            user=self.user,
            scratchpad_id=scratchpad_id,
            content=content,
            observation_type=observation_type,
            source=source,
            quality=quality,
            metadata=metadata,
            agent=agent,
        )

    def add_reasoning(
        self,
        scratchpad_id: UUID | str,
        conclusion: str,
        reasoning_type: str | None = None,
        premises: Iterable[UUID | str] | None = None,
        confidence: float | None = None,
        agent: str | None = None,
        uncertainty: str | None = None,
        metadata: Any = None,
    ) -> Call[UUID]:
        """Put down a conclusion, with the entries it follows from."""
        return call(
            "memos.add_reasoning",
            scalar(UUID),
            user=self.user,
            scratchpad_id=scratchpad_id,
            conclusion=conclusion,
            reasoning_type=reasoning_type,
            premises=premises,
            confidence=confidence,
            agent=agent,
            uncertainty=uncertainty,
            metadata=metadata,
        )

    def add_example(
        self,
        scratchpad_id: UUID | str,
        input: str,
        output: str,
        pattern: str | None = None,
        success: float | None = None,
        metadata: Any = None,
    ) -> Call[UUID]:
        """Put down how something was done well."""
        return call(
            "memos.add_example",
            scalar(UUID),
            user=self.user,
            scratchpad_id=scratchpad_id,
            input=input,
            output=output,
            pattern=pattern,
            success=success,
            metadata=metadata,
        )

    def add_step(
        self,
        scratchpad_id: UUID | str,
        action: str,
        agent: str,
        input: Any = None,
        output: Any = None,
        success: bool | None = None,
        error: str | None = None,
        duration: timedelta | None = None,
    ) -> Call[UUID]:
        """Put down what an agent did."""
        return call(
            "memos.add_step",
            scalar(UUID),
            user=self.user,
            scratchpad_id=scratchpad_id,
            action=action,
            agent=agent,
            input=input,
            output=output,
            success=success,
            error=error,
            duration=duration,
        )

    def add_note(
        self,
        scratchpad_id: UUID | str,
        agent: str,
        content: str,
        for_agent: str | None = None,
        metadata: Any = None,
    ) -> Call[UUID]:
        """Leave a note for one agent, or for all."""
        return call(
            "memos.add_note",
            scalar(UUID),
            user=self.user,
            scratchpad_id=scratchpad_id,
            agent=agent,
            content=content,
            for_agent=for_agent,
            metadata=metadata,
        )

    def update_entry(
        self,
        scratchpad_id: UUID | str,
        entry_id: UUID | str,
        changes: Any,
    ) -> Call[None]:
        """Judge an entry: quality, status, uncertainty, metadata."""
        return call(
            "memos.update_entry",
            NOTHING,
            user=self.user,
            scratchpad_id=scratchpad_id,
            entry_id=entry_id,
            changes=changes,
        )

    def list_entries(
        self,
        scratchpad_id: UUID | str,
        kinds: Iterable[str] | None = None,
        types: Iterable[str] | None = None,
        statuses: Iterable[str] | None = None,
        min_quality: float | None = None,
        max_quality: float | None = None,
        agent: str | None = None,
        for_agent: str | None = None,
        question_id: UUID | str | None = None,
        limit: int | None = None,
        after: UUID | str | None = None,
    ) -> Call[list[Entry]]:
        """What is on a scratchpad, newest first."""
        return call(
            "memos.list_entries",
            many(Entry),
            user=self.user,
            scratchpad_id=scratchpad_id,
            kinds=kinds,
            types=types,
            statuses=statuses,
            min_quality=min_quality,
            max_quality=max_quality,
            agent=agent,
            for_agent=for_agent,
            question_id=question_id,
            limit=limit,
            after=after,
        )

    def find_examples(
        self,
        query: str,
        scratchpad_id: UUID | str | None = None,
        pattern: str | None = None,
        min_success: float | None = None,
        limit: int | None = None,
    ) -> Call[list[Example]]:
        """The user's examples that are most like a query in words."""
        return call(
            "memos.find_examples",
            many(Example),
            user=self.user,
            query=query,
            scratchpad_id=scratchpad_id,
            pattern=pattern,
            min_success=min_success,
            limit=limit,
        )

    def use_example(
        self,
        scratchpad_id: UUID | str,
        entry_id: UUID | str,
        success: bool | None = None,
    ) -> Call[float]:
        """Count a use of an example, and whether it helped; return its success."""
        return call(
            "memos.use_example",
            scalar(float),
            user=self.user,
            scratchpad_id=scratchpad_id,
            entry_id=entry_id,
            success=success,
        )

    def scratchpad_quality(
        self,
        scratchpad_id: UUID | str,
    ) -> Call[ScratchpadQuality]:
        """How good a scratchpad is, and why."""
        return call(
            "memos.scratchpad_quality",
            one(ScratchpadQuality),
            user=self.user,
            scratchpad_id=scratchpad_id,
        )

    def set_scratchpad_weights(
        self,
        observations: float | None = None,
        reasoning: float | None = None,
        coverage: float | None = None,
        project: str | None = None,
    ) -> Call[None]:
        """What the parts of the quality count, for a project or for all."""
        return call(
            "memos.set_scratchpad_weights",
            NOTHING,
            user=self.user,
            observations=observations,
            reasoning=reasoning,
            coverage=coverage,
            project=project,
        )

    def ask_question(
        self,
        scratchpad_id: UUID | str,
        question: str,
        criteria: str | None = None,
        agent: str | None = None,
        metadata: Any = None,
    ) -> Call[UUID]:
        """Ask what has to be answered to reach the goal."""
        return call(
            "memos.ask_question",
            scalar(UUID),
            user=self.user,
            scratchpad_id=scratchpad_id,
            question=question,
            criteria=criteria,
            agent=agent,
            metadata=metadata,
        )

    def list_questions(
        self,
        scratchpad_id: UUID | str,
        statuses: Iterable[str] | None = None,
    ) -> Call[list[Question]]:
        """The questions of a scratchpad, in the order they were asked."""
        return call(
            "memos.list_questions",
            many(Question),
            user=self.user,
            scratchpad_id=scratchpad_id,
            statuses=statuses,
        )

    def set_question_status(
        self,
        scratchpad_id: UUID | str,
        question_id: UUID | str,
        status: str,
        confidence: float | None = None,
        gaps: Iterable[str] | None = None,
        agent: str | None = None,
    ) -> Call[None]:
        """Say how far a question is; gaps become actions."""
        return call(
            "memos.set_question_status",
            NOTHING,
            user=self.user,
            scratchpad_id=scratchpad_id,
            question_id=question_id,
            status=status,
            confidence=confidence,
            gaps=gaps,
            agent=agent,
        )

    def add_finding(
        self,
        scratchpad_id: UUID | str,
        content: str,
        question_id: UUID | str | None = None,
        finding_type: str | None = None,
        source: str | None = None,
        confidence: float | None = None,
        agent: str | None = None,
        evidence: Iterable[UUID | str] | None = None,
        metadata: Any = None,
    ) -> Call[UUID]:
        """Put down what was found out."""
        return call(
            "memos.add_finding",
            scalar(UUID),
            user=self.user,
            scratchpad_id=scratchpad_id,
            content=content,
            question_id=question_id,
            finding_type=finding_type,
            source=source,
            confidence=confidence,
            agent=agent,
            evidence=evidence,
            metadata=metadata,
        )

    def add_contradiction(
        self,
        scratchpad_id: UUID | str,
        finding_1: UUID | str,
        finding_2: UUID | str,
        description: str,
        agent: str | None = None,
    ) -> Call[UUID]:
        """Say that two findings cannot both be true."""
        return call(
            "memos.add_contradiction",
            scalar(UUID),
            user=self.user,
            scratchpad_id=scratchpad_id,
            finding_1=finding_1,
            finding_2=finding_2,
            description=description,
            agent=agent,
        )

    def resolve_contradiction(
        self,
        scratchpad_id: UUID | str,
        contradiction_id: UUID | str,
        resolution: str,
        kept: UUID | str | None = None,
        agent: str | None = None,
    ) -> Call[None]:
        """Close a contradiction; the finding that is not kept is retracted."""
        return call(
            "memos.resolve_contradiction",
            NOTHING,
            user=self.user,
            scratchpad_id=scratchpad_id,
            contradiction_id=contradiction_id,
            resolution=resolution,
            kept=kept,
            agent=agent,
        )

    def list_contradictions(
        self,
        scratchpad_id: UUID | str,
        resolved: bool | None = None,
    ) -> Call[list[Contradiction]]:
        """The contradictions of a scratchpad, oldest first."""
        return call(
            "memos.list_contradictions",
            many(Contradiction),
            user=self.user,
            scratchpad_id=scratchpad_id,
            resolved=resolved,
        )

    def add_action(
        self,
        scratchpad_id: UUID | str,
        type: str,
        description: str,
        priority: int | None = None,
        details: Any = None,
        parent_id: UUID | str | None = None,
        for_agent: str | None = None,
        max_attempts: int | None = None,
        subject_id: UUID | str | None = None,
    ) -> Call[UUID]:
        """Queue something to do; 0 is the most urgent."""
        return call(
            "memos.add_action",
            scalar(UUID),
            user=self.user,
            scratchpad_id=scratchpad_id,
            type=type,
            description=description,
            priority=priority,
            details=details,
            parent_id=parent_id,
            for_agent=for_agent,
            max_attempts=max_attempts,
            subject_id=subject_id,
        )

    def claim_action(
        self,
        scratchpad_id: UUID | str,
        agent: str,
        types: Iterable[str] | None = None,
        lease: timedelta | None = None,
    ) -> Call[ClaimedAction | None]:
        """Take the most urgent action that is free; None when there is none."""
        return call(
            "memos.claim_action",
            optional(ClaimedAction),
            user=self.user,
            scratchpad_id=scratchpad_id,
            agent=agent,
            types=types,
            lease=lease,
        )

    def complete_action(
        self,
        scratchpad_id: UUID | str,
        action_id: UUID | str,
        agent: str,
        result: Any = None,
        attempt: int | None = None,
    ) -> Call[None]:
        """Finish an action that the agent has taken."""
        return call(
            "memos.complete_action",
            NOTHING,
            user=self.user,
            scratchpad_id=scratchpad_id,
            action_id=action_id,
            agent=agent,
            result=result,
            attempt=attempt,
        )

    def fail_action(
        self,
        scratchpad_id: UUID | str,
        action_id: UUID | str,
        agent: str,
        error: str,
        retry: bool | None = None,
        attempt: int | None = None,
    ) -> Call[str]:
        """Give an action back that did not work out: 'pending' again, or 'failed'."""
        return call(
            "memos.fail_action",
            scalar(str),
            user=self.user,
            scratchpad_id=scratchpad_id,
            action_id=action_id,
            agent=agent,
            error=error,
            retry=retry,
            attempt=attempt,
        )

    def extend_action(
        self,
        scratchpad_id: UUID | str,
        action_id: UUID | str,
        agent: str,
        lease: timedelta | None = None,
        attempt: int | None = None,
    ) -> Call[datetime]:
        """Keep an action for longer; returns until when."""
        return call(
            "memos.extend_action",
            scalar(datetime),
            user=self.user,
            scratchpad_id=scratchpad_id,
            action_id=action_id,
            agent=agent,
            lease=lease,
            attempt=attempt,
        )

    def set_action_status(
        self,
        scratchpad_id: UUID | str,
        action_id: UUID | str,
        status: str,
    ) -> Call[None]:
        """Block, unblock or skip an action that waits."""
        return call(
            "memos.set_action_status",
            NOTHING,
            user=self.user,
            scratchpad_id=scratchpad_id,
            action_id=action_id,
            status=status,
        )

    def list_actions(
        self,
        scratchpad_id: UUID | str,
        statuses: Iterable[str] | None = None,
        parent_id: UUID | str | None = None,
        limit: int | None = None,
    ) -> Call[list[Action]]:
        """The actions of a scratchpad, open ones first."""
        return call(
            "memos.list_actions",
            many(Action),
            user=self.user,
            scratchpad_id=scratchpad_id,
            statuses=statuses,
            parent_id=parent_id,
            limit=limit,
        )

    def write_public(
        self,
        scratchpad_id: UUID | str,
        agent: str,
        key: str,
        value: Any,
        ttl: timedelta | None = None,
    ) -> Call[None]:
        """Set a value that every agent reads for its lifetime: half an hour, unless given."""
        if value is None:
            raise bad("value", "a JSON value other than null", value)
        return call(
            "memos.write_public",
            NOTHING,
            user=self.user,
            scratchpad_id=scratchpad_id,
            agent=agent,
            key=key,
            value=value,
            ttl=ttl,
        )

    def read_public(
        self,
        scratchpad_id: UUID | str,
        key: str,
    ) -> Call[Any]:
        """A public value; None when there is none, or its lifetime is over."""
        return call(
            "memos.read_public",
            VALUE,
            user=self.user,
            scratchpad_id=scratchpad_id,
            key=key,
        )

    def write_private(
        self,
        scratchpad_id: UUID | str,
        agent: str,
        key: str,
        value: Any,
    ) -> Call[None]:
        """Set a value that only this agent reads."""
        if value is None:
            raise bad("value", "a JSON value other than null", value)
        return call(
            "memos.write_private",
            NOTHING,
            user=self.user,
            scratchpad_id=scratchpad_id,
            agent=agent,
            key=key,
            value=value,
        )

    def read_private(
        self,
        scratchpad_id: UUID | str,
        agent: str,
        key: str,
    ) -> Call[Any]:
        """The agent's own value; None when there is none."""
        return call(
            "memos.read_private",
            VALUE,
            user=self.user,
            scratchpad_id=scratchpad_id,
            agent=agent,
            key=key,
        )

    def list_values(
        self,
        scratchpad_id: UUID | str,
        agent: str | None = None,
    ) -> Call[list[Value]]:
        """The public values that are alive, and those of the agent."""
        return call(
            "memos.list_values",
            many(Value),
            user=self.user,
            scratchpad_id=scratchpad_id,
            agent=agent,
        )

    def register_agent(
        self,
        scratchpad_id: UUID | str,
        agent: str,
    ) -> Call[str]:
        """Keep a name for whoever has the returned token (User.with_agent)."""
        return call(
            "memos.register_agent",
            scalar(str),
            user=self.user,
            scratchpad_id=scratchpad_id,
            agent=agent,
        )

    def register_reference(
        self,
        scratchpad_id: UUID | str,
        kind: str,
        key: str,
        value: str | None = None,
        agent: str | None = None,
        metadata: Any = None,
    ) -> Call[bool]:
        """Register a search, source, content, KV cache or artifact: is it new?"""
        return call(
            "memos.register_reference",
            scalar(bool),
            user=self.user,
            scratchpad_id=scratchpad_id,
            kind=kind,
            key=key,
            value=value,
            agent=agent,
            metadata=metadata,
        )

    def list_references(
        self,
        scratchpad_id: UUID | str,
        kind: str,
        key: str | None = None,
        limit: int | None = None,
    ) -> Call[list[Reference]]:
        """What is registered of a kind, newest first."""
        return call(
            "memos.list_references",
            many(Reference),
            user=self.user,
            scratchpad_id=scratchpad_id,
            kind=kind,
            key=key,
            limit=limit,
        )

    def find_answers(
        self,
        scratchpad_id: UUID | str,
        query: str,
        min_similarity: float | None = None,
        limit: int | None = None,
    ) -> Call[list[Answer]]:
        """Has this been answered, or tried? Questions and searches alike."""
        return call(
            "memos.find_answers",
            many(Answer),
            user=self.user,
            scratchpad_id=scratchpad_id,
            query=query,
            min_similarity=min_similarity,
            limit=limit,
        )

    def agent_context(
        self,
        scratchpad_id: UUID | str,
        agent: str,
        token_budget: int | None = None,
    ) -> Call[list[ContextLine]]:
        """What an agent should see now, within a budget of tokens."""
        return call(
            "memos.agent_context",
            many(ContextLine),
            user=self.user,
            scratchpad_id=scratchpad_id,
            agent=agent,
            token_budget=token_budget,
        )

    def scratchpad_changes(
        self,
        scratchpad_id: UUID | str,
        after: int | None = None,
        limit: int | None = None,
    ) -> Call[list[Change]]:
        """What changed after a number, in the order of the commits."""
        return call(
            "memos.scratchpad_changes",
            many(Change),
            user=self.user,
            scratchpad_id=scratchpad_id,
            after=after,
            limit=limit,
        )
