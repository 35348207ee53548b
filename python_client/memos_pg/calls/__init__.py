"""Which SQL function each method calls, with which arguments and result: a module per capability.

A builder returns a `Call`; `client` and `async_client` only differ in how they execute it. An
argument left at None is not sent, so that the SQL function's own default holds.
"""

from memos_pg.calls.audit import AuditAdminCalls, AuditCalls
from memos_pg.calls.base import HALFVEC, Call, Vector, argument_type, register_halfvec
from memos_pg.calls.cache import CacheAdminCalls, CacheCalls
from memos_pg.calls.consolidation import ConsolidationCalls
from memos_pg.calls.context import ContextAdminCalls, use_context
from memos_pg.calls.embedding import EmbeddingAdminCalls
from memos_pg.calls.erasure import ErasureAdminCalls, ErasureCalls
from memos_pg.calls.facts import FactCalls
from memos_pg.calls.holds import HoldAdminCalls
from memos_pg.calls.lifecycle import LifecycleAdminCalls, LifecycleCalls
from memos_pg.calls.links import LinkCalls
from memos_pg.calls.memory import MemoryCalls
from memos_pg.calls.notes import NoteAdminCalls, NoteCalls
from memos_pg.calls.privacy import PrivacyCalls
from memos_pg.calls.scratchpad import ScratchpadCalls, use_agent
from memos_pg.calls.search import SearchCalls
from memos_pg.calls.tiers import TierCalls

__all__ = [
    "HALFVEC",
    "AdminCalls",
    "Call",
    "UserCalls",
    "Vector",
    "argument_type",
    "register_halfvec",
    "use_agent",
    "use_context",
]


class UserCalls(
    MemoryCalls,
    SearchCalls,
    LinkCalls,
    LifecycleCalls,
    NoteCalls,
    ConsolidationCalls,
    TierCalls,
    PrivacyCalls,
    ErasureCalls,
    AuditCalls,
    FactCalls,
    ScratchpadCalls,
    CacheCalls,
):
    """The functions of schema memos, for the user the object is bound to."""


class AdminCalls(
    ContextAdminCalls,
    EmbeddingAdminCalls,
    LifecycleAdminCalls,
    HoldAdminCalls,
    ErasureAdminCalls,
    AuditAdminCalls,
    NoteAdminCalls,
    CacheAdminCalls,
):
    """The functions of schema memos_admin, for operators and workers."""
