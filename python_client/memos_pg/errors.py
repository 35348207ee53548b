"""One exception class for each SQLSTATE of memOS; every other error is psycopg's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import ClassVar

import psycopg
from psycopg.errors import UntranslatableCharacter


class MemOSError(Exception):
    """An error that memOS raised: what happened, `detail` with the values, `hint` what to do."""

    sqlstate: ClassVar[str] = "MO000"

    def __init__(self, message: str, detail: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.message]
        if self.detail:
            lines.append(f"DETAIL: {self.detail}")
        if self.hint:
            lines.append(f"HINT: {self.hint}")
        return "\n".join(lines)


class NoUserContext(MemOSError):
    """MO001: the session is bound to no user and the call may not name one."""

    sqlstate = "MO001"


class BadArgument(MemOSError):
    """MO400: an argument that the call cannot accept."""

    sqlstate = "MO400"


class NotYours(MemOSError):
    """MO403: the session is bound to another user, or the user's key is not at hand."""

    sqlstate = "MO403"


class NotFound(MemOSError):
    """MO404: the user has no such thing."""

    sqlstate = "MO404"


class Conflict(MemOSError):
    """MO409: somebody changed it first, or the request id was used for something else."""

    sqlstate = "MO409"


class QuotaExceeded(MemOSError):
    """MO429: a limit is reached."""

    sqlstate = "MO429"


class Refused(MemOSError):
    """MO451: consent, a legal hold or a tombstone forbids it."""

    sqlstate = "MO451"


class BrokenInvariant(MemOSError):
    """MO500: the database found itself in a state that must not be."""

    sqlstate = "MO500"


class CacheUnavailable(MemOSError):
    """MO503: a standby has no cache; the work goes on without it."""

    sqlstate = "MO503"


BY_SQLSTATE: dict[str, type[MemOSError]] = {
    error.sqlstate: error
    for error in (
        NoUserContext,
        BadArgument,
        NotYours,
        NotFound,
        Conflict,
        QuotaExceeded,
        Refused,
        BrokenInvariant,
        CacheUnavailable,
    )
}


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise memOS's exceptions in place of psycopg's, and leave every other one untouched."""
    try:
        yield
    except psycopg.Error as error:
        translation = translate(error)
        if translation is None:
            raise
        raise translation from error
    except UnicodeEncodeError as error:
        raise BadArgument(
            "text holds a character that is not in Unicode's exchange form",
            detail=f"{error.object[error.start : error.end]!r} at position {error.start}",
            hint="Remove lone surrogates before storing text.",
        ) from error


def translate(error: psycopg.Error) -> MemOSError | None:
    """memOS's exception for a psycopg error, or None where it has none."""
    if error.sqlstate in BY_SQLSTATE:
        diag = error.diag
        return BY_SQLSTATE[error.sqlstate](
            diag.message_primary or str(error), diag.message_detail, diag.message_hint
        )
    # psycopg refuses NUL before sending it; jsonb refuses its escape in the server.
    refused_here = isinstance(error, psycopg.DataError) and error.sqlstate is None
    if isinstance(error, UntranslatableCharacter) or (refused_here and "NUL" in str(error)):
        return BadArgument(
            "text holds a NUL character",
            detail=error.diag.message_detail or str(error),
            hint="PostgreSQL text cannot hold NUL: remove it, or encode binary data.",
        )
    return None
