"""What the server leaves behind: data files, logs, dumps and copies of files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from key_support import LOCKED, contents, keyed, opened, tell
from memory_support import Connection, add, rows, value
from memos_pg import FileKeystore, MemOS, NotFound, NotYours
from memos_pg.migrate import migrate
from support.postgres import Database, Server

SECRET = "zzsecret hepatitis since childhood, says nobody"


@pytest.fixture
def talkative(server: Server) -> Iterator[Database]:
    """A server of the test's own that logs all it can."""
    database = server.create_database()
    migrate(database.dsn)
    with database.connect() as superuser:
        for setting, text in (
            ("log_statement", "'all'"),
            ("log_min_duration_statement", "0"),
            ("log_parameter_max_length", "-1"),
            ("log_parameter_max_length_on_error", "-1"),
            ("log_min_messages", "'debug1'"),
            ("log_error_verbosity", "'verbose'"),
            ("debug_print_plan", "on"),
        ):
            superuser.execute(f"alter system set {setting} = {text}")
        superuser.execute("select pg_reload_conf()")
    return database


def files_with(folder: Path, *words: bytes) -> list[str]:
    """Files of a data directory that hold one of these bytes."""
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and any(word in path.read_bytes() for word in words)
    ]


def data(server: Server) -> Path:
    return Path(server._postgresql.get_data_directory())


def test_logs_hold_neither_key_nor_text(talkative: Database, tmp_path: Path) -> None:
    store = FileKeystore(tmp_path / "keys")
    with MemOS(talkative.app_dsn, min_size=1, max_size=1) as memos:
        alice = memos.for_user("alice")
        user_id = alice.user_id()
        key = store.create(user_id)
        alice.create_user_key(key)
        alice = memos.with_keys(store).for_user("alice")
        memory = alice.add_memory(SECRET, privacy_level="restricted", metadata={"a": SECRET})
        assert alice.get_memory(memory).content == SECRET
        alice.update_memory(memory, {"content": SECRET + "!"})
        alice.search_memories("anything else")
        with pytest.raises(NotYours):
            memos.for_user("alice").with_key(b"x" * 32).get_memory(memory)
        with pytest.raises(NotFound):
            alice.get_memory(user_id)
        new = store.begin_rotation(user_id)[1]
        memos.for_user("alice").rotate_user_key(key, new)
        store.finish_rotation(user_id)
        assert alice.get_memory(memory).content == SECRET + "!"
        with talkative.connect() as superuser:
            seen = str(superuser.execute("select * from pg_stat_activity").fetchall())
    talkative.server.stop_cleanly()
    log = talkative.server.log
    assert log.count("memos.use_key") >= 4, "nothing was logged: the test tests nothing"
    assert "p_content => $" in log
    for text in (log, seen):
        assert "zzsecret" not in text
        for secret in (key, new, b"x" * 32):
            assert secret.hex() not in text.lower()
            assert secret[:8].hex() not in text.lower()


def test_a_member_of_the_role_logs_only_masked_keys(talkative: Database, tmp_path: Path) -> None:
    """Settings of a role are not inherited: what the statements hold is logged, keys are masked."""
    with talkative.connect() as superuser:
        superuser.execute("create role bot login in role memos_app")
    key = os.urandom(32)
    with MemOS(talkative.login_dsn("bot"), min_size=1, max_size=1) as memos:
        memos.for_user("alice").create_user_key(key)
        alice = memos.for_user("alice").with_key(key)
        alice.add_memory(SECRET, privacy_level="restricted")
        new = os.urandom(32)
        memos.for_user("alice").rotate_user_key(key, new)
        assert [m.content for m in memos.for_user("alice").with_key(new).list_memories()] == [
            SECRET
        ]
    talkative.server.stop_cleanly()
    log = talkative.server.log.lower()
    assert "zzsecret" in log, "parameters were not logged: the test tests nothing"
    for secret in (key, new):
        assert secret.hex() not in log
        assert secret[:8].hex() not in log


