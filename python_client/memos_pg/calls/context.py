"""Signed contexts, which bind a session to one user."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from memos_pg.calls.base import Call, bad, call, scalar


def use_context(token: str) -> Call[UUID]:
    """Bind the transaction to the user of a signed context."""
    # An argument of None is left out of a call: without a token nothing would be bound.
    if token is None:
        raise bad("token", "text", token)
    return call("memos.use_context", scalar(UUID), token=token)


class ContextAdminCalls:
    """Who may act for whom."""

    def mint_context(self, user_id: UUID, ttl: timedelta | None = None) -> Call[str]:
        """A signed context, which binds whoever carries it to one user until it expires."""
        return call("memos_admin.mint_context", scalar(str), user_id=user_id, ttl=ttl)
