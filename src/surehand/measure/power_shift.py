"""The smallest difference between two policies that n trials of each find: a fall from a reference by so many levels.

L levels of the rubric, lowest first; n trials of each policy.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from surehand.measure.power import find_power
from surehand.measure.power_verdict import DRAWS, MOST_PAIRS, Power, Test
from surehand.measure.superiority import win_rates


class Shift(NamedTuple):
    """The smallest difference that n trials per policy find with the target power."""

    levels: float  # every trial falls by this many levels on average, none below the lowest
    p: np.ndarray  # (L,) the policy that is worse by it
    win_rate: float  # of the reference against it
    power: float
    method: str


def smallest_difference(
    p_ref: Sequence[float] | np.ndarray,
    n: int,
    *,
    target: float = 0.8,
    test: Test = "permutation",
    sides: int = 2,
    alpha: float = 0.05,
    most_pairs: int = MOST_PAIRS,
    draws: int = DRAWS,
    precision: float = 0.002,
) -> Shift | None:
    """The smallest fall from p_ref (L,) that n trials of each find with the target power; None where not even all do.

    The alternatives: every trial ends d levels lower, none below the lowest; for a broken d a share of the trials falls
    one level more. For success and failure, d·p_ref is the difference of the success rates.
    """
    reference = np.asarray(p_ref, float)

    def at(d: float) -> Power:
        return find_power(
            reference, fallen(reference, d), n, test=test, sides=sides, alpha=alpha, most_pairs=most_pairs, draws=draws
        )

    low, high, found = 0.0, float(len(reference) - 1), at(len(reference) - 1)
    if found.value < target:
        return None
    while high - low > precision:
        middle = (low + high) / 2
        tried = at(middle)
        if tried.value >= target:
            high, found = middle, tried
        else:
            low = middle
    worse = fallen(reference, high)
    return Shift(high, worse, float(win_rates(reference, worse)), found.value, found.method)


def fallen(p: np.ndarray, d: float) -> np.ndarray:
    """The distribution (L,) when every trial of p (L,) ends d levels lower, none below the lowest.

    >>> fallen(np.array([0, 0, 0, 1.0]), 0.25).tolist()
    [0.0, 0.0, 0.25, 0.75]
    """
    whole, part = int(d), d - int(d)
    for share in [1.0] * whole + [part] * (part > 0):
        moved = share * p
        moved[0] = 0.0
        p = p - moved + np.append(moved[1:], 0.0)
    return p
