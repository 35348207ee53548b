"""Embedders for the worker's tests, imported as a user's own would be."""

from __future__ import annotations

import time
from pathlib import Path


def letters(texts: list[str]) -> list[list[float]]:
    """A vector of three counts."""
    return [[text.count("a") + 1.0, text.count("e") + 1.0, len(text) + 1.0] for text in texts]


def slow(texts: list[str]) -> list[list[float]]:
    """Takes its time, and says that it began."""
    Path("began").touch()
    time.sleep(1)
    return letters(texts)


class Namespace:
    """For a dotted name."""

    embed = staticmethod(letters)


NUMBER = 3
