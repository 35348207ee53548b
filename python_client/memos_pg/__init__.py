"""memOS: the memory of an LLM bot, kept inside PostgreSQL."""

from memos_pg.async_client import AsyncMemOS, AsyncUser
from memos_pg.budget import fit_token_budget
from memos_pg.calls.embedding import ClaimedEmbedding, EmbeddingStatus
from memos_pg.calls.facts import AssertedFact, Fact, FactVersion
from memos_pg.calls.holds import LegalHold
from memos_pg.calls.lifecycle import (
    EvictedPrefix,
    HotMemory,
    MemoryUsage,
    RetentionParameter,
    WarmPrefix,
)
from memos_pg.calls.links import MemoryLink, RelatedMemory
from memos_pg.calls.memory import Memory, MemoryStats, MemoryVersion, NewMemory, StoredMemory
from memos_pg.calls.search import SearchResult
from memos_pg.client import MemOS, User
from memos_pg.errors import (
    BadArgument,
    BrokenInvariant,
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
    "AssertedFact",
    "AsyncMemOS",
    "AsyncUser",
    "BadArgument",
    "BrokenInvariant",
    "ClaimedEmbedding",
    "Conflict",
    "EmbeddingStatus",
    "EvictedPrefix",
    "Fact",
    "FactVersion",
    "HotMemory",
    "LegalHold",
    "MemOS",
    "MemOSError",
    "Memory",
    "MemoryLink",
    "MemoryStats",
    "MemoryUsage",
    "MemoryVersion",
    "NewMemory",
    "NoUserContext",
    "NotFound",
    "NotYours",
    "QuotaExceeded",
    "Refused",
    "RelatedMemory",
    "RetentionParameter",
    "SearchResult",
    "StoredMemory",
    "User",
    "WarmPrefix",
    "fit_token_budget",
]
