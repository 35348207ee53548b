"""Links between memories."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from memos_pg.calls.base import Call, call, many, scalar


@dataclass(frozen=True, slots=True)
class MemoryLink:
    """A link of a memory; `memory_id` and `content` are what is at its other end."""

    memory_id: UUID
    direction: str
    type: str
    weight: float
    origin: str
    created_at: datetime
    content: str


@dataclass(frozen=True, slots=True)
class RelatedMemory:
    """A memory that links lead to: `path` runs from the first memory to it, along `types`."""

    memory_id: UUID
    depth: int
    weight: float
    path: list[UUID]
    types: list[str]
    content: str


class LinkCalls:
    """The links of the user the object is bound to."""

    user: str | UUID

    def link_memories(
        self,
        from_: UUID | str,
        to: UUID | str,
        type: str | None = None,
        weight: float | None = None,
    ) -> Call[bool]:
        """Link two memories: True when the link is new, False when it only has a new weight."""
        return call(
            "memos.link_memories",
            scalar(bool),
            user=self.user,
            from_=from_,
            to=to,
            type=type,
            weight=weight,
        )

    def unlink_memories(
        self, from_: UUID | str, to: UUID | str, type: str | None = None
    ) -> Call[bool]:
        """Remove the link of that type; False when there is none."""
        return call(
            "memos.unlink_memories", scalar(bool), user=self.user, from_=from_, to=to, type=type
        )

    def list_links(self, memory_id: UUID | str) -> Call[list[MemoryLink]]:
        """The links of a memory, whichever way they point, strongest first."""
        return call("memos.list_links", many(MemoryLink), user=self.user, memory_id=memory_id)

    def related_memories(
        self,
        memory_id: UUID | str,
        types: Iterable[str] | None = None,
        max_depth: int | None = None,
        min_weight: float | None = None,
    ) -> Call[list[RelatedMemory]]:
        """The memories that links lead to, each by its strongest path, strongest first."""
        return call(
            "memos.related_memories",
            many(RelatedMemory),
            user=self.user,
            memory_id=memory_id,
            types=types,
            max_depth=max_depth,
            min_weight=min_weight,
        )

    def link_similar(
        self,
        limit: int | None = None,
        min_similarity: float | None = None,
        max_links: int | None = None,
    ) -> Call[int]:
        """Link new memories to their nearest neighbours now, and return how many were done."""
        return call(
            "memos.link_similar",
            scalar(int),
            user=self.user,
            limit=limit,
            min_similarity=min_similarity,
            max_links=max_links,
        )
