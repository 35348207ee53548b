"""The plans a search really runs with, as memos_app: no table of many users is scanned."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from memory_support import Connection, rows, value, vector, vectors
from support.postgres import Database


@pytest.fixture(scope="module")
def crowd(module_database: Database) -> Iterator[tuple[Connection, list[UUID]]]:
    """40 users with 50 memories each. The connection notes the plan of every statement inside."""
    chance = random.Random(3)
    users = [uuid4() for _ in range(40)]
    words = [f"word{number}" for number in range(300)]
    with module_database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.register_embedding_model", "ext", 8, "external")
    with module_database.connect("memos_app") as app:
        for user in users:
            rows(
                app, "memos.add_memories", user,
                [
                    {"content": " ".join(chance.choices(words, k=12)) + f" kiwi {n}"}
                    for n in range(50)
                ],
                p_embeddings=vectors(*[[chance.gauss(0, 1) for _ in range(8)] for _ in range(50)]),
            )  # fmt: skip
            for memory, *_ in rows(app, "memos.list_memories", user, p_limit=10):
                value(app, "memos.update_memory", user, memory, {"content": f"kiwi {memory}"})
    with module_database.connect() as watched:
        watched.execute("vacuum analyze")
        watched.execute("""
            load 'auto_explain';
            set auto_explain.log_min_duration = 0;
            set auto_explain.log_nested_statements = on;
            set auto_explain.log_format = json;
            set client_min_messages = log;
            set role memos_app;
        """)
        yield watched, users


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)


def plans(connection: Connection, function: str, *arguments: Any, **named: Any) -> list[Any]:
    """Every plan node of every statement of a call."""
    notices: list[str] = []
    handler = lambda diagnostic: notices.append(diagnostic.message_primary)  # noqa: E731
    connection.add_notice_handler(handler)
    try:
        assert rows(connection, function, *arguments, **named)
    finally:
        connection.remove_notice_handler(handler)
    texts = [notice.split("plan:\n", 1)[1] for notice in notices if "plan:\n" in notice]
    assert texts
    return [node for text in texts for node in nodes(json.loads(text)["Plan"])]


def scanned(connection: Connection, found: list[Any]) -> set[str]:
    """Tables with the rows of many users that were read from end to end. (The statistics are a page
    or two here, and future partitions are empty.)"""
    names = {n["Relation Name"] for n in found if n["Node Type"] == "Seq Scan"}
    full = connection.execute("""
        select relname from pg_class
        where relnamespace = 'memos_private'::regnamespace and reltuples >= 200
    """)
    return names & {name for (name,) in full}


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"p_fusion": "rrf", "p_explain": True},
        {"p_token_budget": 100},
        {"p_metadata": {}},
        {"p_valid_at": "2099-01-01 00:00Z"},
        {"p_recorded_at": "2099-01-01 00:00Z"},
    ],
)
def test_a_search_reads_postings_vectors_and_memories_by_index(
    crowd: Any, named: dict[str, Any]
) -> None:
    connection, users = crowd
    found = plans(
        connection, "memos.search_memories", users[7], "kiwi word5 word17",
        p_embedding=vector(1, 0, 0, 0, 0, 0, 0, 1), **named,
    )  # fmt: skip
    assert scanned(connection, found) == set()
    used = {n["Index Name"] for n in found if "Index Name" in n}
    assert {"posting_pkey", "embedding_pkey"} <= used
    assert used & {"memory_pkey", "memory_out_of_season_idx"}


@pytest.mark.parametrize("function", ["memos.get_memory", "memos.memory_history"])
def test_one_memory_is_read_by_key(crowd: Any, function: str) -> None:
    connection, users = crowd
    memory = rows(connection, "memos.list_memories", users[3], p_limit=1)[0][0]
    found = plans(connection, function, users[3], memory)
    assert scanned(connection, found) == set()


def test_a_page_of_a_list_is_read_from_the_end_of_the_key(crowd: Any) -> None:
    connection, users = crowd
    found = plans(connection, "memos.list_memories", users[3], p_limit=5)
    (scan,) = [n for n in found if n.get("Relation Name") == "memory"]
    assert scan["Node Type"] == "Index Scan"
    assert scan["Scan Direction"] == "Backward"
