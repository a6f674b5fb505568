"""An exact test of two success rates that may be looked at after every pair of trials.

n_max pairs at most, fixed beforehand; a and b are the successes of the first and second arm so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np

from surehand.exceptions import ShapeError
from surehand.measure.sequential_boundary import find_boundary

MOST_PAIRS = 500  # beyond, states would be counted in numbers larger than a float holds


class Step(NamedTuple):
    """Where the test stood after so many pairs."""

    pairs: int
    difference: int  # a − b
    upper: float  # smallest difference, at these successes in total, that stops for the first; NaN where none does
    lower: float  # largest difference that stops for the second; NaN where none does


class Stop(NamedTuple):
    """What a design says of one sequence of pairs."""

    stopped: int | None  # pairs at the first crossing
    winner: int  # 1 the first arm, −1 the second, 0 none so far
    path: list[Step]  # one per look up to the stop, or to the last pair given


class Operating(NamedTuple):
    """What a design does at given success rates, computed, not simulated."""

    first: float  # P(stops in favour of the first)
    second: float
    pairs: float  # expected number


@dataclass(frozen=True, eq=False)
class Design:
    """When to stop, for every state at every look; fixed before the first trial.

    P(it ever stops in favour of an arm that is not better) <= `type_one` <= alpha, for every pair of success rates and
    however often one looks, if trials of an arm are independent and succeed equally often.
    """

    n_max: int
    alpha: float  # of both directions together, where there are two
    sides: Literal[1, 2]  # 1: only "the first is better" can be found
    looks: tuple[int, ...]
    upper: np.ndarray  # (n_max + 1, n_max + 1) [pairs, b]: smallest a that stops for the first; n_max + 1 = none does
    spent: np.ndarray  # (looks,) of one direction: largest P(false stop by this look) seen at any p
    type_one: float  # proven bound, all directions together

    @property
    def lower(self) -> np.ndarray:
        """(n_max + 1, n_max + 1) [pairs, a]: smallest b that stops for the second; the same table, arms exchanged."""
        return self.upper if self.sides == 2 else np.full_like(self.upper, self.n_max + 1)

    def decide(self, successes_a: Sequence[bool | float], successes_b: Sequence[bool | float]) -> Stop:
        """Whether and when to stop on pairs in the order of the schedule; pairs past n_max are not looked at."""
        if len(successes_a) != len(successes_b):
            raise ShapeError(f"pairs need as many of each arm, got {len(successes_a)} and {len(successes_b)} trials")
        given = np.array([successes_a, successes_b], float)[:, : self.n_max]
        if not np.isin(given, (0.0, 1.0)).all():
            raise ShapeError("a sequential design counts successes: give 1 or 0 for every trial, no scores and no gaps")
        a, b = np.cumsum(given, axis=1).astype(int)
        path = []
        for k in (k for k in self.looks if k <= len(a)):
            first, second = int(a[k - 1]), int(b[k - 1])
            path.append(
                Step(k, first - second, self._least(self.upper, k, first + second), self._lower(k, first + second))
            )
            if first >= self.upper[k, second]:
                return Stop(k, 1, path)
            if second >= self.lower[k, first]:
                return Stop(k, -1, path)
        return Stop(None, 0, path)

    def operating(self, p_a: float, p_b: float) -> Operating:
        """Chances to stop for either arm and expected pairs at success rates p_a, p_b."""
        chance = np.ones((1, 1))
        first = second = pairs = 0.0
        for k in range(1, self.n_max + 1):
            pairs += float(chance.sum())
            by_a = np.pad(chance, ((0, 1), (0, 0))) * (1 - p_a) + np.pad(chance, ((1, 0), (0, 0))) * p_a
            chance = np.pad(by_a, ((0, 0), (0, 1))) * (1 - p_b) + np.pad(by_a, ((0, 0), (1, 0))) * p_b
            up, down = self.stops(k)
            first, second = first + float(chance[up].sum()), second + float(chance[down].sum())
            chance = np.where(up | down, 0.0, chance)
        return Operating(first, second, pairs)

    def stops(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The states [a, b] (k + 1, k + 1) at which the test stops after k pairs: for the first, for the second."""
        count = np.arange(k + 1)
        return count[:, None] >= self.upper[k, None, : k + 1], count[None, :] >= self.lower[k, : k + 1, None]

    def _least(self, table: np.ndarray, k: int, total: int) -> float:
        """Smallest a − b >= 0 with a + b = total at which `table` stops after k pairs; NaN where none does."""
        b = np.arange(max(0, total - k), total // 2 + 1)
        found = np.flatnonzero(total - b >= table[k, b])
        return float(total - 2 * b[found[-1]]) if len(found) else float("nan")

    def _lower(self, k: int, total: int) -> float:
        return -self._least(self.lower, k, total)


def design(
    n_max: int,
    alpha: float = 0.05,
    *,
    looks: Sequence[int] | None = None,
    sides: Literal[1, 2] = 2,
) -> Design:
    """The exact group-sequential design for at most n_max pairs; computed once per process for the same arguments.

    `looks`: after how many pairs one looks (every pair where None). Two-sided is both directions at alpha/2 each.
    Spending: alpha·k/n_max by pair k (Lan & DeMets 1983). ShapeError for arguments that describe no design.
    """
    chosen = tuple(range(1, n_max + 1)) if looks is None else tuple(sorted({int(k) for k in looks}))
    if not 1 <= n_max <= MOST_PAIRS:
        raise ShapeError(f"a sequential design needs 1 to {MOST_PAIRS} pairs, got {n_max}; plan fewer")
    if not 0 < alpha < 1:
        raise ShapeError(f"alpha lies between 0 and 1, got {alpha}; .05 is usual")
    if not chosen or not 1 <= chosen[0] <= chosen[-1] <= n_max:
        raise ShapeError(f"looks lie between 1 and n_max = {n_max}, got {list(chosen)}; leave them out to look always")
    if sides not in (1, 2):
        raise ShapeError(f"sides is 1 or 2, got {sides!r}")
    return _design(n_max, float(alpha), chosen, sides)


@lru_cache(maxsize=64)
def _design(n_max: int, alpha: float, looks: tuple[int, ...], sides: Literal[1, 2]) -> Design:
    least, spent, bound = find_boundary(n_max, alpha / sides, looks)
    least.setflags(write=False)
    spent.setflags(write=False)
    return Design(n_max, alpha, sides, looks, least, spent, bound * sides)
