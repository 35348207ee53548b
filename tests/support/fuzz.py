"""Random SQL of an attacker, and the canaries that must not turn up in what it gives."""

from __future__ import annotations

import json
import random
import re
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from . import catalog
from .catalog import Function
from .postgres import Database

HOSTILE = [
    "",
    " ",
    "'",
    "' or true --",
    "'; select content from memos_private.memory; --",
    "%",
    "%s",
    "$1",
    "\\",
    "{}",
    "[]",
    "null",
    "NaN",
    "infinity",
    "pg_temp",
    "postgres",
    "../../etc/passwd",
    "\N{RIGHT-TO-LEFT OVERRIDE}abc",
    "x" * 3000,
    "treatment",
    "password secret canary",
]
NUMBERS = ["0", "1", "-1", "2", "10", "1000", "2147483647", "-2147483648", "0.5", "'NaN'", "1e30"]
TIMES = ["now()", "'-infinity'", "'infinity'", "'2020-01-01'", "'294276-12-31'", "'epoch'"]
JSON = [
    "{}",
    "[]",
    "null",
    "1",
    '{"content": "mine"}',
    '[{"content": "mine"}]',
    '[{"content": "a", "kind": "fact", "user_id": "%(other)s", "memory_id": "%(other)s"}]',
    '{"content": "mine", "user_id": "%(other)s"}',
    '{"$ne": null}',
    '{"dense": 1, "lexical": 1}',
]
SETTINGS = [
    "row_security",
    "search_path",
    "default_text_search_config",
    "transform_null_equals",
    "enable_seqscan",
    "enable_indexscan",
    "enable_bitmapscan",
    "default_transaction_read_only",
    "transaction_isolation",
    "client_min_messages",
    "debug_print_plan",
    "datestyle",
    "timezone",
    "bytea_output",
    "plan_cache_mode",
    "memos.context",
    "memos.user_id",
    "memos.user_key",
    "memos.key_mask",
    "memos.purpose",
    "memos.role",
    "session_replication_role",
    "track_activities",
]
ROLES = [
    "memos_app",
    "memos_user",
    "memos_owner",
    "memos_maintenance",
    "memos_admin",
    "postgres",
    "none",
]


@dataclass(frozen=True)
class Person:
    """A user with canaries: words that only her rows hold, and her ids."""

    user_id: uuid.UUID
    word: str

    @classmethod
    def named(cls, name: str) -> Person:
        """Ids and a word that nothing else holds."""
        return cls(uuid.uuid4(), f"canary{name}{uuid.uuid4().hex[:12]}")


