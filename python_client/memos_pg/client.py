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
        self._binding: tuple[Call[Any], ...] = ()
        self._halfvec: TypeInfo | None = None

    @classmethod
    def on(cls, connection: psycopg.Connection[Any]) -> Self:
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
            if not self._binding:
                return self._run(connection, call)
            with _one_transaction(connection):
                for binding in self._binding:
                    self._run(connection, binding)
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
    place_legal_hold = executed(AdminCalls.place_legal_hold)
    release_legal_hold = executed(AdminCalls.release_legal_hold)
    legal_holds = executed(AdminCalls.legal_holds)
    verify_erasure = executed(AdminCalls.verify_erasure)
    lift_tombstones = executed(AdminCalls.lift_tombstones)
    rotate_erasure_key = executed(AdminCalls.rotate_erasure_key)
    import_user = executed(AdminCalls.import_user)
    audit_entries = executed(AdminCalls.audit_entries)
    verify_audit = executed(AdminCalls.verify_audit)
    anchor_audit = executed(AdminCalls.anchor_audit)
    audit_anchors = executed(AdminCalls.audit_anchors)
    audit_digests = executed(AdminCalls.audit_digests)
    audit_status = executed(AdminCalls.audit_status)
    rotate_audit_key = executed(AdminCalls.rotate_audit_key)
    accounting_of_disclosures = executed(AdminCalls.accounting_of_disclosures)
    configure_note_provider = executed(AdminCalls.configure_note_provider)
    make_notes = executed(AdminCalls.make_notes)
    note_status = executed(AdminCalls.note_status)
    mint_context = executed(AdminCalls.mint_context)
    retention_parameters = executed(AdminCalls.retention_parameters)
    set_retention = executed(AdminCalls.set_retention)
    rotate_context_key = executed(AdminCalls.rotate_context_key)
    retire_context_key = executed(AdminCalls.retire_context_key)
    context_keys = executed(AdminCalls.context_keys)
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

    def with_agent(self, token: str) -> Self:
        """The same user's memory, as the agent that register_agent gave this token."""
        return type(self)(self.memos._bound_by(calls.use_agent(self.user, token)), self.user)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.user!r})"

    user_id = executed(UserCalls.user_id)
    add_memory = executed(UserCalls.add_memory)
    add_memories = executed(UserCalls.add_memories)
    get_memory = executed(UserCalls.get_memory)
    list_memories = executed(UserCalls.list_memories)
    update_memory = executed(UserCalls.update_memory)
    delete_memory = executed(UserCalls.delete_memory)
    erase_memory = executed(UserCalls.erase_memory)
    erase_user = executed(UserCalls.erase_user)
    erasure_receipts = executed(UserCalls.erasure_receipts)
    export_user = executed(UserCalls.export_user)
    export_user_rows = executed(UserCalls.export_user_rows)
    memory_history = executed(UserCalls.memory_history)
    pin_memory = executed(UserCalls.pin_memory)
    move_to_tier = executed(UserCalls.move_to_tier)
    memory_stats = executed(UserCalls.memory_stats)
    search_memories = executed(UserCalls.search_memories)
    replay_search = executed(UserCalls.replay_search)
    link_memories = executed(UserCalls.link_memories)
    unlink_memories = executed(UserCalls.unlink_memories)
    list_links = executed(UserCalls.list_links)
    related_memories = executed(UserCalls.related_memories)
    link_similar = executed(UserCalls.link_similar)
    memory_retention = executed(UserCalls.memory_retention)
    record_access = executed(UserCalls.record_access)
    memory_usage = executed(UserCalls.memory_usage)
    hot_memories = executed(UserCalls.hot_memories)
    register_prefix = executed(UserCalls.register_prefix)
    report_prefix = executed(UserCalls.report_prefix)
    list_prefixes = executed(UserCalls.list_prefixes)
    evict_prefixes = executed(UserCalls.evict_prefixes)
    pin_prefix = executed(UserCalls.pin_prefix)
    record_latency = executed(UserCalls.record_latency)
    tool_pin = executed(UserCalls.tool_pin)
    set_consent = executed(UserCalls.set_consent)
    withdraw_consent = executed(UserCalls.withdraw_consent)
    consents = executed(UserCalls.consents)
    consent_history = executed(UserCalls.consent_history)
    get_settings = executed(UserCalls.get_settings)
    update_settings = executed(UserCalls.update_settings)
    find_identifiers = executed(UserCalls.find_identifiers)
    mask_identifiers = executed(UserCalls.mask_identifiers)
    quarantine_memories = executed(UserCalls.quarantine_memories)
    quarantine_memory = executed(UserCalls.quarantine_memory)
    quarantined_memories = executed(UserCalls.quarantined_memories)
    release_memory = executed(UserCalls.release_memory)
    reject_memory = executed(UserCalls.reject_memory)
    label_memories = executed(UserCalls.label_memories)
    grant_access = executed(UserCalls.grant_access)
    revoke_access = executed(UserCalls.revoke_access)
    access_grants = executed(UserCalls.access_grants)
    shared_memories = executed(UserCalls.shared_memories)
    accounting_of_disclosures = executed(UserCalls.accounting_of_disclosures)
    privacy_report = executed(UserCalls.privacy_report)
    assert_fact = executed(UserCalls.assert_fact)
    get_facts = executed(UserCalls.get_facts)
    fact_history = executed(UserCalls.fact_history)
    end_fact = executed(UserCalls.end_fact)
    retract_fact = executed(UserCalls.retract_fact)
    open_scratchpad = executed(UserCalls.open_scratchpad)
    list_scratchpads = executed(UserCalls.list_scratchpads)
    get_scratchpad = executed(UserCalls.get_scratchpad)
    close_scratchpad = executed(UserCalls.close_scratchpad)
    add_observation = executed(UserCalls.add_observation)
    add_reasoning = executed(UserCalls.add_reasoning)
    add_example = executed(UserCalls.add_example)
    add_step = executed(UserCalls.add_step)
    add_note = executed(UserCalls.add_note)
    update_entry = executed(UserCalls.update_entry)
    list_entries = executed(UserCalls.list_entries)
    find_examples = executed(UserCalls.find_examples)
    use_example = executed(UserCalls.use_example)
    scratchpad_quality = executed(UserCalls.scratchpad_quality)
    set_scratchpad_weights = executed(UserCalls.set_scratchpad_weights)
    ask_question = executed(UserCalls.ask_question)
    list_questions = executed(UserCalls.list_questions)
    set_question_status = executed(UserCalls.set_question_status)
    add_finding = executed(UserCalls.add_finding)
    add_contradiction = executed(UserCalls.add_contradiction)
    resolve_contradiction = executed(UserCalls.resolve_contradiction)
    list_contradictions = executed(UserCalls.list_contradictions)
    add_action = executed(UserCalls.add_action)
    claim_action = executed(UserCalls.claim_action)
    complete_action = executed(UserCalls.complete_action)
    fail_action = executed(UserCalls.fail_action)
    extend_action = executed(UserCalls.extend_action)
    set_action_status = executed(UserCalls.set_action_status)
    list_actions = executed(UserCalls.list_actions)
    write_public = executed(UserCalls.write_public)
    read_public = executed(UserCalls.read_public)
    write_private = executed(UserCalls.write_private)
    read_private = executed(UserCalls.read_private)
    list_values = executed(UserCalls.list_values)
    register_agent = executed(UserCalls.register_agent)
    register_reference = executed(UserCalls.register_reference)
    list_references = executed(UserCalls.list_references)
    find_answers = executed(UserCalls.find_answers)
    agent_context = executed(UserCalls.agent_context)
    scratchpad_changes = executed(UserCalls.scratchpad_changes)
    get_note = executed(UserCalls.get_note)
    list_notes = executed(UserCalls.list_notes)
    set_note = executed(UserCalls.set_note)
    make_note = executed(UserCalls.make_note)
    evolve_memory = executed(UserCalls.evolve_memory)
    apply_evolution = executed(UserCalls.apply_evolution)
    undo_evolution = executed(UserCalls.undo_evolution)
    list_evolutions = executed(UserCalls.list_evolutions)
    export_network = executed(UserCalls.export_network)
    import_network = executed(UserCalls.import_network)
    find_duplicates = executed(UserCalls.find_duplicates)
    consolidate_memories = executed(UserCalls.consolidate_memories)
    merge_memories = executed(UserCalls.merge_memories)
    undo_consolidation = executed(UserCalls.undo_consolidation)
    list_consolidations = executed(UserCalls.list_consolidations)
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
