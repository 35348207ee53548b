"""What a memOS database consists of, read from pg_catalog."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

SCHEMAS = ["memos", "memos_private", "memos_admin"]
CALLERS = ["memos_app", "memos_user", "memos_auditor"]  # talk to the API, never to a table
# What memos_auditor may do: it sees the audit, and no content.
AUDITORS_FUNCTIONS = {
    "memos.user_id",
    "memos_admin.accounting_of_disclosures",
    "memos_admin.anchor_audit",
    "memos_admin.audit_anchors",
    "memos_admin.audit_entries",
    "memos_admin.audit_status",
    "memos_admin.verify_audit",
}


@dataclass(frozen=True)
class Relation:
    """A table, partition or view."""

    schema: str
    name: str
    kind: str  # pg_class.relkind
    is_partition: bool
    row_security: bool
    force_row_security: bool
    policies: int
    owner: str
    options: list[str]
    columns: list[str]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Function:
    """A function or procedure."""

    oid: int
    schema: str
    name: str
    kind: str  # pg_proc.prokind
    arguments: str  # names and types of the inputs
    argument_names: list[str]
    argument_types: list[str]
    language: str
    volatility: str
    definer: bool
    owner: str
    owner_is_superuser: bool
    settings: dict[str, str]
    has_sql_body: bool
    returns_trigger: bool
    executors: list[str]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}({self.arguments})"

    @property
    def takes_user(self) -> bool:
        """Whether its first argument names the user that it acts for."""
        return self.argument_names[:1] == ["p_user_id"]

    def call(self, first: str = "null") -> str:
        """A statement that calls it with nulls, apart from the first argument."""
        values = [first, *["null"] * len(self.argument_types)]
        arguments = ", ".join(
            f"{v}::{t}" for v, t in zip(values, self.argument_types, strict=False)
        )
        verb = "call" if self.kind == "p" else "select * from"
        return f"{verb} {self.schema}.{self.name}({arguments})"


def relations(
    connection: Connection[Any], kinds: str, schemas: list[str] = SCHEMAS
) -> list[Relation]:
    """The relations of these kinds (letters of pg_class.relkind)."""
    query = """
        select
            n.nspname as schema,
            c.relname as name,
            c.relkind::text as kind,
            c.relispartition as is_partition,
            c.relrowsecurity as row_security,
            c.relforcerowsecurity as force_row_security,
            (select count(*) from pg_policy as p where p.polrelid = c.oid) as policies,
            pg_get_userbyid(c.relowner) as owner,
            coalesce(c.reloptions, '{}') as options,
            array(
                select a.attname::text
                from pg_attribute as a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                order by a.attnum
            ) as columns
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = any (%s) and c.relkind::text = any (%s)
        order by 1, 2
    """
    with connection.cursor(row_factory=class_row(Relation)) as cursor:
        return cursor.execute(query, (schemas, list(kinds))).fetchall()


def functions(connection: Connection[Any], schemas: list[str] = SCHEMAS) -> list[Function]:
    """The functions and procedures; executors: everyone but the owner, `PUBLIC` included."""
    query = """
        select
            p.oid::int8 as oid,
            n.nspname as schema,
            p.proname as name,
            p.prokind::text as kind,
            pg_get_function_identity_arguments(p.oid) as arguments,
            coalesce(p.proargnames, '{}') as argument_names,
            array(
                select format_type(t.oid, null)
                from unnest(p.proargtypes) with ordinality as t (oid, position)
                order by t.position
            ) as argument_types,
            l.lanname as language,
            case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end
                as volatility,
            p.prosecdef as definer,
            r.rolname as owner,
            r.rolsuper as owner_is_superuser,
            coalesce(
                (
                    select jsonb_object_agg(split_part(s, '=', 1), substr(s, strpos(s, '=') + 1))
                    from unnest(p.proconfig) as s
                ),
                '{}'
            ) as settings,
            p.prosqlbody is not null as has_sql_body,
            p.prorettype = 'trigger'::regtype as returns_trigger,
            array(
                select coalesce(g.rolname::text, 'PUBLIC')
                from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
                left join pg_roles as g on g.oid = a.grantee
                where a.privilege_type = 'EXECUTE' and a.grantee <> p.proowner
                order by 1
            ) as executors
        from pg_proc as p
        join pg_namespace as n on n.oid = p.pronamespace
        join pg_language as l on l.oid = p.prolang
        join pg_roles as r on r.oid = p.proowner
        where n.nspname = any (%s)
        order by n.nspname, p.proname, 5
    """
    with connection.cursor(row_factory=class_row(Function)) as cursor:
        return cursor.execute(query, (schemas,)).fetchall()


def column(connection: Connection[Any], query: str, *arguments: Any) -> list[Any]:
    """The first column of a query."""
    return [row[0] for row in connection.execute(query, arguments)]
