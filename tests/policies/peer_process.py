"""A peer of tests/peers in a process of its own, and what it answers by its own description."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

PEERS = Path(__file__).parents[1] / "peers"


@contextmanager
def peer(name: str, *options: str) -> Iterator[int]:
    """The port of a running peer, which ends with the block."""
    environment = os.environ | {"PYTHONPATH": str(PEERS), "PYTHONWARNINGS": ""}
    command = [sys.executable, str(PEERS / f"{name}_peer.py"), *options]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline().split()
        try:
            assert line[:1] == ["ready"], process.stderr.read()
            yield int(line[1])
        finally:
            process.kill()
            process.communicate()


def expected(leaves: Sequence[tuple[str, Any]], horizon: int = 8, dims: int = 7) -> np.ndarray:
    """(H, D) float64 that every peer answers to an observation of these leaves."""
    plan = importlib.util.spec_from_file_location("peer_answer", PEERS / "peer_answer.py")
    assert plan is not None and plan.loader is not None
    module = importlib.util.module_from_spec(plan)
    plan.loader.exec_module(module)
    return np.asarray(module.actions(leaves, horizon, dims))


def observation(seed: int) -> dict[str, Any]:
    """Two pictures, eight numbers and a task, as a dataset has them."""
    rng = np.random.default_rng(seed)
    return {
        "observation.images.top": rng.integers(0, 256, (12, 16, 3), np.uint8),
        "observation.images.wrist": rng.integers(0, 256, (12, 16, 3), np.uint8),
        "observation.state": rng.normal(size=8).astype(np.float32),
        "task": f"stack {seed} cubes",
        "episode_index": 0,
        "frame_index": seed,
    }
