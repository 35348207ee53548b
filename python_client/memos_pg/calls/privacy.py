"""Consent, settings, identifiers, quarantine, and who else may see memories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from memos_pg.calls.base import NOTHING, Call, Json, call, many, one, scalar
from memos_pg.calls.memory import NewMemory, json_objects

PrivacyLevel = Literal["minimal", "balanced", "comprehensive", "restricted"]


@dataclass(frozen=True, slots=True)
class Consent:
    """Where a user stands with one type of consent; `allowed` is what follows from it."""

    type: str
    operation: str
    audience: str | None
    kinds: list[str] | None
    description: str
    allowed: bool
    state: str
    document_version: str | None
    recorded_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A consent as it was given, refused or withdrawn."""

    type: str
    state: str
    document_version: str | None
    recorded_at: datetime
    expires_at: datetime | None
    recorded_by: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user decided about the memory; `preferences` are the bot's own."""

    settings_version: int
    memory_enabled: bool
    max_memories: int | None
    retention_days: int | None
    default_privacy_level: str
    on_identifier: str
    preferences: Json
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Identifier:
    """A place in a text, in characters counted from 1, that identifies a person."""

    type: str
    first: int
    last: int
    evidence: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Where `quarantine_memories` put the text at `ordinal`."""

    ordinal: int
    quarantine_id: UUID


@dataclass(frozen=True, slots=True)
class QuarantinedMemory:
    """A text that waits for somebody to release it; `memory` is the rest of what was imported."""

    quarantine_id: UUID
    content: str
    memory: Json
    source: str
    recorded_at: datetime
    recorded_by: str


@dataclass(frozen=True, slots=True)
class AccessGrant:
    """Who was let in, to what and what for; `active` says whether it opens anything now."""

    grant_id: UUID
    grantee: UUID
    role: str
    segments: list[str]
    purposes: list[str]
    granted_at: datetime
    granted_by: str
    expires_at: datetime
    revoked_at: datetime | None
    active: bool


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """A memory that another user shares; `notice`, where there is one, has to go with it."""

    memory_id: UUID
    content: str
    kind: str
    tags: list[str]
    provenance: str
    occurred_at: datetime | None
    recorded_at: datetime
    segment: str
    legal_basis: str | None
    notice: str | None


class PrivacyCalls:
    """What the user the object is bound to allows."""

    user: str | UUID

    def set_consent(
        self,
        type: str,
        granted: bool,
        document_version: str,
        expires_at: datetime | None = None,
    ) -> Call[None]:
        """Record that the user consented, or refused. Counts from the next statement on."""
        return call(
            "memos.set_consent",
            NOTHING,
            user=self.user,
            type=type,
            granted=granted,
            document_version=document_version,
            expires_at=expires_at,
        )

    def withdraw_consent(self, type: str) -> Call[None]:
        """From the next statement on, what the type is about raises `Refused`."""
        return call("memos.withdraw_consent", NOTHING, user=self.user, type=type)

    def consents(self) -> Call[list[Consent]]:
        """Every type of consent, and where the user stands."""
        return call("memos.consents", many(Consent), user=self.user)

    def consent_history(self, type: str | None = None) -> Call[list[ConsentRecord]]:
        """Every consent on record, oldest first."""
        return call("memos.consent_history", many(ConsentRecord), user=self.user, type=type)

    def get_settings(self) -> Call[Settings]:
        """The user's settings; the defaults, as version 0, when nothing was decided."""
        return call("memos.get_settings", one(Settings), user=self.user)

    def update_settings(self, changes: Mapping[str, Any]) -> Call[int]:
        """Change some settings, and return their new version."""
        return call("memos.update_settings", scalar(int), user=self.user, changes=changes)

    def find_identifiers(
        self, text: str, level: PrivacyLevel | None = None
    ) -> Call[list[Identifier]]:
        """What a privacy level (default restricted) does not allow in a text; stores nothing."""
        return call("memos.find_identifiers", many(Identifier), text=text, level=level)

    def mask_identifiers(self, text: str, level: PrivacyLevel | None = None) -> Call[str]:
        """The text with `[ssn]` and so on in the place of identifiers; stores nothing."""
        return call("memos.mask_identifiers", scalar(str), text=text, level=level)

    def quarantine_memories(
        self, memories: Iterable[NewMemory | Mapping[str, Any]], source: str
    ) -> Call[list[Quarantined]]:
        """Take in texts that nobody vouches for: nothing finds them until they are released."""
        return call(
            "memos.quarantine_memories",
            many(Quarantined),
            user=self.user,
            memories=json_objects(memories),
            source=source,
        )

    def quarantine_memory(self, memory_id: UUID | str, source: str) -> Call[UUID]:
        """Take a doubtful memory out of everything, and keep it for a decision."""
        return call(
            "memos.quarantine_memory",
            scalar(UUID),
            user=self.user,
            memory_id=memory_id,
            source=source,
        )

    def quarantined_memories(
        self, limit: int | None = None, after: UUID | str | None = None
    ) -> Call[list[QuarantinedMemory]]:
        """What waits in quarantine, oldest first."""
        return call(
            "memos.quarantined_memories",
            many(QuarantinedMemory),
            user=self.user,
            limit=limit,
            after=after,
        )

    def release_memory(self, quarantine_id: UUID | str) -> Call[UUID]:
        """Make a memory of what was quarantined, and return its id."""
        return call(
            "memos.release_memory", scalar(UUID), user=self.user, quarantine_id=quarantine_id
        )

    def reject_memory(self, quarantine_id: UUID | str) -> Call[bool]:
        """Delete what was quarantined, for good; False when it is not there."""
        return call(
            "memos.reject_memory", scalar(bool), user=self.user, quarantine_id=quarantine_id
        )

    def label_memories(
        self, memory_ids: Iterable[UUID | str], segment: str, legal_basis: str | None = None
    ) -> Call[int]:
        """Say of which segment memories are, and on what legal basis they are kept."""
        return call(
            "memos.label_memories",
            scalar(int),
            user=self.user,
            memory_ids=memory_ids,
            segment=segment,
            legal_basis=legal_basis,
        )

    def grant_access(
        self,
        grantee: UUID | str,
        role: Literal["care_team", "family", "system"],
        segments: Iterable[str],
        purposes: Iterable[str],
        expires_at: datetime | None = None,
    ) -> Call[UUID]:
        """Let another user (by uuid) see memories; consent to sharing has to be there as well."""
        return call(
            "memos.grant_access",
            scalar(UUID),
            user=self.user,
            grantee=grantee,
            role=role,
            segments=segments,
            purposes=purposes,
            expires_at=expires_at,
        )

    def revoke_access(self, grant_id: UUID | str) -> Call[bool]:
        """End a grant from the next statement on."""
        return call("memos.revoke_access", scalar(bool), user=self.user, grant_id=grant_id)

    def access_grants(self) -> Call[list[AccessGrant]]:
        """Every grant of the user's, oldest first."""
        return call("memos.access_grants", many(AccessGrant), user=self.user)

    def shared_memories(
        self,
        grantee: UUID | str,
        purpose: str,
        kinds: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
        limit: int | None = None,
        after: UUID | str | None = None,
    ) -> Call[list[SharedMemory]]:
        """What the user lets the grantee, who has to be the caller, see for a purpose."""
        return call(
            "memos.shared_memories",
            many(SharedMemory),
            user=self.user,
            grantee=grantee,
            purpose=purpose,
            kinds=kinds,
            tags=tags,
            limit=limit,
            after=after,
        )