def plant(database: Database, person: Person) -> list[str]:
    """Rows with the person's canary in every table that has users; returns her other ids.

    What the API does not reach is written by the superuser, whatever the columns mean."""
    word, user = person.word, person.user_id
    with database.connect("memos_app") as connection:
        memories = [
            {
                "content": f"{word} is my password",
                "kind": "fact",
                "tags": [word],
                "metadata": {"key": word},
                "session_id": word,
                "position": 1,
                "request_id": word,
            },
            {"content": f"the second secret of {word}"},
            {"content": f"goes with {word}"},
        ]
        ids = catalog.column(
            connection,
            "select memory_id from memos.add_memories(%s, %s)",
            user,
            json.dumps(memories),
        )
        first, second, third = ids
        connection.execute(
            "select memos.update_memory(%s, %s, %s, p_reason => %s)",
            (user, second, json.dumps({"content": f"new {word}"}), word),
        )
        connection.execute("select memos.delete_memory(%s, %s, %s)", (user, third, word))
        connection.execute("select memos.link_memories(%s, %s, %s)", (user, first, second))
        connection.execute(
            "select * from memos.search_memories(%s, %s, p_record => true, p_purpose => %s)",
            (user, word, word),
        )
        for value in (word, f"now {word}"):
            connection.execute(
                "select * from memos.assert_fact(%s, %s, %s, %s)", (user, word, word, value)
            )
        connection.execute(
            "select memos.set_consent(%s, 'crisis_detection', true, %s)", (user, word)
        )
        connection.execute(
            "select memos.update_settings(%s, %s)", (user, json.dumps({"preferences": {"a": word}}))
        )
        connection.execute(
            "select * from memos.quarantine_memories(%s, %s, %s)",
            (user, json.dumps([{"content": f"doubtful {word}"}]), word),
        )
        connection.execute(
            "select memos.label_memories(%s, %s, 'general', %s)", (user, [first], word)
        )
        connection.execute(
            "select memos.grant_access(%s, gen_random_uuid(), 'family', '{general}', %s)",
            (user, [word]),
        )
    with database.connect("memos_admin") as admin:
        admin.execute("select memos_admin.place_legal_hold(%s, %s)", (user, word))
    with database.connect() as superuser:
        superuser.execute("set session_replication_role = replica")  # no triggers, no foreign keys
        for table in tables_of_users(superuser):
            count = sql.SQL("select count(*) from {} where user_id = %s").format(table)
            if superuser.execute(count, (user,)).fetchone() == (0,):
                plant_row(superuser, table, person)
        found: set[str] = set()
        for table in tables_of_users(superuser):
            rows = sql.SQL("select to_jsonb(t)::text from {} as t where user_id = %s").format(table)
            for row in catalog.column(superuser, rows.as_string(), user):
                found |= set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", row))
    return sorted(found - {str(user), str(uuid.UUID(int=0))})


def tables_of_users(connection: psycopg.Connection[Any]) -> list[sql.Identifier]:
    """Tables with the column user_id, partitions apart."""
    return [
        sql.Identifier(t.schema, t.name)
        for t in catalog.relations(connection, "rp", ["memos_private"])
        if "user_id" in t.columns and not t.is_partition
    ]


def plant_row(connection: psycopg.Connection[Any], table: sql.Identifier, person: Person) -> None:
    """One row with the canary in every column that can hold it."""
    columns = connection.execute(
        """
        select a.attname, format_type(a.atttypid, a.atttypmod), t.typcategory::text,
            coalesce(
                (
                    select (regexp_match(pg_get_constraintdef(c.oid), $$'([^']+)'::text$$))[1]
                    from pg_constraint as c
                    where c.conrelid = a.attrelid and c.contype = 'c' and c.conkey = array[a.attnum]
                        and pg_get_constraintdef(c.oid) like '%%ANY (ARRAY[%%'
                ),
                case
                    when a.attnotnull or a.atttypid = any ('{text, jsonb}'::regtype[]) then ''
                end
            )
        from pg_attribute as a
        join pg_type as t on t.oid = a.atttypid
        where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
            and a.attgenerated = ''
        """,
        (table.as_string(connection),),
    ).fetchall()
    names, values = [], []
    for name, kind, category, listed in columns:
        if listed is None and name != "user_id":
            continue
        base = kind.split("(")[0]
        value: sql.Composable
        if name == "user_id":
            value = sql.Literal(str(person.user_id))
        elif listed:
            value = sql.Literal(listed)
        elif base in {"jsonb", "json"}:
            value = sql.Literal(f'{{"key": "{person.word}"}}')
        elif base == "uuid":
            value = sql.SQL("gen_random_uuid()")
        elif base == "bytea":
            value = sql.SQL("convert_to({}, 'UTF8')").format(sql.Literal(person.word))
        elif base == "uuid[]":
            value = sql.SQL("array[gen_random_uuid()]")
        elif category == "A":
            value = sql.SQL("array[]::" + kind) if base != "text[]" else sql.Literal([person.word])
        elif category == "D" or category == "R":
            value = sql.SQL("now()") if category == "D" else sql.Literal("empty")
        elif category == "T":
            value = sql.Literal("1 day")
        elif category == "N":
            value = sql.Literal("1")
        elif category == "B":
            value = sql.Literal("false")
        elif base in {"halfvec", "vector"}:
            size = int(kind.split("(")[1].rstrip(")")) if "(" in kind else 3
            value = sql.Literal(str([0.5] * size))
        elif base == "regconfig":
            value = sql.Literal("pg_catalog.simple")
        elif category == "C":
            value = sql.SQL(f"jsonb_populate_record(null::{kind}, '{{}}')")
        elif base == "pg_snapshot":
            value = sql.Literal("1:1:")
        elif base in {"bit", "bit varying"}:
            value = sql.Literal("1" * (int(kind.split("(")[1].rstrip(")")) if "(" in kind else 8))
        else:
            value = sql.Literal(person.word)
        names.append(sql.Identifier(name))
        values.append(value)
    for (check,) in connection.execute(
        "select conname from pg_constraint where conrelid = %s::regclass and contype = 'c'",
        (table.as_string(connection),),
    ).fetchall():
        # A row that means nothing is as good to be found as any other.
        connection.execute(
            sql.SQL("alter table {} drop constraint {}").format(table, sql.Identifier(check))
        )
    try:
        connection.execute(
            sql.SQL("insert into {} ({}) values ({})").format(
                table, sql.SQL(", ").join(names), sql.SQL(", ").join(values)
            )
        )
    except psycopg.Error as error:
        raise AssertionError(
            f"no canary for {table.as_string(connection)}: write one in plant(), through the API"
        ) from error


