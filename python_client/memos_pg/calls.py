"""The one place that says which SQL function each method calls, with which arguments and result.

A builder returns a `Call`; `client` and `async_client` only differ in how they execute it. An
argument left at None is not sent, so that the SQL function's own default holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

import numpy as np
from pgvector import HalfVector
from psycopg.adapt import AdaptersMap
from psycopg.types import TypeInfo

from memos_pg.errors import BadArgument, BrokenInvariant
from memos_pg.models import (
    ClaimedEmbedding,
    EmbeddingStatus,
    Memory,
    MemoryLink,
    MemoryStats,
    MemoryVersion,
    NewMemory,
    RelatedMemory,
    SearchResult,
    StoredMemory,
)

T = TypeVar("T")
#: Anything that reads as one row of numbers.
Vector = Sequence[float] | np.ndarray | HalfVector
_LARGEST_REAL = float(np.finfo(np.float32).max)
Fusion = Literal["calibrated", "rrf"]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One SQL statement with its parameters, and how to read its rows."""

    query: str
    parameters: tuple[Any, ...]
    read: Callable[[list[tuple[Any, ...]]], T]

    @property
    def has_vectors(self) -> bool:
        """Whether a parameter needs the halfvec adapter."""
        return any(
            isinstance(item, HalfVector)
            for value in self.parameters
            for item in (value if isinstance(value, list) else (value,))
        )


@dataclass(frozen=True, slots=True)
class _Shape(Generic[T]):
    """The columns a function's result is read by (none for a single value)."""

    columns: tuple[str, ...]
    read: Callable[[list[tuple[Any, ...]]], T]


def _many(model: type[T]) -> _Shape[list[T]]:
    return _Shape(_columns(model), lambda rows: [model(*row) for row in rows])


def _one(model: type[T]) -> _Shape[T]:
    return _Shape(_columns(model), lambda rows: model(*_only(rows, model)))


def _scalar(kind: type[T]) -> _Shape[T]:
    def read(rows: list[tuple[Any, ...]]) -> T:
        (value,) = _only(rows, kind)
        if not isinstance(value, kind):
            raise _unexpected(kind, f"The function returned {value!r}.")
        return value

    return _Shape((), read)


def _only(rows: list[tuple[Any, ...]], kind: type) -> tuple[Any, ...]:
    if len(rows) != 1:
        raise _unexpected(kind, f"The function returned {len(rows)} rows.")
    return rows[0]


def _unexpected(kind: type, detail: str) -> BrokenInvariant:
    return BrokenInvariant(
        f"expected one {kind.__name__}",
        detail=detail,
        hint="Run memos doctor: the client and the database may not match.",
    )


def _columns(model: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(model))


_NOTHING: _Shape[None] = _Shape((), lambda rows: None)

#: Where psycopg finds halfvec, which pgvector creates under a different oid in each database.
HALFVEC = Call(
    "select 'public.halfvec'::regtype::oid, 'public.halfvec[]'::regtype::oid",
    (),
    lambda rows: TypeInfo("halfvec", *rows[0]),
)


def register_halfvec(adapters: AdaptersMap, info: TypeInfo) -> None:
    """Send HalfVector values in binary form, through these adapters only."""
    from pgvector.psycopg.halfvec import HalfVectorBinaryDumper

    adapters.types.add(info)
    dumper = type("HalfVectorDumper", (HalfVectorBinaryDumper,), {"oid": info.oid})
    adapters.register_dumper(HalfVector, dumper)


def use_context(token: str) -> Call[UUID]:
    """Bind the transaction to the user of a signed context."""
    return _call("memos.use_context", _scalar(UUID), token=_text("token", token))


# Arguments ----------------------------------------------------------------------------------------


def _bad(name: str, expected: str, value: object) -> BadArgument:
    shown = repr(value)
    return BadArgument(
        f"{name} is not {expected}",
        detail=f"{name} = {shown if len(shown) <= 200 else shown[:200] + '...'}",
        hint=f"Give {name} as {expected}.",
    )


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _bad(name, "text", value)
    return value


def _int(name: str, value: Any) -> int:
    number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not number or not -(2**31) <= value < 2**31:
        raise _bad(name, "a whole number of 32 bits", value)
    return int(value)


