"""Embedding models, and the vectors that workers make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from memos_pg.calls.base import NOTHING, Call, Vector, call, many, scalar


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


class EmbeddingAdminCalls:
    """Embedding models and their queue, for operators and workers."""

    def register_embedding_model(
        self,
        name: str,
        dimensions: int,
        provider: Literal["hash", "http", "external"],
        options: Mapping[str, Any] | None = None,
    ) -> Call[None]:
        """Make an embedding model known; the first one becomes the default."""
        return call(
            "memos_admin.register_embedding_model",
            NOTHING,
            name=name,
            dimensions=dimensions,
            provider=provider,
            options=options,
        )

    def set_default_embedding_model(self, name: str, force: bool | None = None) -> Call[None]:
        """Search by this model from now on; refused while its backfill is incomplete."""
        return call("memos_admin.set_default_embedding_model", NOTHING, name=name, force=force)

    def claim_embeddings(
        self,
        worker: str,
        limit: int | None = None,
        lease: timedelta | None = None,
        model: str | None = None,
    ) -> Call[list[ClaimedEmbedding]]:
        """Lease pending passages to `worker`, who completes or fails them before the lease ends."""
        return call(
            "memos_admin.claim_embeddings",
            many(ClaimedEmbedding),
            worker=worker,
            limit=limit,
            lease=lease,
            model=model,
        )

    def complete_embeddings(
        self, worker: str, results: Iterable[ClaimedEmbedding], embeddings: Iterable[Vector]
    ) -> Call[int]:
        """Store the vectors of claimed passages, in the same order, and return how many."""
        objects = [
            {
                "user_id": claim.user_id,
                "memory_id": claim.memory_id,
                "version": claim.version,
                "model": claim.model,
                "passage": claim.passage,
            }
            for claim in results
        ]
        return call(
            "memos_admin.complete_embeddings",
            scalar(int),
            worker=worker,
            results=objects,
            embeddings=embeddings,
        )

    def fail_embeddings(
        self, worker: str, failures: Iterable[tuple[ClaimedEmbedding, str]]
    ) -> Call[int]:
        """Give claimed passages back with the error that each met, and return how many."""
        # A memory fails as a whole, however many of its passages did.
        objects = {
            (claim.user_id, claim.memory_id, claim.model): error for claim, error in failures
        }
        return call(
            "memos_admin.fail_embeddings",
            scalar(int),
            worker=worker,
            failures=[
                {"user_id": user_id, "memory_id": memory_id, "model": model, "error": error}
                for (user_id, memory_id, model), error in objects.items()
            ],
        )

    def embed_pending(self, limit: int | None = None) -> Call[None]:
        """Embed what is pending with the models the database can run; commits as it goes."""
        return call("memos_admin.embed_pending", NOTHING, verb="call", limit=limit)

    def embedding_status(self) -> Call[list[EmbeddingStatus]]:
        """Per model: done, pending and failed memories, and the oldest that is pending."""
        return call("memos_admin.embedding_status", many(EmbeddingStatus))
