"""Check an installation against pg_catalog, and say of each finding what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg.rows import namedtuple_row

from memos_pg import migrate

Level = Literal["ok", "warn", "fail"]
Connection = psycopg.Connection[Any]

SCHEMAS = ["memos", "memos_private", "memos_admin"]
OWNERS = ["memos_owner", "memos_maintenance"]
LOGINS = ["memos_app", "memos_user", "memos_auditor", "memos_admin"]
OLDEST_SERVER, NEWEST_SERVER = 15, 18
OLDEST_VECTOR = (0, 8, 0)
#: The first pgvector whose parallel HNSW build does not write past its buffer.
SAFE_VECTOR = (0, 8, 2)
#: What is missing where an optional extension is.
OPTIONAL = {
    "plpython3u": "the database embeds nothing itself: pass vectors, or run memos worker; what may "
    "be an identifier of a person is refused, since nothing can look closer; refused and failed "
    "calls are in the server's log, not in the audit",
    "pg_cron": "nothing in the database calls the jobs: call them from cron",
    "pg_stat_statements": "nobody counts what each statement costs",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding."""

    name: str
    level: Level
    message: str
    advice: str | None = None


def examine(dsn: str) -> list[Check]:
    """Every check, in order. Without memOS in the database only those of the server run."""
    with psycopg.connect(
        dsn, autocommit=True, row_factory=namedtuple_row, application_name="memos doctor"
    ) as connection:
        checks = [check for group in _SERVER for check in group(connection)]
        installed = _value(connection, "select to_regnamespace('memos_private') is not null")
        if not installed:
            return [*checks, Check("memOS", "fail", "is not installed", "Run: memos migrate")]
        checks += [check for group in _INSTALLATION for check in group(connection)]
    return [*checks, *_migrations(dsn)]


def _value(connection: Connection, query: str, *parameters: Any) -> Any:
    return connection.execute(query, parameters or None).fetchone()[0]


def _names(connection: Connection, query: str, *parameters: Any) -> list[str]:
    return [row[0] for row in connection.execute(query, parameters or None).fetchall()]


def _verdict(name: str, wrong: list[str], good: str, bad: str, advice: str) -> Check:
    """Fail and name what is wrong, if anything is."""
    if not wrong:
        return Check(name, "ok", good)
    shown = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
    return Check(name, "fail", f"{bad}: {shown}", advice)


# The server ---------------------------------------------------------------------------------------


def _server(connection: Connection) -> Iterator[Check]:
    version = _value(connection, "show server_version")
    major = connection.info.server_version // 10000
    if OLDEST_SERVER <= major <= NEWEST_SERVER:
        yield Check("server", "ok", f"PostgreSQL {version}")
    else:
        yield Check(
            "server",
            "fail",
            f"PostgreSQL {version} is not supported",
            f"Use a server from {OLDEST_SERVER} to {NEWEST_SERVER}.",
        )
    encoding = _value(connection, "show server_encoding")
    if encoding == "UTF8":
        yield Check("encoding", "ok", "UTF8")
    else:
        yield Check(
            "encoding",
            "fail",
            f"the database is encoded in {encoding}",
            "Create it again with: create database ... encoding 'UTF8' template template0",
        )


def _extensions(connection: Connection) -> Iterator[Check]:
    rows = connection.execute(
        """
        select a.name, e.extversion as installed, a.default_version as available
        from pg_available_extensions as a
        left join pg_extension as e on e.extname = a.name
        """
    ).fetchall()
    found = {row.name: row for row in rows}
    for name in ("vector", "pg_partman", "pgcrypto", "pg_trgm", "unaccent", "btree_gist"):
        row = found.get(name)
        if row is None:
            yield Check(
                f"extension {name}",
                "fail",
                "the server does not have it",
                "Install its package on the server, then run: memos migrate",
            )
        elif row.installed is None:
            yield Check(f"extension {name}", "fail", "is not created here", "Run: memos migrate")
        elif name == "vector":
            yield _vector(connection, row.installed)
        else:
            yield Check(f"extension {name}", "ok", row.installed)
    for name, lost in OPTIONAL.items():
        row = found.get(name)
        if row is not None and row.installed is not None:
            yield Check(f"extension {name}", "ok", row.installed)
        else:
            state = "is not created here" if row else "the server does not have it"
            yield Check(f"extension {name}", "warn", f"{state}; without it {lost}")


