"""Every function as an outsider calls it: each argument in turn null or odd, all others fine.

Whatever comes, it works or is refused with a code of class MO, and the DETAIL says what was wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import Connection, add, rows, value, vector
from support.postgres import Database

USER = uuid4()
#: By type, a value that many functions take; by name where that says more.
FINE: dict[str, Any] = {
    "text": "abc",
    "jsonb": "{}",
    "integer": 5,
    "bigint": 5,
    "real": "0.5",
    "double precision": 0.5,
    "boolean": True,
    "interval": "1 minute",
    "timestamp with time zone": "2026-01-01",
    "text[]": ["a"],
    "halfvec": vector(1, 2, 3),
    "halfvec[]": "{}",
    "jsonb[]": "{}",
}
ODD: dict[str, list[Any]] = {
    "text": [
        "",
        "  ",
        "\u202e\u05e9\u05dc\u05d5\u05dd \U0001f600 e\u0301",
        "x" * 2_000_000,
        "'; --",
        "NaN",
    ],
    "jsonb": ["null", "[]", "5", '"x"', '{"a": {"b": [1e300]}}', '[{"content": [1]}]'],
    "integer": [-1, 0, 2**31 - 1],
    "bigint": [-1, 2**63 - 1],
    "real": ["NaN", "Infinity", "-1", "2", "1e-40"],
    "double precision": ["NaN", "Infinity", -1],
    "interval": ["-1 day", "0", "100000 years"],
    "timestamp with time zone": ["infinity", "-infinity", "4000-01-01 BC", "294000-01-01"],
    "text[]": ["{}", "{null}", [""] * 100, "{{a,b},{c,d}}"],
    "uuid": [uuid4()],
    "uuid[]": ["{}", "{null}", [USER, USER], f"{{{{{USER}}},{{{uuid4()}}}}}"],
    "halfvec": [vector(0, 0, 0), vector(1)],
}
#: Steps of a procedure, of no use alone: what goes in came out of the step before.
STEPS = {
    "claim_notes", "write_notes", "memories_to_evolve", "embed_claimed", "embed_texts",
    "swap_vector_index", "delete_model_vectors",
}  # fmt: skip


@pytest.fixture(scope="module")
def scene(module_database: Database) -> Iterator[dict[str, Any]]:
    """Connections, and ids of what a user has."""
    with (
        module_database.connect("memos_app") as app,
        module_database.connect("memos_admin") as admin,
    ):
        pad = value(app, "memos.open_scratchpad", USER, "g")
        names = {
            "p_user_id": USER,
            "p_memory_id": add(app, USER, "one"),
            "p_to": add(app, USER, "two"),
            "p_scratchpad_id": pad,
            "p_entry_id": value(app, "memos.add_finding", USER, pad, "a finding"),
            "p_question_id": value(app, "memos.ask_question", USER, pad, "why?"),
            "p_finding_2": value(app, "memos.add_finding", USER, pad, "another"),
            "p_action_id": value(app, "memos.add_action", USER, pad, "search", "for it"),
        }
        names["p_from"] = names["p_memory_id"]
        names["p_finding_1"] = names["p_entry_id"]
        yield {"memos": app, "memos_admin": admin, "names": names}


def functions(connection: Connection) -> list[tuple[str, str, list[str], list[str]]]:
    """Schema, name, argument names and types of every function with arguments."""
    return connection.execute("""
        select n.nspname, p.proname, p.proargnames[1:p.pronargs],
            array(
                select replace(format_type(t, null), 'public.', '') from unnest(p.proargtypes) as t
            )
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        where n.nspname in ('memos', 'memos_admin') and p.pronargs > 0 and p.prokind = 'f'
        order by 1, 2
    """).fetchall()


def complaint(connection: Connection, call: str, arguments: list[Any], odd: Any) -> str | None:
    """What is wrong with how a call fails; None when it works or fails well."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(f"select * from {call}", arguments)
    except psycopg.Error as error:
        detail = (error.diag.message_detail or "").strip()
        if not (error.sqlstate or "").startswith("MO"):
            return f"{error.sqlstate} {error}"[:200]
        if not error.diag.message_hint or detail in ("", "it is"):
            return f"{error.sqlstate} {error}"[:200]
        if odd is None and detail == 'it is ""':
            return f"null is called empty: {detail}"
    return None


def test_each_argument_null_or_odd_works_or_is_refused_well(scene: dict[str, Any]) -> None:
    wrong = {}
    tried = 0
    for schema, name, arguments, types in functions(scene["memos"]):
        if name in STEPS:
            continue
        marks = ", ".join(
            f"{argument} => %s::{'public.' * kind.startswith('halfvec')}{kind}"
            for argument, kind in zip(arguments, types, strict=True)
        )
        fine = [
            scene["names"].get(argument) if kind == "uuid" else FINE.get(kind)
            for argument, kind in zip(arguments, types, strict=True)
        ]
        for place, kind in enumerate(types):
            for odd in (None, *ODD.get(kind, [])):
                tried += 1
                given = [*fine[:place], odd, *fine[place + 1 :]]
                problem = complaint(scene[schema], f"{schema}.{name}({marks})", given, odd)
                if problem:
                    wrong[schema, name, arguments[place], str(odd)[:20]] = problem
    assert tried > 2000
    assert not wrong, "\n".join(f"{key}: {problem}" for key, problem in wrong.items())


def test_rows_are_left_as_they_were(scene: dict[str, Any]) -> None:
    pad: UUID = scene["names"]["p_scratchpad_id"]
    assert len(rows(scene["memos"], "memos.list_entries", USER, pad)) == 3
