"""Names, types, defaults and result columns, as callers rely on them: read from pg_catalog."""

from __future__ import annotations

import pytest
from support.postgres import Database

MEMORY = (
    "memory_id uuid, version integer, content text, kind text, tags text[], metadata jsonb, "
    "importance real, confidence real, privacy_level text, provenance text, session_id text, "
    '"position" integer, occurred_at timestamp with time zone, '
    "valid_from timestamp with time zone, valid_until timestamp with time zone, "
    "recorded_at timestamp with time zone, pinned boolean, tier text"
)
HIT = (
    "rank integer, memory_id uuid, version integer, content text, score double precision, "
    'kind text, tags text[], metadata jsonb, session_id text, "position" integer, '
    "occurred_at timestamp with time zone, explanation jsonb, search_id uuid"
)
TIME = "timestamp with time zone"
# (function, its arguments as pg_get_function_arguments writes them, its result)
CONTRACT = [
    ("memos.user_id", "p_external_id text", "uuid"),
    (
        "memos.add_memory",
        "p_user_id uuid, p_content text, p_kind text DEFAULT 'semantic'::text, "
        "p_tags text[] DEFAULT '{}'::text[], p_metadata jsonb DEFAULT '{}'::jsonb, "
        "p_embedding halfvec DEFAULT NULL::halfvec, p_model text DEFAULT NULL::text, "
        "p_importance real DEFAULT 0.5, p_confidence real DEFAULT 1.0, "
        "p_privacy_level text DEFAULT 'balanced'::text, p_provenance text DEFAULT 'user'::text, "
        "p_session_id text DEFAULT NULL::text, p_position integer DEFAULT NULL::integer, "
        f"p_occurred_at {TIME} DEFAULT NULL::{TIME}, p_language text DEFAULT NULL::text, "
        "p_request_id text DEFAULT NULL::text",
        "uuid",
    ),
    (
        "memos.add_memories",
        "p_user_id uuid, p_memories jsonb, p_embeddings halfvec[] DEFAULT NULL::halfvec[], "
        "p_model text DEFAULT NULL::text",
        "TABLE(ordinal integer, memory_id uuid, created boolean)",
    ),
    (
        "memos.get_memory",
        f"p_user_id uuid, p_memory_id uuid, p_valid_at {TIME} DEFAULT NULL::{TIME}, "
        f"p_recorded_at {TIME} DEFAULT NULL::{TIME}",
        f"TABLE({MEMORY})",
    ),
    (
        "memos.list_memories",
        "p_user_id uuid, p_kinds text[] DEFAULT NULL::text[], p_tags text[] DEFAULT NULL::text[], "
        "p_limit integer DEFAULT 50, p_after uuid DEFAULT NULL::uuid",
        f"TABLE({MEMORY})",
    ),
    (
        "memos.update_memory",
        "p_user_id uuid, p_memory_id uuid, p_changes jsonb, "
        "p_expected_version integer DEFAULT NULL::integer, p_reason text DEFAULT NULL::text",
        "integer",
    ),
    (
        "memos.delete_memory",
        "p_user_id uuid, p_memory_id uuid, p_reason text DEFAULT 'user_request'::text",
        "boolean",
    ),
    (
        "memos.memory_history",
        "p_user_id uuid, p_memory_id uuid",
        "TABLE(version integer, content text, kind text, tags text[], metadata jsonb, "
        "importance real, confidence real, privacy_level text, provenance text, session_id text, "
        f'"position" integer, occurred_at {TIME}, valid_from {TIME}, valid_until {TIME}, '
        f"recorded_at {TIME}, recorded_until {TIME}, change text, reason text)",
    ),
    (
        "memos.pin_memory",
        "p_user_id uuid, p_memory_id uuid, p_pinned boolean DEFAULT true",
        "void",
    ),
    (
        "memos.memory_stats",
        "p_user_id uuid",
        "TABLE(memories bigint, pinned bigint, versions bigint, sessions bigint, kinds jsonb, "
        "privacy_levels jsonb, content_bytes bigint, embedded bigint, pending bigint, "
        f"failed bigint, oldest {TIME}, newest {TIME}, tiers jsonb)",
    ),
    (
        "memos.search_memories",
        "p_user_id uuid, p_query text, p_embedding halfvec DEFAULT NULL::halfvec, "
        "p_model text DEFAULT NULL::text, p_limit integer DEFAULT 10, "
        "p_token_budget integer DEFAULT NULL::integer, p_kinds text[] DEFAULT NULL::text[], "
        "p_tags text[] DEFAULT NULL::text[], p_metadata jsonb DEFAULT NULL::jsonb, "
        f"p_session_id text DEFAULT NULL::text, p_from {TIME} DEFAULT NULL::{TIME}, "
        f"p_until {TIME} DEFAULT NULL::{TIME}, p_valid_at {TIME} DEFAULT NULL::{TIME}, "
        f"p_recorded_at {TIME} DEFAULT NULL::{TIME}, p_fusion text DEFAULT 'calibrated'::text, "
        "p_weights jsonb DEFAULT NULL::jsonb, p_rrf_k integer DEFAULT 60, "
        "p_include_cold boolean DEFAULT false, p_explain boolean DEFAULT false, "
        "p_record boolean DEFAULT false, p_purpose text DEFAULT NULL::text, "
        f"p_profile text DEFAULT NULL::text, p_now {TIME} DEFAULT NULL::{TIME}",
        f"TABLE({HIT})",
    ),
    ("memos.replay_search", "p_user_id uuid, p_search_id uuid", f"TABLE({HIT})"),
    (
        "memos_admin.register_embedding_model",
        "p_name text, p_dimensions integer, p_provider text, p_options jsonb DEFAULT '{}'::jsonb",
        "void",
    ),
    (
        "memos_admin.claim_embeddings",
        "p_worker text, p_limit integer DEFAULT 64, "
        "p_lease interval DEFAULT '00:05:00'::interval, p_model text DEFAULT NULL::text",
        "TABLE(user_id uuid, memory_id uuid, version integer, model text, passage integer, "
        "content text)",
    ),
    (
        "memos_admin.complete_embeddings",
        "p_worker text, p_results jsonb, p_embeddings halfvec[]",
        "integer",
    ),
]


@pytest.mark.parametrize(("function", "arguments", "result"), CONTRACT)
def test_a_function_begins_as_the_contract_says_and_may_only_add_defaults(
    module_database: Database, function: str, arguments: str, result: str
) -> None:
    schema, name = function.split(".")
    with module_database.connect() as superuser:
        found = superuser.execute(
            """
            select pg_get_function_arguments(oid), pg_get_function_result(oid)
            from pg_proc where proname = %s and pronamespace = %s::regnamespace
            """,
            (name, schema),
        ).fetchall()
    assert len(found) == 1, "one function, no overloads: named calls stay unambiguous"
    has, returns = found[0]
    assert has.startswith(arguments)
    added = [argument for argument in has.removeprefix(arguments).split(", ") if argument]
    assert all(" DEFAULT " in argument for argument in added)
    assert returns == result


def test_the_read_views_have_a_memorys_columns(module_database: Database) -> None:
    with module_database.connect("memos_app") as app:
        columns = {
            view: [c.name for c in app.execute(f"select * from memos.{view}").description]
            for view in ("memory", "memory_version")
        }
    names = [column.split()[0].strip('"') for column in MEMORY.split(", ")]
    assert columns["memory"] == ["user_id", *names]
    assert columns["memory_version"] == [
        "user_id",
        *names[:-2],
        "recorded_until",
        "change",
        "reason",
    ]
