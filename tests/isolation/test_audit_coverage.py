"""Every function on content writes down that it was called: an API function added tomorrow too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support import catalog
from support.postgres import Database

COPIES = "copies of answers whose search is audited; a row each would cost more than the call"
COUNTS = "names, counts and times, no content"
DERIVED = "rearranges what is there, by which nobody learns or changes anything"
IDS = "ids, for a job whose next call is audited"
WARM = "names and hashes of what a model server keeps warm"
RECEIPT = "its receipt has the place of its row (memos_private.write_receipt)"
STEPS = "its steps are audited"
# What needs no row, and why.
EXCEPTIONS = {
    "memos.user_id": "computes an id",
    "memos.current_user_id": "says who the caller is",
    "memos.reading_user_id": "audits the view that calls it",
    "memos.use_context": "says who the caller is; a refusal is audited",
    "memos.use_agent": "says who the caller is; a refusal is audited",
    "memos.find_identifiers": "looks at its argument only",
    "memos.mask_identifiers": "looks at its argument only",
    "memos.key_mask": "makes random bytes",
    "memos.key_status": COUNTS,
    "memos.reveal_memory": "decrypts its argument, which only the views have, and they are audited",
    "memos.record_access": "counts uses",
    "memos.erase_memory": RECEIPT,
    "memos.erase_user": RECEIPT,
    "memos_admin.verify_erasure": COUNTS,
    "memos.cache_entries": COPIES,
    "memos.cache_find_similar": COPIES,
    "memos.cache_get": COPIES,
    "memos.cache_invalidate": COPIES,
    "memos.cache_lease": COPIES,
    "memos.cache_put": COPIES,
    "memos.cache_record_outcome": COPIES,
    "memos.cache_release": COPIES,
    "memos.cache_report": COPIES,
    "memos.cache_stats": COPIES,
    "memos.evict_prefixes": WARM,
    "memos.list_prefixes": WARM,
    "memos.pin_prefix": WARM,
    "memos.record_latency": WARM,
    "memos.register_prefix": WARM,
    "memos.report_prefix": WARM,
    "memos.tool_pin": WARM,
    "memos_admin.embed_texts": "looks at its argument only",
    "memos_admin.embed_claimed": STEPS,
    "memos_admin.fail_embeddings": "notes why a vector is missing",
    "memos_admin.retry_embeddings": "notes that a vector is missing",
    "memos_admin.abandoned_scratchpads": IDS,
    "memos_admin.memories_to_evolve": IDS,
    "memos_admin.users_to_consolidate": IDS,
    "memos_admin.users_to_expire": IDS,
    "memos_admin.users_to_fold": IDS,
    "memos_admin.users_to_fold_access": IDS,
    "memos_admin.users_to_link": IDS,
    "memos_admin.users_to_note": IDS,
    "memos_admin.users_to_tier": IDS,
    "memos_admin.assign_tiers_batch": DERIVED,
    "memos_admin.delete_model_vectors": DERIVED,
    "memos_admin.fill_hot_set": DERIVED,
    "memos_admin.fold_access_batch": DERIVED,
    "memos_admin.fold_postings": DERIVED,
    "memos_admin.rebuild_postings": DERIVED,
    "memos_admin.relink_memories": DERIVED,
    "memos_admin.cache_clear": COPIES,
    "memos_admin.drop_cache_namespace": COPIES,
    "memos_admin.expire_cache_entries": COPIES,
    "memos_admin.set_cache_namespace": COPIES,
    "memos_admin.tidy_cache": COPIES,
    "memos_admin.cache_namespaces": COUNTS,
    "memos_admin.callable_models": COUNTS,
    "memos_admin.context_keys": COUNTS,
    "memos_admin.due_partitions": COUNTS,
    "memos_admin.embedding_status": COUNTS,
    "memos_admin.encryption_status": COUNTS,
    "memos_admin.evolves": COUNTS,
    "memos_admin.note_status": COUNTS,
    "memos_admin.provenance_limits": COUNTS,
    "memos_admin.retention_parameters": COUNTS,
    "memos_admin.search_profiles": COUNTS,
    "memos_admin.segments": COUNTS,
    "memos_admin.settings": COUNTS,
    "memos_admin.vector_index_statements": COUNTS,
    "memos_admin.vector_index_status": COUNTS,
    "memos_admin.verify_embedding_model": COUNTS,
    "memos_admin.create_vector_index": DERIVED,
    "memos_admin.drop_vector_index": DERIVED,
    "memos_admin.rebuild_vector_index": DERIVED,
    "memos_admin.swap_vector_index": DERIVED,
    "memos_admin.maintain_partitions": DERIVED,
    "memos_admin.anchor_audit": "the audit of the audit are its anchors",
    "memos_admin.audit_anchors": "the audit of the audit are its anchors",
    "memos_admin.audit_digests": "looks at its argument only",
    "memos_admin.audit_status": COUNTS,
    "memos_admin.collect_audit": "moves rows of the audit",
    "memos_admin.move_audited_reads": "moves rows of the audit",
    "memos_admin.verify_audit": "moves rows of the audit, and says which are wrong",
    "memos_admin.expire_memories_batch": "memos_private.expire_memories is its body, and audited",
}


@pytest.fixture(scope="module")
def connection(module_database: Database) -> Iterator[psycopg.Connection[Any]]:
    with module_database.connect() as connection:
        yield connection


def bodies(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """The functions that callers and operators may call. A procedure only calls those."""
    return {
        f"{f.schema}.{f.name}": connection.execute(
            "select pg_get_functiondef(%s::oid)", (f.oid,)
        ).fetchone()[0]
        for f in catalog.functions(connection, ["memos", "memos_admin"])
        if f.kind == "f"
    }


def is_audited(name: str, body: str) -> bool:
    action = name.removeprefix("memos.")
    call = rf"memos_private\.audit(_read|_each)?\((\s*\w+,)?\s*'{re.escape(action)}'"
    return re.search(call, body) is not None


def test_every_function_is_audited_or_excused(connection: psycopg.Connection[Any]) -> None:
    found = bodies(connection)
    assert len(found) > 150
    silent = [n for n, body in found.items() if n not in EXCEPTIONS and not is_audited(n, body)]
    assert not silent, f"audit it, or say in EXCEPTIONS why not: {silent}"


def test_no_excuse_is_left_over(connection: psycopg.Connection[Any]) -> None:
    found = bodies(connection)
    assert set(EXCEPTIONS) <= set(found)
    assert not [name for name in EXCEPTIONS if is_audited(name, found[name])]


def test_a_function_under_another_name_is_not_audited() -> None:
    assert is_audited("memos.get", "perform memos_private.audit_read(p_user_id, 'get', null);")
    assert is_audited("memos.get", "perform memos_private.audit(\n        p_user_id, 'get');")
    assert not is_audited("memos.get", "perform memos_private.audit_read(p_user_id, 'set');")
    assert not is_audited("memos.get", "perform memos_private.require(p_user_id, 'get');")


def test_every_view_of_content_is_audited(connection: psycopg.Connection[Any]) -> None:
    views = dict(
        connection.execute(
            "select relname, pg_get_viewdef(oid) from pg_class"
            " where relkind = 'v' and relnamespace = 'memos'::regnamespace"
        ).fetchall()
    )
    assert views
    for name, definition in views.items():
        assert f"memos.reading_user_id('{name}'::text)" in definition, name
