"""Search, and its replay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from memos_pg.calls.base import Call, Json, Vector, call, many

Fusion = Literal["calibrated", "rrf"]


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


class SearchCalls:
    """Searches in the memories of the user the object is bound to."""

    user: str | UUID

    def search_memories(
        self,
        query: str,
        embedding: Vector | None = None,
        model: str | None = None,
        limit: int | None = None,
        token_budget: int | None = None,
        kinds: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        from_: datetime | None = None,
        until: datetime | None = None,
        valid_at: datetime | None = None,
        recorded_at: datetime | None = None,
        fusion: Fusion | None = None,
        weights: Mapping[str, float] | None = None,
        rrf_k: int | None = None,
        include_cold: bool | None = None,
        explain: bool | None = None,
        record: bool | None = None,
        purpose: str | None = None,
        profile: str | None = None,
        now: datetime | None = None,
    ) -> Call[list[SearchResult]]:
        """The memories that answer `query`, best first, within the limits of rows and tokens."""
        return call(
            "memos.search_memories",
            many(SearchResult),
            user=self.user,
            query=query,
            embedding=embedding,
            model=model,
            limit=limit,
            token_budget=token_budget,
            kinds=kinds,
            tags=tags,
            metadata=metadata,
            session_id=session_id,
            from_=from_,
            until=until,
            valid_at=valid_at,
            recorded_at=recorded_at,
            fusion=fusion,
            weights=weights,
            rrf_k=rrf_k,
            include_cold=include_cold,
            explain=explain,
            record=record,
            purpose=purpose,
            profile=profile,
            now=now,
        )

    def replay_search(self, search_id: UUID | str) -> Call[list[SearchResult]]:
        """The rows of a recorded search, as they were then."""
        return call("memos.replay_search", many(SearchResult), user=self.user, search_id=search_id)
