"""From demonstrations to a LeRobot dataset, and from a dataset to the rows that the learner sees."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from demo_data.demonstrator import record
from demo_data.learner import HORIZON, chunks, inputs
from demo_data.robot import ACTION_NAMES, FPS, STATE_NAMES, D
from demo_data.world import ENVIRONMENT_NAMES, TASKS
from surehand.formats.lerobot import LeRobotFolder, open_lerobot
from surehand.formats.lerobot_write import write_lerobot
from surehand.formats.records import write_text
from surehand.frames import Actions, Space

ENVIRONMENT = "observation.environment_state"
DISTANCE = "tool_object_distance"
STEPS_PER_UNIT = 1024  # stored values are multiples of 1/1024 rad, m, ...: they compress to half the size


def rounded(values: np.ndarray, steps: int = STEPS_PER_UNIT) -> np.ndarray:
    """The nearest multiples of 1/steps, as float32 (exact there)."""
    return (np.round(values * steps) / steps).astype(np.float32)


def demonstrations(count: int, seed: int) -> Iterator[Actions]:
    """Successful attempts, tasks in turn; a failed one is repeated with fresh randomness, as people do."""
    for episode in range(count):
        task, attempt, found = episode % len(TASKS), 0, None
        while found is None:
            found, attempt = record(task, np.random.default_rng([seed, episode, attempt])), attempt + 1
        frames = len(found["action"])
        environment = rounded(found["environment"])
        yield Actions(
            action=rounded(found["action"]),
            state=rounded(found["state"]),
            episode=np.full(frames, episode),
            frame=np.arange(frames),
            task=np.full(frames, task),
            tasks=TASKS,
            columns={ENVIRONMENT: environment, DISTANCE: rounded(np.linalg.norm(environment[:, 4:], axis=1))},
            names=ACTION_NAMES,
            state_names=STATE_NAMES,
            fps=FPS,
            space=Space(reference="absolute"),
        )


def write_dataset(root: Path, count: int, seed: int) -> LeRobotFolder:
    """The dataset written and opened again, LeRobot v3.0."""
    write_lerobot(root, demonstrations(count, seed), version="v3.0", robot_type="demo_mobile_manipulator")
    path = root / "meta" / "info.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    info["features"][ENVIRONMENT]["names"] = list(ENVIRONMENT_NAMES)
    write_text(path, json.dumps(info, indent=4) + "\n")
    _repack(root)
    return open_lerobot(root)


def _repack(root: Path) -> None:
    """The same tables at a third of the size: rounded numbers compress well with zstd, and not at all with snappy."""
    import pyarrow.parquet as pq

    for path in root.rglob("*.parquet"):
        pq.write_table(pq.read_table(path), path, compression="zstd", compression_level=19, use_dictionary=False)


def observations(recorded: Actions) -> np.ndarray:
    """What a policy sees of each recorded frame (N, 18)."""
    assert recorded.state is not None
    task = np.array([TASKS.index(recorded.tasks[i]) for i in recorded.task])
    return inputs(recorded.state, recorded.columns[ENVIRONMENT], task)


def training_chunks(recorded: Actions) -> np.ndarray:
    """The chunk that follows each recorded frame (N, H, D), never reaching into the next episode."""
    starts = np.flatnonzero(recorded.frame == 0)[1:]
    return np.concatenate([chunks(action) for action in np.split(recorded.action, starts)]).reshape(-1, HORIZON, D)
