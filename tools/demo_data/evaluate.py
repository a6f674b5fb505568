"""Closed-loop truth: the trained policies drive the demo robot, and successes are counted."""

from collections.abc import Callable

import numpy as np

from demo_data.learner import inputs
from demo_data.world import TASKS, new_world

EXECUTED = 4  # leading steps of each chunk that run before the next one
LONGEST = 180  # frames

Predict = Callable[[np.ndarray], np.ndarray]


def successes(predict: Predict, per_task: int, seed: int) -> np.ndarray:
    """(T, per_task) bool: did the policy succeed; starts follow from `seed` alone, so all policies face the same."""
    rng = np.random.default_rng(seed)
    task = np.repeat(np.arange(len(TASKS)), per_task)
    world = new_world(task, rng)
    done = np.zeros(len(task), bool)
    for frame in range(LONGEST):
        if frame % EXECUTED == 0:
            chunk = predict(inputs(*world.observe(rng), task))
        world.step(chunk[:, frame % EXECUTED])
        done |= world.succeeded()
    return (done & ~world.knocked).reshape(len(TASKS), per_task)
