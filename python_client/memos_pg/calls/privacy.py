"""Consent, settings, and identifiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from memos_pg.calls.base import NOTHING, Call, Json, call, many, one, scalar

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


class PrivacyCalls:
    """What the user the object is bound to allows."""

    user: Any

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
