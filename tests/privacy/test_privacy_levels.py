"""What a privacy level does not allow is refused on every write path, or masked."""

from __future__ import annotations

from uuid import UUID

from memory_support import Connection, add, failure, rows, value, vector
from support.postgres import Database

SECRET = "Her number is 123-45-6789, she says"


def test_refused_with_classes_and_places_never_values(app: Connection, user: UUID) -> None:
    error = failure(app, "memos.add_memory", user, SECRET)
    assert error.sqlstate == "MO451"
    assert error.diag.message_detail == (
        "memory 1 of 1, level balanced: ssn at characters 15 to 25 of content"
    )
    assert "6789" not in str(error)
    assert rows(app, "memos.list_memories", user) == []

    batch = [{"content": "fine"}, {"content": "ok"}, {"content": SECRET}]
    error = failure(app, "memos.add_memories", user, batch)
    assert error.sqlstate == "MO451"
    assert error.diag.message_detail.startswith("memory 3 of 3")
    assert rows(app, "memos.list_memories", user) == []

    memory = add(app, user, "harmless")
    assert (
        failure(app, "memos.update_memory", user, memory, {"content": SECRET}).sqlstate == "MO451"
    )
    kept = add(app, user, SECRET, p_privacy_level="comprehensive")
    lowered = failure(app, "memos.update_memory", user, kept, {"privacy_level": "balanced"})
    assert lowered.sqlstate == "MO451"


def test_metadata_is_no_way_round(app: Connection, user: UUID) -> None:
    metadata = {"seen": "2023-05-08T12:00:00+02:00", "ssn": "123-45-6789", "id": 17}
    for _ in range(2):
        error = failure(app, "memos.add_memory", user, "harmless", p_metadata=metadata)
        assert error.sqlstate == "MO451"
        assert error.diag.message_detail.endswith(" of metadata")
        # A program put it there: not masked, where texts are.
        rows(app, "memos.update_settings", user, {"on_identifier": "mask"})
    add(app, user, "harmless", p_metadata={**metadata, "ssn": None})


def test_each_level_allows_what_it_says(app: Connection, user: UUID) -> None:
    texts = {"mail a@b.org": "minimal", "MRN 483920": "balanced", "+49 170 1234567": "restricted"}
    for text, level in texts.items():
        assert (
            failure(app, "memos.add_memory", user, text, p_privacy_level=level).sqlstate == "MO451"
        )
        add(app, user, text, p_privacy_level="comprehensive")
    add(app, user, "mail c@d.org", p_privacy_level="balanced")
    # A name has no form to be sure of: masked where asked for, never a reason to refuse.
    add(app, user, "Dr. Keller called", p_privacy_level="restricted")


def test_masked_where_the_user_wants_it(app: Connection, user: UUID) -> None:
    rows(app, "memos.update_settings", user, {"on_identifier": "mask"})
    memory = add(app, user, SECRET)
    assert rows(app, "memos.get_memory", user, memory)[0][2] == "Her number is [ssn], she says"
    # The same text with another number is the same memory: its identity is what is stored.
    assert add(app, user, SECRET.replace("6789", "6780")) == memory
    assert value(app, "memos.update_memory", user, memory, {"content": "now MRN 483920"}) == 2
    assert rows(app, "memos.get_memory", user, memory)[0][2] == "now MRN [medical_id]"


def test_a_masked_text_waits_for_a_vector_of_its_own(database: Database, user: UUID) -> None:
    with database.connect("memos_admin") as admin:
        admin.execute("call memos_admin.embed_pending()")
        admin.execute("select memos_admin.register_embedding_model('m', 3, 'external')")
    with database.connect("memos_app") as app:
        rows(app, "memos.update_settings", user, {"on_identifier": "mask"})
        for text in (SECRET, "nothing to hide"):
            add(app, user, text, p_embedding=vector(1, 2, 3))
        (stats,) = rows(app, "memos.memory_stats", user)
        assert (stats[7], stats[8]) == (1, 1)  # embedded, pending


def test_the_users_level_is_the_least(app: Connection, user: UUID) -> None:
    rows(app, "memos.update_settings", user, {"default_privacy_level": "minimal"})
    memory = add(app, user, "likes tea")
    stricter = add(app, user, "likes coffee", p_privacy_level="restricted")
    looser = add(app, user, "likes water", p_privacy_level="comprehensive")
    levels = [rows(app, "memos.get_memory", user, m)[0][8] for m in (memory, stricter, looser)]
    assert levels == ["minimal", "restricted", "minimal"]
    assert failure(app, "memos.add_memory", user, "mail a@b.org").sqlstate == "MO451"


def test_without_plpython_what_may_be_one_is_refused(database: Database, user: UUID) -> None:
    with database.connect() as superuser:
        superuser.execute("drop function memos_private.find_identifiers(text[], text[])")
    with database.connect("memos_app") as app:
        add(app, user, "J1 stops with SRVO-062 at 12:30")
        error = failure(app, "memos.add_memory", user, SECRET)
        assert error.sqlstate == "MO451"
        assert "plpython3u" in error.diag.message_detail
        assert failure(app, "memos.find_identifiers", SECRET).sqlstate == "0A000"
