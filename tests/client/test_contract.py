"""The client's calls against the functions that the database really has."""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import pytest
from memos_pg import NewMemory
from memos_pg.calls import AdminCalls, UserCalls, argument_type
from support.postgres import Database

#: Arguments that the client gives in another way.
ELSEWHERE = {"user_id"}
FUNCTIONS = [
    (schema, name, build)
    for schema, calls in (("memos", UserCalls), ("memos_admin", AdminCalls))
    for name, build in inspect.getmembers(calls, inspect.isfunction)
    if not name.startswith("_")
]


def record(build: Any) -> type | None:
    """The record that a call's rows are read into, as its annotation says: `Call[list[Memory]]`."""
    (result,) = get_args(get_type_hints(build)["return"])
    model = next(iter(get_args(result)), result)
    return model if is_dataclass(model) else None


RECORDS = [(name, model) for _, name, build in FUNCTIONS if (model := record(build))]
SIGNATURE = """
    select coalesce(p.proargnames, '{}'), p.proargmodes::text[], p.pronargs, p.pronargdefaults,
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
    inputs = [argument.removeprefix("p_") for argument in (names or [])[:count]]
    required = set(inputs[: count - defaults]) - ELSEWHERE
    parameters = dict(list(inspect.signature(build).parameters.items())[1:])
    if name == "user_id":
        return  # the client's user is its argument
    taken = [parameter.rstrip("_") for parameter in parameters]
    expected = [
        argument for argument in inputs if argument not in ELSEWHERE or schema == "memos_admin"
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


@pytest.mark.parametrize(("name", "model"), RECORDS)
def test_a_record_has_the_columns_of_its_function(
    name: str, model: type, signatures: dict[str, tuple[Any, ...]]
) -> None:
    names, modes, *_ = signatures[name]
    columns = [column for column, mode in zip(names, modes, strict=True) if mode in "to"]
    assert [field.name for field in fields(model)] == columns


def test_the_memory_of_the_batch_takes_the_keys_of_add_memory() -> None:
    keys = {field.name for field in fields(NewMemory)}
    arguments = set(inspect.signature(UserCalls.add_memory).parameters)
    assert arguments - keys == {"self", "embedding", "model"}
    assert keys <= arguments
