"""Retention, uses, the hot set, and what the bot keeps warm in its inference servers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from memos_pg.calls.base import NOTHING, Call, Json, call, many, scalar


@dataclass(frozen=True, slots=True)
class MemoryUsage:
    """How often a memory was used, and how well it is retained now."""

    memory_id: UUID
    uses: int
    last_used_at: datetime
    retention: float
    pinned: bool
    tier: str


@dataclass(frozen=True, slots=True)
class HotMemory:
    """A memory that belongs into every prompt: a pinned one, or one of the most used."""

    rank: int
    memory_id: UUID
    version: int
    content: str
    kind: str
    tags: list[str]
    metadata: Json
    importance: float
    pinned: bool
    uses: int
    last_used_at: datetime | None
    tokens: int


@dataclass(frozen=True, slots=True)
class WarmPrefix:
    """A KV-cache prefix or an adapter, and whether its server has it at hand."""

    name: str
    model: str
    backend: str
    kind: str
    state: str
    tokens: int | None
    warm_ms: int | None
    warm_until: datetime | None
    pinned_until: datetime | None
    uses: int
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class EvictedPrefix:
    """A prefix or an adapter that its server shall let go."""

    name: str
    model: str
    kind: str
    tokens: int | None


@dataclass(frozen=True, slots=True)
class RetentionParameter:
    """How long memories of a kind are retained, and why."""

    kind: str
    stability_days: float
    reason: str


class LifecycleCalls:
    """The life of the memories of the user the object is bound to."""

    user: str | UUID

    def memory_retention(self, memory_id: UUID | str, at: datetime | None = None) -> Call[float]:
        """How well a memory is retained, now or at another time, in (0, 1]."""
        return call(
            "memos.memory_retention", scalar(float), user=self.user, memory_id=memory_id, at=at
        )

    def record_access(
        self, memory_ids: Iterable[UUID | str], accessed_at: datetime | None = None
    ) -> Call[int]:
        """Say that these memories went into a prompt; returns how many of them exist."""
        return call(
            "memos.record_access",
            scalar(int),
            user=self.user,
            memory_ids=memory_ids,
            accessed_at=accessed_at,
        )

    def memory_usage(self, limit: int | None = None) -> Call[list[MemoryUsage]]:
        """The memories that were used, most used first."""
        return call("memos.memory_usage", many(MemoryUsage), user=self.user, limit=limit)

    def hot_memories(
        self, token_budget: int | None = None, limit: int | None = None
    ) -> Call[list[HotMemory]]:
        """What belongs into every prompt: pinned memories, then the most used ones."""
        return call(
            "memos.hot_memories",
            many(HotMemory),
            user=self.user,
            token_budget=token_budget,
            limit=limit,
        )

    def register_prefix(
        self,
        name: str,
        model: str,
        content: str,
        backend: str | None = None,
        kind: str | None = None,
        tokens: int | None = None,
    ) -> Call[str]:
        """Make a prefix or an adapter known; returns its state. Other content is cold again."""
        return call(
            "memos.register_prefix",
            scalar(str),
            user=self.user,
            name=name,
            model=model,
            content=content,
            backend=backend,
            kind=kind,
            tokens=tokens,
        )

    def report_prefix(
        self,
        name: str,
        model: str,
        state: str,
        warm_ms: int | None = None,
        ttl: timedelta | None = None,
        backend: str | None = None,
    ) -> Call[None]:
        """Say what became of a prefix; `warm` also after every use, and it stays for `ttl`."""
        return call(
            "memos.report_prefix",
            NOTHING,
            user=self.user,
            name=name,
            model=model,
            state=state,
            warm_ms=warm_ms,
            ttl=ttl,
            backend=backend,
        )

    def list_prefixes(
        self, name: str | None = None, model: str | None = None, content: str | None = None
    ) -> Call[list[WarmPrefix]]:
        """The prefixes and adapters with their state now; `content`: of exactly this text."""
        return call(
            "memos.list_prefixes",
            many(WarmPrefix),
            user=self.user,
            name=name,
            model=model,
            content=content,
        )

    def evict_prefixes(
        self, max_warm: int, backend: str | None = None, model: str | None = None
    ) -> Call[list[EvictedPrefix]]:
        """Mark all but so many warm prefixes as evicted; returns what the server shall let go."""
        return call(
            "memos.evict_prefixes",
            many(EvictedPrefix),
            user=self.user,
            max_warm=max_warm,
            backend=backend,
            model=model,
        )

    def pin_prefix(
        self, name: str, model: str, tool: str, backend: str | None = None
    ) -> Call[datetime]:
        """Keep a prefix while its agent waits for this tool; returns until when."""
        return call(
            "memos.pin_prefix",
            scalar(datetime),
            user=self.user,
            name=name,
            model=model,
            tool=tool,
            backend=backend,
        )

    def record_latency(self, tool: str, latency_ms: int) -> Call[timedelta]:
        """Say how long a call of a tool took; returns how long to pin for the next."""
        return call(
            "memos.record_latency",
            scalar(timedelta),
            user=self.user,
            tool=tool,
            latency_ms=latency_ms,
        )

    def tool_pin(self, tool: str) -> Call[timedelta]:
        """How long to keep a prefix during a call of this tool."""
        return call("memos.tool_pin", scalar(timedelta), user=self.user, tool=tool)


class LifecycleAdminCalls:
    """How long kinds of memories last."""

    def retention_parameters(self) -> Call[list[RetentionParameter]]:
        """Days after which retention of an unused memory is 0.9, by kind."""
        return call("memos_admin.retention_parameters", many(RetentionParameter))

    def set_retention(self, kind: str, stability_days: float, reason: str) -> Call[None]:
        """Set how long memories of a kind last, and why; `default` is for all other kinds."""
        return call(
            "memos_admin.set_retention",
            NOTHING,
            kind=kind,
            stability_days=stability_days,
            reason=reason,
        )
