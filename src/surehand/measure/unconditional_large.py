"""The unconditional ordinal test where pooled tables are too many: the faces on which the worst case lies as a rule.

L levels; C cells, K pooled tables and G distributions of three levels of which two are rare.
"""

from functools import lru_cache

import numpy as np

from surehand.measure.rejections import SLACK, doubled_spread
from surehand.measure.tables import log_choose, ways
from surehand.measure.two_levels import MOST_TRIALS, given_successes, pooled_z, worst_rate

__all__ = ["large"]

RARE = 30  # trials, both policies, on the two rare levels
DOUBT = 0.001  # chance of as many hits if the p-value found were right
NOTHING = 1e-30  # chances below this only slow the arithmetic down
MOST_RATE = 14.0  # expected on them; more than RARE come in 5 of 100 000 experiments


def large(
    first: np.ndarray, second: np.ndarray, z: float, draws: int, rng: np.random.Generator, *, least: float = 0.0
) -> float:
    """One-sided p from counts (L,) each: the largest chance of `z` ≥ 0 or more over four kinds of distribution.

    Two levels alone, exact, by grid and climb; three levels with two of them rare, exact on a grid of rates; and the
    pooled scores, and evenly spread ones, by `draws` random tables each, which raise p to (b + 1)/(B + 1) where they
    leave no doubt. `least` is a chance known to be reached elsewhere. A supremum over part of the simplex: where three
    or four levels could be listed (z from 1.3 to 3.3) it came out within 15 % of the whole with 60 trials of both
    policies, within 5 % with 100. More levels or fewer trials make it worse, down to half at 20: list faces there.
    """
    n, m, levels = int(first.sum()), int(second.sum()), len(first)
    found = max(least, _on_two(n, m, z))
    if levels > 2:
        reached, chance, table, law = _two_rare(n, m)
        for statistic in reached:
            beyond = np.bincount(table, chance * (statistic >= z - SLACK), law.shape[1])
            found = max(found, float(np.einsum("gk,k->g", law, beyond).max()))  # BLAS threads cost more than this sum
    pooled = (first + second + 0.5) / (n + m + levels / 2)
    for shares in (pooled, np.full(levels, 1 / levels)):  # the latter is the worst where levels are many, trials few
        a, b = rng.multinomial(n, shares, draws), rng.multinomial(m, shares, draws)
        found = _raised(found, int((_statistic(a, a + b) >= z - SLACK).sum()), draws)
    return min(1.0, found)


def _on_two(n: int, m: int, z: float) -> float:
    """Supremum over two levels; beyond 4000 trials the normal law, from which it then no longer differs."""
    from scipy.stats import norm

    if n + m > MOST_TRIALS:
        return float(norm.sf(z))
    statistic = pooled_z(n, m) * np.sqrt((n + m - 1) / (n + m))
    return worst_rate((given_successes(n, m) * (statistic >= z - SLACK)).sum(axis=1))


def _raised(found: float, hits: int, draws: int) -> float:
    """`found`, or (b + 1)/(B + 1) where the draws say beyond doubt that more is reached."""
    from scipy.stats import binom

    doubtful = hits <= found * draws or float(binom.sf(hits - 1, draws, found)) > DOUBT
    return found if doubtful else (hits + 1) / (draws + 1)


def _statistic(first: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """Standardised U (K,) of counts (K, L) within pooled counts (K, L); 0 where all scores tie."""
    n, size = int(first[0].sum()), int(pool[0].sum())
    spread = doubled_spread(pool, n)
    excess = (first * (2 * np.cumsum(pool, axis=1) - pool + 1)).sum(axis=1) - n * (size + 1)
    return np.asarray(np.divide(excess, spread, out=np.zeros(len(pool)), where=spread > 0))


@lru_cache(maxsize=8)
def _two_rare(n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Statistic (3, C) with the common level on top, between and below; chance (C,) given the pooled table; its index
    (C,) in 0..K; and the law (G, K) of pooled tables over a grid of rates."""
    size = n + m
    few = min(RARE, n, m)
    cells = ways(np.full(5, few), few)[:, :4]
    first, pool = cells[:, :2], cells[:, :2] + cells[:, 2:]
    common = np.stack([n - first.sum(axis=1), size - pool.sum(axis=1)], axis=1)
    log = log_choose(pool, first).sum(axis=1) + log_choose(common[:, 1], common[:, 0]) - log_choose(size, n)
    statistic = [
        _statistic(np.insert(first, place, common[:, 0], axis=1), np.insert(pool, place, common[:, 1], axis=1))
        for place in range(3)
    ]
    tables, table = np.unique(pool, axis=0, return_inverse=True)
    total = np.linspace(0.3, np.sqrt(min(MOST_RATE, few / 2)), 32) ** 2 / size
    split = np.sin(np.linspace(0, np.pi / 2, 15)) ** 2
    shares = np.stack([np.outer(total, split).ravel(), np.outer(total, 1 - split).ravel()], axis=1)  # (G, 2)
    rest = size - tables.sum(axis=1)
    ways_log = log_choose(size, tables[:, 0]) + log_choose(size - tables[:, 0], tables[:, 1])
    with np.errstate(divide="ignore"):
        logs = np.maximum(np.log(shares), -1e6)  # (0 of an impossible level: log 0 · 0 = 0)
    law = np.exp(ways_log + logs @ tables.T + np.outer(np.log1p(-shares.sum(axis=1)), rest))
    law[law < NOTHING] = 0.0
    return np.array(statistic), np.exp(log), table.ravel(), law
