"""Makes memory_support importable, here and for the tests of search and embeddings."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from memory_support import admin, app, user  # noqa: F401
