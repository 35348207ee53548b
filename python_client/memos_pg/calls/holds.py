"""Legal holds: users of whom nothing is deleted for its age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from memos_pg.calls.base import Call, call, many, scalar


@dataclass(frozen=True, slots=True)
class LegalHold:
    """A hold on a user's history, open or released."""

    user_id: UUID
    hold_id: UUID
    reason: str
    placed_at: datetime
    placed_by: str
    released_at: datetime | None
    released_by: str | None
    release_reason: str | None


class HoldAdminCalls:
    """Legal holds, for operators."""

    def place_legal_hold(self, user_id: UUID, reason: str) -> Call[UUID]:
        """Keep everything of the user whatever its age, until the hold is released."""
        return call("memos_admin.place_legal_hold", scalar(UUID), user_id=user_id, reason=reason)

    def release_legal_hold(self, user_id: UUID, hold_id: UUID | str, reason: str) -> Call[bool]:
        """End a hold, which stays on record; False when it was released before."""
        return call(
            "memos_admin.release_legal_hold",
            scalar(bool),
            user_id=user_id,
            hold_id=hold_id,
            reason=reason,
        )

    def legal_holds(
        self, user_id: UUID | None = None, include_released: bool | None = None
    ) -> Call[list[LegalHold]]:
        """The open holds, of a user or of all, oldest first; on request the released ones, too."""
        return call(
            "memos_admin.legal_holds",
            many(LegalHold),
            user_id=user_id,
            include_released=include_released,
        )
