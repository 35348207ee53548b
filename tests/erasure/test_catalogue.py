"""Every column there is, is on the one list by which erasure, verification and export go."""

from __future__ import annotations

from typing import Any

from memory_support import Connection

#: Tables that hold nothing of any user, and why.
NOBODYS = {
    "audit_anchor": "hashes",
    "audit_anchored": "hashes",
    "audit_buffer": "ids and keyed digests, kept on purpose",
    "audit_buffer_chain": "hashes",
    "audit_buffer_era": "numbers",
    "audit_chain": "hashes",
    "audit_collected": "where a file was read up to",
    "audit_era": "numbers",
    "audit_key": "secrets of the server",
    "audit_log": "ids and keyed digests, kept on purpose",
    "cache_counter": "numbers over all users",
    "cache_namespace": "configuration",
    "consent_type": "configuration",
    "context_key": "secrets of the server",
    "embedding_model": "configuration",
    "erasure_key": "secrets of the server",
    "hot_complete": "one flag",
    "key_command": "configuration",
    "note_provider": "configuration",
    "provenance_limit": "configuration",
    "python_module": "code",
    "question_word": "vocabulary",
    "repeatable": "checksums of code",
    "retention_parameter": "configuration",
    "search_profile": "configuration",
    "segment": "configuration",
    "session_binding": "process numbers",
    "setting": "configuration",
}
#: Types in which no text fits.
TEXTLESS = {
    "uuid", "uuid[]", "integer", "integer[]", "smallint", "smallint[]", "bigint", "real",
    "double precision", "boolean", "timestamp with time zone", "timestamp with time zone[]",
    "interval", "bytea", "regconfig", "halfvec", "bit varying", "tstzrange", "name", "xid8",
    "pg_snapshot",
}  # fmt: skip


def columns(superuser: Connection) -> dict[str, dict[str, str]]:
    """The type of every column of every table, partitions apart."""
    found: dict[str, dict[str, str]] = {}
    for table, name, kind in superuser.execute("""
        select c.relname, a.attname, format_type(a.atttypid, null)
        from pg_class as c
        join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'memos_private'::regnamespace and c.relkind in ('r', 'p')
            and not c.relispartition
    """):
        found.setdefault(table, {})[name] = kind.removeprefix("public.")
    return found


def listed(superuser: Connection) -> dict[str, tuple[Any, ...]]:
    """on_erase, on_export, ids, texts, rest and why of every table with users."""
    columns = "name, on_erase, on_export, ids, texts, rest, why"
    found = superuser.execute(f"select {columns} from memos_private.user_tables()")
    return {name: tuple(rest) for name, *rest in found}


def test_every_table_is_on_one_of_the_lists(superuser: Connection) -> None:
    there = columns(superuser)
    with_users = {table for table, names in there.items() if "user_id" in names}
    known = set(listed(superuser))
    assert with_users - known == set(), "add it to memos_private.user_tables()"
    assert known - with_users == set(), "there is no such table any more"
    assert set(there) - with_users == set(NOBODYS), "is it really nobody's?"


def test_every_column_is_on_the_list_of_its_table(superuser: Connection) -> None:
    there = columns(superuser)
    for table, (_, _, ids, texts, rest, _) in listed(superuser).items():
        every = ["user_id", *ids, *texts, *rest]
        assert len(every) == len(set(every)), table
        assert set(every) == set(there[table]), table
        assert all(there[table][name] in ("uuid", "uuid[]") for name in ids), table
        assert all(there[table][name] not in TEXTLESS for name in texts), table


def test_ids_of_memories_are_known_as_such(superuser: Connection) -> None:
    for table, (on_erase, _, ids, _, rest, _) in listed(superuser).items():
        named = {name for name in rest if "memory_id" in name}
        assert on_erase == "keep" or not named, table
        assert all(
            name in ("from_id", "to_id", "source_ids") or "memory_id" in name for name in ids
        )


def test_what_is_kept_or_not_exported_says_why(superuser: Connection) -> None:
    for table, (on_erase, on_export, _, texts, _, why) in listed(superuser).items():
        assert on_erase in ("delete", "reset", "keep"), table
        assert on_export in ("rows", "shown", "derived", "keep"), table
        assert on_erase == "delete" or why, table
        assert on_export in ("rows", "derived") or why, table
        assert on_erase != "keep" or not texts, f"{table} is kept with texts in it"


def test_who_refers_to_others_goes_first(superuser: Connection) -> None:
    places = dict(
        superuser.execute("select name, place from memos_private.user_tables()").fetchall()
    )
    references = superuser.execute("""
        select conrelid::regclass::text, confrelid::regclass::text from pg_constraint
        where contype = 'f' and conparentid = 0 and conrelid <> confrelid
            and connamespace = 'memos_private'::regnamespace
    """).fetchall()
    checked = 0
    for source, target in references:
        source, target = (name.removeprefix("memos_private.") for name in (source, target))
        if source in places and target in places:
            assert places[source] < places[target], (source, target)
            checked += 1
    assert checked > 10


def test_every_table_that_callers_write_refuses_what_was_erased(superuser: Connection) -> None:
    guarded = {
        table.removeprefix("memos_private.")
        for (table,) in superuser.execute(
            "select tgrelid::regclass::text from pg_trigger where tgname = 't10_refuse_erased'"
        )
    }
    # Looked at in batches, or copied from what was looked at.
    others = {
        "memory", "memory_cold", "memory_history", "fact_history", "scratchpad_change",
        "consolidation_action", "evolution_change",
    }  # fmt: skip
    with_texts = {table for table, row in listed(superuser).items() if row[3]}
    assert guarded == with_texts - others


def test_the_planner_keeps_no_samples_of_texts(superuser: Connection) -> None:
    sampled = superuser.execute("""
        select c.relname, a.attname
        from memos_private.user_tables() as t
        join pg_class as c on c.relnamespace = 'memos_private'::regnamespace and c.relname = t.name
        join pg_attribute as a on a.attrelid = c.oid and a.attname = any (t.texts)
        where coalesce(a.attstattarget, -1) <> 0
            and a.atttypid::regtype::text in ('text', 'text[]', 'jsonb')
            -- Parts of keys: looked up by their value.
            and not exists (
                select from pg_index as i
                where i.indrelid = c.oid and i.indisunique and a.attnum = any (i.indkey::int2[])
            )
    """).fetchall()
    assert sampled == []
