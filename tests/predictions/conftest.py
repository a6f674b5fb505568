"""A small dataset, and policies over it whose answers are known beforehand."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from surehand.formats.lerobot import LeRobotFolder, open_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.frames import Actions
from surehand.predictions.plan import PredictPlan

sys.path.insert(0, str(Path(__file__).parent))  # workers import toy_policies too

TASKS = ("pick the can", "press the button")
HELD_OUT = (8, 9, 10, 11)


def recorded_episode(index: int, rng: np.random.Generator) -> Actions:
    """20 to 29 frames; the state is not the action, and says which frame it is."""
    n = 20 + index % 10
    action = rng.normal(size=(n, 5)).cumsum(axis=0).astype(np.float32)
    frame = np.arange(n)
    return Actions(
        action=action,
        episode=np.full(n, index),
        frame=frame,
        task=np.full(n, index % 2),
        state=np.column_stack([np.full(n, index), frame, action[:, :3]]).astype(np.float32),
        timestamp=frame / 10,
        columns={"observation.force": rng.normal(size=(n, 1)).astype(np.float32)},
        tasks=TASKS,
        names=("lift", "flex", "gripper", "x", "y"),
        state_names=("episode", "frame", "a", "b", "c"),
        fps=10.0,
    )


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve episodes of two tasks as a LeRobot v3.0 folder."""
    rng = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("predict") / "toy"
    return write_lerobot(folder, [recorded_episode(i, rng) for i in range(12)], robot_type="toy")


@pytest.fixture
def dataset(root: Path) -> LeRobotFolder:
    return open_lerobot(root)


@pytest.fixture
def plan() -> PredictPlan:
    """Two shards of two episodes, batches that end inside an episode."""
    return PredictPlan(episodes=HELD_OUT, train=tuple(range(8)), shard=60, batch=16)


@pytest.fixture
def toy(root: Path) -> Callable[[str], str]:
    """The address of a toy policy, as in toy("late=oracle@2")."""
    return lambda text: f"{text}:{root}" if "=" in text else f"{text.split('@')[0].split('#')[0]}={text}:{root}"
