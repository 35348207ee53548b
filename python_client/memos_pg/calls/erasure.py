"""Erasure with receipts; export and import of a user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from memos_pg.calls.base import VALUE, Call, Json, call, many, one, scalar


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure took away; the receipt's id is what verify_erasure takes."""

    receipt_id: UUID
    memories: int
    versions: int
    row_count: int
    counts: Json
    tombstones: int
    erased_at: datetime
    backups_until: datetime


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """An erasure on record."""

    receipt_id: UUID
    scope: str
    reason: str
    requested_by: str
    erased_at: datetime
    memory_ids: list[UUID]
    counts: Json
    tombstones: int
    backups_until: datetime
    audit: Json | None


@dataclass(frozen=True, slots=True)
class ErasureFinding:
    """Rows that should be gone: found by their text, or by the id of an erased memory."""

    table_name: str
    row_count: int
    how: str


@dataclass(frozen=True, slots=True)
class ExportedRow:
    """One row of an export."""

    table_name: str
    exported: Json


@dataclass(frozen=True, slots=True)
class ImportedTable:
    """How many rows an import brought into a table."""

    table_name: str
    imported: int


class ErasureCalls:
    """Erasing and exporting what a user has."""

    user: str | UUID

    def erase_memory(self, memory_id: UUID | str, reason: str) -> Call[Erasure]:
        """Remove a memory for good, with its versions, copies and all that is derived from it; its
        text is refused from then on."""
        return call(
            "memos.erase_memory",
            one(Erasure),
            user=self.user,
            memory_id=memory_id,
            reason=reason,
        )

    def erase_user(self, reason: str) -> Call[Erasure]:
        """Remove everything of the user for good; what was said is refused from then on."""
        return call("memos.erase_user", one(Erasure), user=self.user, reason=reason)

    def erasure_receipts(self, limit: int | None = None) -> Call[list[ErasureReceipt]]:
        """What was erased of the user, the newest first."""
        return call("memos.erasure_receipts", many(ErasureReceipt), user=self.user, limit=limit)

    def export_user(self) -> Call[Any]:
        """Everything held about the user, as JSON that import_user reads."""
        return call("memos.export_user", VALUE, user=self.user)

    def export_user_rows(self) -> Call[list[ExportedRow]]:
        """The same a row at a time, for exports of any size."""
        return call("memos.export_user_rows", many(ExportedRow), user=self.user)


class ErasureAdminCalls:
    """Checking erasures and importing users, for operators."""

    def verify_erasure(self, receipt_id: UUID | str) -> Call[list[ErasureFinding]]:
        """Where there is still something of what was erased; nothing when it is complete."""
        return call("memos_admin.verify_erasure", many(ErasureFinding), receipt_id=receipt_id)

    def lift_tombstones(
        self, receipt_id: UUID | str, reason: str, text: str | None = None
    ) -> Call[int]:
        """Let the user say again what was erased: a text, or all of it; how many were lifted."""
        return call(
            "memos_admin.lift_tombstones",
            scalar(int),
            receipt_id=receipt_id,
            reason=reason,
            text=text,
        )

    def rotate_erasure_key(self) -> Call[int]:
        """Make new tombstones with a new key, whose id is returned; the old ones hold."""
        return call("memos_admin.rotate_erasure_key", scalar(int))

    def import_user(self, user_id: UUID, export: Json) -> Call[list[ImportedTable]]:
        """Write what export_user returned for a user who has nothing yet."""
        return call("memos_admin.import_user", many(ImportedTable), user_id=user_id, export=export)
