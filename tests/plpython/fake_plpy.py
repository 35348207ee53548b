"""What the package needs of the server's plpy, without a server."""

from typing import Any, NoReturn


class FakeError(Exception):
    """What plpy.error raises, with the fields it was given."""

    def __init__(self, message: str, **fields: str) -> None:
        super().__init__(message)
        self.message = message
        self.fields = fields


class FakePlpy:
    """plpy.error as in the server."""

    def error(self, message: str, **fields: Any) -> NoReturn:
        raise FakeError(message, **fields)
