"""What the tests of encryption share with those of memories."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "memory"))

from memory_support import admin, app, user  # noqa: F401
