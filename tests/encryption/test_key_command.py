"""A program outside of the database that tells the keys."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from key_support import LOCKED, contents, key, keyed, opened, tell
from memory_support import Connection, failure, rows, value
from memos_pl.errors import MemosError
from memos_pl.keys import run_command
from support.people import sqlstate_of
from support.postgres import Database, has_extension

Script = Callable[[str], list[str]]


@pytest.fixture
def script() -> Iterator[Script]:
    """A program that the server's account may run."""

    def make(body: str) -> list[str]:
        # Not below pytest's folders, which are for root only.
        path = Path("/tmp") / f"memos-key-command-{uuid4().hex}"
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH | stat.S_IROTH)
        made.append(path)
        return [str(path)]

    made: list[Path] = []
    yield make
    for path in made:
        path.unlink()


def test_its_answer_is_the_key(script: Script) -> None:
    answer = key()
    assert run_command([*script(f"echo {answer.hex()}")], 5, "u") == answer
    assert run_command([*script(f"printf {answer.hex().upper()}")], 5, "u") == answer
    assert run_command(script("true"), 5, "u") is None
    assert run_command([sys.executable, "-c", "import sys; print(sys.argv[1] * 32)"], 9, "ab")
    argument = "$(id) ; `id` 'x'"
    assert run_command([*script('[ "$1x" = "$2" ] || exit 3'), argument], 5, argument + "x") is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("exit 7", "exit status 7"),
        ("echo broken >&2; exit 1", "exit status 1: broken"),
        ("sleep 30", "no answer within 1 s"),
        ("echo abc", "4 bytes that are not 64"),
        (f"echo {'0' * 63}", "not 64"),
        (f"echo {'0' * 64} {'0' * 64}", "not 64"),
        (f"echo {'g' * 64}", "not 64"),
    ],
)
def test_its_failures_are_loud(script: Script, body: str, said: str) -> None:
    with pytest.raises(MemosError) as caught:
        run_command(script(body), 1, "u")
    assert said in caught.value.detail
    assert caught.value.sqlstate == "MO500"


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(MemosError, match="cannot be started"):
        run_command(["/nowhere/at/all"], 1, "u")


@pytest.fixture
def commanded(database: Database) -> Database:
    if not has_extension(database.server.bindir, "plpython3u"):
        pytest.skip("the server has no plpython3u: install postgresql-plpython3-<version>")
    return database


def set_command(database: Database, argv: list[str] | None, timeout: int = 5) -> None:
    with database.connect() as superuser:
        superuser.execute("select memos_admin.set_key_command(%s, %s)", (argv, timeout))


def test_in_place_of_use_key(commanded: Database, user: UUID, script: Script) -> None:
    with commanded.connect("memos_app") as app:
        wrapping, other = keyed(app, user), uuid4()
        others = keyed(app, other)
        calls = Path("/tmp") / f"memos-key-calls-{uuid4().hex}"
        calls.touch()
        calls.chmod(0o666)
        try:
            set_command(
                commanded,
                script(
                    f"echo $1 >> {calls}\n"
                    f"[ $1 = {user} ] && echo {wrapping.hex()}; [ $1 = {other} ] && echo "
                    f"{others.hex()}; exit 0"
                ),
            )
            memory = tell(app, user, "mine")
            tell(app, other, "theirs")
            assert contents(app, user) == ["mine"]
            assert contents(app, other) == ["theirs"]
            assert rows(app, "memos.get_memory", user, memory)[0][2] == "mine"
            nobody = uuid4()
            tell(app, nobody, "has no key")
            assert contents(app, nobody) == ["has no key"]
            assert str(nobody) not in calls.read_text()
            # Once a transaction, and never longer.
            calls.write_text("")
            with app.transaction():
                for _ in range(3):
                    assert contents(app, user) == ["mine"]
            assert calls.read_text() == f"{user}\n"
            set_command(commanded, script("exit 0"))
            assert contents(app, user) == [LOCKED]
            assert failure(app, "memos.get_memory", user, memory).sqlstate == "MO403"
            # A key that was given counts.
            with opened(app, user, wrapping):
                assert contents(app, user) == ["mine"]
        finally:
            calls.unlink()


def test_wrong_answers(commanded: Database, user: UUID, script: Script) -> None:
    with commanded.connect("memos_app") as app:
        wrapping = keyed(app, user)
        with opened(app, user, wrapping):
            tell(app, user, "mine")
        listed = "select memos.list_memories(%s)"
        set_command(commanded, script(f"echo {key().hex()}"))
        assert sqlstate_of(app, listed, user) == "MO403"
        set_command(commanded, script(f"echo {wrapping.hex()}; exit 1"))
        error = failure(app, "memos.list_memories", user)
        assert error.sqlstate == "MO500"
        assert wrapping.hex() not in str(error.diag.message_detail) + str(error.diag.context)
        set_command(commanded, script("sleep 20"), 1)
        assert failure(app, "memos.list_memories", user).sqlstate == "MO500"
        # Nobody is asked for what is not encrypted.
        assert value(app, "memos.add_memory", user, "in clear")
        set_command(commanded, None)
        assert contents(app, user) == [LOCKED, "in clear"]


def test_superusers_only(database: Database, admin: Connection) -> None:
    error = failure(admin, "memos_admin.set_key_command", ["/bin/true"])
    assert error.sqlstate == "MO403"
    for role in ("memos_app", "memos_user"):
        with database.connect(role) as connection:
            call = "select memos_admin.set_key_command(array['/bin/true'])"
            assert sqlstate_of(connection, call) == "42501"
            assert sqlstate_of(connection, "select * from memos_private.key_command") == "42501"
    with database.connect() as superuser:
        for bad in (["true"], [], [""], ["/bin/true", None], [["/bin/true"], ["/bin/true"]]):
            call = "select memos_admin.set_key_command(%s)"
            assert sqlstate_of(superuser, call, bad) == "MO400", bad
        for timeout in (0, 61, -1, None):
            call = "select memos_admin.set_key_command('{/bin/true}', %s)"
            assert sqlstate_of(superuser, call, timeout) == "MO400"
        # Even its owner's functions do not write it.
        superuser.execute("set role memos_owner")
        write = "insert into memos_private.key_command values (true, '{/bin/true}', 1)"
        assert sqlstate_of(superuser, write) == "42501"


def test_without_plpython_all_but_the_command_works(database: Database, user: UUID) -> None:
    with database.connect() as superuser:
        superuser.execute("drop function if exists memos_private.run_key_command(uuid)")
    with database.connect("memos_app") as app:
        wrapping = keyed(app, user)
        with opened(app, user, wrapping):
            tell(app, user, "mine")
            assert contents(app, user) == ["mine"]
        assert contents(app, user) == [LOCKED]
        set_command(database, ["/bin/true"])
        assert failure(app, "memos.list_memories", user).sqlstate == "0A000"


def test_the_keystore_is_such_a_program(
    commanded: Database, user: UUID, script: Script, tmp_path: Path
) -> None:
    from memos_pg import FileKeystore

    store = FileKeystore(tmp_path / "keys")
    run = f"{sys.executable} -m memos_pg.cli keys print --keystore {store.folder}"
    client = Path(__file__).parents[2] / "python_client"
    argv = script(f'PYTHONPATH={client} exec {run} "$@"')
    assert run_command(argv, 30, str(user)) is None
    made = store.create(user)
    assert run_command(argv, 30, str(user)) == made
    assert os.stat(store.folder).st_mode & 0o077 == 0
