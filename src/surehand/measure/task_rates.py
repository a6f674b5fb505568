"""The rival that knows nothing but the task: how often each one went wrong in episodes of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError


@dataclass(frozen=True)
class TaskRates:
    """Share of decisions that went wrong, by task."""

    rates: dict[str, float]

    def risk(self, tasks: Sequence[str]) -> np.ndarray:
        """The rate of each decision's task (N,); NaN for a task that was not seen."""
        return np.array([self.rates.get(str(task), float("nan")) for task in tasks])


def task_rates(tasks: Sequence[str], outcome: np.ndarray) -> TaskRates:
    """Rates from decisions of tasks (N,) with outcomes (N,) of 0 and 1; those with an outcome of NaN are left out.

    Judge *other* episodes with it, or the same ones knowing that it flatters this rival a little. Never leave out each
    decision or episode in turn: whatever went wrong then lowers its own rate, and the rival looks worse than chance.
    """
    outcome = np.asarray(outcome, float)
    if outcome.shape != (len(tasks),):
        raise ShapeError(f"{len(tasks)} tasks for outcomes of shape {outcome.shape}; one each")
    known = np.flatnonzero(np.isfinite(outcome))
    if not len(known):
        raise NotEnoughData("no decision with a known outcome: task rates need at least one")
    names, task = np.unique(np.asarray(tasks, str)[known], return_inverse=True)
    wrong = np.bincount(task, outcome[known]) / np.bincount(task)
    return TaskRates(dict(zip(names.tolist(), wrong.tolist(), strict=True)))
