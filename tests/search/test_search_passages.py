"""Long memories count once, however many passages they have."""

from __future__ import annotations

from uuid import UUID

import pytest
from memory_support import add, rows
from support.postgres import Database


@pytest.mark.parametrize("fusion", ["calibrated", "rrf"])
def test_a_long_memory_does_not_crowd_the_others_out(
    database: Database, user: UUID, fusion: str
) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        rows(
            admin,
            "memos_admin.register_embedding_model",
            "hash",
            64,
            "hash",
            '{"window_chars": 20}',
        )
        long = add(app, user, "The dog eats well. " * 300 + "End.")
        others = {add(app, user, f"Number {n} stands alone") for n in range(12)}
        admin.execute("call memos_admin.embed_pending()")
        hits = rows(app, "memos.search_memories", user, "the dog eats well", p_fusion=fusion)
        assert len(hits) == 10
        assert hits[0][1] == long
        assert {hit[1] for hit in hits[1:]} <= others
