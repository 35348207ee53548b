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
        self._binding: tuple[Call[Any], ...] = ()
        self._halfvec: TypeInfo | None = None

    @classmethod
    def on(cls, connection: psycopg.AsyncConnection[Any]) -> Self:
        """Work on the caller's connection, inside the caller's transaction: never commits."""
        self = cls.__new__(cls)
        self._pool = None
        self._connection = connection
        self._owner = False
        self._binding = ()
        self._halfvec = None
        return self

    def with_context(self, token: str) -> Self:
        """This client, bound to the user of a signed context in every call."""
        return self._bound_by(calls.use_context(token))

    def _bound_by(self, binding: Call[Any]) -> Self:
        """This client, with a call that begins the transaction of every other one."""
        bound = type(self).__new__(type(self))
        bound.__dict__.update(self.__dict__, _owner=False, _binding=(*self._binding, binding))
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
                if not self._binding:
                    return await self._run(connection, call)
                async with _one_transaction(connection):
                    for binding in self._binding:
                        await self._run(connection, binding)
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
    place_legal_hold = awaited(AdminCalls.place_legal_hold)
    release_legal_hold = awaited(AdminCalls.release_legal_hold)
    legal_holds = awaited(AdminCalls.legal_holds)
    verify_erasure = awaited(AdminCalls.verify_erasure)
    lift_tombstones = awaited(AdminCalls.lift_tombstones)
    rotate_erasure_key = awaited(AdminCalls.rotate_erasure_key)
    import_user = awaited(AdminCalls.import_user)
    audit_entries = awaited(AdminCalls.audit_entries)
    verify_audit = awaited(AdminCalls.verify_audit)
    anchor_audit = awaited(AdminCalls.anchor_audit)
    audit_anchors = awaited(AdminCalls.audit_anchors)
    audit_digests = awaited(AdminCalls.audit_digests)
    audit_status = awaited(AdminCalls.audit_status)
    rotate_audit_key = awaited(AdminCalls.rotate_audit_key)
    accounting_of_disclosures = awaited(AdminCalls.accounting_of_disclosures)
    configure_note_provider = awaited(AdminCalls.configure_note_provider)
    make_notes = awaited(AdminCalls.make_notes)
    note_status = awaited(AdminCalls.note_status)
    mint_context = awaited(AdminCalls.mint_context)
    retention_parameters = awaited(AdminCalls.retention_parameters)
    set_retention = awaited(AdminCalls.set_retention)
    rotate_context_key = awaited(AdminCalls.rotate_context_key)
    retire_context_key = awaited(AdminCalls.retire_context_key)
    context_keys = awaited(AdminCalls.context_keys)
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

    def with_agent(self, token: str) -> Self:
        """The same user's memory, as the agent that register_agent gave this token."""
        return type(self)(self.memos._bound_by(calls.use_agent(self.user, token)), self.user)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.user!r})"

    user_id = awaited(UserCalls.user_id)
    add_memory = awaited(UserCalls.add_memory)
    add_memories = awaited(UserCalls.add_memories)
    get_memory = awaited(UserCalls.get_memory)
    list_memories = awaited(UserCalls.list_memories)
    update_memory = awaited(UserCalls.update_memory)
    delete_memory = awaited(UserCalls.delete_memory)
    erase_memory = awaited(UserCalls.erase_memory)
    erase_user = awaited(UserCalls.erase_user)
    erasure_receipts = awaited(UserCalls.erasure_receipts)
    export_user = awaited(UserCalls.export_user)
    export_user_rows = awaited(UserCalls.export_user_rows)
    memory_history = awaited(UserCalls.memory_history)
    pin_memory = awaited(UserCalls.pin_memory)
    move_to_tier = awaited(UserCalls.move_to_tier)
    memory_stats = awaited(UserCalls.memory_stats)
    search_memories = awaited(UserCalls.search_memories)
    replay_search = awaited(UserCalls.replay_search)
    link_memories = awaited(UserCalls.link_memories)
    unlink_memories = awaited(UserCalls.unlink_memories)
    list_links = awaited(UserCalls.list_links)
    related_memories = awaited(UserCalls.related_memories)
    link_similar = awaited(UserCalls.link_similar)
    memory_retention = awaited(UserCalls.memory_retention)
    record_access = awaited(UserCalls.record_access)
    memory_usage = awaited(UserCalls.memory_usage)
    hot_memories = awaited(UserCalls.hot_memories)
    register_prefix = awaited(UserCalls.register_prefix)
    report_prefix = awaited(UserCalls.report_prefix)
    list_prefixes = awaited(UserCalls.list_prefixes)
    evict_prefixes = awaited(UserCalls.evict_prefixes)
    pin_prefix = awaited(UserCalls.pin_prefix)
    record_latency = awaited(UserCalls.record_latency)
    tool_pin = awaited(UserCalls.tool_pin)
    set_consent = awaited(UserCalls.set_consent)
    withdraw_consent = awaited(UserCalls.withdraw_consent)
    consents = awaited(UserCalls.consents)
    consent_history = awaited(UserCalls.consent_history)
    get_settings = awaited(UserCalls.get_settings)
    update_settings = awaited(UserCalls.update_settings)
    find_identifiers = awaited(UserCalls.find_identifiers)
    mask_identifiers = awaited(UserCalls.mask_identifiers)
    quarantine_memories = awaited(UserCalls.quarantine_memories)
    quarantine_memory = awaited(UserCalls.quarantine_memory)
    quarantined_memories = awaited(UserCalls.quarantined_memories)
    release_memory = awaited(UserCalls.release_memory)
    reject_memory = awaited(UserCalls.reject_memory)
    label_memories = awaited(UserCalls.label_memories)
    grant_access = awaited(UserCalls.grant_access)
    revoke_access = awaited(UserCalls.revoke_access)
    access_grants = awaited(UserCalls.access_grants)
    shared_memories = awaited(UserCalls.shared_memories)
    accounting_of_disclosures = awaited(UserCalls.accounting_of_disclosures)
    privacy_report = awaited(UserCalls.privacy_report)
    assert_fact = awaited(UserCalls.assert_fact)
    get_facts = awaited(UserCalls.get_facts)
    fact_history = awaited(UserCalls.fact_history)
    end_fact = awaited(UserCalls.end_fact)
    retract_fact = awaited(UserCalls.retract_fact)
    open_scratchpad = awaited(UserCalls.open_scratchpad)
    list_scratchpads = awaited(UserCalls.list_scratchpads)
    get_scratchpad = awaited(UserCalls.get_scratchpad)
    close_scratchpad = awaited(UserCalls.close_scratchpad)
    add_observation = awaited(UserCalls.add_observation)
    add_reasoning = awaited(UserCalls.add_reasoning)
    add_example = awaited(UserCalls.add_example)
    add_step = awaited(UserCalls.add_step)
    add_note = awaited(UserCalls.add_note)
    update_entry = awaited(UserCalls.update_entry)
    list_entries = awaited(UserCalls.list_entries)
    find_examples = awaited(UserCalls.find_examples)
    use_example = awaited(UserCalls.use_example)
    scratchpad_quality = awaited(UserCalls.scratchpad_quality)
    set_scratchpad_weights = awaited(UserCalls.set_scratchpad_weights)
    ask_question = awaited(UserCalls.ask_question)
    list_questions = awaited(UserCalls.list_questions)
    set_question_status = awaited(UserCalls.set_question_status)
    add_finding = awaited(UserCalls.add_finding)
    add_contradiction = awaited(UserCalls.add_contradiction)
    resolve_contradiction = awaited(UserCalls.resolve_contradiction)
    list_contradictions = awaited(UserCalls.list_contradictions)
    add_action = awaited(UserCalls.add_action)
    claim_action = awaited(UserCalls.claim_action)
    complete_action = awaited(UserCalls.complete_action)
    fail_action = awaited(UserCalls.fail_action)
    extend_action = awaited(UserCalls.extend_action)
    set_action_status = awaited(UserCalls.set_action_status)
    list_actions = awaited(UserCalls.list_actions)
    write_public = awaited(UserCalls.write_public)
    read_public = awaited(UserCalls.read_public)
    write_private = awaited(UserCalls.write_private)
    read_private = awaited(UserCalls.read_private)
    list_values = awaited(UserCalls.list_values)
    register_agent = awaited(UserCalls.register_agent)
    register_reference = awaited(UserCalls.register_reference)
    list_references = awaited(UserCalls.list_references)
    find_answers = awaited(UserCalls.find_answers)
    agent_context = awaited(UserCalls.agent_context)
    scratchpad_changes = awaited(UserCalls.scratchpad_changes)
    get_note = awaited(UserCalls.get_note)
    list_notes = awaited(UserCalls.list_notes)
    set_note = awaited(UserCalls.set_note)
    make_note = awaited(UserCalls.make_note)
    evolve_memory = awaited(UserCalls.evolve_memory)
    apply_evolution = awaited(UserCalls.apply_evolution)
    undo_evolution = awaited(UserCalls.undo_evolution)
    list_evolutions = awaited(UserCalls.list_evolutions)
    export_network = awaited(UserCalls.export_network)
    import_network = awaited(UserCalls.import_network)
    find_duplicates = awaited(UserCalls.find_duplicates)
    consolidate_memories = awaited(UserCalls.consolidate_memories)
    merge_memories = awaited(UserCalls.merge_memories)
    undo_consolidation = awaited(UserCalls.undo_consolidation)
    list_consolidations = awaited(UserCalls.list_consolidations)
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
