"""Keys of users, in files: memos keys."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from memos_pg.calls.encryption import KeyStatus
from memos_pg.cli.base import AsJson, Dsn, Output, Role, UserName, app, client, speaking
from memos_pg.client import MemOS, User
from memos_pg.errors import BadArgument, MemOSError, NotFound, NotYours
from memos_pg.keys import FileKeystore, user_uuid

group = typer.Typer(
    name="keys",
    help="Keys that encrypt users' restricted memories, kept in files outside of the database.",
    no_args_is_help=True,
)
app.add_typer(group)

Folder = Annotated[
    str, typer.Option("--keystore", envvar="MEMOS_KEYSTORE", help="The folder with the keys.")
]


def _user_id(name: str) -> UUID:
    try:
        return UUID(name)
    except ValueError:
        return user_uuid(name)


def _opened(memos: MemOS, user_id: UUID, key: bytes | None) -> User:
    user = memos.for_user(user_id)
    return user if key is None else user.with_key(key)


def _show(output: Output, status: KeyStatus) -> None:
    def draw(console: object) -> None:
        if status.key_id is None:
            line = "no key"
        elif status.destroyed_at:
            line = f"key {status.key_id}, destroyed at {status.destroyed_at}"
        else:
            hand = "at hand" if status.at_hand else "not at hand"
            line = f"key {status.key_id} of {status.created_at}, {hand}"
        output.console.print(
            f"{line}; versions of restricted memories: {status.encrypted} encrypted, "
            f"{status.in_clear} in clear",
            highlight=False,
        )

    output.show(status, draw)


@group.command("create")
def create(
    ctx: typer.Context,
    user: UserName,
    keystore: Folder,
    dsn: Dsn = None,
    role: Role = "memos_app",
    as_json: AsJson = False,
) -> None:
    """Make a user's key, and encrypt what is restricted already."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        store, user_id = FileKeystore(keystore), _user_id(user)
        key = store.create(user_id)
        try:
            memos.for_user(user_id).create_user_key(key)
        except MemOSError:
            # The database has refused. After any other error it may have made the key all the same.
            store.destroy(user_id)
            raise
        _show(output, _opened(memos, user_id, key).key_status())


@group.command("status")
def status(
    ctx: typer.Context,
    user: UserName,
    keystore: Folder,
    dsn: Dsn = None,
    role: Role = "memos_app",
    as_json: AsJson = False,
) -> None:
    """Show a user's key and what it encrypts; fails when the key in the folder is another one."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        user_id = _user_id(user)
        _show(output, _opened(memos, user_id, FileKeystore(keystore)(user_id)).key_status())


@group.command("encrypt")
def encrypt(
    ctx: typer.Context,
    user: UserName,
    keystore: Folder,
    dsn: Dsn = None,
    role: Role = "memos_app",
    as_json: AsJson = False,
) -> None:
    """Encrypt what there is in clear of a user's restricted memories."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        user_id = _user_id(user)
        opened = _opened(memos, user_id, FileKeystore(keystore)(user_id))
        opened.encrypt_restricted()
        _show(output, opened.key_status())


@group.command("rotate")
def rotate(
    ctx: typer.Context,
    user: UserName,
    keystore: Folder,
    dsn: Dsn = None,
    role: Role = "memos_app",
    as_json: AsJson = False,
) -> None:
    """Change a user's key; what an interrupted rotation left is set right first."""
    with speaking(ctx, as_json) as output, client(ctx, dsn, role) as memos:
        store, user_id = FileKeystore(keystore), _user_id(user)
        pending = store.pending(user_id)
        if pending is not None:
            try:
                _opened(memos, user_id, pending).key_status()
                store.finish_rotation(user_id)
            except NotYours:
                store.cancel_rotation(user_id)
        old, new = store.begin_rotation(user_id)
        memos.for_user(user_id).rotate_user_key(old, new)
        store.finish_rotation(user_id)
        _show(output, _opened(memos, user_id, new).key_status())


@group.command("destroy")
def destroy(
    ctx: typer.Context,
    user: UserName,
    keystore: Folder,
    yes: Annotated[bool, typer.Option("--yes", help="Without this nothing happens.")] = False,
    dsn: Dsn = None,
    role: Annotated[str, typer.Option("--role", help="The role to act as.")] = "memos_admin",
    as_json: AsJson = False,
) -> None:
    """Make a user's encrypted memories unreadable for ever, in the database and in every backup.

    Copies of the file with the key that somebody made have to be destroyed by hand.
    """
    with speaking(ctx, as_json) as output:
        user_id = _user_id(user)
        if not yes:
            raise BadArgument(
                "this cannot be undone",
                detail=f"nobody could read the encrypted memories of user {user_id} again",
                hint="Say --yes if that is what you want.",
            )
        with client(ctx, dsn, role) as memos:
            at = memos.destroy_user_key(user_id)
        in_store = FileKeystore(keystore).destroy(user_id)
        if at is None and not in_store:
            raise NotFound(
                "the user has no key", detail=f"user {user_id}", hint="Look with memos keys status."
            )
        output.show(
            {"destroyed_at": at, "file_destroyed": in_store},
            lambda console: console.print(
                f"destroyed: in the database {at or 'was none'}, "
                f"in {keystore} {'now' if in_store else 'was none'}",
                highlight=False,
            ),
        )


@group.command("print")
def print_key(
    ctx: typer.Context,
    user_id: Annotated[str, typer.Argument(help="The user's uuid.")],
    keystore: Folder,
) -> None:
    """Print a user's key, as memos_admin.set_key_command wants it; nothing when there is none."""
    with speaking(ctx, False):
        key = FileKeystore(keystore)(UUID(user_id))
        if key is not None:
            print(key.hex())
