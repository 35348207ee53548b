"""memOS: the memory of an LLM bot, kept inside PostgreSQL."""

from memos_pg.async_client import AsyncMemOS, AsyncUser
from memos_pg.budget import fit_token_budget
from memos_pg.cache import AsyncLocalCache, Filled, LocalCache
from memos_pg.calls.audit import (
    AuditAnchor,
    AuditDigest,
    AuditEntry,
    AuditProblem,
    AuditStatus,
    Disclosure,
    KeptAnchor,
)
from memos_pg.calls.cache import (
    CacheEntry,
    CacheHit,
    CacheLease,
    CacheNamespace,
    CacheStats,
    SimilarHit,
)
from memos_pg.calls.consolidation import Consolidation, ConsolidationAction, Duplicate
from memos_pg.calls.context import ContextKey
from memos_pg.calls.embedding import ClaimedEmbedding, EmbeddingStatus
from memos_pg.calls.encryption import EncryptionStatus, KeyStatus
from memos_pg.calls.erasure import (
    Erasure,
    ErasureFinding,
    ErasureReceipt,
    ExportedRow,
    ImportedTable,
)
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
from memos_pg.calls.notes import (
    Evolution,
    ImportedNetwork,
    ListedNote,
    MadeNote,
    Note,
    NoteStatus,
    RecordedEvolution,
)
from memos_pg.calls.privacy import (
    AccessGrant,
    Consent,
    ConsentRecord,
    Identifier,
    Quarantined,
    QuarantinedMemory,
    Settings,
    SharedMemory,
)
from memos_pg.calls.scratchpad import (
    Action,
    Answer,
    Change,
    ClaimedAction,
    ContextLine,
    Contradiction,
    Entry,
    Example,
    Promotion,
    Question,
    Reference,
    Scratchpad,
    ScratchpadQuality,
    Value,
)
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
from memos_pg.keys import LOCKED, FileKeystore, KeyProvider
from memos_pg.prompt import render_memories

__version__ = "0.1.0"

__all__ = [
    "LOCKED",
    "AccessGrant",
    "Action",
    "Answer",
    "AssertedFact",
    "AsyncLocalCache",
    "AsyncMemOS",
    "AsyncUser",
    "AuditAnchor",
    "AuditDigest",
    "AuditEntry",
    "AuditProblem",
    "AuditStatus",
    "BadArgument",
    "BrokenInvariant",
    "CacheEntry",
    "CacheHit",
    "CacheLease",
    "CacheNamespace",
    "CacheStats",
    "CacheUnavailable",
    "Change",
    "ClaimedAction",
    "ClaimedEmbedding",
    "Conflict",
    "Consent",
    "ConsentRecord",
    "Consolidation",
    "ConsolidationAction",
    "ContextKey",
    "ContextLine",
    "Contradiction",
    "Disclosure",
    "Duplicate",
    "EmbeddingStatus",
    "EncryptionStatus",
    "Entry",
    "Erasure",
    "ErasureFinding",
    "ErasureReceipt",
    "EvictedPrefix",
    "Evolution",
    "Example",
    "ExportedRow",
    "Fact",
    "FactVersion",
    "FileKeystore",
    "Filled",
    "HotMemory",
    "Identifier",
    "ImportedNetwork",
    "ImportedTable",
    "KeptAnchor",
    "KeyProvider",
    "KeyStatus",
    "LegalHold",
    "ListedNote",
    "LocalCache",
    "MadeNote",
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
    "Note",
    "NoteStatus",
    "Promotion",
    "Quarantined",
    "QuarantinedMemory",
    "Question",
    "QuotaExceeded",
    "RecordedEvolution",
    "Reference",
    "Refused",
    "RelatedMemory",
    "RetentionParameter",
    "Scratchpad",
    "ScratchpadQuality",
    "SearchResult",
    "Settings",
    "SharedMemory",
    "SimilarHit",
    "StoredMemory",
    "User",
    "Value",
    "WarmPrefix",
    "fit_token_budget",
    "render_memories",
]
