"""How far recorded actions spread: the unit of σ when a deterministic policy's answers are perturbed."""

from collections.abc import Sequence

import numpy as np

from surehand.formats.lerobot import LeRobotFolder


def action_spread(dataset: LeRobotFolder, episodes: Sequence[int]) -> np.ndarray | None:
    """Standard deviation (population) of the actions of these episodes (D,), streamed; None without a frame.

    Moments are merged batch by batch (Chan, Golub & LeVeque 1983).
    """
    count, mean, moment = 0, np.zeros(dataset.size), np.zeros(dataset.size)
    for batch in dataset.batches(episodes) if len(episodes) else ():
        action = batch.action.astype(np.float64)  # (n, D)
        if not len(action):
            continue
        total = count + len(action)
        away = action.mean(axis=0) - mean
        moment = moment + action.var(axis=0) * len(action) + away**2 * (count * len(action) / total)
        mean, count = mean + away * (len(action) / total), total
    return np.sqrt(moment / count) if count else None
