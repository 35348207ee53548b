"""How a call is made of a function's name, its arguments and the shape of its result."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

import numpy as np
from pgvector import HalfVector
from psycopg.adapt import AdaptersMap
from psycopg.types import TypeInfo

from memos_pg.errors import BadArgument, BrokenInvariant

T = TypeVar("T")
#: A JSON object.
Json = dict[str, Any]
#: Anything that reads as one row of numbers.
Vector = Sequence[float] | np.ndarray | HalfVector


class Everyone:
    """All users together, in the place of one: whose cache entries are shared."""

    def __repr__(self) -> str:
        return "EVERYONE"


EVERYONE = Everyone()
_LARGEST_REAL = float(np.finfo(np.float32).max)


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
class Shape(Generic[T]):
    """The columns a function's result is read by (none for a single value)."""

    columns: tuple[str, ...]
    read: Callable[[list[tuple[Any, ...]]], T]


def many(model: type[T]) -> Shape[list[T]]:
    return Shape(_columns(model), lambda rows: [model(*row) for row in rows])


def one(model: type[T]) -> Shape[T]:
    return Shape(_columns(model), lambda rows: model(*_only(rows, model)))


def optional(model: type[T]) -> Shape[T | None]:
    return Shape(_columns(model), lambda rows: model(*_only(rows, model)) if rows else None)


def scalar(kind: type[T]) -> Shape[T]:
    def read(rows: list[tuple[Any, ...]]) -> T:
        (value,) = _only(rows, kind)
        if not isinstance(value, kind):
            raise _unexpected(kind, f"The function returned {value!r}.")
        return value

    return Shape((), read)


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


NOTHING: Shape[None] = Shape((), lambda rows: None)
#: What a JSON value reads as; None where there is none.
VALUE: Shape[Any] = Shape((), lambda rows: _only(rows, object)[0])

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


# Arguments ----------------------------------------------------------------------------------------


def bad(name: str, expected: str, value: object) -> BadArgument:
    shown = repr(value)
    return BadArgument(
        f"{name} is not {expected}",
        detail=f"{name} = {shown if len(shown) <= 200 else shown[:200] + '...'}",
        hint=f"Give {name} as {expected}.",
    )


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise bad(name, "text", value)
    return value


def _int(name: str, value: Any) -> int:
    number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not number or not -(2**31) <= value < 2**31:
        raise bad(name, "a whole number of 32 bits", value)
    return int(value)


def _bigint(name: str, value: Any) -> int:
    number = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not number or not -(2**63) <= value < 2**63:
        raise bad(name, "a whole number of 64 bits", value)
    return int(value)


def _real(name: str, value: Any) -> float:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or (np.isfinite(value) and abs(value) > _LARGEST_REAL):
        raise bad(name, "a number of single precision", value)
    return float(value)


def _boolean(name: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise bad(name, "true or false", value)
    return bool(value)


def _uuid(name: str, value: Any) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise bad(name, "a uuid", value) from None


def _uuids(name: str, value: Any) -> list[UUID]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise bad(name, "a list of uuids", value)
    return [_uuid(name, item) for item in value]


def _bytes(name: str, value: Any) -> bytes:
    # Its value is a key: no error shows it.
    if not isinstance(value, bytes):
        raise bad(name, "bytes", type(value))
    return value


def _timestamp(name: str, value: Any) -> datetime:
    # Without a zone the server would read it in its own: the same call, another time.
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise bad(name, "a datetime with a time zone", value)
    return value


def _interval(name: str, value: Any) -> timedelta:
    if not isinstance(value, timedelta):
        raise bad(name, "a timedelta", value)
    return value


def _texts(name: str, value: Any) -> list[str]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise bad(name, "a list of texts", value)
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
        raise bad(name, "a sequence of numbers", value) from None
    if wide.ndim != 1 or not wide.size:
        raise bad(name, "one non-empty sequence of numbers", value)
    with np.errstate(over="ignore"):
        half = wide.astype(np.float16)
    if not np.isfinite(half).all():
        raise bad(name, "made of finite numbers within +-65504, as halfvec holds them", value)
    return HalfVector(half)


def _vectors(name: str, value: Any) -> list[HalfVector | None]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise bad(name, "a list of vectors", value)
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
    "bigint": _bigint,
    "real": _real,
    "boolean": _boolean,
    "bytea": _bytes,
    "uuid": _uuid,
    "uuid[]": _uuids,
    "jsonb": _json,
    "timestamptz": _timestamp,
    "interval": _interval,
    "public.halfvec": _vector,
    "public.halfvec[]": _vectors,
}

