"""Keys of users: how they are sent, and a store of them in files."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

from memos_pg.errors import BadArgument, Conflict, NotFound

#: Knows the key of a user, 32 bytes, or None where the user has none. It is asked while a
#: connection is held: let it answer fast. The asynchronous client also takes a coroutine function.
KeyProvider = Callable[[UUID], bytes | Awaitable[bytes | None] | None]
#: What stands in place of an encrypted content whose key is not at hand.
LOCKED = "[memos: encrypted, the key is not at hand]"

_SIZE = 32
#: As in memos.user_id.
_NAMESPACE = UUID("6b1f2f0e-3d0c-5c53-9d0e-6d656d4f5301")


def user_uuid(user: str | UUID) -> UUID:
    """The uuid of a user, as memos.user_id makes it of an outside id."""
    return user if isinstance(user, UUID) else uuid.uuid5(_NAMESPACE, user)


def new_key() -> bytes:
    """32 bytes that nobody can guess."""
    return secrets.token_bytes(_SIZE)


def mask_key(mask: bytes, key: bytes) -> bytes:
    """A key in the form that memos.key_mask describes: a log that shows it tells nothing."""
    if not isinstance(key, bytes) or len(key) != _SIZE:
        raise BadArgument(
            "a key is not 32 bytes",
            detail=f"it is {type(key).__name__}"
            + (f" of {len(key)} bytes" if isinstance(key, bytes) else ""),
            hint="Make one with memos_pg.keys.new_key().",
        )
    salt = secrets.token_bytes(16)
    stream = hmac.digest(mask, b"key" + salt, hashlib.sha256)
    check = hmac.digest(mask, b"check" + salt + key, hashlib.sha256)[:16]
    return salt + bytes(a ^ b for a, b in zip(key, stream, strict=True)) + check


class FileKeystore:
    """A folder with a file for each user's key: 64 hexadecimal digits, for its owner only.

    It is a key provider. Keep it on another machine than the database or at least out of the reach
    of its backups: whoever has both reads everything, and a copy of it undoes a destruction.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Keep keys in `folder`, which is made when the first key is."""
        self.folder = Path(folder)

    def __call__(self, user_id: UUID) -> bytes | None:
        """The user's key, or None."""
        return self._read(self._path(user_id))

    def create(self, user_id: UUID) -> bytes:
        """Make a key for a user who has none."""
        path = self._path(user_id)
        if path.exists():
            raise Conflict(
                "the user has a key already", detail=str(path), hint="Rotate or destroy it."
            )
        return self._write(path)

    def pending(self, user_id: UUID) -> bytes | None:
        """The key that a rotation was about to change to when it was interrupted."""
        return self._read(self._path(user_id, ".new"))

    def begin_rotation(self, user_id: UUID) -> tuple[bytes, bytes]:
        """The user's key and one that is to follow it, which finish_rotation makes the key."""
        old = self(user_id)
        if old is None:
            raise NotFound(
                "the user has no key here", detail=str(self._path(user_id)), hint="Create one."
            )
        return old, self._write(self._path(user_id, ".new"))

    def finish_rotation(self, user_id: UUID) -> None:
        """Make the new key the user's key, and destroy the old one."""
        path, new = self._path(user_id), self._path(user_id, ".new")
        old = self._path(user_id, ".old")
        old.unlink(missing_ok=True)
        # A second name for the old one, so that at every moment one of the two is the user's key.
        os.link(path, old)
        new.replace(path)
        self._sync()
        _destroy(old)
        self._sync()

    def cancel_rotation(self, user_id: UUID) -> None:
        """Destroy the new key."""
        _destroy(self._path(user_id, ".new"))
        self._sync()

    def destroy(self, user_id: UUID) -> bool:
        """Overwrite and remove the user's key; false when there is none.

        Overwriting reaches the same blocks on most file systems on a plain disk; it does not on
        copy-on-write and journaling of data, on flash memory, nor in snapshots and backups.
        """
        gone = [_destroy(self._path(user_id, suffix)) for suffix in ("", ".new", ".old")]
        if any(gone):
            self._sync()
        return any(gone)

    def _path(self, user_id: UUID, suffix: str = "") -> Path:
        return self.folder / f"{UUID(str(user_id))}.key{suffix}"

    def _read(self, path: Path) -> bytes | None:
        try:
            text = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return None
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if len(key) != _SIZE:
            raise BadArgument(
                "a file holds no key",
                detail=str(path),
                hint="It has to hold 64 hexadecimal digits.",
            )
        return key

    def _write(self, path: Path) -> bytes:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = new_key()
        part = path.with_name(f"{path.name}.part")
        part.unlink(missing_ok=True)
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(file, f"{key.hex()}\n".encode())
            os.fsync(file)
        finally:
            os.close(file)
        part.rename(path)
        self._sync()
        return key

    def _sync(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _destroy(path: Path) -> bool:
    try:
        file = os.open(path, os.O_WRONLY)
    except FileNotFoundError:
        return False
    try:
        os.write(file, secrets.token_bytes(os.fstat(file).st_size))
        os.fsync(file)
    finally:
        os.close(file)
    path.unlink()
    return True
