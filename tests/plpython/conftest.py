"""Makes fake_plpy and misbehaving_server importable, here and for the tests of the workers."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
