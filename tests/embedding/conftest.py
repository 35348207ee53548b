"""Fixtures and helpers of tests/memory."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "memory"))

from memory_support import admin, app, user  # noqa: F401

sys.path.insert(0, str(Path(__file__).parents[1] / "plpython"))  # misbehaving_server
