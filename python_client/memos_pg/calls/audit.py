"""The audit: who did what with whose data, and whether the record is intact."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from memos_pg.calls.base import Call, Json, call, many, one, optional, scalar

Outcome = Literal["done", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A call. `backend` and `statement_at` find its statement in the server's log."""

    recorded_at: datetime
    action: str
    is_read: bool
    outcome: str
    error: str | None
    subject: UUID | None
    recipient: UUID | None
    object_ids: list[UUID] | None
    digest: str | None
    actor: str
    role: str
    purpose: str | None
    client: str | None
    backend: int
    statement_at: datetime
    month: datetime
    era: int
    pid: int
    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class AuditProblem:
    """Where the audit is not what was written."""

    problem: str
    recorded_at: datetime | None
    month: datetime | None
    era: int | None
    pid: int | None
    number: int | None
    detail: str


@dataclass(frozen=True, slots=True)
class AuditAnchor:
    """What vouches for the audit up to then. Keep `number` and `hash` elsewhere."""

    number: int
    taken_at: datetime
    chains: int
    hash: str


@dataclass(frozen=True, slots=True)
class KeptAnchor:
    """An anchor that the database has; `dropped_month` went with it, for its age."""

    number: int
    taken_at: datetime
    chains: int
    dropped_month: datetime | None
    hash: str


@dataclass(frozen=True, slots=True)
class AuditDigest:
    """What stands in the audit for a text, by one key."""

    key_id: int
    digest: str


@dataclass(frozen=True, slots=True)
class AuditStatus:
    """What waits to be moved into the log; `buffered` is None on a standby."""

    buffered: int | None
    oldest_buffered: datetime | None
    spooled_bytes: int | None
    eras: int
    anchors: int
    anchored_at: datetime | None
    keeps_failures: bool


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Content of a user that somebody else saw."""

    disclosed_at: datetime
    recipient: UUID | None
    actor: str
    role: str
    client: str | None
    purpose: str | None
    action: str
    object_ids: list[UUID] | None


class AuditCalls:
    """What the user the object is bound to may know of it."""

    user: str | UUID

    def accounting_of_disclosures(
        self, from_: datetime | None = None, until: datetime | None = None
    ) -> Call[list[Disclosure]]:
        """To whom the user's content was disclosed, oldest first."""
        return call(
            "memos.accounting_of_disclosures",
            many(Disclosure),
            user=self.user,
            from_=from_,
            until=until,
        )

    def privacy_report(self) -> Call[Json]:
        """What is held about the user, what the user allowed, and who looked."""
        report: Any = scalar(dict)
        return call("memos.privacy_report", report, user=self.user)


class AuditAdminCalls:
    """The audit, for operators and auditors."""

    def audit_entries(
        self,
        user_id: UUID | None = None,
        from_: datetime | None = None,
        until: datetime | None = None,
        action: str | None = None,
        limit: int | None = None,
        outcome: Outcome | None = None,
        object_id: UUID | str | None = None,
    ) -> Call[list[AuditEntry]]:
        """Who did what with whose data, newest first."""
        return call(
            "memos_admin.audit_entries",
            many(AuditEntry),
            user_id=user_id,
            from_=from_,
            until=until,
            action=action,
            limit=limit,
            outcome=outcome,
            object_id=object_id,
        )

    def verify_audit(
        self, from_: datetime | None = None, until: datetime | None = None
    ) -> Call[list[AuditProblem]]:
        """What was edited, deleted, inserted or cut off; nothing when it is intact."""
        return call("memos_admin.verify_audit", many(AuditProblem), from_=from_, until=until)

    def anchor_audit(self) -> Call[AuditAnchor | None]:
        """Anchor what is in the audit now; None where nothing is. Keep the answer elsewhere."""
        return call("memos_admin.anchor_audit", optional(AuditAnchor))

    def audit_anchors(
        self, from_: datetime | None = None, until: datetime | None = None
    ) -> Call[list[KeptAnchor]]:
        """The anchors, oldest first: those that were kept elsewhere have to be among them."""
        return call("memos_admin.audit_anchors", many(KeptAnchor), from_=from_, until=until)

    def audit_digests(self, text: str) -> Call[list[AuditDigest]]:
        """What stands in the audit where somebody searched with this text."""
        return call("memos_admin.audit_digests", many(AuditDigest), text=text)

    def audit_status(self) -> Call[AuditStatus]:
        """What waits to be moved into the log."""
        return call("memos_admin.audit_status", one(AuditStatus))

    def rotate_audit_key(self) -> Call[int]:
        """Hash and digest with a new key from now on; returns its id."""
        return call("memos_admin.rotate_audit_key", scalar(int))

    def accounting_of_disclosures(
        self, user_id: UUID, from_: datetime | None = None, until: datetime | None = None
    ) -> Call[list[Disclosure]]:
        """To whom a user's content was disclosed, oldest first."""
        return call(
            "memos_admin.accounting_of_disclosures",
            many(Disclosure),
            user_id=user_id,
            from_=from_,
            until=until,
        )