def _vector(connection: Connection, version: str) -> Check:
    name = "extension vector"
    numbers = tuple(int(part) for part in version.split(".")[:3])
    if numbers < OLDEST_VECTOR:
        return Check(
            name,
            "fail",
            f"{version} is too old",
            "Install pgvector 0.8.2 or later, then: alter extension vector update",
        )
    workers = int(_value(connection, "show max_parallel_maintenance_workers"))
    if numbers < SAFE_VECTOR and workers > 0:
        return Check(
            name,
            "warn",
            f"{version}: a parallel HNSW build may corrupt memory (CVE-2026-3172)",
            "Install 0.8.2 or later; until then set max_parallel_maintenance_workers = 0 in "
            "every session that builds an HNSW index.",
        )
    return Check(name, "ok", version)


# The installation ---------------------------------------------------------------------------------


def _roles(connection: Connection) -> Iterator[Check]:
    rows = connection.execute(
        "select * from pg_roles where rolname = any (%s)", (OWNERS + LOGINS,)
    ).fetchall()
    roles = {row.rolname: row for row in rows}
    wrong = [f"{name} is missing" for name in OWNERS + LOGINS if name not in roles]
    for name, role in roles.items():
        wrong += [f"{name} is a superuser"] if role.rolsuper else []
        wrong += [f"{name} bypasses row-level security"] if role.rolbypassrls else []
        wrong += [f"{name} may log in"] if name in OWNERS and role.rolcanlogin else []
    wrong += _names(
        connection,
        """
        select format('%%s is a member of %%s', m.rolname, o.rolname)
        from pg_roles as m
        cross join pg_roles as o
        where m.rolname = any (%s) and o.rolname = any (%s) and pg_has_role(m.oid, o.oid, 'member')
        order by 1
        """,
        LOGINS,
        OWNERS,
    )
    yield _verdict(
        "roles",
        wrong,
        f"{len(roles)}, none of them superuser or above row-level security",
        "wrong",
        "Put the attributes back with alter role and revoke; memos migrate makes missing roles.",
    )


def _public_schema(connection: Connection) -> Iterator[Check]:
    wrong = _names(
        connection,
        """
        select n.nspname
        from pg_namespace as n
        cross join lateral aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) as a
        where n.nspname = any (%s) and a.grantee = 0 and a.privilege_type = 'CREATE'
        """,
        ["public", *SCHEMAS],
    )
    yield _verdict(
        "schemas",
        wrong,
        "PUBLIC creates nothing in public or memos*",
        "anybody may create objects in",
        "Run: revoke create on schema ... from public",
    )


def _end_users(connection: Connection) -> Iterator[Check]:
    """What sessions of end users could make, or hear from each other."""
    temporary = _value(
        connection, "select has_database_privilege('memos_user', current_database(), 'temporary')"
    )
    name = "temporary objects"
    if temporary:
        advice = "Run: revoke temporary on database ... from public (the API needs none)"
        yield Check(name, "warn", "end users may create some", advice)
    else:
        yield Check(name, "ok", "end users may create none")
    talkative = _names(
        connection,
        """
        select r.rolname
        from pg_roles as r
        where r.rolcanlogin and not r.rolsuper and pg_has_role(r.oid, 'memos_user', 'member')
            and not pg_has_role(r.oid, 'memos_app', 'member')
            and 'track_activities=off' <> all (coalesce(r.rolconfig, '{}'))
        order by 1
        """,
    )
    name = "statements of end users"
    if talkative:
        yield Check(
            name,
            "warn",
            f"users who share a login see each other's: {', '.join(talkative)}",
            "Run, as superuser: alter role ... set track_activities = off",
        )
    else:
        yield Check(name, "ok", "hidden from each other in pg_stat_activity")