@dataclass
class Attacker:
    """A session that says random things. It may name `own` and, where it is not trusted to name
    users, `others`; what it must never hear are `secrets`."""

    name: str
    dsn: str
    token: str | None
    own: list[str]
    others: list[str]
    secrets: list[str]
    functions: list[Function]
    relations: list[str]
    random: random.Random
    said: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    connection: psycopg.Connection[Any] | None = None

    def connect(self) -> None:
        """A new session, bound where there is a token."""
        self.connection = psycopg.connect(
            self.dsn,
            autocommit=True,
            prepare_threshold=None,
            options="-c statement_timeout=2s -c lock_timeout=200ms -c memos.ignored=1",
        )
        self.connection.add_notice_handler(self._notice)
        self.connection.add_notify_handler(lambda n: self.heard.append(f"{n.channel} {n.payload}"))
        if self.token is not None:
            self.connection.execute("select memos.use_context(%s, false)", (self.token,))
        self.history = []

    def _notice(self, notice: psycopg.errors.Diagnostic) -> None:
        self.heard.append(diagnosis(notice))

    def step(self) -> None:
        """One statement, and what it gave."""
        if self.connection is None or self.connection.closed or len(self.history) > 100:
            if self.connection is not None:
                self.connection.close()
            self.connect()
        kind = self.random.choices(list(KINDS), [weight for weight, _ in KINDS.values()])[0]
        statement = KINDS[kind][1](self)
        if self.connection.info.transaction_status == TransactionStatus.INERROR:
            kind, statement = "transaction", self.random.choice(["rollback", "rollback to s"])
        self.heard = []
        self.history.append(statement)
        self.said[kind] += 1
        accepted = True
        try:
            self._run(statement)
        except psycopg.Error as error:
            accepted = False
            self.failed[error.sqlstate or type(error).__name__] += 1
            self.heard += [str(error), diagnosis(error.diag)]
        except (UnicodeError, ValueError, psycopg.Warning) as error:
            self.heard.append(str(error))
        self._judge(kind, statement, accepted)

    def _run(self, statement: str) -> None:
        with self.connection.cursor() as cursor:
            if re.match(r"copy\b.*\bto stdout", statement, re.DOTALL):
                with cursor.copy(statement) as copy:
                    self.heard += [bytes(block).decode() for block in copy]
                return
            cursor.execute(statement)
            while True:
                if cursor.description:
                    self.heard += [str(row) for row in cursor.fetchall()]
                if not cursor.nextset():
                    break

    def _judge(self, kind: str, statement: str, accepted: bool) -> None:
        everything = "\n".join(self.heard)
        found = [secret for secret in self.secrets if secret in everything]
        # A call for somebody else is not answered, whether or not the answer holds a canary.
        foreign = (
            kind == "call"
            and accepted
            and any(f"p_user_id => '{other}'" in statement for other in self.others)
        )
        if found or foreign:
            trail = "\n    ".join(self.history[-12:])
            self.leaks.append(
                f"{self.name}: {found or 'accepted'} in\n    {trail}\n{everything[:600]}"
            )


