"""The client's calls against the functions that the database really has."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest
from memos_pg import models
from memos_pg.calls import AdminCalls, UserCalls, argument_type
from support.postgres import Database

#: Arguments that the client gives in another way.
ELSEWHERE = {"user_id"}
MODELS = {
    "add_memories": models.StoredMemory,
    "get_memory": models.Memory,
    "list_memories": models.Memory,
    "memory_history": models.MemoryVersion,
    "memory_stats": models.MemoryStats,
    "search_memories": models.SearchResult,
    "replay_search": models.SearchResult,
    "list_links": models.MemoryLink,
    "related_memories": models.RelatedMemory,
    "claim_embeddings": models.ClaimedEmbedding,
    "embedding_status": models.EmbeddingStatus,
}
FUNCTIONS = [
    (schema, name, build)
    for schema, calls in (("memos", UserCalls), ("memos_admin", AdminCalls))
    for name, build in vars(calls).items()
    if not name.startswith("_") and callable(build)
]
SIGNATURE = """
    select p.proargnames, p.proargmodes::text[], p.pronargs, p.pronargdefaults,
        array(select format_type(t, null) from unnest(p.proargtypes) as t)
    from pg_proc as p
    where p.pronamespace = %s::regnamespace and p.proname = %s
"""


@pytest.fixture(scope="module")
def signatures(module_database: Database) -> dict[str, tuple[Any, ...]]:
    """Every function of the client, as pg_proc describes it."""
    found = {}
    with module_database.connect() as connection:
        for schema, name, _ in FUNCTIONS:
            rows = connection.execute(SIGNATURE, (schema, name)).fetchall()
            assert len(rows) == 1, f"{schema}.{name} exists {len(rows)} times"
            found[name] = rows[0]
    return found


@pytest.mark.parametrize(("schema", "name", "build"), FUNCTIONS)
def test_a_method_takes_the_arguments_of_its_function(
    schema: str, name: str, build: Any, signatures: dict[str, tuple[Any, ...]]
) -> None:
    names, _, count, defaults, types = signatures[name]
    inputs = [argument.removeprefix("p_") for argument in names[:count]]
    required = set(inputs[: count - defaults]) - ELSEWHERE
    parameters = dict(list(inspect.signature(build).parameters.items())[1:])
    if name == "user_id":
        return  # the client's user is its argument
    taken = [parameter.rstrip("_") for parameter in parameters]
    expected = [
        argument for argument in inputs if argument not in ELSEWHERE or name.startswith("mint")
    ]
    assert taken == expected
    mandatory = {
        key.rstrip("_")
        for key, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty
    }
    assert mandatory - ELSEWHERE == required
    spelled = {"integer": "int", "timestamp with time zone": "timestamptz"}
    for argument, kind in zip(inputs, types, strict=True):
        if argument in taken:
            given = argument_type(f"{schema}.{name}", argument).removeprefix("public.")
            assert given == spelled.get(kind, kind), argument


@pytest.mark.parametrize("name", MODELS)
def test_a_record_has_the_columns_of_its_function(
    name: str, signatures: dict[str, tuple[Any, ...]]
) -> None:
    names, modes, *_ = signatures[name]
    columns = [column for column, mode in zip(names, modes, strict=True) if mode in "to"]
    assert [field.name for field in fields(MODELS[name])] == columns


def test_the_memory_of_the_batch_takes_the_keys_of_add_memory() -> None:
    keys = {field.name for field in fields(models.NewMemory)}
    arguments = set(inspect.signature(UserCalls.add_memory).parameters)
    assert arguments - keys == {"self", "embedding", "model"}
    assert keys <= arguments
