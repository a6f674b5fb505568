"""The embedded demo: a small dataset, predictions of several checkpoints, and how often each succeeded."""

from importlib.resources import files
from pathlib import Path


def demo_folder() -> Path:
    """The folder with `dataset/` (LeRobot v3.0), `predictions/`, `trials.csv`, `rounds.parquet` and `robot.xml`."""
    return Path(str(files("surehand.demo") / "data"))
