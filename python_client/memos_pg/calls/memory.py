"""Memories: written, read, changed, with every version kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from memos_pg.calls.base import NOTHING, Call, Json, Vector, bad, call, many, one, scalar


@dataclass(frozen=True, slots=True)
class NewMemory:
    """One memory for `add_memories`; None leaves the default of `memos.add_memory`."""

    content: str
    kind: str | None = None
    tags: Sequence[str] | None = None
    metadata: Mapping[str, Any] | None = None
    importance: float | None = None
    confidence: float | None = None
    privacy_level: str | None = None
    provenance: str | None = None
    session_id: str | None = None
    position: int | None = None
    occurred_at: datetime | None = None
    language: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class StoredMemory:
    """Where `add_memories` put the memory at `ordinal`; one that was there is not `created`."""

    ordinal: int
    memory_id: UUID
    created: bool


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory as it is, or as it was at the time asked about."""

    memory_id: UUID
    version: int
    content: str
    kind: str
    tags: list[str]
    metadata: Json
    importance: float
    confidence: float
    privacy_level: str
    provenance: str
    session_id: str | None
    position: int | None
    occurred_at: datetime | None
    valid_from: datetime | None
    valid_until: datetime | None
    recorded_at: datetime
    pinned: bool
    tier: str


@dataclass(frozen=True, slots=True)
class MemoryVersion:
    """One version of a memory: when it was true, and when the database held it."""

    version: int
    content: str
    kind: str
    tags: list[str]
    metadata: Json
    importance: float
    confidence: float
    privacy_level: str
    provenance: str
    session_id: str | None
    position: int | None
    occurred_at: datetime | None
    valid_from: datetime | None
    valid_until: datetime | None
    recorded_at: datetime
    recorded_until: datetime | None
    change: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class MemoryStats:
    """How much one user has stored, and how much of it is embedded."""

    memories: int
    pinned: int
    versions: int
    sessions: int
    kinds: dict[str, int]
    privacy_levels: dict[str, int]
    content_bytes: int
    embedded: int
    pending: int
    failed: int
    oldest: datetime | None
    newest: datetime | None


class MemoryCalls:
    """The memories of the user the object is bound to."""

    user: str | UUID

    def user_id(self) -> Call[UUID]:
        """The uuid under which the database knows this user."""
        if isinstance(self.user, UUID):
            return Call("select %s::uuid", (self.user,), lambda rows: rows[0][0])
        return call("memos.user_id", scalar(UUID), external_id=self.user)

    def add_memory(
        self,
        content: str,
        kind: str | None = None,
        tags: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        embedding: Vector | None = None,
        model: str | None = None,
        importance: float | None = None,
        confidence: float | None = None,
        privacy_level: str | None = None,
        provenance: str | None = None,
        session_id: str | None = None,
        position: int | None = None,
        occurred_at: datetime | None = None,
        language: str | None = None,
        request_id: str | None = None,
    ) -> Call[UUID]:
        """Store one memory and return its id; the same content or request id stores it once."""
        return call(
            "memos.add_memory",
            scalar(UUID),
            user=self.user,
            content=content,
            kind=kind,
            tags=tags,
            metadata=metadata,
            embedding=embedding,
            model=model,
            importance=importance,
            confidence=confidence,
            privacy_level=privacy_level,
            provenance=provenance,
            session_id=session_id,
            position=position,
            occurred_at=occurred_at,
            language=language,
            request_id=request_id,
        )

    def add_memories(
        self,
        memories: Iterable[NewMemory | Mapping[str, Any]],
        embeddings: Iterable[Vector | None] | None = None,
        model: str | None = None,
    ) -> Call[list[StoredMemory]]:
        """Store many memories in one statement: all of them, or none."""
        objects = [
            {key: value for key, value in _mapping(memory).items() if value is not None}
            for memory in memories
        ]
        return call(
            "memos.add_memories",
            many(StoredMemory),
            user=self.user,
            memories=objects,
            embeddings=embeddings,
            model=model,
        )

    def get_memory(
        self,
        memory_id: UUID | str,
        valid_at: datetime | None = None,
        recorded_at: datetime | None = None,
    ) -> Call[Memory]:
        """One memory: as it is, as it was true at `valid_at`, or as known at `recorded_at`."""
        return call(
            "memos.get_memory",
            one(Memory),
            user=self.user,
            memory_id=memory_id,
            valid_at=valid_at,
            recorded_at=recorded_at,
        )

    def list_memories(
        self,
        kinds: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
        limit: int | None = None,
        after: UUID | str | None = None,
    ) -> Call[list[Memory]]:
        """Memories, newest first; `after` is the last id of the page before."""
        return call(
            "memos.list_memories",
            many(Memory),
            user=self.user,
            kinds=kinds,
            tags=tags,
            limit=limit,
            after=after,
        )

    def update_memory(
        self,
        memory_id: UUID | str,
        changes: Mapping[str, Any],
        expected_version: int | None = None,
        reason: str | None = None,
    ) -> Call[int]:
        """Store a new version and return its number; the version before stays on record."""
        return call(
            "memos.update_memory",
            scalar(int),
            user=self.user,
            memory_id=memory_id,
            changes=changes,
            expected_version=expected_version,
            reason=reason,
        )

    def delete_memory(self, memory_id: UUID | str, reason: str | None = None) -> Call[bool]:
        """Close a memory, which stays on record; False when there is none of that id."""
        return call(
            "memos.delete_memory",
            scalar(bool),
            user=self.user,
            memory_id=memory_id,
            reason=reason,
        )

    def memory_history(self, memory_id: UUID | str) -> Call[list[MemoryVersion]]:
        """Every version of a memory, with the times it was true and the times it was known."""
        return call(
            "memos.memory_history", many(MemoryVersion), user=self.user, memory_id=memory_id
        )

    def pin_memory(self, memory_id: UUID | str, pinned: bool | None = None) -> Call[None]:
        """Pin a memory, so that it never decays, or unpin it with `pinned=False`."""
        return call("memos.pin_memory", NOTHING, user=self.user, memory_id=memory_id, pinned=pinned)

    def memory_stats(self) -> Call[MemoryStats]:
        """Counts and sizes of what the user has stored."""
        return call("memos.memory_stats", one(MemoryStats), user=self.user)


def _mapping(memory: NewMemory | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(memory, NewMemory):
        return asdict(memory)
    if isinstance(memory, Mapping):
        return memory
    raise bad("memories", "a list of NewMemory or mappings", memory)
