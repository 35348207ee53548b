"""Duplicates, merges and summaries, and taking them back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from memos_pg.calls.base import Call, Json, Vector, call, many, scalar


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A memory that is like a text; `differences` says in what it is another statement."""

    memory_id: UUID
    version: int
    content: str
    kind: str
    match: str
    similarity: float
    spelling: float
    meaning: float | None
    differences: list[str]


@dataclass(frozen=True, slots=True)
class ConsolidationAction:
    """A merge into `memory_id`, or a summary; without `run_id` it was a dry run."""

    run_id: UUID | None
    action: str
    memory_id: UUID | None
    source_ids: list[UUID]
    content: str
    reason: str


@dataclass(frozen=True, slots=True)
class Consolidation:
    """A run that changed something."""

    run_id: UUID
    created_at: datetime
    undone_at: datetime | None
    parameters: Json
    actions: list[Json]


class ConsolidationCalls:
    """The duplicates and clusters of the user the object is bound to."""

    user: str | UUID

    def find_duplicates(
        self,
        content: str,
        embedding: Vector | None = None,
        model: str | None = None,
        limit: int | None = None,
        min_similarity: float | None = None,
        language: str | None = None,
    ) -> Call[list[Duplicate]]:
        """What there is that is like a text, before it is written."""
        return call(
            "memos.find_duplicates",
            many(Duplicate),
            user=self.user,
            content=content,
            embedding=embedding,
            model=model,
            limit=limit,
            min_similarity=min_similarity,
            language=language,
        )

    def consolidate_memories(
        self,
        dry_run: bool | None = None,
        min_similarity: float | None = None,
        max_clusters: int | None = None,
        min_sources: int | None = None,
        merge: bool | None = None,
        summarize: bool | None = None,
        include_derived: bool | None = None,
        set_aside_sources: bool | None = None,
    ) -> Call[list[ConsolidationAction]]:
        """What consolidation would do, or, with dry_run=False, did."""
        return call(
            "memos.consolidate_memories",
            many(ConsolidationAction),
            user=self.user,
            dry_run=dry_run,
            min_similarity=min_similarity,
            max_clusters=max_clusters,
            min_sources=min_sources,
            merge=merge,
            summarize=summarize,
            include_derived=include_derived,
            set_aside_sources=set_aside_sources,
        )

    def merge_memories(
        self, memory_id: UUID | str, source_ids: Iterable[UUID | str], reason: str | None = None
    ) -> Call[UUID]:
        """Merge memories that say the same into one; the run to undo it with."""
        return call(
            "memos.merge_memories",
            scalar(UUID),
            user=self.user,
            memory_id=memory_id,
            source_ids=source_ids,
            reason=reason,
        )

    def undo_consolidation(self, run_id: UUID | str) -> Call[int]:
        """Take a whole run back, and return how many steps it had."""
        return call("memos.undo_consolidation", scalar(int), user=self.user, run_id=run_id)

    def list_consolidations(self, limit: int | None = None) -> Call[list[Consolidation]]:
        """The runs, newest first, with what each did."""
        return call("memos.list_consolidations", many(Consolidation), user=self.user, limit=limit)
