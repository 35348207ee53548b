"""Where a memory is kept: at hand, in the indexes, or out of them."""

from __future__ import annotations

from uuid import UUID

from memos_pg.calls.base import Call, call, scalar


class TierCalls:
    """The tiers of the memories of the user the object is bound to."""

    user: str | UUID

    def move_to_tier(self, memory_id: UUID | str, tier: str) -> Call[bool]:
        """Move a memory to tier hot, warm or cold; False when it is there already."""
        return call(
            "memos.move_to_tier", scalar(bool), user=self.user, memory_id=memory_id, tier=tier
        )
