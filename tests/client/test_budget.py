"""An exact token budget packs the results of a search."""

from memos_pg import MemOS, fit_token_budget
from support.postgres import Database


def test_the_best_that_fits_in_the_order_of_the_search(database: Database) -> None:
    with MemOS(database.dsn, role="memos_app", min_size=1) as memos:
        alice = memos.for_user("alice")
        for content in ("kiwi kiwi kiwi", "kiwi and a great deal more to say", "one kiwi"):
            alice.add_memory(content)
        found = alice.search_memories("kiwi", limit=50)
        assert len(found) == 3

        def count(text: str) -> int:
            return len(text.split())

        assert fit_token_budget(found, 100, count) == found
        assert fit_token_budget(found, 0, count) == []
        fitting = fit_token_budget(found, 5, count)
        assert [result.content for result in fitting] == ["kiwi kiwi kiwi", "one kiwi"]
