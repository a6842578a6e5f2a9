"""Makes this folder's helpers importable: pytest's importlib mode leaves it off the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
