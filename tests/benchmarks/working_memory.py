"""Sixteen workers on one scratchpad: writes and the queue, beside plain tables. By pgbench, which
the server brings along: sixteen Python processes would measure themselves."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from uuid import UUID

from tests.benchmarks.corpus import Workshop
from tests.benchmarks.measure import Ratio, Report, Row, say
from tests.support.postgres import Database

WORKERS = 16
ROUNDS, SECONDS, PLAIN_SECONDS = 6, 10, 4
WAITING = 200  # actions there from the start, so that no worker finds the queue empty
TEXT = "something that was seen by a worker, about as long as a sentence that says something is"
PLAIN_TABLES = """
    create table plain_entry (
        user_id uuid, scratchpad_id uuid, entry_id uuid default gen_random_uuid(),
        kind text not null, content text not null, quality real not null, metadata jsonb not null,
        added_at timestamptz not null default clock_timestamp(),
        primary key (user_id, scratchpad_id, entry_id)
    );
    create table plain_action (
        user_id uuid, scratchpad_id uuid, action_id uuid default gen_random_uuid(),
        description text not null, priority smallint not null default 5,
        status text not null default 'pending', agent text, lease_until timestamptz,
        added_at timestamptz not null default clock_timestamp(),
        primary key (user_id, scratchpad_id, action_id)
    );
    create index on plain_action (user_id, scratchpad_id, priority, added_at)
        where status in ('pending', 'in_progress');
    grant select, insert, update on plain_entry, plain_action to memos_app;
