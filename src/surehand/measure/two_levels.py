"""Two levels, success and failure: every table at once, and the worst common rate.

n trials of the first policy, m of the second; axes [successes of both, successes of the first].
"""

from functools import lru_cache

import numpy as np

from surehand.measure.supremum import worst_case
from surehand.measure.tables import as_p, log_choose

__all__ = ["MOST_TRIALS", "SLACK", "barnard_rejects", "given_successes", "pooled_z", "worst_rate"]

MOST_TRIALS = 4000  # of both policies, up to which every table is listed: 64 MB
SLACK = 1e-9  # statistics nearer than this, relative, count as equal


@lru_cache(maxsize=16)
def given_successes(n: int, m: int) -> np.ndarray:
    """Chance [successes of both, of the first] (n + m + 1, n + 1) when labels are shuffled (hypergeometric)."""
    both, first = np.arange(n + m + 1)[:, None], np.arange(n + 1)
    log = log_choose(n, first) + log_choose(m, both - first) - log_choose(n + m, both)
    chance = np.exp(log)
    chance.setflags(write=False)
    return np.asarray(chance)


@lru_cache(maxsize=16)
def pooled_z(n: int, m: int) -> np.ndarray:
    """z of the difference of rates with their pooled variance, same axes; 0 where all succeed or none."""
    both, first = np.arange(n + m + 1)[:, None], np.arange(n + 1)
    rate = both / (n + m)
    spread = np.sqrt(rate * (1 - rate) * (1 / n + 1 / m))
    difference = first / n - (both - first) / m
    z = np.divide(difference, spread, out=np.zeros_like(difference), where=spread > 0)
    z.setflags(write=False)
    return z


def worst_rate(chance: np.ndarray) -> float:
    """Supremum over the common rate, from the chance of rejecting given the successes of both (N + 1,)."""
    size = len(chance) - 1
    tables = np.stack([np.arange(size + 1), size - np.arange(size + 1)], axis=1)
    return worst_case(tables, chance)[0] if size else 1.0


@lru_cache(maxsize=64)
def barnard_rejects(n: int, alpha: float, sides: int) -> np.ndarray:
    """Where `success.barnard` has p ≤ alpha: successes of the first [down] and of the second (n + 1, n + 1), n trials
    each; one-sided where the first is better.

    p falls as z grows, so the least z that is significant is found by bisection.
    """
    z, chance = pooled_z(n, n), given_successes(n, n)
    statistic = np.abs(z) if sides == 2 else z
    low, high = 0, len(every := np.unique(statistic[statistic > 0]))
    while low < high:
        middle = (low + high) // 2
        reached = statistic >= every[middle] - SLACK * (1 + every[middle])
        significant = as_p(worst_rate((chance * reached).sum(axis=1)))[0] <= alpha
        low, high = (low, middle) if significant else (middle + 1, high)
    least = every[low] * (1 - SLACK) - SLACK if low < len(every) else np.inf
    first = np.arange(n + 1)
    return np.asarray(statistic[np.add.outer(first, first), first[:, None]] >= least)
