"""Signed contexts, which bind a session to one user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from memos_pg.calls.base import Call, bad, call, many, scalar


@dataclass(frozen=True, slots=True)
class ContextKey:
    """A key whose contexts are good: until `retires_at`, or as long as it signs."""

    key_id: int
    created_at: datetime
    retires_at: datetime | None


def use_context(token: str) -> Call[UUID]:
    """Bind the transaction to the user of a signed context."""
    # An argument of None is left out of a call: without a token nothing would be bound.
    if token is None:
        raise bad("token", "text", token)
    return call("memos.use_context", scalar(UUID), token=token)


class ContextAdminCalls:
    """Who may act for whom."""

    def mint_context(
        self, user_id: UUID, ttl: timedelta | None = None, *, purpose: str | None = None
    ) -> Call[str]:
        """A signed context, which binds whoever carries it to one user and one purpose until it
        expires."""
        return call(
            "memos_admin.mint_context", scalar(str), user_id=user_id, ttl=ttl, purpose=purpose
        )

    def rotate_context_key(self, grace: timedelta | None = None) -> Call[int]:
        """Sign with a new key from now on; contexts of those before it are good for `grace`."""
        return call("memos_admin.rotate_context_key", scalar(int), grace=grace)

    def retire_context_key(self, key_id: int) -> Call[bool]:
        """Forget a key at once, and so refuse its contexts; false when there is no such key."""
        return call("memos_admin.retire_context_key", scalar(bool), key_id=key_id)

    def context_keys(self) -> Call[list[ContextKey]]:
        """The keys whose contexts are good; the first one signs."""
        return call("memos_admin.context_keys", many(ContextKey))