def test_data_files_after_encrypting(server: Server) -> None:
    database = server.create_database()
    migrate(database.dsn)
    user = database.user_id("alice")
    with database.connect("memos_admin") as admin:
        admin.execute("select memos_admin.register_embedding_model('hash', 64, 'hash')")
    with database.connect("memos_app") as app:
        for n in range(20):
            memory = tell(app, user, f"{SECRET} {n}", p_metadata={"n": f"zzsecret{n}"})
        rows(app, "memos.update_memory", user, memory, {"content": "zzsecret no longer"})
        rows(app, "memos.move_to_tier", user, memory, "cold")
        with database.connect("memos_admin") as admin:
            admin.execute("call memos_admin.embed_pending()")
            admin.execute("call memos_admin.make_notes()")
        with database.connect() as superuser:
            superuser.execute("analyze")
            superuser.execute("checkpoint")
        assert files_with(data(server) / "base", b"zzsecret")
        wrapping = keyed(app, user)
        with opened(app, user, wrapping):
            tell(app, user, "zzsecret and another one")
            assert len(contents(app, user, p_include_cold=True)) == 21
        # The planner's statistics keep samples of words until there are others to sample.
        for n in range(20):
            add(app, database.user_id("bob"), f"Bob talks about {n} other things at length")
        with database.connect("memos_admin") as admin:
            admin.execute("call memos_admin.make_notes()")
    with database.connect() as superuser:
        superuser.execute("analyze")
        superuser.execute("vacuum full")
        superuser.execute("checkpoint")
    server.stop_cleanly()
    left = files_with(data(server), b"zzsecret", wrapping, wrapping.hex().encode())
    # The log of writes is recycled in its own time; backups and standbys have it, too.
    assert [name for name in left if not name.startswith("pg_wal/")] == []


@pytest.fixture
def told(server: Server, tmp_path: Path) -> tuple[Database, FileKeystore, Any]:
    """A user with a key in a store, one memory encrypted and one in clear."""
    database = server.create_database()
    migrate(database.dsn)
    store = FileKeystore(tmp_path / "keys")
    user = database.user_id("alice")
    with MemOS(database.app_dsn, min_size=1, max_size=1) as memos:
        memos.for_user(user).create_user_key(store.create(user))
        alice = memos.with_keys(store).for_user(user)
        alice.add_memory("in the open")
        alice.add_memory(SECRET, privacy_level="restricted")
    return database, store, user


def destroy(database: Database, store: FileKeystore, user: Any) -> None:
    with database.connect("memos_admin") as admin:
        assert value(admin, "memos_admin.destroy_user_key", user)
    assert store.destroy(user)
    assert store(user) is None


def assert_unreadable(app: Connection, user: Any) -> None:
    assert contents(app, user) == ["in the open", LOCKED]
    memory = rows(app, "memos.list_memories", user)[0][0]
    with pytest.raises(psycopg.Error) as caught:
        rows(app, "memos.get_memory", user, memory)
    assert caught.value.sqlstate == "MO403"


def test_a_restored_dump(told: tuple[Database, FileKeystore, Any], tmp_path: Path) -> None:
    database, store, user = told
    dump = subprocess.run(
        [database.server.program("pg_dump"), "--dbname", database.dsn],
        capture_output=True,
        check=True,
    ).stdout
    key = store(user)
    assert b"zzsecret" not in dump
    assert key.hex().encode() not in dump.lower()
    restored = database.server.create_database()
    loaded = subprocess.run(
        [
            Path(database.server.program("psql")), "--quiet", "--no-psqlrc",
            "--set=ON_ERROR_STOP=1", "--dbname", restored.dsn,
        ],
        input=dump, capture_output=True, check=False,
    )  # fmt: skip
    assert loaded.returncode == 0, loaded.stderr.decode()[-2000:]
    # With its key it is a backup.
    with MemOS(restored.app_dsn, min_size=1, max_size=1, keys=store) as memos:
        assert {m.content for m in memos.for_user(user).list_memories()} == {"in the open", SECRET}
    destroy(database, store, user)
    # Without, the wrapped key that the backup still has opens for nobody.
    assert restored.value(
        "select wrapped is not null from memos_private.user_key where user_id = %s", user
    )
    with restored.connect("memos_app") as app:
        assert_unreadable(app, user)
    with database.connect("memos_app") as app:
        assert_unreadable(app, user)


def test_a_copy_of_the_files(told: tuple[Database, FileKeystore, Any], tmp_path: Path) -> None:
    database, store, user = told
    server = database.server
    server.stop_cleanly()
    copy = tmp_path / "copy"
    shutil.copytree(data(server), copy)
    server.start()
    key = store(user)
    destroy(database, store, user)
    with database.connect("memos_app") as app:
        assert_unreadable(app, user)
    server.stop_cleanly()
    # The backup takes the place of the server that knows that the key is destroyed.
    shutil.rmtree(data(server))
    shutil.copytree(copy, data(server))
    if server._postgresql.owner:
        owner = server._postgresql.owner
        for path in (data(server), *data(server).rglob("*")):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    assert files_with(data(server), b"zzsecret", key, key.hex().encode()) == []
    server.start()
    with database.connect("memos_app") as app:
        assert_unreadable(app, user)
        # The backup does open with the key: it was the store that had to be destroyed.
        with opened(app, user, key):
            assert contents(app, user) == ["in the open", SECRET]
