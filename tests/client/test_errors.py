"""Which exception each error of the database becomes."""

from __future__ import annotations

import psycopg
import pytest
from memos_pg import errors
from memos_pg.errors import BadArgument, MemOSError, translate, translated


def of_state(sqlstate: str) -> psycopg.DatabaseError:
    error = psycopg.DatabaseError("something happened")
    error.sqlstate = sqlstate
    return error


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        ("MO001", errors.NoUserContext),
        ("MO400", errors.BadArgument),
        ("MO403", errors.NotYours),
        ("MO404", errors.NotFound),
        ("MO409", errors.Conflict),
        ("MO429", errors.QuotaExceeded),
        ("MO451", errors.Refused),
        ("MO500", errors.BrokenInvariant),
    ],
)
def test_every_sqlstate_has_its_own_class(sqlstate: str, expected: type[MemOSError]) -> None:
    with pytest.raises(expected) as caught, translated():
        raise of_state(sqlstate)
    assert type(caught.value) is expected
    assert caught.value.sqlstate == sqlstate
    assert isinstance(caught.value.__cause__, psycopg.Error)


@pytest.mark.parametrize("sqlstate", ["23505", "40001", "42501", "57014", "MO999"])
def test_other_database_errors_pass_through(sqlstate: str) -> None:
    error = of_state(sqlstate)
    assert translate(error) is None
    with pytest.raises(psycopg.DatabaseError) as caught, translated():
        raise error
    assert caught.value is error


def test_nul_that_psycopg_refuses_is_a_bad_argument() -> None:
    with pytest.raises(BadArgument, match="NUL"), translated():
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")


def test_a_data_error_about_something_else_stays() -> None:
    with pytest.raises(psycopg.DataError), translated():
        raise psycopg.DataError("timestamp too large")


def test_lone_surrogates_are_a_bad_argument() -> None:
    with pytest.raises(BadArgument, match="Unicode") as caught, translated():
        "a\ud800b".encode()
    assert "position 1" in caught.value.detail


def test_a_message_shows_detail_and_hint() -> None:
    error = BadArgument("no", detail="it is 3", hint="give 4")
    assert str(error) == "no\nDETAIL: it is 3\nHINT: give 4"
    assert (error.message, error.detail, error.hint) == ("no", "it is 3", "give 4")
