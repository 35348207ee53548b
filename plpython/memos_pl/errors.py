"""Errors that reach SQL with a SQLSTATE, a DETAIL with the values, and a HINT what to do."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class MemosError(Exception):
    """A failure with the parts of a PostgreSQL error. Values belong into the detail only."""

    sqlstate = "MO500"

    def __init__(self, message: str, detail: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.detail})"


class ArgumentError(MemosError):
    """The caller passed something that cannot be used."""

    sqlstate = "MO400"


class ProviderError(MemosError):
    """An embedding provider failed. `retryable`: the same request may succeed later."""

    sqlstate = "58030"  # io_error: outside of the database and of the caller's arguments

    def __init__(self, message: str, detail: str, hint: str, *, retryable: bool) -> None:
        super().__init__(message, detail, hint)
        self.retryable = retryable


def call(
    plpy: Any,
    function: Callable[Arguments, Result],
    /,
    *args: Arguments.args,
    **kwargs: Arguments.kwargs,
) -> Result:
    """Call a function of this package; its MemosError becomes an SQL error.

    Other exceptions are bugs or errors of the server (a cancelled statement): they pass, with
    their traceback.
    """
    try:
        return function(*args, **kwargs)
    except MemosError as error:
        failure = error
    # Raised outside of the handler, or the report would show the Python exception a second time
    # as its context.
    plpy.error(failure.message, detail=failure.detail, hint=failure.hint, sqlstate=failure.sqlstate)
    raise AssertionError("plpy.error returned")
