"""A small dataset with known structure, and predictions whose errors a loop can check."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surehand.formats.lerobot import open_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.formats.predictions import write_predictions
from surehand.frames import Actions, Predictions

LAYOUT = "arm(lift:prismatic[m] flex):revolute[rad] gripper:gripper[0..1] base(x y):velocity[m/s]"
NAMES = ("lift", "flex", "gripper", "x", "y")
TASKS = ("pick the can", "press the button")
EPISODES, H = 12, 4


def recorded_episode(index: int, rng: np.random.Generator) -> Actions:
    """A smooth episode of 20 to 29 frames; the gripper closes half-way, base y never moves."""
    n = 20 + index % 10
    t = np.linspace(0, 1, n)[:, None]
    arm = 0.3 * np.sin(2 * t + rng.uniform(0, 3, (1, 2))) + 0.01 * rng.normal(size=(n, 2))
    gripper = (t < 0.5).astype(float)
    base = np.column_stack([0.2 * np.cos(3 * t[:, 0]), np.zeros(n)])
    action = np.column_stack([arm, gripper, base]).astype(np.float32)
    return Actions(
        action=action,
        episode=np.full(n, index),
        frame=np.arange(n),
        task=np.full(n, index % 2),
        state=action + np.float32(0.02),
        timestamp=np.arange(n) / 10,
        columns={"session": np.full((n, 1), index // 4), "near": (t > 0.6).astype(np.int64)},
        tasks=TASKS,
        names=NAMES,
        state_names=NAMES,
        fps=10.0,
    )


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Twelve episodes of two tasks as a LeRobot v3.0 folder."""
    rng = np.random.default_rng(1)
    return write_lerobot(tmp_path / "dataset", [recorded_episode(i, rng) for i in range(EPISODES)], robot_type="toy")


def predict(recorded: Actions, error: np.ndarray, rng: np.random.Generator, draws: int = 1) -> Predictions:
    """Chunks of H steps: the recording plus normal noise of size `error` (D,), the last value held past the end."""
    ends = np.flatnonzero(np.diff(recorded.episode, append=-1))
    last = ends[np.searchsorted(ends, np.arange(len(recorded)))]
    rows = np.minimum(np.arange(len(recorded))[:, None] + np.arange(H), last[:, None])
    truth = recorded.action[rows][:, None]  # (N, 1, H, D)
    noise = rng.normal(size=(len(recorded), draws, H, len(error))) * error
    return Predictions(
        prediction=(truth + noise).astype(np.float32),
        episode=recorded.episode,
        frame=recorded.frame,
        length=np.full(len(recorded), H),
        metadata={"generator": "noise" if draws > 1 else "deterministic", "seed": 3},
    )


@pytest.fixture
def predictions(dataset: Path, tmp_path: Path) -> list[Path]:
    """Three checkpoints over episodes 8..11: good at the base, good at the arm, and one with three draws."""
    recorded = open_lerobot(dataset).read([8, 9, 10, 11])
    sizes = {"step 100": [0.1, 0.1, 0.1, 0.01, 0.01], "step 200": [0.02, 0.02, 0.1, 0.12, 0.01], "mix": [0.05] * 5}
    paths = []
    for i, (name, error) in enumerate(sizes.items()):
        made = predict(recorded, np.array(error), np.random.default_rng(i), draws=3 if name == "mix" else 1)
        paths.append(write_predictions(tmp_path / f"{name.replace(' ', '_')}.parquet", replace(made, checkpoint=name)))
    return paths


@pytest.fixture
def oracle_file(dataset: Path, tmp_path: Path) -> Path:
    """A policy that predicts the recording itself."""
    recorded = open_lerobot(dataset).read([8, 9, 10, 11])
    made = predict(recorded, np.zeros(5), np.random.default_rng(0))
    return write_predictions(tmp_path / "oracle.parquet", replace(made, checkpoint="oracle"))
