"""The scripts that make and summarise the demo lie in tools/, outside the package: its tests import them from there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
