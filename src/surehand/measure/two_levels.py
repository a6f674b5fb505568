"""Two levels, success and failure: every table at once, and the worst common rate.

n trials of the first policy, m of the second; axes [successes of both, successes of the first].
"""

from functools import lru_cache

import numpy as np

from surehand.measure.supremum import worst_case
from surehand.measure.tables import log_choose

__all__ = ["MOST_TRIALS", "given_successes", "pooled_z", "worst_rate"]

MOST_TRIALS = 4000  # of both policies, up to which every table is listed: 64 MB


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
    rate = both / max(n + m, 1)
    spread = np.sqrt(np.maximum(rate * (1 - rate), 0) * (1 / max(n, 1) + 1 / max(m, 1)))
    difference = first / max(n, 1) - (both - first) / max(m, 1)
    z = np.divide(difference, spread, out=np.zeros_like(difference), where=spread > 0)
    z.setflags(write=False)
    return z


def worst_rate(chance: np.ndarray) -> float:
    """Supremum over the common rate, from the chance of rejecting given the successes of both (N + 1,)."""
    size = len(chance) - 1
    tables = np.stack([np.arange(size + 1), size - np.arange(size + 1)], axis=1)
    return worst_case(tables, chance)[0] if size else 1.0
