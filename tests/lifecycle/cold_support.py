"""What a user has, row by row, and moving it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from memory_support import Connection

KEPT_ASIDE = ("cold_place", "memory_cold", "embedding_cold", "memory_link_cold")
IMAGES = {
    "memory": "select t::text from memos_private.memory as t where user_id = %s",
    "embedding": "select t::text from memos_private.embedding as t where user_id = %s",
    "queue": "select t::text from memos_private.embedding_queue as t where user_id = %s",
    "link": "select t::text from memos_private.memory_link as t where user_id = %s",
    "link queue": """
        select distinct m.memory_id::text
        from memos_private.link_queue as q
        join memos_private.memory as m on m.user_id = q.user_id and m.memory_id = any (q.memory_ids)
        where q.user_id = %s
    """,
    "posting": """
        select (lexeme, unnest(memory_ids), unnest(frequencies), unnest(lengths))::text
        from memos_private.posting where user_id = %s
    """,
    "corpus": """
        select (language, sum(documents), sum(tokens))::text
        from memos_private.corpus where user_id = %s
        group by language having sum(documents) <> 0 or sum(tokens) <> 0
    """,
    "history": "select t::text from memos_private.memory_history as t where user_id = %s",
    "request": "select t::text from memos_private.request as t where user_id = %s",
}


def image(superuser: Connection, user: UUID, without: Iterable[str] = ()) -> dict[str, list[str]]:
    """Every row of a user that a search may read, as text."""
    return {
        name: sorted(row[0] for row in superuser.execute(query, (user,)))
        for name, query in IMAGES.items()
        if name not in without
    }


def results(claimed: Iterable[Any]) -> list[dict[str, Any]]:
    """What a worker says it has embedded."""
    keys = ("user_id", "memory_id", "version", "model", "passage")
    return [
        {
            key: str(got) if isinstance(got, UUID) else got
            for key, got in zip(keys, row, strict=False)
        }
        for row in claimed
    ]


def move(superuser: Connection, user: UUID, ids: Iterable[UUID], tier: str) -> int:
    """As a job does, many at once."""
    query = "select memos_private.move_to_tier(%s, %s, %s)"
    return superuser.execute(query, (user, list(ids), tier)).fetchone()[0]


def assert_nothing_is_kept_aside(superuser: Connection, user: UUID) -> None:
    for table in KEPT_ASIDE:
        found: Any = superuser.execute(
            f"select * from memos_private.{table} where user_id = %s", (user,)
        ).fetchall()
        assert found == [], table


def assert_tiers_are_consistent(superuser: Connection) -> None:
    """Every memory is in one place, every content is one memory, every link has both ends."""
    problems = {
        "in two places": """
            select memory_id from memos_private.memory
            intersect select memory_id from memos_private.cold_place
        """,
        "twice the same content": """
            select user_id from (
                select user_id, content_hash from memos_private.memory
                union all select user_id, content_hash from memos_private.memory_cold
            ) as c group by user_id, content_hash having count(*) > 1
        """,
        "a place and no memory, or the other way round": """
            select 1 from memos_private.cold_place as p
            full join memos_private.memory_cold as c
                using (user_id, memory_id, moved_at, content_hash)
            where p.user_id is null or c.user_id is null
        """,
        "vectors of nothing": """
            select e.memory_id from memos_private.embedding_cold as e
            where not exists (
                select from memos_private.cold_place as p
                where (p.user_id, p.memory_id, p.moved_at) = (e.user_id, e.memory_id, e.moved_at)
            )
        """,
        "a link kept aside with both ends there, or without one": """
            select from_id, to_id from memos_private.memory_link_cold as l
            where (
                select count(*) from memos_private.cold_place as p
                where p.user_id = l.user_id and p.memory_id in (l.from_id, l.to_id)
            ) = 0
        """,
    }
    found = {name: superuser.execute(query).fetchall() for name, query in problems.items()}
    assert not any(found.values()), found
