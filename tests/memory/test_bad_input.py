"""Every argument of every function out of range: a clear error, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from memory_support import Connection, add, row_counts, rows, vector
from support.postgres import Database


@dataclass
class Scene:
    """A database with a memory, a model of 3 dimensions, and a claimed embedding."""

    app: Connection
    admin: Connection
    superuser: Connection
    names: dict[str, Any]


@pytest.fixture(scope="module")
def scene(module_database: Database) -> Iterator[Scene]:
    user = uuid4()
    with (
        module_database.connect("memos_app") as app,
        module_database.connect("memos_admin") as admin,
        module_database.connect() as superuser,
    ):
        rows(admin, "memos_admin.register_embedding_model", "ext", 3, "external")
        memory = add(app, user, "kiwi", p_embedding=vector(1, 0, 0))
        add(app, user, "another")
        rows(admin, "memos_admin.claim_embeddings", "w", 1)
        yield Scene(app, admin, superuser, {"user": user, "memory": memory, "nobody": uuid4()})


def with_each(call: str, values: str) -> list[str]:
    """The call with each of the values in place of @."""
    return [call.replace("@", each) for each in values.split(" | ")]


LONG = "repeat('x', 257)"
ADD = "memos.add_memory(%(user)s, 'new', @)"
BATCH = 'memos.add_memories(%(user)s, \'[{"content": "fine"}, @]\')'
CHANGE = "memos.update_memory(%(user)s, %(memory)s, '@')"
SEARCH = "memos.search_memories(%(user)s, 'kiwi', @)"
LIST = "memos.list_memories(%(user)s, @)"
CLAIM = "memos_admin.claim_embeddings('w', @)"
REGISTER = "memos_admin.register_embedding_model(@)"
COMPLETE = "memos_admin.complete_embeddings(@)"

MO400 = [
    *with_each("memos.user_id(@)", "null | '' | '  ' | repeat('x', 1025)"),
    # The user is always the first argument.
    "memos.add_memory(null, 'x')",
    "memos.add_memories(null, '[]')",
    "memos.get_memory(null, %(memory)s)",
    "memos.list_memories(null)",
    "memos.update_memory(null, %(memory)s, '{\"content\": \"x\"}')",
    "memos.delete_memory(null, %(memory)s)",
    "memos.pin_memory(null, %(memory)s)",
    "memos.memory_history(null, %(memory)s)",
    "memos.memory_stats(null)",
    "memos.search_memories(null, 'x')",
    "memos.replay_search(null, %(memory)s)",
    # add_memory
    *with_each(
        "memos.add_memory(%(user)s, @)",
        r"null | '' | ' ' | E' \t\n' | repeat('x', 1048577) | repeat('ß', 524289)",
    ),
    *with_each(
        ADD,
        r"p_kind => null | p_kind => '' | p_kind => 'Semantic' | p_kind => E'fact\n' | "
        "p_kind => '1st' | p_kind => repeat('k', 65) | p_tags => null | p_tags => '{null}' | "
        "p_tags => '{\" \"}' | p_tags => '{{a},{b}}' | p_tags => array_fill('t'::text, '{65}') | "
        f"p_tags => array[{LONG}] | p_metadata => null | p_metadata => '[]' | "
        "p_metadata => '1' | p_metadata => 'null' | "
        "p_metadata => jsonb_build_object('k', repeat('x', 70000)) | "
        "p_importance => null | p_importance => -0.1 | p_importance => 1.1 | "
        "p_importance => 'NaN' | p_importance => 'Infinity' | p_confidence => null | "
        "p_confidence => -0.1 | p_confidence => 1.5 | p_confidence => 'NaN' | "
        "p_privacy_level => null | p_privacy_level => 'secret' | p_provenance => null | "
        "p_provenance => 'me' | p_session_id => '' | p_session_id => '  ' | "
        f"p_session_id => {LONG} | p_position => -1 | p_occurred_at => 'infinity' | "
        "p_occurred_at => '-infinity' | p_language => 'klingon' | p_language => '' | "
        f"p_request_id => '' | p_request_id => ' ' | p_request_id => {LONG} | "
        "p_model => 'unknown' | p_model => '' | p_embedding => '[1,2]' | "
        "p_embedding => '[1,2,3,4]' | p_embedding => '[0,0,0]' | "
        "p_embedding => '[1,2,3]', p_model => 'unknown'",
    ),
    # add_memories
    *with_each(
        "memos.add_memories(%(user)s, @)",
        "null | '{}' | '1' | '\"x\"' | 'null' | '[1]' | '[null]' | '[[]]' | '[\"text\"]' | "
        "'[{}]' | "
        "(select jsonb_agg('{\"content\": \"x\"}'::jsonb) from generate_series(1, 10001)) | "
        "'[{\"content\": \"x\"}]', '{}' | '[{\"content\": \"x\"}]', '{\"[1,0]\"}' | "
        "'[{\"content\": \"x\"}]', '{\"[1,0,0]\",\"[1,0,0]\"}' | "
        "'[{\"content\": \"x\"}]', '{\"[0,0,0]\"}' | '[{\"content\": \"x\"}]', p_model => 'no' | "
        "'[{\"content\": \"x\"},{\"content\": \"y\"}]', '[0:1]={\"[1,0,0]\",\"[0,1,0]\"}'",
    ),
    *with_each(
        BATCH,
        '{"content": null} | {"content": " "} | {"content": "x", "conten": 1} | {"kind": "fact"} | '
        '{"content": "x", "p_kind": "fact"} | {"content": "x", "kind": "No"} | '
        '{"content": "x", "tags": "a"} | {"content": "x", "tags": [null]} | '
        '{"content": "x", "metadata": [1]} | {"content": "x", "importance": "much"} | '
        '{"content": "x", "importance": 1e99} | {"content": "x", "importance": 7} | '
        '{"content": "x", "confidence": -1} | {"content": "x", "position": 1.5} | '
        '{"content": "x", "position": 99999999999} | {"content": "x", "position": -1} | '
        '{"content": "x", "occurred_at": "yesterday at noon"} | '
        '{"content": "x", "occurred_at": "infinity"} | {"content": "x", "language": "klingon"} | '
        '{"content": "x", "embedding": [1]} | {"content": "x", "embedding": [0, 0, 0]} | '
        '{"content": "x", "embedding": "x"} | {"content": "x", "embedding": {}} | '
        '{"content": "x", "embedding": [1, null, 2]} | '
        '{"content": "x", "embedding": [1e9, 0, 0]} | '
        '{"content": "x", "embedding": []} | {"content": "x", "session_id": ""} | '
        '{"content": "x", "request_id": ""} | {"content": {"a": 1}} | {"content": ["a"]}',
    ),
    "memos.add_memories(%(user)s, jsonb_build_array(jsonb_build_object('content', 'x', "
    "'embedding', (select jsonb_agg(1) from generate_series(1, 16001)))))",
    # reading, changing
    "memos.get_memory(%(user)s, null)",
    *with_each(LIST, "p_limit => 0 | p_limit => -1 | p_limit => null | p_limit => 1001"),
    "memos.update_memory(%(user)s, null, '{\"content\": \"x\"}')",
    "memos.update_memory(%(user)s, %(memory)s, null)",
    "memos.update_memory(%(user)s, %(memory)s, '{\"tags\": [\"z\"]}', null, repeat('r', 1001))",
    *with_each(
        CHANGE,
        '{} | [] | 1 | null | "x" | {"contents": "x"} | {"memory_id": "x"} | {"version": 9} | '
        '{"user_id": "x"} | {"pinned": true} | {"tier": "cold"} | {"recorded_at": "2020-01-01"} | '
        '{"content": null} | {"content": " "} | {"content": {"a": 1}} | {"kind": "No"} | '
        '{"kind": null} | {"tags": null} | {"tags": "a"} | {"tags": [null]} | {"metadata": null} | '
        '{"metadata": 1} | {"importance": 2} | {"importance": null} | {"importance": "x"} | '
        '{"confidence": -1} | {"privacy_level": "x"} | {"provenance": "x"} | {"session_id": ""} | '
        '{"position": -1} | {"position": "x"} | {"occurred_at": "infinity"} | '
        '{"occurred_at": "x"} | {"valid_from": null} | {"valid_from": "infinity"} | '
        '{"valid_until": "1999-01-01"} | {"valid_until": "infinity"} | {"language": "klingon"}',
    ),
    "memos.delete_memory(%(user)s, null)",
    "memos.delete_memory(%(user)s, %(memory)s, repeat('r', 1001))",
    "memos.pin_memory(%(user)s, null)",
    "memos.pin_memory(%(user)s, %(memory)s, null)",
    "memos.memory_history(%(user)s, null)",
    # search
    *with_each("memos.search_memories(%(user)s, @)", "null | '' | '  ' | repeat('x', 131073)"),
    *with_each(
        SEARCH,
        "p_limit => 0 | p_limit => -1 | p_limit => null | p_limit => 1001 | p_token_budget => 0 | "
        "p_token_budget => -5 | p_metadata => '[]' | p_metadata => '1' | "
        "p_from => '2024-01-02', p_until => '2024-01-01' | "
        "p_from => '2024-01-01', p_until => '2024-01-01' | p_fusion => 'best' | "
        "p_fusion => null | p_fusion => '' | p_weights => '[]' | p_weights => '{\"dence\": 1}' | "
        "p_weights => '{\"dense\": -1}' | p_weights => '{\"dense\": \"1\"}' | "
        "p_weights => '{\"dense\": null}' | p_weights => '{\"dense\": 0, \"lexical\": 0}' | "
        "p_weights => '{\"dense\": 1e9}' | p_weights => '{\"recency\": 0.5}' | "
        "p_weights => '{\"context\": 1}', p_fusion => 'rrf' | p_now => 'infinity' | "
        "p_now => '4713-01-02 BC' | p_now => '294276-12-30' | "
        "p_profile => '' | p_profile => 'nobody' | "
        "p_rrf_k => 0 | p_rrf_k => -1 | p_rrf_k => null | "
        "p_include_cold => null | p_explain => null | p_record => null | "
        "p_purpose => repeat('p', 257) | p_model => 'unknown' | p_embedding => '[1,2]' | "
        "p_embedding => '[0,0,0]' | p_embedding => '[1,2,3]', p_model => 'unknown' | "
        "p_record => true, p_embedding => '[1,2]'",
    ),
    # embeddings
    *with_each(
        REGISTER,
        "null, 3, 'external' | '', 3, 'external' | ' x', 3, 'external' | "
        "repeat('m', 129), 3, 'external' | 'n', null, 'external' | 'n', 0, 'external' | "
        "'n', -1, 'external' | 'n', 4001, 'external' | 'n', 3, null | 'n', 3, 'magic' | "
        "'n', 3, 'external', null | 'n', 3, 'external', '[]' | "
        "'n', 3, 'external', '{\"url\": 1}' | "
        "'n', 3, 'http', '{}' | 'n', 3, 'http', '{\"url\": \"ftp://x\", \"model\": \"m\"}' | "
        "'n', 3, 'http', '{\"url\": \"http://x\"}' | "
        "'n', 3, 'http', '{\"url\": \"http://x\", \"model\": \"m\", \"batch\": 0}' | "
        "'n', 3, 'http', '{\"url\": \"http://x\", \"model\": \"m\", \"timeout_seconds\": -1}' | "
        "'n', 3, 'external', '{\"window_chars\": 1}' | "
        "'n', 3, 'external', '{\"window_chars\": true}'",
    ),
    *with_each("memos_admin.set_default_embedding_model(@)", "null | 'unknown' | ''"),
    *with_each("memos_admin.claim_embeddings(@)", "null | '' | '  ' | repeat('w', 129)"),
    *with_each(
        CLAIM,
        "0 | -1 | null | 10001 | 1, '0' | 1, '-1 s' | 1, null | 1, '2 days' | "
        "1, p_model => 'unknown'",
    ),
    *with_each(
        COMPLETE,
        "null, '[]', '{}' | 'w', null, '{}' | 'w', '{}', '{}' | 'w', '[]', null | "
        "'w', '[{}]', '{}' | 'w', '[]', '{\"[1,2,3]\"}' | 'w', '[{}]', '{\"[1,2,3]\"}' | "
        "'w', '[1]', '{\"[1,2,3]\"}' | 'w', '[{}]', '{null}' | "
        "'w', '[{},{}]', '{{\"[1,2,3]\"},{\"[1,2,3]\"}}'",
    ),
    *with_each(
        "memos_admin.fail_embeddings(@)",
        "null, '[]' | 'w', null | 'w', '{}' | 'w', '[1]' | 'w', '[{\"user_id\": \"x\"}]'",
    ),
    "memos_admin.retry_embeddings('unknown')",
    *with_each(
        "memos_admin.embed_texts(@)", "'ext', '{a}' | 'ext', null | 'ext', '{}' | 'no', '{a}'"
    ),
    *with_each(
        "memos_admin.set_setting(@)",
        "'no_such', '1' | null, '1' | 'max_batch', null | 'max_batch', '' | 'max_batch', '-1' | "
        "'max_batch', 'many' | 'max_batch', '1e3' | 'max_batch', '2.5'",
    ),
]  # fmt: skip
CASES = [
    *[(call, "MO400") for call in MO400],
    ("memos.get_memory(%(user)s, %(nobody)s)", "MO404"),
    ("memos.get_memory(%(nobody)s, %(memory)s)", "MO404"),
    ("memos.get_memory(%(user)s, %(memory)s, p_valid_at => '1999-01-01')", "MO404"),
    ("memos.get_memory(%(user)s, %(memory)s, p_recorded_at => '1999-01-01')", "MO404"),
    ('memos.update_memory(%(user)s, %(nobody)s, \'{"content": "x"}\')', "MO404"),
    ('memos.update_memory(%(nobody)s, %(memory)s, \'{"content": "x"}\')', "MO404"),
    ("memos.pin_memory(%(nobody)s, %(memory)s)", "MO404"),
    ("memos.memory_history(%(nobody)s, %(memory)s)", "MO404"),
    ("memos.replay_search(%(user)s, %(nobody)s)", "MO404"),
    ("memos.replay_search(%(user)s, null)", "MO404"),
    ('memos.update_memory(%(user)s, %(memory)s, \'{"content": "another"}\')', "MO409"),
    ('memos.update_memory(%(user)s, %(memory)s, \'{"content": "x"}\', 7)', "MO409"),
    ('memos.update_memory(%(user)s, %(memory)s, \'{"content": "x"}\', 0)', "MO409"),
    (REGISTER.replace("@", "'ext', 3, 'external'"), "MO409"),
]


@pytest.mark.parametrize(("call", "sqlstate"), CASES)
def test_a_bad_call_says_what_is_wrong_and_writes_nothing(
    scene: Scene, call: str, sqlstate: str
) -> None:
    before = row_counts(scene.superuser)
    role = scene.admin if call.startswith("memos_admin.") else scene.app
    with pytest.raises(psycopg.Error) as caught:
        role.execute(f"select * from {call}", scene.names)
    assert caught.value.sqlstate == sqlstate
    assert caught.value.diag.message_detail
    assert caught.value.diag.message_hint
    assert row_counts(scene.superuser) == before


@pytest.mark.parametrize("limit", ["0", "-1", "null"])
def test_embed_pending_refuses_a_bad_limit(scene: Scene, limit: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        scene.admin.execute(f"call memos_admin.embed_pending({limit})")
    assert caught.value.sqlstate == "MO400"


def test_a_delete_of_what_is_not_there_is_false_not_an_error(scene: Scene) -> None:
    before = row_counts(scene.superuser)
    for user, memory in ((scene.names["user"], uuid4()), (uuid4(), scene.names["memory"])):
        assert rows(scene.app, "memos.delete_memory", user, memory) == [(False,)]
    assert row_counts(scene.superuser) == before


def test_the_admin_functions_are_not_the_bots_and_the_other_way_round(scene: Scene) -> None:
    for connection, call in (
        (scene.app, "memos_admin.embedding_status()"),
        (scene.app, "memos_admin.set_setting('max_batch', '1')"),
        (scene.admin, "memos.memory_stats(gen_random_uuid())"),
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"select * from {call}")


def test_a_huge_number_of_conditions_is_fine(scene: Scene) -> None:
    user: UUID = scene.names["user"]
    kinds = [f"k{number}" for number in range(5000)]
    assert rows(scene.app, "memos.search_memories", user, "kiwi", p_kinds=kinds) == []
    assert rows(scene.app, "memos.search_memories", user, "kiwi " * 20_000)[0][3] == "kiwi"
