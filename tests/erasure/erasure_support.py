"""A user who has something in every table, and a look into all of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from memory_support import Connection, add, rows, value, vector
from psycopg.types.json import Jsonb

SECRET = "Mira keeps a zylophan under her bed."
TOKEN = "zylophan"


def call(connection: Connection, statement: str, *arguments: Any) -> Any:
    row = connection.execute(statement, arguments).fetchone()
    return row[0] if row else None


def live(app: Connection, user: UUID, secret: str = SECRET, token: str = TOKEN) -> UUID:
    """A life of a user around one memory, which is returned: it is updated, merged, summarised,
    evolved from, promoted, cached, quarantined and made cold."""
    note = "A cello stands in the hall of the flat."
    memory = add(
        app, user, secret, p_tags=["bed"], p_metadata={"said": secret}, p_session_id="s1",
        p_position=1, p_embedding=vector(1, 0), p_request_id="first",
    )  # fmt: skip
    add(app, user, note, p_session_id="s1", p_position=2, p_embedding=vector(0, 1))
    rows(app, "memos.update_memory", user, memory, {"content": f"{secret} Really."}, p_reason="so")
    rows(app, "memos.update_memory", user, memory, {"content": secret, "tags": ["bed", "odd"]})
    rows(app, "memos.pin_memory", user, memory)
    # The same said elsewhere: warm, cold, superseded, deleted.
    add(app, user, secret.upper())
    add(app, user, "In 2020 she moved to Bonn. " + secret + " Then she left.")
    cold = add(app, user, secret.rstrip(".") + "!", p_embedding=vector(1, 1))
    value(app, "memos.move_to_tier", user, cold, "cold")
    corrected = add(app, user, secret.replace(" a ", "  a "), p_embedding=vector(1, 2))
    rows(app, "memos.update_memory", user, corrected, {"content": "Mira keeps nothing."})
    gone = add(app, user, secret.title())
    rows(app, "memos.delete_memory", user, gone)
    # Derived from it.
    fact = rows(
        app, "memos.assert_fact", user, "Mira", "keeps", token, p_memory_id=memory,
        p_valid_from="2021-01-01",
    )[0][0]  # fmt: skip
    rows(app, "memos.assert_fact", user, "Mira", "keeps", "a cat", p_valid_from="2020-01-01")
    rows(app, "memos.end_fact", user, fact)
    rows(app, "memos.set_note", user, memory, [token], ["music"], f"where the {token} is")
    rows(app, "memos.label_memories", user, [memory], "substance_use", "consent")
    alike = [
        add(app, user, f"The {token} of Mira is of wood {n}.", p_embedding=vector(1, n / 100))
        for n in range(2)
    ]
    summary = add(app, user, f"A {token} of wood.", p_provenance="model")
    for source in (memory, alike[0]):
        rows(app, "memos.link_memories", user, summary, source, "derived_from")
    value(app, "memos.merge_memories", user, alike[0], [alike[1]])
    rows(app, "memos.link_memories", user, alike[0], memory, "derived_from")
    neighbour = add(app, user, "Mira sleeps badly since May.", p_embedding=vector(1, 0.2))
    rows(app, "memos.set_note", user, neighbour, ["sleep"], [], "how she sleeps")
    value(
        app, "memos.apply_evolution", user, memory,
        Jsonb({"reason": f"the {token}", "neighbours": [{
            "memory_id": str(neighbour), "content": f"Mira sleeps badly on her {token}.",
            "tags": [token], "note": {"keywords": [token], "tags": [], "context": "why"},
        }], "links": [{"to": str(neighbour), "type": "explains", "weight": 0.5}]}),
    )  # fmt: skip
    # Working memory.
    pad = value(app, "memos.open_scratchpad", user, "find out how she sleeps", "s1")
    seen = value(app, "memos.add_observation", user, pad, secret, "user_input", p_quality=0.9)
    value(
        app, "memos.add_reasoning", user, pad, f"The {token} keeps her awake at night.",
        p_premises=[seen], p_confidence=0.9,
    )  # fmt: skip
    value(app, "memos.add_note", user, pad, "worker", f"Mind this. {secret} And be kind.")
    rows(app, "memos.write_public", user, pad, "worker", "seen", {"deep": [{"er": secret}]})
    rows(app, "memos.write_private", user, pad, "worker", "own", {secret: 1})
    value(app, "memos.register_reference", user, pad, "artifact", "result", secret)
    value(app, "memos.register_reference", user, pad, "search", secret)
    rows(app, "memos.add_action", user, pad, "look", secret)
    other = value(app, "memos.open_scratchpad", user, secret)
    value(app, "memos.add_note", user, other, "worker", "what for?")
    rows(app, "memos.close_scratchpad", user, pad)
    # And the rest.
    rows(app, "memos.quarantine_memories", user, [{"content": secret}], "a page")
    rows(app, "memos.update_settings", user, {"preferences": {"first": secret, "second": "tea"}})
    value(app, "memos.cache_put", user, "query", f"what about the {token}?", {"answer": secret},
          p_tags=[str(memory)], p_embedding=vector(1, 0))  # fmt: skip
    rows(app, "memos.register_prefix", user, "prompt", "llm", secret)
    rows(app, "memos.report_prefix", user, "prompt", "llm", "warm")
    rows(app, "memos.search_memories", user, token, p_record=True, p_purpose="treatment")
    rows(app, "memos.record_access", user, [memory])
    rows(app, "memos.set_consent", user, "memory_recall", True, "1.0")
    rows(app, "memos.grant_access", user, UUID(int=7), "family", ["general"], ["care"])
    value(app, "memos.link_similar", user)
    return memory


def tables(superuser: Connection) -> list[str]:
    """Every table of memOS, partitions apart."""
    found = superuser.execute("""
        select relname from pg_class
        where relnamespace = 'memos_private'::regnamespace and relkind in ('r', 'p')
            and not relispartition
        order by relname
    """)
    return [name for (name,) in found]


def holding(superuser: Connection, token: str, user: UUID) -> dict[str, list[str]]:
    """Every row of memOS in which a word is, in any case, by table: the user's and nobody's."""
    found = {}
    for table in tables(superuser):
        hits = superuser.execute(
            f"select r.row::text from memos_private.{table} as t cross join to_jsonb(t) as r (row)"
            " where r.row::text ilike '%%' || %s || '%%'"
            " and coalesce(r.row ->> 'user_id', %s) = %s",
            (token, str(user), str(user)),
        ).fetchall()
        if hits and table not in ("python_module", "question_word"):
            found[table] = [row for (row,) in hits]
    return found


def counts(superuser: Connection, user: UUID) -> dict[str, int]:
    """How many rows a user has in each table."""
    found = {}
    for (name,) in superuser.execute("select name from memos_private.user_tables()").fetchall():
        count = call(
            superuser, f"select count(*) from memos_private.{name} where user_id = %s", user
        )
        if count:
            found[name] = count
    return found


def erase(app: Connection, user: UUID, memory: UUID, reason: str = "the user asked") -> Any:
    ((receipt, *rest),) = rows(app, "memos.erase_memory", user, memory, reason)
    return receipt, rest


def found(admin: Connection, receipt: UUID) -> list[Any]:
    return rows(admin, "memos_admin.verify_erasure", receipt)
