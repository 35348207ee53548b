"""What is erased is not in the files of the server either, once they are scrubbed."""

from __future__ import annotations

import secrets
from pathlib import Path
from uuid import uuid4

from erasure_support import TOKEN, erase, holding, live
from memory_support import Connection, add, rows
from memos_pg.migrate import migrate
from memos_pg.scrub import scrub
from support.postgres import Server

OTHER = "bassoon"


def hits(files: Path, word: str) -> dict[str, int]:
    """How often a word is in each file, in any case; pg_wal apart."""
    found = {}
    for path in files.rglob("*"):
        if path.is_file() and "pg_wal" not in path.parts:
            count = path.read_bytes().lower().count(word.encode())
            if count:
                found[str(path.relative_to(files))] = count
    return found


def hits_in_wal(files: Path, word: str) -> int:
    return sum(p.read_bytes().lower().count(word.encode()) for p in files.glob("pg_wal/0*"))


def settle(superuser: Connection) -> None:
    superuser.execute("checkpoint")


def test_no_file_holds_it(server: Server) -> None:
    files = Path(server._postgresql.get_data_directory())
    database = server.create_database(name="memos")
    migrate(database.dsn)
    user, other = uuid4(), uuid4()
    with database.connect("memos_admin") as admin:
        rows(admin, "memos_admin.register_embedding_model", "v", 2, "external")
    with database.connect("memos_app") as app, database.connect() as superuser:
        live(app, other, f"Mira keeps a {OTHER} under her bed.", OTHER)
        memory = live(app, user)
        # Out of line: compressible neither for TOAST nor for the WAL.
        long = " ".join(f"{TOKEN} {secrets.token_hex(8)}" for _ in range(2000))
        toasted = add(app, user, long, p_metadata={"said": long})
        superuser.execute("vacuum analyze")
        settle(superuser)
        assert len(hits(files, TOKEN)) > 15, "the life does not reach enough files"
        for gone in (memory, toasted):
            erase(app, user, gone)
        assert holding(superuser, TOKEN, user) == {}
        settle(superuser)
        # Vacuum gives room free, it does not overwrite it.
        superuser.execute("vacuum")
        settle(superuser)
        assert hits(files, TOKEN)
        scrub(database.dsn)
        settle(superuser)
        assert hits(files, TOKEN) == {}
        assert len(hits(files, OTHER)) > 15
        assert holding(superuser, OTHER, other) != {}
        # The WAL holds it until its segments have been written over, which takes checkpoints and
        # other changes; then nothing does.
        assert hits_in_wal(files, TOKEN)
        superuser.execute("create table public.filler (n int)")
        for _ in range(60):
            superuser.execute("insert into public.filler values (1)")
            superuser.execute("select pg_switch_wal()")
            settle(superuser)
            if not hits_in_wal(files, TOKEN):
                break
        assert hits_in_wal(files, TOKEN) == 0
        assert hits(files, TOKEN) == {}
