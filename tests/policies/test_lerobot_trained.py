"""Policies that lerobot trained on the simulator's demonstrations know more than the mean, through the adapter too."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

PEER = Path(__file__).parents[1] / "peers" / "lerobot_training.py"
SKILL = {"act": 0.5, "diffusion": 0.4, "smolvla": 0.3}  # at least; 0.93, 0.86 and 0.74 were measured


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str], None]) -> Path:
    """Where the answers on held-out episodes lie."""
    for module in ("lerobot", "transformers", "mujoco"):
        need(module)
    root = tmp_path_factory.mktemp("trained")
    environment = os.environ | {"HF_HOME": str(root / "home"), "PYTHONWARNINGS": ""}
    done = subprocess.run([sys.executable, PEER, root], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return root


@pytest.mark.slow
@pytest.mark.parametrize("kind", SKILL)
def test_the_first_action_is_nearer_than_the_mean(trained: Path, kind: str) -> None:
    """In robot units, each column in its training deviation, on episodes held out; a column that rests is left out.

    Normalised answers against raw actions, or a chunk that is read one step off, would be worse than the mean.
    """
    found = np.load(trained / f"{kind}.npz")
    moves = found["std"] > 1e-3
    apart = [(guess - found["done"])[:, moves] / found["std"][moves] for guess in (found["answered"], found["mean"])]
    error, constant = (float((each**2).mean()) for each in apart)
    assert moves.sum() == 5 and 0.5 < constant < 2.0
    assert 1 - error / constant > SKILL[kind]
