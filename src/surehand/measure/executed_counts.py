"""What is executed and violates at every threshold of a grid: one slot per episode, or all decisions of each."""

import numpy as np

from surehand.exceptions import ShapeError
from surehand.measure.decisions import Decisions

CHUNK = 4096  # episodes counted at a time: memory stays below the data's


def check_cap(decisions: Decisions, t_max: int) -> None:
    """Nothing; ShapeError where an episode is longer than the declared most, or `single` declares more than one."""
    longest = int(decisions.lengths.max())
    if t_max < longest:
        raise ShapeError(f"an episode has {longest} decisions, more than the declared most of {t_max}; declare a cap")
    if decisions.abstaining == "single" and t_max != 1:
        raise ShapeError(f"single means one decision per episode, so the most is 1, not {t_max}")


def draw_slots(decisions: Decisions, t_max: int, rng: np.random.Generator) -> np.ndarray:
    """One slot per episode (E,), uniform on 1..t_max whatever its length, the same for all thresholds.

    A random decision of a random episode would weigh short episodes up and certify another quantity.
    """
    check_cap(decisions, t_max)
    return rng.integers(1, t_max + 1, len(decisions.starts))


def count_units(risk: np.ndarray, violation: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Executed and violating units (..., G) each at every threshold, from units (..., n) with their risk."""
    n, g = risk.shape[-1], len(grid)
    # A unit runs at every λ above its risk: it enters at the first such λ of the grid, and stays.
    cell = np.searchsorted(grid, risk.reshape(-1, n), side="right")
    cell += np.arange(len(cell))[:, None] * (g + 1)
    size, shape = len(cell) * (g + 1), (*risk.shape[:-1], g)
    enters = (cell.reshape(-1), cell[violation.reshape(-1, n)])
    found = [np.bincount(c, minlength=size).reshape(-1, g + 1)[:, :g].cumsum(axis=1).reshape(shape) for c in enters]
    return found[0], found[1]


def count_episodes(decisions: Decisions, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Executed and violating decisions of each episode at every threshold, each (E, G) int32."""
    e, g = len(decisions.starts), len(grid)
    executed, violating = np.empty((e, g), np.int32), np.empty((e, g), np.int32)
    ends = decisions.starts + decisions.lengths
    for first in range(0, e, CHUNK):
        some = slice(first, min(first + CHUNK, e))
        rows = slice(int(decisions.starts[first]), int(ends[some][-1]))
        of = np.repeat(np.arange(some.stop - first) * (g + 1), decisions.lengths[some])
        cell = of + np.searchsorted(grid, decisions.risk[rows], side="right")
        size = (some.stop - first) * (g + 1)
        for out, cells in ((executed, cell), (violating, cell[decisions.violation[rows]])):
            out[some] = np.bincount(cells, minlength=size).reshape(-1, g + 1)[:, :g].cumsum(axis=1)
    return executed, violating
