"""The asynchronous client: the same calls as `client`, awaited."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Concatenate, ParamSpec, Self, TypeVar
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types import TypeInfo
from psycopg_pool import AsyncConnectionPool

from memos_pg import calls
from memos_pg.calls import AdminCalls, Call, UserCalls
from memos_pg.calls.base import EVERYONE, Everyone
from memos_pg.client import conninfo
from memos_pg.errors import translated

P = ParamSpec("P")
T = TypeVar("T")


def awaited(
    build: Callable[Concatenate[Any, P], Call[T]],
) -> Callable[Concatenate[Any, P], Awaitable[T]]:
    """A coroutine method that executes the call which `build` describes."""

    @functools.wraps(build)
    async def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.execute(build(self, *args, **kwargs))

    return method


class AsyncMemOS:
    """memOS in one database, over a connection pool of its own or the caller's connection.

    `async with AsyncMemOS(dsn) as memos: await memos.for_user("alice").add_memory("...")`
    """

    def __init__(
        self,
        dsn: str,
        *,
        role: str | None = None,
        min_size: int = 10,
        max_size: int = 30,
        max_lifetime: float = 1800,
        timeout: float = 30,
        **pool: Any,
    ) -> None:
        """Prepare a pool, which `async with` or `open` opens; arguments as for MemOS."""
        self._pool: AsyncConnectionPool | None = AsyncConnectionPool(
            conninfo(dsn, role),
            min_size=min(min_size, max_size),
            max_size=max_size,
            max_lifetime=max_lifetime,
            timeout=timeout,
            check=AsyncConnectionPool.check_connection,
            kwargs={"autocommit": True, **pool.pop("kwargs", {})},
            open=False,
            **pool,
        )
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._owner = True
        self._token: str | None = None
        self._halfvec: TypeInfo | None = None

    @classmethod
    def on(cls, connection: psycopg.AsyncConnection[Any]) -> Self:
        """Work on the caller's connection, inside the caller's transaction: never commits."""
        self = cls.__new__(cls)
        self._pool = None
        self._connection = connection
        self._owner = False
        self._token = None
        self._halfvec = None
        return self

    def with_context(self, token: str) -> Self:
        """This client, bound to the user of a signed context in every call."""
        calls.use_context(token)  # refuses what is no token: without one, nothing would be bound
        bound = type(self).__new__(type(self))
        bound.__dict__.update(self.__dict__, _owner=False, _token=token)
        return bound

    def for_user(self, user: str | UUID) -> AsyncUser:
        """The memory of one user, named by a uuid or by any outside id."""
        return AsyncUser(self, user)

    def for_everyone(self) -> AsyncUser:
        """The cache entries that all users share; nothing else is shared."""
        return AsyncUser(self, EVERYONE)

    @property
    def pool(self) -> AsyncConnectionPool | None:
        """The pool, for its statistics; None on a caller's connection."""
        return self._pool

    async def execute(self, call: Call[T]) -> T:
        """Execute one call and read its result."""
        with translated():
            async with self._borrowed() as connection:
                if self._token is None:
                    return await self._run(connection, call)
                async with _one_transaction(connection):
                    await self._run(connection, calls.use_context(self._token))
                    return await self._run(connection, call)

    async def open(self) -> None:
        """Open the pool."""
        if self._pool is not None:
            await self._pool.open()

    async def close(self) -> None:
        """Close the pool, if it is this client's own."""
        if self._owner and self._pool is not None:
            await self._pool.close()

    async def __aenter__(self) -> Self:
        if self._owner:
            await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        if self._connection is not None:
            yield self._connection
        else:
            async with self._pool.connection() as connection:
                yield connection

    async def _run(self, connection: psycopg.AsyncConnection[Any], call: Call[T]) -> T:
        async with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
            if call.has_vectors:
                if self._halfvec is None:
                    self._halfvec = await self._run(connection, calls.HALFVEC)
                # On this cursor only: a caller's connection keeps its own adapters.
                calls.register_halfvec(cursor.adapters, self._halfvec)
            await cursor.execute(call.query, call.parameters)
            return call.read(await cursor.fetchall() if cursor.description else [])

    register_embedding_model = awaited(AdminCalls.register_embedding_model)
    set_default_embedding_model = awaited(AdminCalls.set_default_embedding_model)
    claim_embeddings = awaited(AdminCalls.claim_embeddings)
    complete_embeddings = awaited(AdminCalls.complete_embeddings)
    fail_embeddings = awaited(AdminCalls.fail_embeddings)
    embed_pending = awaited(AdminCalls.embed_pending)
    embedding_status = awaited(AdminCalls.embedding_status)
    mint_context = awaited(AdminCalls.mint_context)
    cache_namespaces = awaited(AdminCalls.cache_namespaces)
    set_cache_namespace = awaited(AdminCalls.set_cache_namespace)
    drop_cache_namespace = awaited(AdminCalls.drop_cache_namespace)
    cache_clear = awaited(AdminCalls.cache_clear)


@asynccontextmanager
async def _one_transaction(connection: psycopg.AsyncConnection[Any]) -> AsyncIterator[None]:
    """Join the open transaction; in autocommit mode open one for the statements inside."""
    idle = connection.info.transaction_status == TransactionStatus.IDLE
    if connection.autocommit and idle:
        async with connection.transaction():
            yield
    else:
        yield


class AsyncUser:
    """What memOS holds for one user."""

    def __init__(self, memos: AsyncMemOS, user: str | UUID | Everyone) -> None:
        self.memos = memos
        self.user = user

    async def execute(self, call: Call[T]) -> T:
        """Execute one call and read its result."""
        return await self.memos.execute(call)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.user!r})"

    user_id = awaited(UserCalls.user_id)
    add_memory = awaited(UserCalls.add_memory)
    add_memories = awaited(UserCalls.add_memories)
    get_memory = awaited(UserCalls.get_memory)
    list_memories = awaited(UserCalls.list_memories)
    update_memory = awaited(UserCalls.update_memory)
    delete_memory = awaited(UserCalls.delete_memory)
    memory_history = awaited(UserCalls.memory_history)
    pin_memory = awaited(UserCalls.pin_memory)
    memory_stats = awaited(UserCalls.memory_stats)
    search_memories = awaited(UserCalls.search_memories)
    replay_search = awaited(UserCalls.replay_search)
    link_memories = awaited(UserCalls.link_memories)
    unlink_memories = awaited(UserCalls.unlink_memories)
    list_links = awaited(UserCalls.list_links)
    related_memories = awaited(UserCalls.related_memories)
    link_similar = awaited(UserCalls.link_similar)
    cache_put = awaited(UserCalls.cache_put)
    cache_get = awaited(UserCalls.cache_get)
    cache_find_similar = awaited(UserCalls.cache_find_similar)
    cache_invalidate = awaited(UserCalls.cache_invalidate)
    cache_lease = awaited(UserCalls.cache_lease)
    cache_release = awaited(UserCalls.cache_release)
    cache_report = awaited(UserCalls.cache_report)
    cache_record_outcome = awaited(UserCalls.cache_record_outcome)
    cache_entries = awaited(UserCalls.cache_entries)
    cache_stats = awaited(UserCalls.cache_stats)
