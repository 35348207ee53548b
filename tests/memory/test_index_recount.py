"""After any sequence of operations the inverted index says what the texts say."""

from __future__ import annotations

import random
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import Connection, add, assert_index_equals_a_recount, rows, value
from support.postgres import Database

LANGUAGES = [None, "simple", "german", "russian", "arabic", "french", "English"]
WORDS = [
    "the", "running", "ran", "Häuser", "Straße", "café", "собаки", "القهوة", "过敏", "🎉", "J1",
    "ERR-4711", "a.b@c.de", "https://x.org/a?b=c", "12.5", "it's", "x" * 3000,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_postings_and_statistics_equal_a_recount(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    users = [uuid4(), uuid4()]

    def text() -> str:
        return " ".join(chance.choices(WORDS, k=chance.randint(1, 30))) + " end"

    def step(app: Connection, user: UUID) -> None:
        roll = chance.random()
        mine = rows(app, "memos.list_memories", user)
        language = chance.choice(LANGUAGES)
        if roll < 0.3 or not mine:
            add(app, user, text(), p_language=language)
        elif roll < 0.5:
            batch = [
                {"content": text(), "language": chance.choice(LANGUAGES)}
                for _ in range(chance.randint(1, 8))
            ]
            rows(app, "memos.add_memories", user, batch)
        elif roll < 0.65:
            change = {"content": text()} | ({"language": language} if chance.random() < 0.5 else {})
            value(app, "memos.update_memory", user, chance.choice(mine)[0], change)
        elif roll < 0.75:
            value(app, "memos.update_memory", user, chance.choice(mine)[0], {"language": language})
        elif roll < 0.8:
            rows(app, "memos.pin_memory", user, chance.choice(mine)[0])
        else:
            value(app, "memos.delete_memory", user, chance.choice(mine)[0])

    with (
        database.connect("memos_app") as app,
        database.connect("memos_admin") as admin,
        database.connect() as superuser,
    ):
        for number in range(40):
            with app.transaction(force_rollback=chance.random() < 0.2):
                try:
                    with app.transaction():
                        step(app, chance.choice(users))
                except psycopg.Error as error:
                    if error.sqlstate != "MO409":
                        raise
            if number % 10 == 9:
                assert_index_equals_a_recount(superuser)
        for user in users:
            value(admin, "memos_admin.fold_postings", user)
        assert_index_equals_a_recount(superuser)
        crowded = superuser.execute("""
            select from memos_private.posting where cardinality(memory_ids) < 64
            group by user_id, lexeme having count(*) > 1
        """).fetchall()
        assert crowded == []
        slots = superuser.execute("""
            select max(n) from (
                select count(*) as n from memos_private.corpus group by user_id, language
            ) as c
        """).fetchone()
        assert slots == (1,)


def test_a_word_repeated_more_often_than_a_tsvector_counts_leaves_nothing_behind(
    database: Database, user: UUID
) -> None:
    with database.connect("memos_app") as app, database.connect() as superuser:
        memory = add(app, user, "kiwi " * 5000 + "end")
        assert_index_equals_a_recount(superuser)
        value(app, "memos.update_memory", user, memory, {"content": "short"})
        assert_index_equals_a_recount(superuser)


def test_a_long_text_leaves_nothing_behind_when_it_changes(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app, database.connect() as superuser:
        memory = add(app, user, " ".join(f"w{number:05d} kiwi" for number in range(4_500)))
        app.execute("set statement_timeout = '10s'")
        value(app, "memos.update_memory", user, memory, {"content": "short"})
        assert_index_equals_a_recount(superuser)
