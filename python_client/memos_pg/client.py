"""The synchronous client: one method, one function call, one statement."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, Self, TypeVar
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types import TypeInfo
from psycopg_pool import ConnectionPool

from memos_pg import calls
from memos_pg.calls import AdminCalls, Call, UserCalls
from memos_pg.calls.base import EVERYONE, Everyone
from memos_pg.errors import translated

P = ParamSpec("P")
T = TypeVar("T")


def conninfo(dsn: str, role: str | None = None) -> str:
    """The connection string, acting as `role` from the first statement on."""
    # Read from a file, it ends in a newline, which libpq would take for part of the last value.
    given = conninfo_to_dict(dsn.strip())
    given.setdefault("application_name", "memos_pg")
    if role is not None:
        given["options"] = f"{given.get('options', '')} -c role={role}".strip()
    return make_conninfo(**given)


def executed(build: Callable[Concatenate[Any, P], Call[T]]) -> Callable[Concatenate[Any, P], T]:
    """A method that executes the call which `build` describes."""

    @functools.wraps(build)
    def method(self: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.execute(build(self, *args, **kwargs))

    return method


class MemOS:
    """memOS in one database, over a connection pool of its own or the caller's connection.

    `with MemOS(dsn) as memos: memos.for_user("alice").add_memory("...")`
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
        """Open a pool; `role` is the role to act as, `pool` more arguments of ConnectionPool."""
        self._pool: ConnectionPool | None = ConnectionPool(
            conninfo(dsn, role),
            min_size=min(min_size, max_size),
            max_size=max_size,
            max_lifetime=max_lifetime,
            timeout=timeout,
            check=ConnectionPool.check_connection,
            kwargs={"autocommit": True, **pool.pop("kwargs", {})},
            open=True,
            **pool,
        )
        self._connection: psycopg.Connection[Any] | None = None
        self._owner = True
        self._token: str | None = None
        self._halfvec: TypeInfo | None = None

    @classmethod
    def on(cls, connection: psycopg.Connection[Any]) -> Self:
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

    def for_user(self, user: str | UUID) -> User:
        """The memory of one user, named by a uuid or by any outside id."""
        return User(self, user)

    def for_everyone(self) -> User:
        """The cache entries that all users share; nothing else is shared."""
        return User(self, EVERYONE)

    @property
    def pool(self) -> ConnectionPool | None:
        """The pool, for its statistics; None on a caller's connection."""
        return self._pool

    def execute(self, call: Call[T]) -> T:
        """Execute one call and read its result."""
        with translated(), self._borrowed() as connection:
            if self._token is None:
                return self._run(connection, call)
            with _one_transaction(connection):
                self._run(connection, calls.use_context(self._token))
                return self._run(connection, call)

    def close(self) -> None:
        """Close the pool, if it is this client's own."""
        if self._owner and self._pool is not None:
            self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _borrowed(self) -> Iterator[psycopg.Connection[Any]]:
        if self._connection is not None:
            yield self._connection
        else:
            with self._pool.connection() as connection:
                yield connection

    def _run(self, connection: psycopg.Connection[Any], call: Call[T]) -> T:
        with connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
            if call.has_vectors:
                if self._halfvec is None:
                    self._halfvec = self._run(connection, calls.HALFVEC)
                # On this cursor only: a caller's connection keeps its own adapters.
                calls.register_halfvec(cursor.adapters, self._halfvec)
            cursor.execute(call.query, call.parameters)
            return call.read(cursor.fetchall() if cursor.description else [])

    register_embedding_model = executed(AdminCalls.register_embedding_model)
    set_default_embedding_model = executed(AdminCalls.set_default_embedding_model)
    claim_embeddings = executed(AdminCalls.claim_embeddings)
    complete_embeddings = executed(AdminCalls.complete_embeddings)
    fail_embeddings = executed(AdminCalls.fail_embeddings)
    embed_pending = executed(AdminCalls.embed_pending)
    embedding_status = executed(AdminCalls.embedding_status)
    mint_context = executed(AdminCalls.mint_context)
    cache_namespaces = executed(AdminCalls.cache_namespaces)
    set_cache_namespace = executed(AdminCalls.set_cache_namespace)
    drop_cache_namespace = executed(AdminCalls.drop_cache_namespace)
    cache_clear = executed(AdminCalls.cache_clear)


@contextmanager
def _one_transaction(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Join the open transaction; in autocommit mode open one for the statements inside."""
    idle = connection.info.transaction_status == TransactionStatus.IDLE
    if connection.autocommit and idle:
        with connection.transaction():
            yield
    else:
        yield


class User:
    """What memOS holds for one user."""

    def __init__(self, memos: MemOS, user: str | UUID | Everyone) -> None:
        self.memos = memos
        self.user = user

    def execute(self, call: Call[T]) -> T:
        """Execute one call and read its result."""
        return self.memos.execute(call)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.user!r})"

    user_id = executed(UserCalls.user_id)
    add_memory = executed(UserCalls.add_memory)
    add_memories = executed(UserCalls.add_memories)
    get_memory = executed(UserCalls.get_memory)
    list_memories = executed(UserCalls.list_memories)
    update_memory = executed(UserCalls.update_memory)
    delete_memory = executed(UserCalls.delete_memory)
    memory_history = executed(UserCalls.memory_history)
    pin_memory = executed(UserCalls.pin_memory)
    memory_stats = executed(UserCalls.memory_stats)
    search_memories = executed(UserCalls.search_memories)
    replay_search = executed(UserCalls.replay_search)
    link_memories = executed(UserCalls.link_memories)
    unlink_memories = executed(UserCalls.unlink_memories)
    list_links = executed(UserCalls.list_links)
    related_memories = executed(UserCalls.related_memories)
    link_similar = executed(UserCalls.link_similar)
    cache_put = executed(UserCalls.cache_put)
    cache_get = executed(UserCalls.cache_get)
    cache_find_similar = executed(UserCalls.cache_find_similar)
    cache_invalidate = executed(UserCalls.cache_invalidate)
    cache_lease = executed(UserCalls.cache_lease)
    cache_release = executed(UserCalls.cache_release)
    cache_report = executed(UserCalls.cache_report)
    cache_record_outcome = executed(UserCalls.cache_record_outcome)
    cache_entries = executed(UserCalls.cache_entries)
    cache_stats = executed(UserCalls.cache_stats)
