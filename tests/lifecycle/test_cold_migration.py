"""The migration of cold storage, with memories on both of its sides."""

from __future__ import annotations

from uuid import UUID

from cold_support import assert_nothing_is_kept_aside, image, move
from memory_support import add, rows, value, vector
from memos_pg.migrate import migrate, rollback, state
from support.postgres import Database

#: What later migrations keep in another form.
OTHERS = ["link queue"]


def test_a_rollback_brings_cold_memories_back(database: Database, user: UUID) -> None:
    """And what was marked cold by hand before the migration is warm after it."""
    with (
        database.connect("memos_admin") as admin,
        database.connect("memos_app") as app,
        database.connect() as superuser,
    ):
        rows(admin, "memos_admin.register_embedding_model", "ext", 2, "external")
        rows(admin, "memos_admin.register_embedding_model", "other", 2, "external")
        a, b = (add(app, user, f"kiwi {n}", p_embedding=vector(1, n)) for n in range(2))
        value(app, "memos.link_memories", user, a, b)
        before = image(superuser, user, OTHERS)
        move(superuser, user, [a, b], "cold")
        rollback(database.dsn, sum(name >= "0013" for name in state(database.dsn).applied))
        assert image(superuser, user, OTHERS) == before
        superuser.execute("update memos_private.memory set tier = 'cold'")
    migrate(database.dsn)
    with database.connect() as superuser:
        assert image(superuser, user, OTHERS) == before
        assert_nothing_is_kept_aside(superuser, user)
