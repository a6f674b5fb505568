"""LeRobot on Python 3.12, run by hand with `make test-lerobot312`, once per version.

CI's machines hold LeRobot 0.4.4 on Python 3.11 and 6 GB less: there every test of this folder is a skip that says so.
"""

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PEERS = Path(__file__).parents[1] / "peers"
Peer = Callable[..., None]


@pytest.fixture(scope="session", autouse=True)
def here() -> str:
    """The version under test."""
    try:
        version = importlib.metadata.version("lerobot")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    if tuple(int(part) for part in version.split(".")[:2]) < (0, 5):
        pytest.skip("needs lerobot 0.5 or newer; run make test-lerobot312")
    return version


@pytest.fixture(scope="session")
def peer() -> Peer:
    """`peer(script, command, folder, version, *names)` runs a peer with that lerobot, "" for the one under test."""
    folders = {"0.5.1": os.environ.get("SUREHAND_LEROBOT_051", ""), "0.6.1": ""}

    def run(script: str, command: str, root: Path, version: str = "", *names: str) -> None:
        python, environment = sys.executable, os.environ | {"HF_HOME": str(root / ".home"), "PYTHONWARNINGS": ""}
        if version == "0.4.4":
            python = os.environ.get("SUREHAND_LEROBOT_044", "")
        if not python or (version == "0.5.1" and not folders[version]):
            pytest.skip(f"lerobot {version} is not at hand; run make test-lerobot312")
        if version:
            environment["PYTHONPATH"] = folders.get(version, "")
        done = subprocess.run(
            [python, PEERS / script, command, root, *names],
            env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]

    return run