def diagnosis(diag: psycopg.errors.Diagnostic) -> str:
    """Every field of an error or notice."""
    fields = ("message_primary", "message_detail", "message_hint", "context", "internal_query")
    return " ".join(str(getattr(diag, name)) for name in fields)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# The grammar: each gives a piece of SQL ----------------------------------------------------------


def text(a: Attacker) -> str:
    r = a.random
    return r.choice([r.choice(HOSTILE), r.choice(a.own), r.choice(a.others or a.own)])


def an_id(a: Attacker) -> str:
    """A user's id most often, of any row else, or of nothing."""
    r = a.random
    others = a.others or a.own
    return r.choice(
        [a.own[0], others[0], others[0], r.choice(a.own), r.choice(others), str(uuid.uuid4())]
    )


def argument(a: Attacker, name: str, kind: str) -> str:
    """A literal of the type, or null."""
    r = a.random
    if name == "p_user_id":
        return quoted(r.choice([a.own[0], a.own[0], *(a.others or a.own)[:2]])) + "::uuid"
    if r.random() < 0.1:
        return f"null::{kind}"
    base = kind.removesuffix("[]").split("(")[0]

    def one() -> str:
        if base == "uuid":
            return quoted(an_id(a))
        if base in {"jsonb", "json"}:
            return quoted(r.choice(JSON).replace("%(other)s", an_id(a)))
        if base.startswith("timestamp") or base == "date":
            return r.choice(TIMES)
        if base == "interval":
            return quoted(r.choice(["0", "1 hour", "-1 day", "30 days", "1000 years"]))
        if base == "boolean":
            return r.choice(["true", "false"])
        if base in {"integer", "bigint", "smallint", "real", "double precision", "numeric"}:
            return r.choice(NUMBERS)
        if base in {"halfvec", "public.halfvec", "vector"}:
            return quoted(str([round(r.uniform(-1, 1), 2) for _ in range(r.choice([1, 3, 64]))]))
        return quoted(text(a).replace("\0", ""))

    if kind.endswith("[]"):
        items = ", ".join(f"{one()}::{base}" for _ in range(r.randrange(3)))
        return f"array[{items}]::{kind}"
    return f"{one()}::{kind}"


def call(a: Attacker, only: str = "memos") -> str:
    r = a.random
    function = r.choice([f for f in a.functions if f.schema == only])
    pairs = list(zip(function.argument_names, function.argument_types, strict=False))
    given = [p for n, p in enumerate(pairs) if n < 2 or r.random() < 0.6]
    arguments = ", ".join(f"{name} => {argument(a, name, kind)}" for name, kind in given)
    if function.kind == "p":
        return f"call {function.schema}.{function.name}({arguments})"
    return f"select * from {function.schema}.{function.name}({arguments})"


def inner_call(a: Attacker) -> str:
    return call(a, a.random.choice(["memos_private", "memos_admin"]))


COLUMNS = [
    "content",
    "user_id",
    "memory_id",
    "session_id",
    "tags",
    "metadata",
    "kind",
    "recorded_at",
]


