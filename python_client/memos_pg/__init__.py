"""memOS: the memory of an LLM bot, kept inside PostgreSQL."""

from memos_pg.async_client import AsyncMemOS, AsyncUser
from memos_pg.budget import fit_token_budget
from memos_pg.cache import AsyncLocalCache, Filled, LocalCache
from memos_pg.calls.cache import (
    CacheEntry,
    CacheHit,
    CacheLease,
    CacheNamespace,
    CacheStats,
    SimilarHit,
)
from memos_pg.calls.embedding import ClaimedEmbedding, EmbeddingStatus
from memos_pg.calls.links import MemoryLink, RelatedMemory
from memos_pg.calls.memory import Memory, MemoryStats, MemoryVersion, NewMemory, StoredMemory
from memos_pg.calls.search import SearchResult
from memos_pg.client import MemOS, User
from memos_pg.errors import (
    BadArgument,
    BrokenInvariant,
    CacheUnavailable,
    Conflict,
    MemOSError,
    NotFound,
    NotYours,
    NoUserContext,
    QuotaExceeded,
    Refused,
)

__version__ = "0.1.0"

__all__ = [
    "AsyncLocalCache",
    "AsyncMemOS",
    "AsyncUser",
    "BadArgument",
    "BrokenInvariant",
    "CacheEntry",
    "CacheHit",
    "CacheLease",
    "CacheNamespace",
    "CacheStats",
    "CacheUnavailable",
    "ClaimedEmbedding",
    "Conflict",
    "EmbeddingStatus",
    "Filled",
    "LocalCache",
    "MemOS",
    "MemOSError",
    "Memory",
    "MemoryLink",
    "MemoryStats",
    "MemoryVersion",
    "NewMemory",
    "NoUserContext",
    "NotFound",
    "NotYours",
    "QuotaExceeded",
    "Refused",
    "RelatedMemory",
    "SearchResult",
    "SimilarHit",
    "StoredMemory",
    "User",
    "fit_token_budget",
]
