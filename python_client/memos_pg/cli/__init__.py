"""The command line: `memos`. Rich tables for people, one JSON document with --json for machines."""

# Imported in the order in which `memos --help` lists their commands.
# ruff: noqa: I001
from memos_pg.cli.base import app
from memos_pg.cli import installation as installation
from memos_pg.cli import memory as memory
from memos_pg.cli import search as search
from memos_pg.cli import links as links
from memos_pg.cli import lifecycle as lifecycle
from memos_pg.cli import notes as notes
from memos_pg.cli import consolidation as consolidation
from memos_pg.cli import tiers as tiers
from memos_pg.cli import facts as facts
from memos_pg.cli import scratchpad as scratchpad
from memos_pg.cli import cache as cache
from memos_pg.cli import embedding as embedding
from memos_pg.cli import holds as holds
from memos_pg.cli import erasure as erasure
from memos_pg.cli import audit as audit
from memos_pg.cli import demo as demo

__all__ = ["app"]