def _row_security(connection: Connection) -> Iterator[Check]:
    rows = connection.execute(
        """
        select
            c.oid::regclass::text as name,
            c.relispartition as partition,
            c.relrowsecurity and c.relforcerowsecurity as guarded,
            exists (
                select from aclexplode(c.relacl) as a where a.grantee <> c.relowner
            ) as granted
        from pg_class as c
        where c.relnamespace = any (%s::regnamespace[]) and c.relkind in ('r', 'p')
        order by 1
        """,
        (SCHEMAS,),
    ).fetchall()
    yield _verdict(
        "row-level security",
        [row.name for row in rows if not row.guarded],
        f"enabled and forced on all {len(rows)} tables and partitions",
        "not enabled and forced on",
        "Run: alter table ... enable row level security, force row level security",
    )
    yield _verdict(
        "grants on partitions",
        [row.name for row in rows if row.partition and row.granted],
        "none: partitions are reached through their parents only",
        "a grant on a partition goes around its parent's policies",
        "Run: revoke all on ... from ...",
    )


def _functions(connection: Connection) -> Iterator[Check]:
    rows = connection.execute(
        """
        select
            format('%%I.%%I', n.nspname, p.proname) as name,
            p.prosecdef as definer,
            r.rolname as owner,
            coalesce(array_to_string(p.proconfig, ' ') ~ '(^| )search_path=', false) as pinned,
            exists (
                select
                from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
                where a.grantee = 0 and a.privilege_type = 'EXECUTE'
            ) as public
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        join pg_roles as r on r.oid = p.proowner
        where n.nspname = any (%s)
        order by 1
        """,
        (SCHEMAS,),
    ).fetchall()
    definers = [row for row in rows if row.definer]
    yield _verdict(
        "definer functions",
        [
            f"{row.name} ({'owned by ' + row.owner if row.pinned else 'search_path not pinned'})"
            for row in definers
            if not row.pinned or row.owner not in OWNERS
        ],
        f"{len(definers)}, each with a pinned search_path and an owner without privileges",
        "unsafe",
        "Run: memos migrate (it loads the functions again when their files differ)",
    )
    yield _verdict(
        "function grants",
        [row.name for row in rows if row.public],
        f"PUBLIC executes none of {len(rows)} functions",
        "anybody may execute",
        "Run: revoke execute on function ... from public",
    )


def _indexes(connection: Connection) -> Iterator[Check]:
    wrong = _names(
        connection,
        """
        select i.indexrelid::regclass::text
        from pg_index as i
        join pg_class as c on c.oid = i.indrelid
        where c.relnamespace = any (%s::regnamespace[]) and not (i.indisvalid and i.indisready)
        order by 1
        """,
        SCHEMAS,
    )
    yield _verdict("indexes", wrong, "all valid", "invalid", "Run: reindex index concurrently ...")


def _partitions(connection: Connection) -> Iterator[Check]:
    # Bounds are read as text, since the catalog has no other form of them.
    rows = connection.execute(
        """
        with bound as (
            select
                p.partrelid,
                regexp_match(
                    pg_get_expr(c.relpartbound, c.oid), $$FROM \\('(.+?)'\\) TO \\('(.+?)'\\)$$
                ) as ends
            from pg_partitioned_table as p
            join pg_inherits as i on i.inhparent = p.partrelid
            join pg_class as c on c.oid = i.inhrelid
            where p.partstrat = 'r'
        )
        select
            p.partrelid::regclass::text as name,
            coalesce(bool_or(now() >= b.ends[1]::timestamptz and now() < b.ends[2]::timestamptz),
                false) as now,
            coalesce(bool_or(now() + interval '7 days' < b.ends[2]::timestamptz), false) as soon
        from pg_partitioned_table as p
        join pg_class as c on c.oid = p.partrelid
        left join bound as b on b.partrelid = p.partrelid and b.ends is not null
        where p.partstrat = 'r' and c.relnamespace = any (%s::regnamespace[])
        group by p.partrelid
        order by 1
        """,
        (SCHEMAS,),
    ).fetchall()
    advice = "Run: call memos_admin.run_maintenance()"
    missing = _verdict(
        "partitions",
        [row.name for row in rows if not row.now],
        f"{len(rows)} partitioned tables have one for now and for the next 7 days",
        "no partition for now",
        advice,
    )
    late = [row.name for row in rows if row.now and not row.soon]
    if missing.level == "ok" and late:
        message = f"no partition for the next 7 days: {', '.join(late)}"
        missing = Check("partitions", "warn", message, advice)
    yield missing


