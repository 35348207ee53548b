"""The semantic cache: near is not enough."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from memory_support import Connection, add, failure, rows, value
from psycopg.types.json import Jsonb
from support.postgres import Database

PUT, FIND = "memos.cache_put", "memos.cache_find_similar"
PAIRS = [
    line.split("\t")
    for line in (Path(__file__).parent / "question_pairs.tsv")
    .read_text(encoding="utf-8")
    .splitlines()
]
#: Of the paraphrases, the guard refuses some: each costs a search.
LEAST_ANSWERED = 0.65


@pytest.fixture(scope="module", autouse=True)
def models(module_database: Database) -> None:
    with module_database.connect("memos_admin") as connection:
        for name, dimensions in (("small", 3), ("large", 4)):
            connection.execute(
                "select memos_admin.register_embedding_model(%s, %s, 'external')",
                (name, dimensions),
            )


def put(app: Connection, user: UUID | None, question: str, answer: Any, vector: str, **how: Any):
    value(app, PUT, user, "query", question, Jsonb(answer), p_embedding=vector, **how)


def find(app: Connection, user: UUID | None, question: str, vector: str, *more: Any, **how: Any):
    """Answer and matched question, or None."""
    ((held, hit, _, matched, similarity),) = rows(
        app, FIND, user, "query", question, vector, *more, **how
    )
    assert hit == (similarity is not None)
    return (held, matched) if hit else None


def test_the_pairs_are_enough_and_of_every_kind() -> None:
    kinds = [kind for kind, _, _ in PAIRS]
    assert len(PAIRS) >= 400
    assert {kind: kinds.count(kind) >= 20 for kind in set(kinds)} == dict.fromkeys(
        ("same", "opposite", "number", "date", "name"), True
    )


def test_no_question_is_answered_with_its_opposite_however_near(module_database: Database) -> None:
    """Without vectors: as if a model thought every pair the same."""
    with module_database.connect() as superuser:
        said = {
            (one, other): superuser.execute(
                "select memos_private.facts_agree(a, b), memos_private.facts_agree(b, a)"
                " from memos_private.question_facts(%(a)s) as a"
                " cross join memos_private.question_facts(%(b)s) as b",
                {"a": one, "b": other},
            ).fetchone()
            for _, one, other in PAIRS
        }
    assert [pair for pair, (there, back) in said.items() if there != back] == []
    answered = [
        (one, other) for kind, one, other in PAIRS if kind != "same" and said[one, other][0]
    ]
    assert answered == []
    same = [said[one, other][0] for kind, one, other in PAIRS if kind == "same"]
    assert sum(same) / len(same) >= LEAST_ANSWERED


def test_the_nearest_question_that_says_the_same_answers(app: Connection, user: UUID) -> None:
    put(app, user, "How do I open the valve?", "turn left", "[1,0,0]")
    put(app, user, "How do I close the valve?", "turn right", "[0.99,0.1,0]")
    put(app, user, "How can the valve be opened?", "by hand", "[0.9,0.4,0]")
    asked = "How can I open the valve?"
    assert find(app, user, asked, "[0.99,0.1,0]") == ("turn left", "How do I open the valve?")
    assert find(app, user, asked, "[0.89,0.41,0]") == ("by hand", "How can the valve be opened?")
    assert find(app, user, asked, "[0,0,1]") is None
    assert find(app, user, asked, "[0.6,0.8,0]") is None
    assert find(app, user, asked, "[0.6,0.8,0]", "0.8") is not None
    assert find(app, uuid4(), asked, "[1,0,0]") is None


def test_shared_questions_answer_everybody(app: Connection, user: UUID) -> None:
    put(app, None, "What are the opening hours?", "9 to 5", "[0,0,1]")
    assert find(app, user, "When are the closing hours?", "[0,0.1,1]") is None
    asked = "Which are the opening hours?"
    assert find(app, user, asked, "[0,0.1,1]")[0] == "9 to 5"
    put(app, user, "What are your opening hours?", "to you: always", "[0,0.2,1]")
    assert find(app, user, asked, "[0,0.1,1]")[0] == "to you: always"
    value(app, "memos.cache_invalidate", None)
    assert find(app, uuid4(), asked, "[0,0.1,1]") is None


def test_other_models_and_settings_do_not_answer(app: Connection, user: UUID) -> None:
    put(app, user, "why?", 1, "[1,0,0]", p_settings={"preset": "short"})
    assert find(app, user, "why?", "[1,0,0]") is None
    assert find(app, user, "why?", "[1,0,0]", p_settings={"preset": "long"}) is None
    assert find(app, user, "why?", "[1,0,0]", p_settings={"preset": "short"})[0] == 1
    with_large = {"p_model": "large", "p_settings": {"preset": "short"}}
    assert find(app, user, "why?", "[1,0,0,0]", **with_large) is None


def test_a_key_may_carry_its_question(app: Connection, user: UUID) -> None:
    put(app, user, "digest-1f", "x", "[1,0,0]", p_question="Where is connector J1?")
    assert find(app, user, "Where is the connector J1?", "[1,0,0]")[0] == "x"
    assert find(app, user, "Where is connector J2?", "[1,0,0]") is None


def test_what_is_gone_is_not_found(app: Connection, user: UUID) -> None:
    memory = add(app, user, "the key is under the mat")
    put(app, user, "where is the key?", "mat", "[1,0,0]", p_tags=[str(memory)])
    put(app, user, "which colour?", "red", "[0,1,0]")
    put(app, user, "how many?", 3, "[-1,0,1]", p_ttl="1 millisecond")
    assert find(app, user, "where is the key", "[1,0,0]")[0] == "mat"
    app.execute("select memos.delete_memory(%s, %s)", (user, memory))
    assert find(app, user, "where is the key", "[1,0,0]") is None
    value(app, PUT, user, "query", "which colour?", Jsonb("blue"))
    assert find(app, user, "which colour?", "[0,1,0]") is None, "put again without a vector"
    assert find(app, user, "how many?", "[-1,0,1]") is None


@pytest.mark.parametrize(
    "arguments",
    [
        (None, "[1,0,0]"), (" ", "[1,0,0]"), ("why?", None), ("why?", "[1,0]"), ("why?", "[0,0,0]"),
        ("why?", "[1,0,0]", "1.5"), ("why?", "[1,0,0]", "NaN"), ("why?", "[1,0,0]", None),
        ("why?", "[1,0,0]", "0.9", "unheard of"), ("q" * 2**20, "[1,0,0]"),
    ],
)  # fmt: skip
def test_bad_questions_are_refused(app: Connection, user: UUID, arguments: Any) -> None:
    assert failure(app, FIND, user, "query", *arguments).sqlstate == "MO400"


def test_without_models_the_vectors_are_of_one_unnamed_model(database: Database) -> None:
    user = uuid4()
    with database.connect("memos_app") as app:
        put(app, user, "why?", 1, "[1,0]")
        put(app, user, "where?", 2, "[1,0,0]")
        assert find(app, user, "why?", "[1,0.1]")[0] == 1
        assert find(app, user, "where?", "[1,0.1]") is None
        assert find(app, user, "where?", "[1,0.1,0]")[0] == 2