def _real(name: str, value: Any) -> float:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or (np.isfinite(value) and abs(value) > _LARGEST_REAL):
        raise _bad(name, "a number of single precision", value)
    return float(value)


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise _bad(name, "true or false", value)
    return bool(value)


def _uuid(name: str, value: Any) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise _bad(name, "a uuid", value) from None


def _timestamp(name: str, value: Any) -> datetime:
    # Without a zone the server would read it in its own: the same call, another time.
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise _bad(name, "a datetime with a time zone", value)
    return value


def _interval(name: str, value: Any) -> timedelta:
    if not isinstance(value, timedelta):
        raise _bad(name, "a timedelta", value)
    return value


def _texts(name: str, value: Any) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise _bad(name, "a list of texts", value)
    return [_text(name, item) for item in value]


def _json(name: str, value: Any) -> str:
    def encode(item: Any) -> Any:
        if isinstance(item, datetime):
            return _timestamp(name, item).isoformat()
        if isinstance(item, UUID):
            return str(item)
        raise TypeError(f"{type(item).__name__} has no JSON form")

    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=encode)
    except (TypeError, ValueError) as error:
        raise BadArgument(
            f"{name} cannot be written as JSON",
            detail=str(error),
            hint="Use texts, finite numbers, booleans, lists, mappings, datetimes and uuids.",
        ) from error


def _vector(name: str, value: Any) -> HalfVector:
    if isinstance(value, HalfVector):
        return value
    try:
        wide = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise _bad(name, "a sequence of numbers", value) from None
    if wide.ndim != 1 or not wide.size:
        raise _bad(name, "one non-empty sequence of numbers", value)
    with np.errstate(over="ignore"):
        half = wide.astype(np.float16)
    if not np.isfinite(half).all():
        raise _bad(name, "made of finite numbers within +-65504, as halfvec holds them", value)
    return HalfVector(half)


def _vectors(name: str, value: Any) -> list[HalfVector | None]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise _bad(name, "a list of vectors", value)
    items = list(value)
    try:
        # All at once where they are alike; what is odd is named below.
        with np.errstate(over="ignore"):
            block = np.asarray(items, dtype=np.float32).astype(np.float16)
    except (TypeError, ValueError):
        block = np.empty(0)
    if block.ndim == 2 and block.size and np.isfinite(block).all():
        return [HalfVector(row) for row in block]
    return [None if item is None else _vector(name, item) for item in items]


_CONVERT: dict[str, Callable[[str, Any], Any]] = {
    "text": _text,
    "text[]": _texts,
    "int": _int,
    "real": _real,
    "boolean": _boolean,
    "uuid": _uuid,
    "jsonb": _json,
    "timestamptz": _timestamp,
    "interval": _interval,
    "public.halfvec": _vector,
    "public.halfvec[]": _vectors,
}

#: An argument's name says its type: the same name means the same thing in every function.
_TYPES: dict[str, str] = {
    "after": "uuid",
    "changes": "jsonb",
    "confidence": "real",
    "content": "text",
    "dimensions": "int",
    "embedding": "public.halfvec",
    "embeddings": "public.halfvec[]",
    "expected_version": "int",
    "explain": "boolean",
    "external_id": "text",
    "failures": "jsonb",
    "force": "boolean",
    "from": "timestamptz",
    "fusion": "text",
    "importance": "real",
    "include_cold": "boolean",
    "kind": "text",
    "kinds": "text[]",
    "language": "text",
    "lease": "interval",
    "limit": "int",
    "max_depth": "int",
    "max_links": "int",
    "memories": "jsonb",
    "memory_id": "uuid",
    "metadata": "jsonb",
    "min_similarity": "real",
    "min_weight": "real",
    "model": "text",
    "name": "text",
    "occurred_at": "timestamptz",
    "now": "timestamptz",
    "options": "jsonb",
    "pinned": "boolean",
    "position": "int",
    "privacy_level": "text",
    "provenance": "text",
    "profile": "text",
    "provider": "text",
    "purpose": "text",
    "query": "text",
    "reason": "text",
    "record": "boolean",
    "recorded_at": "timestamptz",
    "request_id": "text",
    "results": "jsonb",
    "rrf_k": "int",
    "search_id": "uuid",
    "session_id": "text",
    "tags": "text[]",
    "texts": "text[]",
    "to": "uuid",
    "token": "text",
    "token_budget": "int",
    "ttl": "interval",
    "type": "text",
    "types": "text[]",
    "until": "timestamptz",
    "user_id": "uuid",
    "valid_at": "timestamptz",
    "weight": "real",
    "weights": "jsonb",
    "worker": "text",
}
#: Where it means something else: the ends of a link, not of a time.
_OTHER_TYPES: dict[tuple[str, str], str] = {
    ("memos.link_memories", "from"): "uuid",
    ("memos.unlink_memories", "from"): "uuid",
}


