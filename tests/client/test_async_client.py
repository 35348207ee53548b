"""The asynchronous client on a database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from memos_pg import AsyncMemOS, BadArgument, MemOS, NewMemory, NotFound, NotYours
from support.postgres import Database


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(work())


def test_memories_and_searches(database: Database) -> None:
    async def work() -> None:
        async with AsyncMemOS(database.app_dsn, min_size=1, max_size=4) as memos:
            alice = memos.for_user("alice")
            memory_id = await alice.add_memory("the dog Pilchard", tags=["dog"])
            await alice.add_memories([NewMemory("a cat"), {"content": "a cow"}])
            found = await alice.search_memories("pilchard")
            assert [row.memory_id for row in found] == [memory_id]
            assert await alice.update_memory(memory_id, {"content": "the dog Sprat"}) == 2
            assert (await alice.get_memory(memory_id)).content == "the dog Sprat"
            assert len(await alice.memory_history(memory_id)) == 2
            assert (await alice.memory_stats()).memories == 3
            assert await alice.delete_memory(memory_id) is True
            with pytest.raises(NotFound):
                await alice.get_memory(memory_id)
            with pytest.raises(BadArgument):
                await alice.add_memory("a\0b")

    run(work)


def test_calls_go_on_at_the_same_time(database: Database) -> None:
    async def work() -> None:
        async with AsyncMemOS(database.app_dsn, min_size=1, max_size=5) as memos:
            users = [memos.for_user(f"user {number}") for number in range(20)]
            await asyncio.gather(*(user.add_memory(f"of {user.user}") for user in users))
            lists = await asyncio.gather(*(user.list_memories() for user in users))
            for user, (memory,) in zip(users, lists, strict=True):
                assert memory.content == f"of {user.user}"

    run(work)


def test_vectors(database: Database, operator: MemOS) -> None:
    operator.register_embedding_model("three", 3, "external")

    async def work() -> None:
        async with AsyncMemOS(database.app_dsn, min_size=1, max_size=1) as memos:
            alice = memos.for_user("alice")
            await alice.add_memories(
                [{"content": "north"}, {"content": "east"}], embeddings=[[0, 1, 0], [1, 0, 0]]
            )
            found = await alice.search_memories("", embedding=[1, 0, 0], limit=1)
            assert found[0].content == "east"

    run(work)


def test_memory_joins_the_callers_transaction(database: Database) -> None:
    async def work() -> None:
        async with await psycopg.AsyncConnection.connect(database.app_dsn) as connection:
            alice = AsyncMemOS.on(connection).for_user("alice")
            await alice.add_memory("rolled back")
            assert len(await alice.list_memories()) == 1
            await connection.rollback()
            assert await alice.list_memories() == []

    run(work)


def test_a_signed_context_binds_every_call(database: Database, operator: MemOS) -> None:
    async def work() -> None:
        async with AsyncMemOS(database.user_dsn, min_size=1, max_size=1) as memos:
            user_id = database.user_id("alice")
            bound = memos.with_context(operator.mint_context(user_id))
            await bound.for_user(user_id).add_memory("mine")
            with pytest.raises(NotYours):
                await bound.for_user(database.user_id("bob")).list_memories()

    run(work)


def test_the_pool_has_the_settings_of_the_audit(database: Database) -> None:
    async def work() -> None:
        memos = AsyncMemOS(database.app_dsn)
        pool = memos.pool
        assert (pool.min_size, pool.max_size) == (10, 30)
        assert (pool.max_lifetime, pool.timeout) == (1800, 30)
        assert pool._check is not None

    run(work)


def test_a_cancelled_call_gives_its_connection_back(database: Database) -> None:
    async def work() -> None:
        async with AsyncMemOS(database.app_dsn, min_size=1, max_size=1, timeout=5) as memos:
            from memos_pg.calls import Call

            slow = Call("select pg_sleep(30)", (), lambda rows: None)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(memos.execute(slow), 0.3)
            assert await memos.for_user("alice").list_memories() == []

    run(work)
