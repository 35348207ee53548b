"""Sessions that make, rotate and destroy keys while others write."""

from __future__ import annotations

import itertools
import threading
from uuid import UUID

import psycopg
from key_support import LOCKED, contents, everything, key, keyed, opened, tell
from memory_support import add, at_once, rows, value
from support.people import sqlstate_of
from support.postgres import Database


def test_nothing_slips_by_while_a_key_is_made(database: Database, user: UUID) -> None:
    wrapping = key()
    stop = threading.Event()

    def work(number: int) -> int:
        with database.connect("memos_app") as app:
            if number == 0:
                for n in range(20):
                    tell(app, user, f"zzsecret before {n}")
                value(app, "memos.create_user_key", user, wrapping)
                stop.set()
                return 20
            written = 0
            while not stop.is_set() or written == 0:
                statement = "select memos.add_memory(%s, %s, p_privacy_level => 'restricted')"
                state = sqlstate_of(app, statement, user, f"zzsecret {number} {written}")
                if state is None:
                    written += 1
                else:
                    assert state == "MO403"  # from now on the key has to be at hand
                    break
            return written

    written = sum(at_once(3, work))
    with database.connect("memos_app") as app:
        assert rows(app, "memos.key_status", user)[0][5:] == (written, 0)
        with opened(app, user, wrapping):
            assert len(contents(app, user, p_limit=1000)) == written
    assert "zzsecret" not in everything(database)


def test_one_key_is_made(database: Database, user: UUID) -> None:
    def work(_: int) -> str | None:
        with database.connect("memos_app") as app:
            return sqlstate_of(app, "select memos.create_user_key(%s, %s)", user, key())

    assert sorted(at_once(4, work), key=str) == ["MO409", "MO409", "MO409", None]


def test_rotation_and_writes(database: Database, user: UUID) -> None:
    keys = [key() for _ in range(12)]
    with database.connect("memos_app") as app:
        value(app, "memos.create_user_key", user, keys[0])
    rotated = threading.Event()

    def work(number: int) -> int:
        with database.connect("memos_app") as app:
            if number == 0:
                for old, new in itertools.pairwise(keys):
                    value(app, "memos.rotate_user_key", user, old, new)
                rotated.set()
                return 0
            written, place = 0, 0
            while not rotated.is_set() or written < 5:
                try:
                    with opened(app, user, keys[place]):
                        tell(app, user, f"{number} {written}")
                        written += 1
                except psycopg.Error as error:
                    # A key that is not the user's any more, or not yet.
                    if error.sqlstate != "MO403":
                        raise
                    place = (place + 1) % len(keys)
            return written

    written = sum(at_once(3, work))
    with database.connect("memos_app") as app, opened(app, user, keys[-1]):
        assert len(set(contents(app, user, p_limit=1000)) - {LOCKED}) == written


def test_of_two_rotations_one_wins(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app:
        wrapping = keyed(app, user)
        with opened(app, user, wrapping):
            tell(app, user, "mine")
    new = [key(), key()]

    def work(number: int) -> str | None:
        with database.connect("memos_app") as app:
            rotate = "select memos.rotate_user_key(%s, %s, %s)"
            return sqlstate_of(app, rotate, user, wrapping, new[number])

    states = at_once(2, work)
    assert sorted(states, key=str) == ["MO403", None]
    with database.connect("memos_app") as app, opened(app, user, new[states.index(None)]):
        assert contents(app, user) == ["mine"]


def test_destroying_waits_for_who_writes(database: Database, user: UUID) -> None:
    with database.connect("memos_app") as app, database.connect("memos_admin") as admin:
        wrapping = keyed(app, user)
        with opened(app, user, wrapping):
            tell(app, user, "mine")
            admin.execute("set lock_timeout = '200ms'")
            assert sqlstate_of(admin, "select memos_admin.destroy_user_key(%s)", user) == "55P03"
        admin.execute("set lock_timeout = 0")
        assert value(admin, "memos_admin.destroy_user_key", user)
        add(app, user, "in clear")
        assert contents(app, user) == [LOCKED, "in clear"]
