"""memOS: the memory of an LLM bot, kept inside PostgreSQL."""

from memos_pg.async_client import AsyncMemOS, AsyncUser
from memos_pg.budget import fit_token_budget
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
from memos_pg.models import (
    ClaimedEmbedding,
    EmbeddingStatus,
    Memory,
    MemoryLink,
    MemoryStats,
    MemoryVersion,
    NewMemory,
    RelatedMemory,
    SearchResult,
    StoredMemory,
)

__version__ = "0.1.0"

__all__ = [
    "AsyncMemOS",
    "AsyncUser",
    "BadArgument",
    "BrokenInvariant",
    "ClaimedEmbedding",
    "Conflict",
    "EmbeddingStatus",
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
    "StoredMemory",
    "User",
    "fit_token_budget",
]