def argument_type(function: str, name: str) -> str:
    """The SQL type of an argument, named without p_."""
    return _OTHER_TYPES.get((function, name)) or _TYPES[name]


def _call(
    function: str,
    shape: _Shape[T],
    *,
    user: str | UUID | None = None,
    verb: str = "select",
    **arguments: Any,
) -> Call[T]:
    """A call of `function` with the named arguments that are not None."""
    names, parameters = [], []
    if user is not None:
        # An outside id is mapped by the database in the same statement: no other round trip.
        mapped = "%s::uuid" if isinstance(user, UUID) else "memos.user_id(%s::text)"
        names.append(f"p_user_id => {mapped}")
        parameters.append(user)
    for argument, value in arguments.items():
        if value is None:
            continue
        name = argument.rstrip("_")
        kind = argument_type(function, name)
        # psycopg sends lists as text unless told otherwise; vectors are worth telling.
        placeholder = "%b" if kind == "public.halfvec[]" else "%s"
        names.append(f"p_{name} => {placeholder}::{kind}")
        parameters.append(_CONVERT[kind](name, value))
    invocation = f"{function}({', '.join(names)})"
    if shape.columns:
        columns = ", ".join(f'"{column}"' for column in shape.columns)
        query = f"select {columns} from {invocation}"
    else:
        query = f"{verb} {invocation}"
    return Call(query, tuple(parameters), shape.read)


# Calls of one user --------------------------------------------------------------------------------


