"""Random SQL finds no row of another user.

`MEMOS_FUZZ_SECONDS=120 pytest tests/isolation/test_fuzz.py` takes two minutes a session;
`MEMOS_FUZZ_SEED` repeats a run."""

from __future__ import annotations

import os
import random
import time
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support import catalog, fuzz
from support.postgres import Database

SECONDS = float(os.environ.get("MEMOS_FUZZ_SECONDS", "3"))
SEED = int(os.environ.get("MEMOS_FUZZ_SEED", random.SystemRandom().randrange(2**32)))


def state_of(connection: psycopg.Connection[Any], people: list[fuzz.Person]) -> str:
    """Everything that is stored about these people."""
    digests = []
    for table in fuzz.tables_of_users(connection):
        query = sql.SQL(
            "select md5(string_agg(to_jsonb(t)::text, ',' order by to_jsonb(t)::text)) "
            "from {} as t where user_id = any (%s)"
        ).format(table)
        (digest,) = connection.execute(query, ([p.user_id for p in people],)).fetchone()
        digests.append(f"{table.as_string(connection)} {digest}")
    return "\n".join(digests)


def readable(connection: psycopg.Connection[Any], role: str) -> list[str]:
    """What the role may select from, the catalog included."""
    return catalog.column(
        connection,
        """
        select format('%%I.%%I', n.nspname, c.relname)
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where c.relkind in ('r', 'v', 'm', 'p')
            and has_schema_privilege(%s, n.oid, 'usage')
            and has_table_privilege(%s, c.oid, 'select')
        """,
        role,
        role,
    )


@pytest.mark.parametrize(
    "session", ["memos_app", "memos_app bound", "memos_user", "memos_user bound"]
)
def test_random_sql_reaches_nobody_else(database: Database, session: str) -> None:
    """The attacker knows the victim's ids, and none of the witness's."""
    role, _, bound = session.partition(" ")
    attacker, victim, witness = map(fuzz.Person.named, ("attacker", "victim", "witness"))
    own = [str(attacker.user_id), *fuzz.plant(database, attacker), attacker.word]
    others = [str(victim.user_id), *fuzz.plant(database, victim)]
    unknown = [str(witness.user_id), *fuzz.plant(database, witness)]
    token = database.token(attacker.user_id, "1 day")
    with database.connect() as superuser, database.connect("memos_user") as neighbour:
        superuser.execute("analyze")
        functions = [
            f
            for f in catalog.functions(superuser)
            if not f.returns_trigger and f.kind in {"f", "p"}
        ]
        before = state_of(superuser, [victim, witness])
        secrets = superuser.execute(
            "select encode(secret, 'hex') from memos_private.context_key"
        ).fetchall()
        # Another session of the same role, in which the witness has just spoken.
        witness_token = database.token(witness.user_id)
        neighbour.execute(f"select memos.use_context('{witness_token}', false)")
        neighbour.execute(f"select count(*), '{witness.word}' from memos.memory")
        fuzzer = fuzz.Attacker(
            name=session,
            dsn=database.login_dsn(role),
            token=token if bound else None,
            own=own,
            # The bot is trusted to name users: its session is fuzzed with its own user's id.
            others=[] if session == "memos_app" else others,
            secrets=[
                victim.word,
                *unknown,
                witness.word,
                witness_token.rsplit(".", 1)[1],
                *(secret for (secret,) in secrets),
            ],
            functions=functions,
            relations=readable(superuser, role),
            random=random.Random(f"{SEED} {session}"),
        )
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and not fuzzer.leaks:
            fuzzer.step()
        fuzzer.connection.close()
        said, failed = fuzzer.said.total(), fuzzer.failed.total()
        print(f"{session}: seed {SEED}, {said} statements, {failed} refused")
        print(f"  {dict(fuzzer.said)}\n  {dict(fuzzer.failed)}")
        assert not fuzzer.leaks, f"seed {SEED}\n" + "\n".join(fuzzer.leaks)
        assert state_of(superuser, [victim, witness]) == before, f"seed {SEED}: rows were changed"
        assert 0 < failed < said


HOLES = {
    "a view": "create view memos.hole as select * from memos_private.memory;"
    "grant select on memos.hole to memos_user",
    "a function": "create function memos.hole(p_user_id uuid) returns bigint language sql "
    "security definer return (select count(*) from memos_private.memory where user_id = p_user_id)",
    "a notice": "create function memos.hole() returns void language plpgsql security definer as "
    "'begin raise notice ''%'', (select max(content) from memos_private.memory); end'",
}


@pytest.mark.parametrize("hole", HOLES)
def test_the_fuzzer_hears_a_leak(database: Database, hole: str) -> None:
    """Of a superuser's function or view, whose own rights nothing binds."""
    attacker, victim = map(fuzz.Person.named, ("attacker", "victim"))
    own = [str(attacker.user_id), *fuzz.plant(database, attacker)]
    others = [str(victim.user_id), *fuzz.plant(database, victim)]
    with database.connect() as superuser:
        superuser.execute(HOLES[hole])
        fuzzer = fuzz.Attacker(
            name="memos_user",
            dsn=database.login_dsn("memos_user"),
            token=database.token(attacker.user_id),
            own=own,
            others=others,
            secrets=[victim.word],
            functions=[f for f in catalog.functions(superuser) if not f.returns_trigger],
            relations=readable(superuser, "memos_user"),
            random=random.Random(SEED),
        )
        until = time.monotonic() + 30
        while time.monotonic() < until and not fuzzer.leaks:
            fuzzer.step()
        fuzzer.connection.close()
    assert fuzzer.leaks
