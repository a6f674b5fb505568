"""Which pairs of success counts Barnard's unconditional test rejects, n trials per policy."""

from functools import lru_cache

import numpy as np

GRID = 400  # success rates tried for the supremum, dense at both ends
DIGITS = 10  # of a statistic: equal ones are equal, however they were computed


@lru_cache(maxsize=64)
def barnard_rejects(n: int, alpha: float, sides: int) -> np.ndarray:
    """Where p ≤ α (n + 1, n + 1), first policy's successes down, second's across; one-sided: the first is better.

    Statistic: Wald's with the pooled variance, 0 where all trials end alike (Suissa & Shuster 1985). The supremum over
    the common success rate is taken over a grid, in whose gaps p may be higher by some 1e-5.
    """
    from scipy.stats import binom

    x = np.arange(n + 1)
    pooled = np.add.outer(x, x) / (2 * n)
    spread = np.sqrt(pooled * (1 - pooled) * 2 / n)
    z = np.divide(np.subtract.outer(x, x) / n, spread, out=np.zeros_like(spread), where=spread > 0).round(DIGITS)
    statistic = (np.abs(z) if sides == 2 else z).ravel()
    order = np.argsort(-statistic, kind="stable")
    ranked = statistic[order]
    last = np.searchsorted(-ranked, -ranked, side="right") - 1  # of those that are as extreme
    highest = np.zeros(len(order))
    for rate in np.sin(np.linspace(0, np.pi / 2, GRID + 2)[1:-1]) ** 2:
        if sides == 2 and rate > 0.5 + 1e-9:
            break  # symmetric
        chance = binom.pmf(x, n, rate)
        highest = np.maximum(highest, np.cumsum(np.outer(chance, chance).ravel()[order]))
    rejected = np.empty(len(order), bool)
    rejected[order] = (highest[last] <= alpha) & (ranked > 0)
    return rejected.reshape(n + 1, n + 1)
