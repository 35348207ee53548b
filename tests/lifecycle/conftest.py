<<<<<<< HEAD
"""What the tests of a memory's life share."""
=======
"""What the tests of retention and tiers share."""
>>>>>>> 6f957594a3fd092f3ed36568a7e28af839021ac6

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "memory"))
<<<<<<< HEAD
sys.path.insert(0, str(Path(__file__).parents[1] / "plpython"))
=======
>>>>>>> 6f957594a3fd092f3ed36568a7e28af839021ac6
sys.path.insert(0, str(Path(__file__).parent))

from memory_support import admin, app, user  # noqa: F401