#: An argument's name says its type: the same name means the same thing in every function.
_TYPES: dict[str, str] = {
    "accessed_at": "timestamptz",
    "action": "text",
    "action_id": "uuid",
    "after": "uuid",
    "agent": "text",
    "at": "timestamptz",
    "argv": "text[]",
    "at_most": "interval",
    "attempt": "int",
    "attribute": "text",
    "backend": "text",
    "changes": "jsonb",
    "conclusion": "text",
    "confidence": "real",
    "content": "text",
    "context": "text",
    "contradiction_id": "uuid",
    "coverage": "real",
    "criteria": "text",
    "description": "text",
    "details": "jsonb",
    "dimensions": "int",
    "document_version": "text",
    "dry_run": "boolean",
    "duration": "interval",
    "embedding": "public.halfvec",
    "embeddings": "public.halfvec[]",
    "entity": "text",
    "entry_id": "uuid",
    "error": "text",
    "evidence": "uuid[]",
    "evolution_id": "uuid",
    "evolve": "boolean",
    "expected_version": "int",
    "expires_at": "timestamptz",
    "explain": "boolean",
    "export": "jsonb",
    "external_id": "text",
    "fact_id": "uuid",
    "failures": "jsonb",
    "finding_1": "uuid",
    "finding_2": "uuid",
    "finding_type": "text",
    "for_agent": "text",
    "force": "boolean",
    "from": "timestamptz",
    "fusion": "text",
    "gaps": "text[]",
    "goal": "text",
    "grace": "interval",
    "grant_id": "uuid",
    "granted": "boolean",
    "grantee": "uuid",
    "hold_id": "uuid",
    "importance": "real",
    "include_cold": "boolean",
    "include_derived": "boolean",
    "include_released": "boolean",
    "input": "text",
    "kept": "uuid",
    "key": "text",
    "key_id": "int",
    "keyword": "text",
    "keywords": "text[]",
    "kind": "text",
    "kinds": "text[]",
    "language": "text",
    "latency_ms": "int",
    "lease": "interval",
    "legal_basis": "text",
    "level": "text",
    "limit": "int",
    "local": "boolean",
    "local_hits": "int",
    "made_by": "text",
    "max_attempts": "int",
    "max_clusters": "int",
    "max_depth": "int",
    "max_links": "int",
    "max_quality": "real",
    "max_warm": "int",
    "memories": "jsonb",
    "memory_id": "uuid",
    "memory_ids": "uuid[]",
    "merge": "boolean",
    "metadata": "jsonb",
    "min_quality": "real",
    "min_similarity": "real",
    "min_sources": "int",
    "min_success": "real",
    "min_weight": "real",
    "model": "text",
    "name": "text",
    "namespace": "text",
    "network": "jsonb",
    "new": "bytea",
    "now": "timestamptz",
    "object_id": "uuid",
    "observation_type": "text",
    "observations": "real",
    "occurred_at": "timestamptz",
    "old": "bytea",
    "options": "jsonb",
    "outcome": "text",
    "output": "text",
    "parent_id": "uuid",
    "pattern": "text",
    "pinned": "boolean",
    "policy": "jsonb",
    "position": "int",
    "prefix": "text",
    "premises": "uuid[]",
    "priority": "int",
    "privacy_level": "text",
    "profile": "text",
    "project": "text",
    "promote": "boolean",
    "provenance": "text",
    "provider": "text",
    "purpose": "text",
    "purposes": "text[]",
    "quality": "real",
    "quarantine_id": "uuid",
    "query": "text",
    "question": "text",
    "question_id": "uuid",
    "reason": "text",
    "reasoning": "real",
    "reasoning_type": "text",
    "receipt_id": "uuid",
    "record": "boolean",
    "recorded_at": "timestamptz",
    "remake": "boolean",
    "request_id": "text",
    "resolution": "text",
    "resolved": "boolean",
    "result": "jsonb",
    "results": "jsonb",
    "retry": "boolean",
    "role": "text",
    "rrf_k": "int",
    "run_id": "uuid",
    "scratchpad_id": "uuid",
    "search_id": "uuid",
    "segment": "text",
    "segments": "text[]",
    "session_id": "text",
    "set_aside_sources": "boolean",
    "settings": "jsonb",
    "source": "text",
    "source_ids": "uuid[]",
    "stability_days": "real",
    "stamp": "uuid",
    "state": "text",
    "status": "text",
    "statuses": "text[]",
    "subject_id": "uuid",
    "success": "boolean",
    "summarize": "boolean",
    "tag": "text",
    "tags": "text[]",
    "text": "text",
    "texts": "text[]",
    "tier": "text",
    "timeout_seconds": "int",
    "to": "uuid",
    "token": "text",
    "token_budget": "int",
    "tokens": "int",
    "tool": "text",
    "ttl": "interval",
    "type": "text",
    "types": "text[]",
    "uncertainty": "text",
    "until": "timestamptz",
    "user_id": "uuid",
    "valid_at": "timestamptz",
    "valid_from": "timestamptz",
    "valid_until": "timestamptz",
    "value": "jsonb",
    "waits": "int",
    "warm_ms": "int",
    "weight": "real",
    "weights": "jsonb",
    "worker": "text",
}
#: Where it means something else: the ends of a link, not of a time; a lease held, not its length.
_OTHER_TYPES: dict[tuple[str, str], str] = {
    ("memos.cache_put", "lease"): "uuid",
    ("memos.cache_release", "lease"): "uuid",
    ("memos.link_memories", "from"): "uuid",
    ("memos.unlink_memories", "from"): "uuid",
    ("memos.scratchpad_changes", "after"): "bigint",
    ("memos.assert_fact", "value"): "text",
    ("memos.add_step", "input"): "jsonb",
    ("memos.add_step", "output"): "jsonb",
    ("memos.add_example", "success"): "real",
    ("memos.create_user_key", "key"): "bytea",
    ("memos.register_reference", "value"): "text",
    ("memos.use_key", "key"): "bytea",
}


def argument_type(function: str, name: str) -> str:
    """The SQL type of an argument, named without p_."""
    return _OTHER_TYPES.get((function, name)) or _TYPES[name]


def call(
    function: str,
    shape: Shape[T],
    *,
    user: str | UUID | Everyone | None = None,
    verb: str = "select",
    **arguments: Any,
) -> Call[T]:
    """A call of `function` with the named arguments that are not None."""
    names, parameters = [], []
    if user is EVERYONE:
        names.append("p_user_id => null")
    elif user is not None:
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
