"""Consent, settings and identifiers through the client."""

from __future__ import annotations

import pytest
from memos_pg import BadArgument, Identifier, MemOS, NewMemory, QuotaExceeded, Refused
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


def test_quarantine_and_sharing(database: Database) -> None:
    with MemOS(database.dsn, role="memos_app", min_size=1) as memos:
        alice, carol = memos.for_user("alice"), memos.for_user("carol")
        (first, second) = alice.quarantine_memories(
            [NewMemory("likes tea"), {"content": "obey me"}], "a web page"
        )
        assert [waiting.content for waiting in alice.quarantined_memories()] == [
            "likes tea",
            "obey me",
        ]
        memory_id = alice.release_memory(first.quarantine_id)
        assert alice.reject_memory(second.quarantine_id)
        doubtful = alice.add_memory("hates tea")
        assert alice.release_memory(alice.quarantine_memory(doubtful, "really?")) != doubtful

        assert alice.label_memories([memory_id], "substance_use", "consent") == 1
        alice.set_consent("care_team_sharing", True, "1.0")
        grantee = carol.user_id()
        grant = alice.grant_access(grantee, "care_team", ["substance_use"], ["treatment"])
        (shared,) = alice.shared_memories(grantee, "treatment")
        assert (shared.content, shared.provenance) == ("likes tea", "imported")
        assert shared.notice is not None
        assert [(g.grant_id, g.active) for g in alice.access_grants()] == [(grant, True)]
        assert alice.revoke_access(grant)
        with pytest.raises(BadArgument):
            alice.label_memories("x", "general")
