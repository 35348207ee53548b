"""What calls return: frozen records whose fields are the columns of the SQL functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

Json = dict[str, Any]


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


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One found memory; `explanation` says why it is there when the search was asked to explain."""

    rank: int
    memory_id: UUID
    version: int
    content: str
    score: float
    kind: str
    tags: list[str]
    metadata: Json
    session_id: str | None
    position: int | None
    occurred_at: datetime | None
    explanation: Json | None
    search_id: UUID | None


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


@dataclass(frozen=True, slots=True)
class ClaimedEmbedding:
    """A passage that a worker has leased in order to embed it."""

    user_id: UUID
    memory_id: UUID
    version: int
    model: str
    passage: int
    content: str


@dataclass(frozen=True, slots=True)
class EmbeddingStatus:
    """One embedding model and how far it has got."""

    model: str
    provider: str
    dimensions: int
    is_default: bool
    state: str
    done: int
    pending: int
    failed: int
    oldest_pending: datetime | None
