"""The keys of the client: files, providers and the command line."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from key_support import LOCKED
from memos_pg import (
    LOCKED as SHOWN,
)
from memos_pg import (
    AsyncMemOS,
    BadArgument,
    Conflict,
    FileKeystore,
    MemOS,
    NotFound,
    NotYours,
)
from memos_pg.cli import app as commands
from memos_pg.keys import new_key
from support.postgres import Database
from typer.testing import CliRunner


@pytest.fixture
def store(tmp_path: Path) -> FileKeystore:
    return FileKeystore(tmp_path / "keys")


def test_files(store: FileKeystore) -> None:
    user, other = uuid4(), uuid4()
    assert store(user) is None
    made = store.create(user)
    path = store.folder / f"{user}.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert (store(user), store(other)) == (made, None)
    assert len(made) == 32
    with pytest.raises(Conflict):
        store.create(user)
    with pytest.raises(NotFound):
        store.begin_rotation(other)
    assert store.create(other) != made
    path.write_text("no key")
    with pytest.raises(BadArgument):
        store(user)
    path.write_text("")
    with pytest.raises(BadArgument):
        store(user)


def test_rotation_can_be_interrupted_anywhere(store: FileKeystore) -> None:
    user = uuid4()
    old = store.create(user)
    first, new = store.begin_rotation(user)
    assert first == old
    assert (store(user), store.pending(user)) == (old, new)
    store.cancel_rotation(user)
    assert (store(user), store.pending(user)) == (old, None)
    _, new = store.begin_rotation(user)
    store.finish_rotation(user)
    assert (store(user), store.pending(user)) == (new, None)
    assert [p.name for p in store.folder.iterdir()] == [f"{user}.key"]


def test_destroyed_is_overwritten(store: FileKeystore, tmp_path: Path) -> None:
    user = uuid4()
    made = store.create(user)
    # A second name shows what becomes of the blocks.
    (tmp_path / "second").hardlink_to(store.folder / f"{user}.key")
    store.begin_rotation(user)
    assert store.destroy(user)
    assert list(store.folder.iterdir()) == []
    assert made.hex().encode() not in (tmp_path / "second").read_bytes()
    assert not store.destroy(user)


def test_a_provider(module_database: Database, store: FileKeystore) -> None:
    asked: list[UUID] = []

    def keys(user_id: UUID) -> bytes | None:
        asked.append(user_id)
        return store(user_id)

    with MemOS(module_database.app_dsn, min_size=1, max_size=2, keys=keys) as memos:
        plain = memos.with_keys(lambda _: None)
        alice = plain.for_user("alice")
        user_id = alice.user_id()
        assert alice.create_user_key(store.create(user_id)) == 0
        alice = memos.for_user("alice")
        memory = alice.add_memory("mine", privacy_level="restricted", metadata={"a": 1})
        assert alice.get_memory(memory).metadata == {"a": 1}
        assert set(asked) == {user_id}
        assert alice.key_status().at_hand
        # Another user of the same connection has no part in it.
        bob = memos.for_user("bob")
        bob.add_memory("his", privacy_level="restricted")
        assert bob.list_memories()[0].content == "his"
        assert plain.for_user("alice").list_memories()[0].content == LOCKED == SHOWN
        with pytest.raises(NotYours):
            plain.for_user("alice").get_memory(memory)
        with pytest.raises(NotYours):
            plain.for_user("alice").with_key(new_key()).list_memories()
        with pytest.raises(BadArgument):
            plain.for_user("alice").with_key(b"short").list_memories()
        with pytest.raises(BadArgument):
            plain.for_user("alice").create_user_key("0" * 32)
        old, new = store.begin_rotation(user_id)
        alice.rotate_user_key(old, new)
        store.finish_rotation(user_id)
        assert alice.list_memories()[0].content == "mine"
        assert alice.encrypt_restricted() == 0


def test_on_a_callers_connection(module_database: Database) -> None:
    key = new_key()
    with module_database.connect("memos_app", autocommit=False) as connection:
        carol = MemOS.on(connection).for_user("carol")
        carol.create_user_key(key)
        connection.commit()
        carol.with_key(key).add_memory("mine", privacy_level="restricted")
        connection.commit()
        carol.use_key(key)
        assert carol.list_memories()[0].content == "mine"
        connection.commit()
        assert carol.list_memories()[0].content == LOCKED
        assert carol.with_key(key).list_memories()[0].content == "mine"
        connection.rollback()
        assert carol.list_memories()[0].content == LOCKED


def test_bound_to_a_user(module_database: Database) -> None:
    key, user_id = new_key(), uuid4()
    token = module_database.token(user_id)
    with MemOS(module_database.user_dsn, min_size=1, max_size=1) as memos:
        bound = memos.with_context(token).for_user(user_id)
        bound.create_user_key(key)
        bound.with_key(key).add_memory("mine", privacy_level="restricted")
        assert bound.with_key(key).list_memories()[0].content == "mine"
        with pytest.raises(NotYours):
            memos.with_context(token).for_user(uuid4()).with_key(key).list_memories()


def test_asynchronously(module_database: Database, store: FileKeystore) -> None:
    async def run() -> Any:
        async with AsyncMemOS(module_database.app_dsn, min_size=1, max_size=1) as memos:
            dave = memos.for_user("dave")
            user_id = await dave.user_id()
            await dave.create_user_key(store.create(user_id))
            keyed = memos.with_keys(store).for_user("dave")
            await keyed.add_memory("mine", privacy_level="restricted")
            old, new = store.begin_rotation(user_id)
            await dave.rotate_user_key(old, new)
            store.finish_rotation(user_id)
            shut = (await dave.list_memories())[0].content
            opened = (await dave.with_key(new).list_memories())[0].content

            async def ask(_: UUID) -> bytes:
                await asyncio.sleep(0)
                return new

            assert (await dave.with_key(ask).list_memories())[0].content == opened
            return shut, opened, (await keyed.list_memories())[0].content

    assert asyncio.run(run()) == (LOCKED, "mine", "mine")


def memos(database: Database, store: FileKeystore, *arguments: str) -> Any:
    """Run a command; its JSON, or its exit status and error."""
    run = CliRunner().invoke(
        commands,
        [*arguments, "--dsn", database.dsn, "--json"],
        env={"MEMOS_KEYSTORE": str(store.folder), "MEMOS_USER": "erin"},
    )
    if run.exit_code:
        return run.exit_code, json.loads(run.stderr)["error"]["sqlstate"]
    return json.loads(run.stdout)


def test_the_command_line(database: Database, store: FileKeystore) -> None:
    memos(database, store, "add", "mine", "--privacy-level", "restricted")
    assert memos(database, store, "keys", "status")["key_id"] is None
    made = memos(database, store, "keys", "create")
    assert (made["key_id"], made["at_hand"], made["encrypted"]) == (1, True, 1)
    assert memos(database, store, "keys", "create") == (1, "MO409")
    assert memos(database, store, "list")[0]["content"] == "mine"
    (path,) = store.folder.iterdir()
    before = path.read_text()
    assert memos(database, store, "keys", "rotate")["at_hand"]
    assert path.read_text() != before
    assert memos(database, store, "list")[0]["content"] == "mine"
    # Interrupted before the database changed, and after.
    user_id = UUID(path.stem)
    _, new = store.begin_rotation(user_id)
    assert memos(database, store, "keys", "rotate")["at_hand"]
    old, new = store.begin_rotation(user_id)
    with MemOS(database.app_dsn, min_size=1, max_size=1) as client:
        client.for_user(user_id).rotate_user_key(old, new)
    assert memos(database, store, "list") == (1, "MO403")
    assert memos(database, store, "keys", "rotate")["at_hand"]
    assert memos(database, store, "keys", "encrypt")["encrypted"] == 1
    printed = CliRunner().invoke(
        commands, ["keys", "print", str(user_id), "--keystore", str(store.folder)]
    )
    assert printed.stdout == path.read_text()
    assert memos(database, store, "keys", "destroy") == (1, "MO400")
    gone = memos(database, store, "keys", "destroy", "--yes")
    assert gone["file_destroyed"]
    assert list(store.folder.iterdir()) == []
    assert memos(database, store, "keys", "destroy", "--yes") == (1, "MO404")
    assert memos(database, store, "list")[0]["content"] == LOCKED
