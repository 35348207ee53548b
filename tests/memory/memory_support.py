"""What the tests of memories, embeddings and search share: connections, calls, recounts."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb
from support.postgres import Database

Connection = psycopg.Connection[Any]


@pytest.fixture
def app(module_database: Database) -> Iterator[Connection]:
    """The bot, on the database of the file."""
    with module_database.connect("memos_app") as connection:
        yield connection


@pytest.fixture
def admin(module_database: Database) -> Iterator[Connection]:
    """An operator or worker, on the database of the file."""
    with module_database.connect("memos_admin") as connection:
        yield connection


@pytest.fixture
def user() -> UUID:
    """A user of the test's own."""
    return uuid4()


def rows(connection: Connection, function: str, *arguments: Any, **named: Any) -> list[Any]:
    """Call a function, with positional and named arguments; all of its rows."""
    marks = ["%s"] * len(arguments) + [f"{name} => %s" for name in named]
    values = [_adapted(value) for value in (*arguments, *named.values())]
    return connection.execute(f"select * from {function}({', '.join(marks)})", values).fetchall()


def value(connection: Connection, function: str, *arguments: Any, **named: Any) -> Any:
    """Call a function; the first column of its only row."""
    (row,) = rows(connection, function, *arguments, **named)
    return row[0]


def add(connection: Connection, user: UUID, content: str, **named: Any) -> UUID:
    """A new memory."""
    return value(connection, "memos.add_memory", user, content, **named)


def _adapted(argument: Any) -> Any:
    if isinstance(argument, float):
        return str(argument)  # of unknown type, so that it can become a real
    if isinstance(argument, dict) or (
        isinstance(argument, list) and argument and isinstance(argument[0], dict)
    ):
        return Jsonb(argument)
    return argument


def vector(*numbers: float) -> str:
    """A halfvec literal."""
    return json.dumps(numbers)


def vectors(*given: list[float] | tuple[float, ...]) -> str:
    """A halfvec[] literal."""
    return "{" + ",".join(f'"{vector(*numbers)}"' for numbers in given) + "}"


def failure(connection: Connection, function: str, *arguments: Any, **named: Any) -> psycopg.Error:
    """How a call fails, which it has to."""
    with pytest.raises(psycopg.Error) as caught:
        rows(connection, function, *arguments, **named)
    return caught.value


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work(0)` to `work(count - 1)` return, started together in threads of their own."""
    start = threading.Barrier(count)

    def run(number: int) -> Any:
        start.wait(30)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return [future.result(60) for future in [pool.submit(run, n) for n in range(count)]]


def now(connection: Connection) -> Any:
    """The server's time, later than every write before."""
    return connection.execute("select clock_timestamp()").fetchone()[0]


def row_counts(superuser: Connection) -> dict[str, int]:
    """How many rows every table of memOS has, but for the audit, which every call adds to."""
    tables = superuser.execute("""
        select oid::regclass::text from pg_class
        where relnamespace = 'memos_private'::regnamespace and relkind in ('r', 'p')
            and not relispartition and not starts_with(relname, 'audit_')
    """).fetchall()
    query = " union all ".join(f"select '{name}', count(*) from {name}" for (name,) in tables)
    return dict(superuser.execute(query).fetchall())


def assert_index_equals_a_recount(superuser: Connection) -> None:
    """The inverted index and the statistics say exactly what the texts say."""
    postings = {
        (user_id, memory_id, lexeme): (frequency, length)
        for user_id, memory_id, lexeme, frequency, length in superuser.execute(
            "select user_id, unnest(memory_ids), lexeme, unnest(frequencies), unnest(lengths)"
            " from memos_private.posting"
        )
    }
    counted: dict[Any, int] = {}
    lengths: Counter[Any] = Counter()
    for user_id, memory_id, lexeme, frequency in superuser.execute("""
        select m.user_id, m.memory_id, l.lexeme, l.frequency
        from memos_private.memory as m
        cross join lateral memos_private.lexemes(m.language, m.content) as l
    """):
        counted[user_id, memory_id, lexeme] = frequency
        lengths[user_id, memory_id] += frequency
    assert postings == {key: (n, lengths[key[:2]]) for key, n in counted.items()}

    statistics = superuser.execute("""
        select user_id, language::text, sum(documents)::int, sum(tokens)::int
        from memos_private.corpus
        group by user_id, language
        having sum(documents) <> 0 or sum(tokens) <> 0
    """).fetchall()
    texts = superuser.execute(
        "select user_id, language::text, memory_id from memos_private.memory"
    ).fetchall()
    documents = Counter((user_id, language) for user_id, language, _ in texts)
    tokens: Counter[Any] = Counter()
    for user_id, language, memory_id in texts:
        tokens[user_id, language] += lengths[user_id, memory_id]
    assert sorted(statistics) == sorted((*key, n, tokens[key]) for key, n in documents.items())


def assert_every_memory_has_a_vector_or_waits(superuser: Connection) -> None:
    """No (memory, model) is lost: it has a vector, or a row in the queue."""
    lost = superuser.execute("""
        select m.memory_id, d.name
        from memos_private.memory as m
        cross join memos_private.embedding_model as d
        where not exists (
            select from memos_private.embedding as e
            where (e.user_id, e.memory_id, e.model_id) = (m.user_id, m.memory_id, d.model_id)
        ) and not exists (
            select from memos_private.embedding_queue as q
            where (q.user_id, q.memory_id, q.model_id) = (m.user_id, m.memory_id, d.model_id)
        )
    """).fetchall()
    assert lost == []
