"""An exact token budget, for callers who have the tokeniser of their model."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from memos_pg.calls.search import SearchResult


def fit_token_budget(
    results: Iterable[SearchResult], token_budget: int, count_tokens: Callable[[str], int]
) -> list[SearchResult]:
    """The best results whose contents fit: in order, whatever still fits the tokens that are left.

    As `token_budget` of `search_memories` does with estimated tokens. Search with a `limit` of more
    rows than you expect to keep, and count with your model's own tokeniser.
    """
    fitting = []
    for result in results:
        tokens = count_tokens(result.content)
        if tokens <= token_budget:
            token_budget -= tokens
            fitting.append(result)
    return fitting