"""
PAD = "'{user}', '{pad}'"
SCRIPTS = {
    "plain inserts": f"""
        insert into plain_entry (user_id, scratchpad_id, kind, content, quality, metadata)
        values ({PAD}, 'observation', '{TEXT}', 0.5, '{{{{}}}}');
    """,
    "add_observation": f"select memos.add_observation({PAD}, '{TEXT}');",
    "plain skip locked": f"""
        insert into plain_action (user_id, scratchpad_id, description) values ({PAD}, '{TEXT}');
        update plain_action set status = 'in_progress', agent = 'w' || :client_id,
            lease_until = clock_timestamp() + interval '5 minutes'
        where (user_id, scratchpad_id, action_id) = (
            select user_id, scratchpad_id, action_id from plain_action
            where user_id = '{{user}}' and scratchpad_id = '{{pad}}'
                and status in ('pending', 'in_progress')
                and (status = 'pending' or lease_until < clock_timestamp())
            order by priority, added_at limit 1 for update skip locked
        ) returning action_id as id \\gset
        update plain_action set status = 'completed', lease_until = null
        where (user_id, scratchpad_id, action_id) = ({PAD}, :id);
    """,
    "the queue": f"""
        select memos.add_action({PAD}, 'search', '{TEXT}');
        select action_id as id, attempt from memos.claim_action({PAD}, 'w' || :client_id) \\gset
        select memos.complete_action({PAD}, :id, 'w' || :client_id, null, :attempt);
    """,
}
BASELINES = {"add_observation": "plain inserts", "the queue": "plain skip locked"}


@dataclass
class Tally:
    """What a contender has done in all of its rounds."""

    transactions: int = 0
    per_second: list[float] = field(default_factory=list)


def run(workshop: Workshop) -> list[Report]:
    """Every contender in turns; then, whether anything was lost or done twice."""
    database = workshop.server.create_database(workshop.template)
    user, pad = _prepare(database)
    rounds, seconds, plain = (1, 1, 1) if workshop.quick else (ROUNDS, SECONDS, PLAIN_SECONDS)
    say(f"{WORKERS} workers on one scratchpad, {rounds * seconds} s for each of {len(BASELINES)}")
    tallies = {name: Tally() for name in SCRIPTS}
    failures: list[str] = []
    names = list(SCRIPTS)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for name in names[number % 4 :] + names[: number % 4]:
                script = Path(folder) / "script.sql"
                script.write_text(_script(SCRIPTS[name].format(user=user, pad=pad)))
                failures += _pgbench(
                    database, script, seconds if name in BASELINES else plain, tallies[name]
                )
    failures = failures or _problems(database, user, pad, tallies)
    database.drop()
    if not all(tally.per_second for tally in tallies.values()):
        return [Report("scratchpad: sixteen workers on one", "it failed", failures=failures)]
    speed = {name: median(tally.per_second) for name, tally in tallies.items()}
    rows: list[Row] = [
        {
            "what": name,
            "against": BASELINES.get(name, ""),
            "transactions": tallies[name].transactions,
            "a second": speed[name],
            "ratio": speed[name] / speed[BASELINES.get(name, name)],
        }
        for name in SCRIPTS
    ]
    ratios = [
        Ratio(f"throughput of {WORKERS} workers, {name}", baseline, speed[name] / speed[baseline])
        for name, baseline in BASELINES.items()
    ]
    return [
        Report(
            "scratchpad: sixteen workers on one",
            "by pgbench, each statement committed (fsync on). the queue: an action added, one "
            "claimed, and that one completed; plain: the same in a table with the same kinds of "
            "indexes. Counted afterwards: no action lost or done twice, no change unnumbered.",
            rows,
            ratios,
            failures,
        )
    ]


def _prepare(database: Database) -> tuple[UUID, UUID]:
    user = database.user_id("worker")
    with database.connect() as connection:
        connection.execute(PLAIN_TABLES)
    with database.connect("memos_app") as connection:
        pad = connection.execute("select memos.open_scratchpad(%s, 'bench')", (user,)).fetchone()[0]
        for statement in ("plain skip locked", "the queue"):
            add = SCRIPTS[statement].format(user=user, pad=pad).split(";")[0]
            for _ in range(WAITING):
                connection.execute(add)
    return user, pad


def _script(text: str) -> str:
    """One statement a line, as pgbench reads it where \\gset ends it."""
    return re.sub(r"\s+", " ", text.replace(";", ";\0").replace("\\gset", "\\gset\0")).replace(
        "\0", "\n"
    )


def _pgbench(database: Database, script: Path, seconds: int, tally: Tally) -> list[str]:
    command = [
        database.server.program("pgbench"), "--no-vacuum", "--protocol=prepared",
        f"--client={WORKERS}", "--jobs=2", f"--time={seconds}", f"--file={script}",
        database.login_dsn("memos_app"),
    ]  # fmt: skip
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"}
    )
    done = re.search(r"transactions actually processed: (\d+)", run.stdout)
    speed = re.search(r"tps = ([\d.]+)", run.stdout)
    if run.returncode or not done or not speed:
        return [f"pgbench: {run.stderr.strip()[-500:]}"]
    tally.transactions += int(done[1])
    tally.per_second.append(float(speed[1]))
    return []


def _problems(database: Database, user: UUID, pad: UUID, tallies: dict[str, Tally]) -> list[str]:
    """What must not have happened."""
    actions = tallies["the queue"].transactions
    expected = {
        "actions completed": actions,
        "actions waiting": WAITING,
        "actions taken twice": 0,
        "observations": tallies["add_observation"].transactions,
        "changes": WAITING + 3 * actions + tallies["add_observation"].transactions,
    }
    with database.connect("memos_app") as connection:
        after = 0
        while page := connection.execute(
            "select sequence from memos.scratchpad_changes(%s, %s, %s)", (user, pad, after)
        ).fetchall():
            if [row[0] for row in page] != list(range(after + 1, after + len(page) + 1)):
                return [f"changes are not numbered without gaps after {after}"]
            after = page[-1][0]
    with database.connect() as connection:
        found = dict(
            connection.execute("""
                select 'actions completed', count(*) from memos_private.scratchpad_action
                    where status = 'completed'
                union all select 'actions waiting', count(*) from memos_private.scratchpad_action
                    where status = 'pending'
                union all select 'actions taken twice', count(*)
                    from memos_private.scratchpad_action where attempts > 1
                union all select 'observations', count(*) from memos_private.scratchpad_entry
            """).fetchall()
        )
    found["changes"] = after
    return [
        f"{name}: {found[name]} instead of {count}"
        for name, count in expected.items()
        if found[name] != count
    ]