def condition(a: Attacker) -> str:
    r = a.random
    column = r.choice(COLUMNS)
    return r.choice(
        [
            f"{column} {r.choice(['=', '<', '>', '<>'])} {quoted(text(a))}",
            f"{column}::text {r.choice(['~', 'like', '~*', '!~'])} {quoted(text(a))}",
            f"{column}::text::int = 1",
            f"user_id = {quoted(an_id(a))}",
            f"memory_id = {quoted(an_id(a))}",
            f"length({column}::text) / 0 = 1",
            f"set_config('memos.user_id', {quoted(an_id(a))}, {r.random() < 0.5}) <> ''",
            f"set_config('memos.context', {quoted(text(a))}, {r.random() < 0.5}) is null",
            "true or 1 / 0 = 1",
            f"exists (select from memos.memory_version as v where v.content = {column}::text)",
            f"ctid::text <> {quoted(text(a))}",
        ]
    )


def select(a: Attacker) -> str:
    r = a.random
    views = [name for name in a.relations if name.startswith("memos.")]
    relation = r.choice([r.choice(views), r.choice(views), r.choice(a.relations)])
    what = r.choice(
        [
            "*",
            "*",
            "count(*)",
            "t",
            "t::text",
            "max(content)",
            "string_agg(t::text, ',')",
            "tableoid",
        ]
    )
    where = f" where {condition(a)}" if r.random() < 0.5 else ""
    tail = r.choice(
        ["", "", " limit 5", " for update", " for share", " order by 1", " tablesample system (50)"]
    )
    query = f"select {what} from {relation} as t{where}{tail}"
    wrap = r.choice(
        [
            "{}",
            "{}",
            "{}",
            "explain (analyze, buffers) {}",
            "explain (verbose) {}",
            "copy ({}) to stdout",
            "with x as materialized ({}) select * from x",
            "select query_to_xml({quoted}, true, true, '')",
        ]
    )
    return wrap.format(query, quoted=quoted(query))


def setting(a: Attacker) -> str:
    r = a.random
    name = r.choice(["memos.context", "memos.user_id", r.choice(SETTINGS)])
    values = {
        "memos.context": ["", a.token or "", forged(a), text(a)],
        "memos.user_id": ["", an_id(a)],
    }
    value = quoted(r.choice(values.get(name, ["", "on", "off", "replica", text(a)])))
    role = r.choice(ROLES)
    if r.random() < 0.5:
        how = r.choice(["set {} = {}", "set local {} = {}", "select set_config('{}', {}, false)"])
        return how.format(name, value)
    return r.choice(
        [
            f"reset {name}",
            f"show {name}",
            "reset all",
            "discard all",
            r.choice(["discard plans", "discard temp", "discard sequences", "show all"]),
            f"set role {role}",
            f"set local role {role}",
            "reset role",
            f"set session authorization {role if role != 'none' else 'default'}",
            f"select set_config('role', {quoted(role)}, false)",
            f"select memos.use_context({quoted(forged(a))}, {r.random() < 0.5})",
            f"select memos.use_context({quoted(a.token or '')}, {r.random() < 0.5})",
            f"select memos.use_context({quoted(a.token or '')}, {r.random() < 0.5})",
        ]
    )


def forged(a: Attacker) -> str:
    """A token for somebody else, made of one's own."""
    other = (a.others or a.own)[0]
    token = a.token or f"2.1.{other}.99999999999..{'0' * 64}"
    return token.replace(a.own[0], other)


def transaction(a: Attacker) -> str:
    return a.random.choice(
        [
            "begin",
            "commit",
            "rollback",
            "savepoint s",
            "rollback to s",
            "release s",
            "begin isolation level repeatable read",
            "begin read only",
            "prepare transaction 'x'",
            "commit and chain",
        ]
    )


def prepared(a: Attacker) -> str:
    r = a.random
    name = r.choice(["p", "q"])
    inside = r.choice([select, call])(a)
    return r.choice(
        [
            f"prepare {name} as {inside}",
            f"execute {name}",
            f"execute {name}",
            "deallocate all",
            f"declare {name} cursor with hold for {inside}",
            f"declare {name} scroll cursor for {inside}",
            f"fetch all from {name}",
            f"fetch backward 3 from {name}",
            "close all",
        ]
    )


