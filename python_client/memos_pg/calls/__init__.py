"""Which SQL function each method calls, with which arguments and result: a module per capability.

A builder returns a `Call`; `client` and `async_client` only differ in how they execute it. An
argument left at None is not sent, so that the SQL function's own default holds.
"""

from memos_pg.calls.base import HALFVEC, Call, Vector, argument_type, register_halfvec
from memos_pg.calls.cache import CacheAdminCalls, CacheCalls
from memos_pg.calls.context import ContextAdminCalls, use_context
from memos_pg.calls.embedding import EmbeddingAdminCalls
from memos_pg.calls.links import LinkCalls
from memos_pg.calls.memory import MemoryCalls
from memos_pg.calls.search import SearchCalls

__all__ = [
    "HALFVEC",
    "AdminCalls",
    "Call",
    "UserCalls",
    "Vector",
    "argument_type",
    "register_halfvec",
    "use_context",
]


class UserCalls(
    MemoryCalls,
    SearchCalls,
    LinkCalls,
    CacheCalls,
):
    """The functions of schema memos, for the user the object is bound to."""


class AdminCalls(
    ContextAdminCalls,
    EmbeddingAdminCalls,
    CacheAdminCalls,
):
    """The functions of schema memos_admin, for operators and workers."""
