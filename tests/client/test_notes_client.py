"""Notes and consolidation through the client and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest
from memos_pg import Conflict, MemOS, NotFound, User
from test_cli import Invoke, answer, memos_command  # noqa: F401


def test_notes_through_the_client(alice: User, operator: MemOS) -> None:
    tea = alice.add_memory("Anna drinks green tea every morning")
    assert alice.get_note(tea) is None
    assert operator.note_status().pending == 1
    operator.make_notes()
    note = alice.get_note(tea)
    assert note is not None
    assert (note.made_by, note.version) == ("rules", 1)
    alice.set_note(tea, ["tea"], context="hot")
    assert [n.context for n in alice.list_notes("TEA")] == ["hot"]
    assert "green tea" in alice.make_note(tea).keywords or alice.list_notes("tea")
    with pytest.raises(NotFound):
        alice.get_note(uuid4())
    assert operator.configure_note_provider("off") == 0


def test_evolution_through_the_client(alice: User) -> None:
    old, new = alice.add_memory("Anna has tea", tags=["tea"]), alice.add_memory("Tea is hot")
    for memory in (old, new):
        alice.set_note(memory, ["tea"])
    alice.link_memories(old, new)
    shown = alice.evolve_memory(new, dry_run=True)
    assert shown.evolution_id is None
    done = alice.evolve_memory(new)
    assert done.changes == shown.changes
    assert done.evolution_id is not None
    assert [e.evolution_id for e in alice.list_evolutions(old)] == [done.evolution_id]
    assert alice.undo_evolution(done.evolution_id) >= 1
    with pytest.raises(Conflict):
        alice.undo_evolution(done.evolution_id)
    assert alice.apply_evolution(new, {}) is None


def test_a_network_through_the_client(alice: User, memos: MemOS) -> None:
    alice.add_memory("Anna has tea")
    network = alice.export_network()
    done = memos.for_user("bob").import_network(network)
    assert (done.memories, done.created, done.dangling) == (1, 1, 0)


def test_consolidation_through_the_client(alice: User) -> None:
    kept, other = alice.add_memory("It rains."), alice.add_memory("It rains")
    suggested = alice.find_duplicates("It rains!")
    assert {(row.match, row.similarity) for row in suggested} == {("same", 1)}
    (shown,) = alice.consolidate_memories()
    assert (shown.run_id, shown.source_ids) == (None, [other])
    (done,) = alice.consolidate_memories(dry_run=False)
    assert (done.memory_id, done.content) == (kept, "It rains.")
    assert alice.get_memory(other).tier == "cold"
    assert alice.undo_consolidation(done.run_id) == 1
    run_id = alice.merge_memories(other, [kept], "said so")
    assert [run.run_id for run in alice.list_consolidations()] == [run_id, done.run_id]


def test_notes_on_the_command_line(
    memos_command: Invoke,  # noqa: F811
    alice: User,
    tmp_path: Path,
) -> None:
    tea, pot = alice.add_memory("Anna drinks tea"), alice.add_memory("The tea pot of Anna")
    assert "No note yet" in memos_command("note", tea, "-u", "alice").stdout
    assert "tea" in memos_command("note", tea, "-u", "alice", "--make").stdout
    set_ = memos_command("note", pot, "-u", "alice", "-k", "tea", "--context", "china", "--json")
    assert answer(set_)["context"] == "china"
    alice.set_note(tea, ["tea"])
    alice.link_memories(tea, pot)
    assert "shares" in memos_command("evolve", pot, "-u", "alice", "--dry-run").stdout
    done = answer(memos_command("evolve", pot, "-u", "alice", "--json"))
    undo = ("undo", "evolution", done["evolution_id"], "-u", "alice")
    assert "steps back" in memos_command(*undo).stdout
    assert "MO409" in memos_command(*undo).stderr

    exported = memos_command("export-network", "-u", "alice")
    path = tmp_path / "network.json"
    path.write_text(exported.stdout, encoding="utf-8")
    imported = answer(memos_command("import-network", path, "-u", "bob", "--json"))
    assert (imported["memories"], imported["created"]) == (2, 2)
    path.write_text("{", encoding="utf-8")
    assert memos_command("import-network", path, "-u", "bob").exit_code == 1
    assert json.loads(exported.stdout)["max_connections"] == 10


def test_consolidation_on_the_command_line(
    memos_command: Invoke,  # noqa: F811
    alice: User,
) -> None:
    assert "Nothing like it" in memos_command("duplicates", "xyz", "-u", "alice").stdout
    alice.add_memory("It rains.")
    alice.add_memory("It rains 2 times")
    other = alice.add_memory("It rains")
    shown = memos_command("duplicates", "It rains!", "-u", "alice", "--min-similarity", 0.1).stdout
    assert "same" in shown
    assert "number" in shown
    assert "Nothing was changed" in memos_command("consolidate", "-u", "alice").stdout
    assert alice.get_memory(other).tier == "warm"
    (done,) = answer(memos_command("consolidate", "-u", "alice", "--apply", "--json"))
    assert done["source_ids"] == [str(other)]
    assert "Nothing to consolidate" in memos_command("consolidate", "-u", "alice").stdout
    undone = memos_command("undo", "consolidation", done["run_id"], "-u", "alice", "--json")
    assert answer(undone) == {"undone": 1}
