"""The example of the repository, as it is run: three processes, one of them killed."""

from __future__ import annotations

from memos_pg import MemOS
from memos_pg.client import conninfo
from memos_pg.examples import agents
from support.postgres import Database


def test_three_agents_reach_their_goal_although_one_is_killed(database: Database) -> None:
    said: list[str] = []
    report = agents.run(database.dsn, "maya", said.append)
    assert report.conclusion.count("SRVO-062") == report.conclusion.count("SRVO-023") == 1
    assert "Dead encoder batteries" in report.conclusion
    assert "12 kilos instead of 21" in report.conclusion
    assert report.conclusion in [hit.content for hit in report.found]
    assert any(f"searcher {report.killed}" in line and "killed" in line for line in said)

    with MemOS(conninfo(database.dsn, "memos_app"), min_size=1, max_size=1) as memos:
        maya = memos.for_user("maya")
        actions = maya.list_actions(report.scratchpad_id)
        # The killed one took an action and left nothing; its heir took it again.
        assert sorted(a.attempts for a in actions if a.type == "search") == [1, 1, 1, 2]
        assert {a.status for a in actions} == {"completed"}
        assert len(actions) == 2 * len(agents.PLAN) + 1
        questions = maya.list_questions(report.scratchpad_id)
        assert [q.status for q in questions] == ["answered"] * len(agents.PLAN)
        assert maya.scratchpad_quality(report.scratchpad_id).complete
        assert maya.list_contradictions(report.scratchpad_id, resolved=False) == []
        searched = maya.list_references(report.scratchpad_id, "search")
        assert {s.key for s in searched} == set(agents.PLAN)
        conclusion = next(h for h in report.found if h.content == report.conclusion)
        linked = maya.list_links(conclusion.memory_id)
        assert {link.type for link in linked} == {"supports"}
        assert len(linked) == len(agents.PLAN)