def block(a: Attacker) -> str:
    r = a.random
    inside = [r.choice([select, call, setting, setting])(a) for _ in range(r.randrange(1, 4))]
    body = " ".join(
        f"begin execute {quoted(s)} into v; raise notice '%', v; exception when others then "
        "get stacked diagnostics d = pg_exception_detail, c = pg_exception_context; "
        "raise notice '% % % %', sqlstate, sqlerrm, d, c; end;"
        for s in inside
    )
    return f"do $do$ declare v text; d text; c text; begin {body} end $do$"


def definition(a: Attacker) -> str:
    r = a.random
    where = r.choice(["pg_temp", "public", "memos", "memos_private"])
    return r.choice(
        [
            f"create function {where}.leak(anyelement) returns boolean language plpgsql "
            "cost 0.0000001 as $$ begin raise notice '%', $1; return true; end $$",
            f"create function {where}.current_setting(text, boolean) returns text language sql "
            f"as $$ select {quoted(an_id(a))}::text $$",
            f"create function {where}.definer() returns setof text language sql security definer "
            "set memos.context = '' as $$ select content from memos.memory $$",
            f"select * from {where}.definer()",
            f"select * from memos.memory where {where}.leak(content)",
            f"create operator {where}.= (leftarg = uuid, rightarg = uuid, function = uuid_ne)",
            f"create domain {where}.uuid as text",
            f"create table {where}.memory (user_id uuid, memory_id uuid, content text)",
            f"create table {where}.context_key as select 1 as key_id, ''::bytea as secret, "
            "null::timestamptz as retires_at",
            f"create view {where}.v as select * from memos.memory",
            f"select * from {where}.v",
            "create cast (text as uuid) with inout as implicit",
            f"set search_path = {where}, pg_temp, memos, public, pg_catalog",
        ]
    )


def catalog_call(a: Attacker) -> str:
    r = a.random
    table = r.choice([r.choice(a.relations), "memos_private.memory", "memos_private.context_key"])
    key = f"hashtextextended({quoted('memos.posting ' + an_id(a))}, 0)"
    return r.choice(
        [
            f"select pg_relation_size({quoted(table)})",
            f"select pg_stat_get_live_tuples({quoted(table)}::regclass)",
            f"select table_to_xml({quoted(table)}, true, true, '')",
            f"select currtid2({quoted(table)}, '(0,1)')",
            f"select ts_stat({quoted('select to_tsvector(content) from ' + table)})",
            f"lock table {table} in access share mode",
            f"insert into {table} default values",
            f"update {table} set user_id = user_id",
            f"delete from {table}",
            f"copy {table} to stdout",
            f"analyze {table}",
            "select lo_from_bytea(0, 'mine'), lo_get(oid) from pg_largeobject_metadata",
            "select * from pg_stat_activity",
            "select * from pg_stats where schemaname like 'memos%'",
            "select * from pg_locks",
            "select * from pg_prepared_statements",
            "select * from pg_cursors",
            "select * from pg_prepared_xacts",
            "select pg_backend_memory_contexts()",
            "select schema_to_xml('memos', true, true, '')",
            f"select pg_try_advisory_lock_shared({key}), pg_advisory_unlock_all()",
            f"listen {r.choice(['memos', 'memos_cache', 'cache', 'memory'])}",
            f"notify memos, {quoted(text(a)[:100])}",
            f"select pg_get_functiondef({quoted(r.choice(a.functions).name)}::regproc)",
            f"select relname, reltuples from pg_class where oid = {quoted(table)}::regclass",
        ]
    )


KINDS: dict[str, tuple[int, Callable[[Attacker], str]]] = {
    "call": (30, call),
    "inner call": (4, inner_call),
    "select": (22, select),
    "setting": (16, setting),
    "transaction": (9, transaction),
    "prepared": (8, prepared),
    "block": (6, block),
    "definition": (4, definition),
    "catalog": (7, catalog_call),
}
