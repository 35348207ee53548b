"""Consent, settings and identifiers through the client."""

from __future__ import annotations

import pytest
from memos_pg import Identifier, MemOS, QuotaExceeded, Refused
from support.postgres import Database


def test_consent_settings_and_identifiers(database: Database) -> None:
    with MemOS(database.dsn, role="memos_app", min_size=1) as memos:
        alice = memos.for_user("alice")
        alice.set_consent("memory_recall", True, "1.0")
        alice.withdraw_consent("memory_recall")
        with pytest.raises(Refused, match="withdrawn"):
            alice.search_memories("tea")
        (recall,) = [consent for consent in alice.consents() if consent.type == "memory_recall"]
        assert (recall.allowed, recall.state) == (False, "withdrawn")
        assert [record.state for record in alice.consent_history()] == ["granted", "withdrawn"]

        assert alice.get_settings().settings_version == 0
        assert alice.update_settings({"max_memories": 1}) == 1
        assert alice.get_settings().max_memories == 1
        alice.add_memory("likes tea")
        with pytest.raises(QuotaExceeded):
            alice.add_memory("likes coffee")

        text = "my SSN is 123-45-6789"
        assert alice.find_identifiers(text) == [Identifier("ssn", 11, 21, "context")]
        assert alice.mask_identifiers(text, "balanced") == "my SSN is [ssn]"
        with pytest.raises(Refused, match="characters 11 to 21"):
            alice.add_memory(text)
