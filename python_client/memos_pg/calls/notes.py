"""Notes of memories, how memories change their neighbours, and the old network's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from memos_pg.calls.base import NOTHING, Call, Json, Shape, call, many, one, optional, scalar


@dataclass(frozen=True, slots=True)
class Note:
    """What a memory is about; `made_by`: rules, caller, or the name of a language model."""

    memory_id: UUID
    version: int
    keywords: list[str]
    tags: list[str]
    context: str
    made_by: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class ListedNote:
    """A note with the memory's content."""

    memory_id: UUID
    version: int
    keywords: list[str]
    tags: list[str]
    context: str
    made_by: str
    made_at: datetime
    content: str


@dataclass(frozen=True, slots=True)
class MadeNote:
    """A note that was just made."""

    keywords: list[str]
    tags: list[str]
    context: str


@dataclass(frozen=True, slots=True)
class Evolution:
    """What a memory changed, or would; `evolution_id` is None when nothing changed."""

    evolution_id: UUID | None
    changes: Json


@dataclass(frozen=True, slots=True)
class RecordedEvolution:
    """What a memory changed about its neighbours, with each row before and after."""

    evolution_id: UUID
    memory_id: UUID
    made_by: str
    reason: str | None
    created_at: datetime
    undone_at: datetime | None
    changes: list[Json]


@dataclass(frozen=True, slots=True)
class ImportedNetwork:
    """Memories in a network, how many of them and of the links are new, and dangling ends."""

    memories: int
    created: int
    links: int
    dangling: int


@dataclass(frozen=True, slots=True)
class NoteStatus:
    """Who makes notes, and how many memories have one or wait for it."""

    provider: str
    model: str | None
    evolves: bool
    done: int
    pending: int
    failed: int
    to_evolve: int
    last_error: str | None


class NoteCalls:
    """The notes of the user the object is bound to."""

    user: str | UUID

    def get_note(self, memory_id: UUID | str) -> Call[Note | None]:
        """The note of a memory; None while it is not made."""
        return call("memos.get_note", optional(Note), user=self.user, memory_id=memory_id)

    def list_notes(
        self,
        keyword: str | None = None,
        tag: str | None = None,
        limit: int | None = None,
        after: UUID | str | None = None,
    ) -> Call[list[ListedNote]]:
        """Notes, those of the newest memories first, with that keyword and that tag."""
        return call(
            "memos.list_notes",
            many(ListedNote),
            user=self.user,
            keyword=keyword,
            tag=tag,
            limit=limit,
            after=after,
        )

    def set_note(
        self,
        memory_id: UUID | str,
        keywords: Iterable[str],
        tags: Iterable[str] | None = None,
        context: str | None = None,
    ) -> Call[None]:
        """Say what a memory is about; it stands until the memory's content changes."""
        return call(
            "memos.set_note",
            NOTHING,
            user=self.user,
            memory_id=memory_id,
            keywords=keywords,
            tags=tags,
            context=context,
        )

    def make_note(self, memory_id: UUID | str) -> Call[MadeNote]:
        """Make the note of a memory by statistics and rules now, and return it."""
        return call("memos.make_note", one(MadeNote), user=self.user, memory_id=memory_id)

    def evolve_memory(self, memory_id: UUID | str, dry_run: bool | None = None) -> Call[Evolution]:
        """Let a memory change its nearest neighbours by rules."""
        return call(
            "memos.evolve_memory",
            one(Evolution),
            user=self.user,
            memory_id=memory_id,
            dry_run=dry_run,
        )

    def apply_evolution(
        self,
        memory_id: UUID | str,
        changes: Mapping[str, Any],
        made_by: str | None = None,
    ) -> Call[UUID | None]:
        """Apply what somebody decided about a memory's neighbours; the id to undo it with."""
        return call(
            "memos.apply_evolution",
            _ID_OR_NONE,
            user=self.user,
            memory_id=memory_id,
            changes=changes,
            made_by=made_by,
        )

    def undo_evolution(self, evolution_id: UUID | str) -> Call[int]:
        """Take an evolution back as a whole, and return how many changes it had."""
        return call("memos.undo_evolution", scalar(int), user=self.user, evolution_id=evolution_id)

    def list_evolutions(
        self, memory_id: UUID | str | None = None, limit: int | None = None
    ) -> Call[list[RecordedEvolution]]:
        """What memories changed about others (of one: caused or suffered), newest first."""
        return call(
            "memos.list_evolutions",
            many(RecordedEvolution),
            user=self.user,
            memory_id=memory_id,
            limit=limit,
        )

    def export_network(self) -> Call[Json]:
        """The memories and links as the JSON of the old semantic network."""
        return call("memos.export_network", scalar(dict), user=self.user)

    def import_network(
        self, network: Mapping[str, Any], model: str | None = None
    ) -> Call[ImportedNetwork]:
        """Read such JSON; its vectors are taken when `model` says which model they are of."""
        return call(
            "memos.import_network",
            one(ImportedNetwork),
            user=self.user,
            network=network,
            model=model,
        )


class NoteAdminCalls:
    """Who makes notes, and when."""

    def configure_note_provider(
        self,
        provider: str,
        options: Mapping[str, Any] | None = None,
        evolve: bool | None = None,
        remake: bool | None = None,
    ) -> Call[int]:
        """Make notes by rules, http or not at all (off); how many memories were queued."""
        return call(
            "memos_admin.configure_note_provider",
            scalar(int),
            provider=provider,
            options=options,
            evolve=evolve,
            remake=remake,
        )

    def make_notes(
        self,
        user_id: UUID | None = None,
        limit: int | None = None,
        at_most: timedelta | None = None,
    ) -> Call[None]:
        """Make the notes that wait, of a user or of all, committing batch by batch."""
        return call(
            "memos_admin.make_notes",
            NOTHING,
            verb="call",
            user_id=user_id,
            limit=limit,
            at_most=at_most,
        )

    def note_status(self) -> Call[NoteStatus]:
        """Who makes notes, and how many are done, pending and failed."""
        return call("memos_admin.note_status", one(NoteStatus))


_ID_OR_NONE: Shape[UUID | None] = Shape((), lambda rows: rows[0][0])