class UserCalls:
    """The functions of schema memos, for the user the object is bound to."""

    user: str | UUID

    def user_id(self) -> Call[UUID]:
        """The uuid under which the database knows this user."""
        if isinstance(self.user, UUID):
            return Call("select %s::uuid", (self.user,), lambda rows: rows[0][0])
        return _call("memos.user_id", _scalar(UUID), external_id=self.user)

    def add_memory(
        self,
        content: str,
        kind: str | None = None,
        tags: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        embedding: Vector | None = None,
        model: str | None = None,
        importance: float | None = None,
        confidence: float | None = None,
        privacy_level: str | None = None,
        provenance: str | None = None,
        session_id: str | None = None,
        position: int | None = None,
        occurred_at: datetime | None = None,
        language: str | None = None,
        request_id: str | None = None,
    ) -> Call[UUID]:
        """Store one memory and return its id; the same content or request id stores it once."""
        return _call(
            "memos.add_memory",
            _scalar(UUID),
            user=self.user,
            content=content,
            kind=kind,
            tags=tags,
            metadata=metadata,
            embedding=embedding,
            model=model,
            importance=importance,
            confidence=confidence,
            privacy_level=privacy_level,
            provenance=provenance,
            session_id=session_id,
            position=position,
            occurred_at=occurred_at,
            language=language,
            request_id=request_id,
        )

    def add_memories(
        self,
        memories: Iterable[NewMemory | Mapping[str, Any]],
        embeddings: Iterable[Vector | None] | None = None,
        model: str | None = None,
    ) -> Call[list[StoredMemory]]:
        """Store many memories in one statement: all of them, or none."""
        objects = [
            {key: value for key, value in _mapping(memory).items() if value is not None}
            for memory in memories
        ]
        return _call(
            "memos.add_memories",
            _many(StoredMemory),
            user=self.user,
            memories=objects,
            embeddings=embeddings,
            model=model,
        )

    def get_memory(
        self,
        memory_id: UUID | str,
        valid_at: datetime | None = None,
        recorded_at: datetime | None = None,
    ) -> Call[Memory]:
        """One memory: as it is, as it was true at `valid_at`, or as known at `recorded_at`."""
        return _call(
            "memos.get_memory",
            _one(Memory),
            user=self.user,
            memory_id=memory_id,
            valid_at=valid_at,
            recorded_at=recorded_at,
        )

    def list_memories(
        self,
        kinds: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
        limit: int | None = None,
        after: UUID | str | None = None,
    ) -> Call[list[Memory]]:
        """Memories, newest first; `after` is the last id of the page before."""
        return _call(
            "memos.list_memories",
            _many(Memory),
            user=self.user,
            kinds=kinds,
            tags=tags,
            limit=limit,
            after=after,
        )

    def update_memory(
        self,
        memory_id: UUID | str,
        changes: Mapping[str, Any],
        expected_version: int | None = None,
        reason: str | None = None,
    ) -> Call[int]:
        """Store a new version and return its number; the version before stays on record."""
        return _call(
            "memos.update_memory",
            _scalar(int),
            user=self.user,
            memory_id=memory_id,
            changes=changes,
            expected_version=expected_version,
            reason=reason,
        )

    def delete_memory(self, memory_id: UUID | str, reason: str | None = None) -> Call[bool]:
        """Close a memory, which stays on record; False when there is none of that id."""
        return _call(
            "memos.delete_memory",
            _scalar(bool),
            user=self.user,
            memory_id=memory_id,
            reason=reason,
        )

    def memory_history(self, memory_id: UUID | str) -> Call[list[MemoryVersion]]:
        """Every version of a memory, with the times it was true and the times it was known."""
        return _call(
            "memos.memory_history", _many(MemoryVersion), user=self.user, memory_id=memory_id
        )

    def pin_memory(self, memory_id: UUID | str, pinned: bool | None = None) -> Call[None]:
        """Pin a memory, so that it never decays, or unpin it with `pinned=False`."""
        return _call(
            "memos.pin_memory", _NOTHING, user=self.user, memory_id=memory_id, pinned=pinned
        )

    def memory_stats(self) -> Call[MemoryStats]:
        """Counts and sizes of what the user has stored."""
        return _call("memos.memory_stats", _one(MemoryStats), user=self.user)

    def search_memories(
        self,
        query: str,
        embedding: Vector | None = None,
        model: str | None = None,
        limit: int | None = None,
        token_budget: int | None = None,
        kinds: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        from_: datetime | None = None,
        until: datetime | None = None,
        valid_at: datetime | None = None,
        recorded_at: datetime | None = None,
        fusion: Fusion | None = None,
        weights: Mapping[str, float] | None = None,
        rrf_k: int | None = None,
        include_cold: bool | None = None,
        explain: bool | None = None,
        record: bool | None = None,
        purpose: str | None = None,
        profile: str | None = None,
        now: datetime | None = None,
    ) -> Call[list[SearchResult]]:
        """The memories that answer `query`, best first, within the limits of rows and tokens."""
        return _call(
            "memos.search_memories",
            _many(SearchResult),
            user=self.user,
            query=query,
            embedding=embedding,
            model=model,
            limit=limit,
            token_budget=token_budget,
            kinds=kinds,
            tags=tags,
            metadata=metadata,
            session_id=session_id,
            from_=from_,
            until=until,
            valid_at=valid_at,
            recorded_at=recorded_at,
            fusion=fusion,
            weights=weights,
            rrf_k=rrf_k,
            include_cold=include_cold,
            explain=explain,
            record=record,
            purpose=purpose,
            profile=profile,
            now=now,
        )

    def replay_search(self, search_id: UUID | str) -> Call[list[SearchResult]]:
        """The rows of a recorded search, as they were then."""
        return _call(
            "memos.replay_search", _many(SearchResult), user=self.user, search_id=search_id
        )

    def link_memories(
        self,
        from_: UUID | str,
        to: UUID | str,
        type: str | None = None,
        weight: float | None = None,
    ) -> Call[bool]:
        """Link two memories: True when the link is new, False when it only has a new weight."""
        return _call(
            "memos.link_memories",
            _scalar(bool),
            user=self.user,
            from_=from_,
            to=to,
            type=type,
            weight=weight,
        )

    def unlink_memories(
        self, from_: UUID | str, to: UUID | str, type: str | None = None
    ) -> Call[bool]:
        """Remove the link of that type; False when there is none."""
        return _call(
            "memos.unlink_memories", _scalar(bool), user=self.user, from_=from_, to=to, type=type
        )

    def list_links(self, memory_id: UUID | str) -> Call[list[MemoryLink]]:
        """The links of a memory, whichever way they point, strongest first."""
        return _call("memos.list_links", _many(MemoryLink), user=self.user, memory_id=memory_id)

    def related_memories(
        self,
        memory_id: UUID | str,
        types: Iterable[str] | None = None,
        max_depth: int | None = None,
        min_weight: float | None = None,
    ) -> Call[list[RelatedMemory]]:
        """The memories that links lead to, each by its strongest path, strongest first."""
        return _call(
            "memos.related_memories",
            _many(RelatedMemory),
            user=self.user,
            memory_id=memory_id,
            types=types,
            max_depth=max_depth,
            min_weight=min_weight,
        )

    def link_similar(
        self,
        limit: int | None = None,
        min_similarity: float | None = None,
        max_links: int | None = None,
    ) -> Call[int]:
        """Link new memories to their nearest neighbours now, and return how many were done."""
        return _call(
            "memos.link_similar",
            _scalar(int),
            user=self.user,
            limit=limit,
            min_similarity=min_similarity,
            max_links=max_links,
        )


