"""Keys of users, and what is encrypted with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from memos_pg.calls.base import NOTHING, VALUE, Call, call, one, scalar
from memos_pg.keys import KeyProvider, mask_key, user_uuid


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """A user's latest key (None: there never was one), and how much of what is restricted it
    encrypts."""

    key_id: int | None
    created_at: datetime | None
    rotated_at: datetime | None
    destroyed_at: datetime | None
    at_hand: bool
    encrypted: int
    in_clear: int


@dataclass(frozen=True, slots=True)
class EncryptionStatus:
    """Keys and versions of restricted memories, of all users."""

    restricted_encryption: str
    key_command: bool
    keys: int
    destroyed_keys: int
    encrypted: int
    in_clear: int
    in_clear_with_key: int


class EncryptionCalls:
    """Encryption of what is restricted. The clients' methods mask the keys on their way."""

    def key_mask(self) -> Call[bytes]:
        """A mask for the keys of this transaction."""
        return call("memos.key_mask", scalar(bytes), user=self.user)

    def use_key(self, key: bytes, *, local: bool | None = None) -> Call[None]:
        """Open the user's restricted memories until the transaction ends, or the session if not
        `local`. On a caller's connection: a pool's is gone when this returns (see with_key)."""
        return call("memos.use_key", NOTHING, user=self.user, key=key, local=local)

    def create_user_key(self, key: bytes) -> Call[int]:
        """Make the user's key, wrapped with `key` (32 random bytes that are kept elsewhere: without
        them nobody reads these memories again); returns how many versions of restricted memories
        were there to be encrypted."""
        return call("memos.create_user_key", scalar(int), user=self.user, key=key)

    def rotate_user_key(self, old: bytes, new: bytes) -> Call[None]:
        """Wrap the user's key with `new` instead of `old`; no memory is written."""
        return call("memos.rotate_user_key", NOTHING, user=self.user, old=old, new=new)

    def encrypt_restricted(self) -> Call[int]:
        """Encrypt what there is in clear of the user's restricted memories; returns how many
        versions."""
        return call("memos.encrypt_restricted", scalar(int), user=self.user)

    def key_status(self) -> Call[KeyStatus]:
        """The user's key, and what it encrypts."""
        return call("memos.key_status", one(KeyStatus), user=self.user)


class EncryptionAdminCalls:
    """Encryption, for operators."""

    def destroy_user_key(self, user_id: UUID) -> Call[datetime | None]:
        """Make what the user's key encrypts unreadable in this database, for ever; None when there
        was no key."""
        return call("memos_admin.destroy_user_key", VALUE, user_id=user_id)

    def encryption_status(self) -> Call[EncryptionStatus]:
        """How much of what is restricted is encrypted."""
        return call("memos_admin.encryption_status", one(EncryptionStatus))

    def set_key_command(
        self, argv: Iterable[str] | None = None, timeout_seconds: int | None = None
    ) -> Call[None]:
        """The program that tells users' keys to the server (None: none); for superusers only."""
        return call(
            "memos_admin.set_key_command", NOTHING, argv=argv, timeout_seconds=timeout_seconds
        )


#: Calls that depend on each other's results, made in one transaction, and what is to be awaited.
Steps = Generator[Call[Any] | Awaitable[Any], Any, Any]


def masked(user: Any, build: Callable[..., Call[Any]], *args: Any, **kwargs: Any) -> Steps:
    """A call with keys, which are its arguments of bytes, masked."""
    mask = yield EncryptionCalls.key_mask(user)

    def hide(value: Any) -> Any:
        return mask_key(mask, value) if isinstance(value, bytes) else value

    hidden = {name: hide(value) for name, value in kwargs.items()}
    return (yield build(user, *map(hide, args), **hidden))


def open_key(user: Any, keys: KeyProvider) -> Steps:
    """Open the memories of a user whose key `keys` knows."""
    key = keys(user_uuid(user.user))
    if isinstance(key, Awaitable):
        key = yield key
    if key is not None:
        yield from masked(user, EncryptionCalls.use_key, key)
