"""Facts: attributes of entities that have one value at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from memos_pg.calls.base import Call, Vector, call, many, one, scalar


@dataclass(frozen=True, slots=True)
class AssertedFact:
    """What came of an assertion; `change` is asserted, extended or unchanged."""

    fact_id: UUID
    memory_id: UUID
    valid_from: datetime
    valid_until: datetime | None
    change: str


@dataclass(frozen=True, slots=True)
class Fact:
    """The value of an attribute of an entity for a period, and the memory that says so."""

    fact_id: UUID
    entity: str
    attribute: str
    value: str
    valid_from: datetime
    valid_until: datetime | None
    confidence: float
    provenance: str
    memory_id: UUID
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class FactVersion:
    """What was held of an attribute while it was on record; `change` says how that ended."""

    fact_id: UUID
    value: str
    valid_from: datetime
    valid_until: datetime | None
    confidence: float
    provenance: str
    memory_id: UUID
    recorded_at: datetime
    recorded_until: datetime | None
    change: str


class FactCalls:
    """The facts of the user the object is bound to."""

    user: str | UUID

    def assert_fact(
        self,
        entity: str,
        attribute: str,
        value: str,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        memory_id: UUID | str | None = None,
        confidence: float | None = None,
        provenance: str | None = None,
        content: str | None = None,
        embedding: Vector | None = None,
        model: str | None = None,
        tags: Iterable[str] | None = None,
        importance: float | None = None,
        privacy_level: str | None = None,
        session_id: str | None = None,
        language: str | None = None,
    ) -> Call[AssertedFact]:
        """The attribute has this value from then on: what was held before ends there.

        Raises Conflict where a statement that is trusted more says otherwise.
        """
        return call(
            "memos.assert_fact",
            one(AssertedFact),
            user=self.user,
            entity=entity,
            attribute=attribute,
            value=value,
            valid_from=valid_from,
            valid_until=valid_until,
            memory_id=memory_id,
            confidence=confidence,
            provenance=provenance,
            content=content,
            embedding=embedding,
            model=model,
            tags=tags,
            importance=importance,
            privacy_level=privacy_level,
            session_id=session_id,
            language=language,
        )

    def get_facts(
        self,
        entity: str | None = None,
        attribute: str | None = None,
        valid_at: datetime | None = None,
        recorded_at: datetime | None = None,
    ) -> Call[list[Fact]]:
        """The value of each attribute now, or as it was true and known at those times."""
        return call(
            "memos.get_facts",
            many(Fact),
            user=self.user,
            entity=entity,
            attribute=attribute,
            valid_at=valid_at,
            recorded_at=recorded_at,
        )

    def fact_history(self, entity: str, attribute: str) -> Call[list[FactVersion]]:
        """Every value the attribute was ever held to have, as they were recorded."""
        return call(
            "memos.fact_history",
            many(FactVersion),
            user=self.user,
            entity=entity,
            attribute=attribute,
        )

    def end_fact(
        self, fact_id: UUID | str, valid_until: datetime | None = None, reason: str | None = None
    ) -> Call[bool]:
        """A fact held until then (default: now) only; False when there is none, or it had ended."""
        return call(
            "memos.end_fact",
            scalar(bool),
            user=self.user,
            fact_id=fact_id,
            valid_until=valid_until,
            reason=reason,
        )

    def retract_fact(self, fact_id: UUID | str, reason: str | None = None) -> Call[bool]:
        """Withdraw a fact; it stays on record. False when there is none."""
        return call(
            "memos.retract_fact", scalar(bool), user=self.user, fact_id=fact_id, reason=reason
        )
