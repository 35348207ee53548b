"""The SQL and the parameters of calls, without a database."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memos_pg import AsyncMemOS, AsyncUser, BadArgument, BrokenInvariant, MemOS, NewMemory, User
from memos_pg.calls import AdminCalls, Call, UserCalls
from memos_pg.calls.embedding import ClaimedEmbedding
from pgvector import HalfVector

ID = UUID("00000000-0000-4000-8000-000000000001")


class Bound(UserCalls):
    """The calls of a user, not executed."""

    def __init__(self, user: str | UUID) -> None:
        self.user = user


ALICE = Bound("alice")


def test_only_given_arguments_are_sent() -> None:
    call = ALICE.search_memories("where is my dog", limit=3)
    arguments = "p_user_id => memos.user_id(%s::text), p_query => %s::text, p_limit => %s::int"
    assert call.query.endswith(f" from memos.search_memories({arguments})")
    assert call.parameters == ("alice", "where is my dog", 3)


def test_a_uuid_names_the_user_directly() -> None:
    call = Bound(ID).memory_stats()
    assert "p_user_id => %s::uuid" in call.query
    assert call.parameters == (ID,)


def test_a_python_keyword_loses_its_underscore() -> None:
    call = ALICE.search_memories("x", from_=datetime(2026, 1, 1, tzinfo=UTC))
    assert "p_from => %s::timestamptz" in call.query


def test_columns_are_named_never_starred() -> None:
    query = ALICE.list_memories().query
    assert query.startswith('select "memory_id", "version", "content", ')
    assert "*" not in query


def test_memories_become_json_without_what_was_not_given() -> None:
    when = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=1)))
    call = ALICE.add_memories(
        [NewMemory("one", occurred_at=when), {"content": "two", "kind": None, "position": 4}]
    )
    assert json.loads(call.parameters[1]) == [
        {"content": "one", "occurred_at": "2026-03-01T12:00:00+01:00"},
        {"content": "two", "position": 4},
    ]


@pytest.mark.parametrize(
    "vector",
    [
        [1.0, 2.5],
        (1, 2.5),
        np.array([1, 2.5]),
        np.array([1, 2.5], np.float16),
        HalfVector([1, 2.5]),
    ],
)
def test_any_sequence_of_numbers_is_a_vector(vector: Any) -> None:
    call = ALICE.add_memory("x", embedding=vector)
    assert call.has_vectors
    assert call.parameters[-1].to_list() == [1.0, 2.5]


def test_a_batch_of_vectors_may_have_gaps() -> None:
    call = ALICE.add_memories([{"content": "a"}, {"content": "b"}], embeddings=[[1, 2], None])
    assert call.has_vectors
    assert call.parameters[2] == [HalfVector([1, 2]), None]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"content": 3}, "content"),
        ({"content": b"bytes"}, "content"),
        ({"content": "x", "tags": "one text is no list"}, "tags"),
        ({"content": "x", "tags": [1]}, "tags"),
        ({"content": "x", "importance": "high"}, "importance"),
        ({"content": "x", "importance": True}, "importance"),
        ({"content": "x", "importance": 1e300}, "importance"),
        ({"content": "x", "position": 2**31}, "position"),
        ({"content": "x", "position": 1.5}, "position"),
        ({"content": "x", "position": False}, "position"),
        ({"content": "x", "occurred_at": datetime(2026, 1, 1)}, "occurred_at"),
        ({"content": "x", "occurred_at": "yesterday"}, "occurred_at"),
        ({"content": "x", "metadata": {"nan": float("nan")}}, "metadata"),
        ({"content": "x", "metadata": {"set": {1}}}, "metadata"),
        ({"content": "x", "metadata": {"naive": datetime(2026, 1, 1)}}, "metadata"),
        ({"content": "x", "embedding": []}, "embedding"),
        ({"content": "x", "embedding": [[1, 2], [3, 4]]}, "embedding"),
        ({"content": "x", "embedding": ["a", "b"]}, "embedding"),
        ({"content": "x", "embedding": [1e6, 0]}, "embedding"),
        ({"content": "x", "embedding": [float("inf")]}, "embedding"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_sent(
    arguments: dict[str, Any], named: str
) -> None:
    with pytest.raises(BadArgument, match=named) as caught:
        ALICE.add_memory(**arguments)
    assert caught.value.detail
    assert caught.value.hint


@pytest.mark.parametrize("memory_id", ["not a uuid", 7, None.__class__, ""])
def test_a_wrong_id_is_refused(memory_id: Any) -> None:
    with pytest.raises(BadArgument, match="memory_id"):
        ALICE.get_memory(memory_id)


def test_an_id_may_be_text() -> None:
    assert ALICE.get_memory(str(ID)).parameters == ("alice", ID)


def test_memories_of_another_kind_are_refused() -> None:
    with pytest.raises(BadArgument, match="memories"):
        ALICE.add_memories(["just text"])  # type: ignore[list-item]


def test_one_memory_means_one_row() -> None:
    with pytest.raises(BrokenInvariant, match="one Memory"):
        ALICE.get_memory(ID).read([])


def test_one_value_means_one_value() -> None:
    with pytest.raises(BrokenInvariant, match="one UUID"):
        ALICE.add_memory("x").read([(None,)])
    assert ALICE.add_memory("x").read([(ID,)]) == ID


def test_a_context_needs_a_token() -> None:
    with pytest.raises(BadArgument, match="token"):
        MemOS.on(None).with_context(None)  # type: ignore[arg-type]


def test_a_memory_fails_once_however_many_of_its_passages_do() -> None:
    claims = [ClaimedEmbedding(ID, ID, 1, "m", passage, "text") for passage in (0, 1)]
    claims.append(ClaimedEmbedding(ID, uuid4(), 1, "m", 0, "text"))
    call = AdminCalls().fail_embeddings("w", [(claim, "broken") for claim in claims])
    assert len(json.loads(call.parameters[1])) == 2


def test_claims_go_back_without_their_content() -> None:
    claim = ClaimedEmbedding(ID, ID, 2, "m", 0, "a secret")
    call = AdminCalls().complete_embeddings("w", [claim], [[1, 2]])
    assert "secret" not in call.parameters[1]


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.text(max_size=5),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.lists(st.text(max_size=5), max_size=3),
        max_size=5,
    )
)
def test_any_json_value_arrives_as_it_is(metadata: dict[str, Any]) -> None:
    call = ALICE.add_memory("x", metadata=metadata)
    assert json.loads(call.parameters[-1]) == metadata


@settings(max_examples=50)
@given(st.lists(st.floats(-65504, 65504, width=16), min_size=1, max_size=50))
def test_half_precision_numbers_are_not_changed(vector: list[float]) -> None:
    assert ALICE.add_memory("x", embedding=vector).parameters[-1].to_list() == vector


@pytest.mark.parametrize(
    ("declared", "offered"),
    [(UserCalls, User), (UserCalls, AsyncUser), (AdminCalls, MemOS), (AdminCalls, AsyncMemOS)],
)
def test_both_clients_offer_every_call_with_its_signature(declared: type, offered: type) -> None:
    calls = inspect.getmembers(declared, inspect.isfunction)
    assert calls
    for name, build in calls:
        method = vars(offered).get(name)
        assert method is not None, f"{offered.__name__} lacks {name}"
        assert inspect.signature(method) == inspect.signature(build)
        assert method.__doc__
        assert inspect.iscoroutinefunction(method) is offered.__name__.startswith("Async")


def test_a_call_is_a_value() -> None:
    assert isinstance(ALICE.memory_stats(), Call)
    with pytest.raises(AttributeError):
        ALICE.memory_stats().query = "drop table x"  # type: ignore[misc]
