"""What a server that dies leaves behind."""

from __future__ import annotations

from memos_pg.migrate import migrate, pending
from support.postgres import Server


def test_committed_memories_survive_a_crash(server: Server) -> None:
    """And what was not committed is gone, from the table and from the word index alike."""
    database = server.create_database()
    migrate(database.dsn)
    user_id = database.user_id("ann")
    database.value("select memos.add_memory(%s, 'kept')", user_id, role="memos_app")
    writer = database.connect("memos_app", autocommit=False)
    writer.execute("select memos.add_memory(%s, 'lost')", (user_id,))
    server.crash()
    writer.close()
    server.start()
    with database.connect("memos_app") as connection:
        rows = connection.execute(
            "select content from memos.list_memories(%s)", (user_id,)
        ).fetchall()
        found = connection.execute(
            "select content from memos.search_memories(%s, 'kept lost')", (user_id,)
        ).fetchall()
    assert rows == found == [("kept",)]
    assert pending(database.dsn) == ()
