"""The caches: values under keys, by namespace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from memos_pg.calls.base import NOTHING, Call, Everyone, Json, Vector, bad, call, many, one, scalar


@dataclass(frozen=True, slots=True)
class CacheHit:
    """What was found under a key; without a `hit`, nothing."""

    value: Any
    hit: bool
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class SimilarHit:
    """The answer to a question that says the same, and how near that one is."""

    value: Any
    hit: bool
    expires_at: datetime | None
    matched_query: str | None
    similarity: float | None


@dataclass(frozen=True, slots=True)
class CacheLease:
    """What was found under a key, else perhaps the lease to fill it, else another one fills it."""

    value: Any
    hit: bool
    expires_at: datetime | None
    stamp: UUID | None
    lifetime: float | None
    ident: str
    owner: str
    lease: UUID | None
    stale: Any


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """An entry of a namespace."""

    key: str
    settings: Json | None
    value: Any
    tags: list[str]
    success: bool
    confidence: float | None
    success_rate: float | None
    outcomes: int
    bytes: int
    stored_at: datetime
    used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a user holds in a namespace."""

    namespace: str
    entries: int
    expired: int
    bytes: int
    oldest: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class CacheNamespace:
    """The rules of a namespace."""

    name: str
    description: str
    lifetime: timedelta
    failure_lifetime: timedelta
    stale_lifetime: timedelta
    jitter: float
    max_entries: int
    max_bytes: int
    max_total_bytes: int
    scope: str
    key_form: str
    key_settings: list[str]
    keep: str


class CacheCalls:
    """The caches of the user the object is bound to, or those that all users share."""

    user: str | UUID | Everyone

    def cache_put(
        self,
        namespace: str,
        key: str,
        value: Any,
        ttl: timedelta | None = None,
        tags: Iterable[str] | None = None,
        embedding: Vector | None = None,
        question: str | None = None,
        model: str | None = None,
        settings: Mapping[str, Any] | None = None,
        success: bool | None = None,
        confidence: float | None = None,
        lease: UUID | None = None,
    ) -> Call[bool]:
        """Store a value; False when a better one is kept or the lease is gone."""
        if value is None:
            raise bad("value", "a JSON value other than null", value)
        return call(
            "memos.cache_put",
            scalar(bool),
            user=self.user,
            namespace=namespace,
            key=key,
            value=value,
            ttl=ttl,
            tags=tags,
            embedding=embedding,
            question=question,
            model=model,
            settings=settings,
            success=success,
            confidence=confidence,
            lease=lease,
        )

    def cache_get(
        self, namespace: str, key: str, settings: Mapping[str, Any] | None = None
    ) -> Call[CacheHit]:
        """The value of a key, if it is there and fresh."""
        return call(
            "memos.cache_get",
            one(CacheHit),
            user=self.user,
            namespace=namespace,
            key=key,
            settings=settings,
        )

    def cache_find_similar(
        self,
        namespace: str,
        query: str,
        embedding: Vector,
        min_similarity: float | None = None,
        model: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Call[SimilarHit]:
        """The answer to the nearest cached question that says the same."""
        return call(
            "memos.cache_find_similar",
            one(SimilarHit),
            user=self.user,
            namespace=namespace,
            query=query,
            embedding=embedding,
            min_similarity=min_similarity,
            model=model,
            settings=settings,
        )

    def cache_invalidate(
        self,
        namespace: str | None = None,
        key: str | None = None,
        prefix: str | None = None,
        tag: str | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Call[int]:
        """Remove the entries of a key, prefix, tag or namespace, or all, and return how many."""
        return call(
            "memos.cache_invalidate",
            scalar(int),
            user=self.user,
            namespace=namespace,
            key=key,
            prefix=prefix,
            tag=tag,
            settings=settings,
        )

    def cache_lease(
        self,
        namespace: str,
        key: str,
        lease: timedelta | None = None,
        settings: Mapping[str, Any] | None = None,
        stamp: UUID | None = None,
    ) -> Call[CacheLease]:
        """Read a key; where it is missing, get the lease to fill it unless another one has it."""
        return call(
            "memos.cache_lease",
            one(CacheLease),
            user=self.user,
            namespace=namespace,
            key=key,
            lease=lease,
            settings=settings,
            stamp=stamp,
        )

    def cache_release(
        self, namespace: str, key: str, lease: UUID, settings: Mapping[str, Any] | None = None
    ) -> Call[bool]:
        """Give a lease back unfilled."""
        return call(
            "memos.cache_release",
            scalar(bool),
            user=self.user,
            namespace=namespace,
            key=key,
            lease=lease,
            settings=settings,
        )

    def cache_report(
        self, namespace: str, local_hits: int | None = None, waits: int | None = None
    ) -> Call[None]:
        """Add to the numbers of a namespace what only the client knows."""
        return call(
            "memos.cache_report",
            NOTHING,
            user=self.user,
            namespace=namespace,
            local_hits=local_hits,
            waits=waits,
        )

    def cache_record_outcome(
        self, namespace: str, key: str, success: bool, settings: Mapping[str, Any] | None = None
    ) -> Call[float]:
        """Say how it went with a cached plan, and return its success rate."""
        return call(
            "memos.cache_record_outcome",
            scalar(float),
            user=self.user,
            namespace=namespace,
            key=key,
            success=success,
            settings=settings,
        )

    def cache_entries(self, namespace: str, limit: int | None = None) -> Call[list[CacheEntry]]:
        """The fresh entries of a namespace, the most successful and last used first."""
        return call(
            "memos.cache_entries",
            many(CacheEntry),
            user=self.user,
            namespace=namespace,
            limit=limit,
        )

    def cache_stats(self) -> Call[list[CacheStats]]:
        """What the user holds in each namespace."""
        return call("memos.cache_stats", many(CacheStats), user=self.user)


class CacheAdminCalls:
    """The caches of all users, for operators."""

    def cache_namespaces(self) -> Call[list[CacheNamespace]]:
        """What the caches hold, and by which rules."""
        return call("memos_admin.cache_namespaces", many(CacheNamespace))

    def set_cache_namespace(self, name: str, policy: Mapping[str, Any]) -> Call[None]:
        """Add a namespace, or change the rules that `policy` names."""
        return call("memos_admin.set_cache_namespace", NOTHING, name=name, policy=policy)

    def drop_cache_namespace(self, name: str) -> Call[bool]:
        """Remove a namespace with its entries; False when there is none of that name."""
        return call("memos_admin.drop_cache_namespace", scalar(bool), name=name)

    def cache_clear(self, namespace: str | None = None) -> Call[int]:
        """Empty the caches of all users, or one namespace, and return how many entries went."""
        return call("memos_admin.cache_clear", scalar(int), namespace=namespace)