def _mapping(memory: NewMemory | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(memory, NewMemory):
        return asdict(memory)
    if isinstance(memory, Mapping):
        return memory
    raise _bad("memories", "a list of NewMemory or mappings", memory)


# Calls across users -------------------------------------------------------------------------------


class AdminCalls:
    """The functions of schema memos_admin, for operators and workers."""

    def register_embedding_model(
        self,
        name: str,
        dimensions: int,
        provider: Literal["hash", "http", "external"],
        options: Mapping[str, Any] | None = None,
    ) -> Call[None]:
        """Make an embedding model known; the first one becomes the default."""
        return _call(
            "memos_admin.register_embedding_model",
            _NOTHING,
            name=name,
            dimensions=dimensions,
            provider=provider,
            options=options,
        )

    def set_default_embedding_model(self, name: str, force: bool | None = None) -> Call[None]:
        """Search by this model from now on; refused while its backfill is incomplete."""
        return _call("memos_admin.set_default_embedding_model", _NOTHING, name=name, force=force)

    def claim_embeddings(
        self,
        worker: str,
        limit: int | None = None,
        lease: timedelta | None = None,
        model: str | None = None,
    ) -> Call[list[ClaimedEmbedding]]:
        """Lease pending passages to `worker`, who completes or fails them before the lease ends."""
        return _call(
            "memos_admin.claim_embeddings",
            _many(ClaimedEmbedding),
            worker=worker,
            limit=limit,
            lease=lease,
            model=model,
        )

    def complete_embeddings(
        self, worker: str, results: Iterable[ClaimedEmbedding], embeddings: Iterable[Vector]
    ) -> Call[int]:
        """Store the vectors of claimed passages, in the same order, and return how many."""
        objects = [
            {
                "user_id": claim.user_id,
                "memory_id": claim.memory_id,
                "version": claim.version,
                "model": claim.model,
                "passage": claim.passage,
            }
            for claim in results
        ]
        return _call(
            "memos_admin.complete_embeddings",
            _scalar(int),
            worker=worker,
            results=objects,
            embeddings=embeddings,
        )

    def fail_embeddings(
        self, worker: str, failures: Iterable[tuple[ClaimedEmbedding, str]]
    ) -> Call[int]:
        """Give claimed passages back with the error that each met, and return how many."""
        # A memory fails as a whole, however many of its passages did.
        objects = {
            (claim.user_id, claim.memory_id, claim.model): error for claim, error in failures
        }
        return _call(
            "memos_admin.fail_embeddings",
            _scalar(int),
            worker=worker,
            failures=[
                {"user_id": user_id, "memory_id": memory_id, "model": model, "error": error}
                for (user_id, memory_id, model), error in objects.items()
            ],
        )

    def embed_pending(self, limit: int | None = None) -> Call[None]:
        """Embed what is pending with the models the database can run; commits as it goes."""
        return _call("memos_admin.embed_pending", _NOTHING, verb="call", limit=limit)

    def embedding_status(self) -> Call[list[EmbeddingStatus]]:
        """Per model: done, pending and failed memories, and the oldest that is pending."""
        return _call("memos_admin.embedding_status", _many(EmbeddingStatus))

    def mint_context(self, user_id: UUID, ttl: timedelta | None = None) -> Call[str]:
        """A signed context, which binds whoever carries it to one user until it expires."""
        return _call("memos_admin.mint_context", _scalar(str), user_id=user_id, ttl=ttl)
