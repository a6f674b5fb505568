"""What the robot's tests share."""

from collections.abc import Callable

import numpy as np
import pytest

from surehand.exceptions import SurehandError
from surehand.sim.env import TaskEnv
from surehand.sim.experts import expert as find_expert


@pytest.fixture(scope="session")
def play() -> Callable[..., TaskEnv]:
    """An environment after `steps` of its expert, or after a whole episode."""

    def run(task: str, body: str = "mobile", seed: int = 0, steps: int | None = None) -> TaskEnv:
        env = TaskEnv(task, body)
        env.reset(seed=seed)
        expert = find_expert(env)
        while steps is None or env.steps < steps:
            _, _, done, late, _ = env.step(expert.act())
            if done or late:
                break
        return env

    return run


@pytest.fixture(scope="session")
def opengl() -> None:
    """Skips the test where nothing can be drawn."""
    try:
        TaskEnv("press", "desk").picture("hand", 16, 16)
    except SurehandError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def wild() -> Callable[..., np.ndarray]:
    """Actions (count, D) around the present command, wild enough to hit things."""

    def draw(env: TaskEnv, count: int, rng: np.random.Generator) -> np.ndarray:
        return env.world.commanded() + rng.normal(0.0, 0.2, (count, env.body.size)) * (env.body.high - env.body.low)

    return draw
