"""The generator lives in tools/, outside the package: its tests import it from there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