def _embeddings(connection: Connection) -> Iterator[Check]:
    if _value(connection, "select to_regproc('memos_admin.embedding_status') is null"):
        yield Check("embeddings", "fail", "the functions are not loaded", "Run: memos migrate")
        return
    models = connection.execute(
        """
        select model, state, is_default, done, pending, failed, oldest_pending,
            now() - oldest_pending as lag
        from memos_admin.embedding_status()
        """
    ).fetchall()
    if not models:
        yield Check(
            "embeddings",
            "warn",
            "no model: search works by words only",
            "Register one with memos_admin.register_embedding_model",
        )
    for model in models:
        counts = f"{model.done} done, {model.pending} pending, {model.failed} failed"
        name = f"embeddings {model.model}"
        if model.failed:
            advice = "See last_error in memos_private.embedding_queue, then retry the embeddings."
            yield Check(name, "fail", counts, advice)
        elif model.pending:
            since = f"{counts}, the oldest since {model.oldest_pending:%Y-%m-%d %H:%M:%S %Z}"
            old = model.lag.total_seconds() > 3600
            yield Check(name, "warn" if old else "ok", since, "Run: memos worker" if old else None)
        else:
            yield Check(name, "ok", counts)


def _audit(connection: Connection) -> Iterator[Check]:
    if _value(connection, "select to_regproc('memos_admin.audit_status') is null"):
        yield Check("audit", "fail", "the functions are not loaded", "Run: memos migrate")
        return
    status = connection.execute("select * from memos_admin.audit_status()").fetchone()
    late = _value(connection, "select now() - %s > interval '1 day'", status.oldest_buffered)
    if status.buffered is None:
        return  # a standby: the primary has the rest of it
    waiting = f"{status.buffered} reads and {status.spooled_bytes or 0} bytes of failures wait"
    name = "audit, buffer"
    if late or (status.spooled_bytes or 0) > 2**24:
        advice = "Run: call memos_admin.run_maintenance() (hourly; a crash loses buffered reads)"
        yield Check(name, "warn", f"{waiting} to be moved into the log", advice)
    else:
        yield Check(name, "ok", waiting)
    broken = connection.execute(
        "select problem, detail from memos_admin.verify_audit(date_trunc('day', now()))"
    ).fetchall()
    yield _verdict(
        "audit, today",
        [f"{row.problem} ({row.detail})" for row in broken],
        f"intact, {status.anchors} anchors",
        "somebody has changed it",
        "Run: memos audit verify, and find out who was superuser then",
    )


def _migrations(dsn: str) -> Iterator[Check]:
    state = migrate.state(dsn)
    if state.unknown:
        yield Check(
            "version",
            "fail",
            f"the database has migrations unknown here: {', '.join(state.unknown)}",
            "Install the version of memos-postgres that made them.",
        )
    yield _verdict(
        "migrations",
        list(state.pending),
        f"all {len(state.applied)} applied",
        "pending",
        "Run: memos migrate",
    )
    yield _verdict(
        "functions loaded",
        list(state.stale),
        "as in this installation's files",
        "differ from this installation's files",
        "Run: memos migrate",
    )


_SERVER: list[Callable[[Connection], Iterator[Check]]] = [_server, _extensions]
_INSTALLATION: list[Callable[[Connection], Iterator[Check]]] = [
    _roles,
    _public_schema,
    _end_users,
    _row_security,
    _functions,
    _indexes,
    _partitions,
    _embeddings,
    _audit,
]
