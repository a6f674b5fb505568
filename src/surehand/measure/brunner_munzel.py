"""Whether one policy tends to score higher when spreads and trial numbers differ: Brunner and Munzel's test, permuted.

N and M trials on L levels; K tables of counts. Its null is P(A > B) + ½P(A = B) = ½, not equal distributions.
"""

from typing import NamedTuple

import numpy as np

from surehand.measure.tables import as_p, checked_scores, level_counts, taken, ways

__all__ = ["BrunnerMunzel", "brunner_munzel"]

MOST_TABLES = 20_000  # listed; beyond, tables are drawn
SLACK = 1e-9  # statistics nearer than this count as equal


class BrunnerMunzel(NamedTuple):
    """p-values and an interval of the win rate P(A > B) + ½P(A = B); NaN with a note where there is no spread."""

    greater: float  # t approximation, in favour of the first policy
    less: float
    two_sided: float
    perm_greater: float  # the same statistic against shuffled labels
    perm_two_sided: float
    estimate: float
    low: float
    high: float
    note: str  # how the permutation was made, and why a value is NaN


def brunner_munzel(
    a: np.ndarray, b: np.ndarray, *, rng: np.random.Generator, draws: int = 10_000, level: float = 0.95
) -> BrunnerMunzel:
    """Brunner & Munzel (2000) of a (N,) against b (M,), by t and by studentised permutation (Neubert & Brunner 2007).

    All tables where they are at most 20 000, `draws` random ones beyond, (b + 1)/(B + 1). Without spread in either
    sample (all scores tie, or the two do not overlap) the t approximation and its interval are NaN and `note` says so;
    the permutation p stands, as separation is then the largest statistic and a tie is zero.
    """
    from scipy.stats import t

    a, b = checked_scores(a, "the first policy"), checked_scores(b, "the second policy")
    n, m, nan = len(a), len(b), float("nan")
    if not n or not m:
        return BrunnerMunzel(nan, nan, nan, 1.0, 1.0, nan, nan, nan, "one policy has no trials")
    _, (count_a, count_b) = level_counts(a, b)
    statistic, estimate, error, freedom = (float(x[0]) for x in _studentised(count_a[None], count_b[None]))
    greater, two_sided, how = _permuted(count_a, count_b, statistic, draws, rng)
    if n < 2 or m < 2 or not error > 0:
        why = "fewer than two trials of a policy" if min(n, m) < 2 else "no spread: every match-up ends alike"
        return BrunnerMunzel(nan, nan, nan, greater, two_sided, estimate, nan, nan, f"{how}; no t approximation: {why}")
    above, below = float(t.sf(statistic, freedom)), float(t.cdf(statistic, freedom))
    reach = float(t.ppf((1 + level) / 2, freedom)) * error
    low, high = max(0.0, estimate - reach), min(1.0, estimate + reach)
    return BrunnerMunzel(above, below, 2 * min(above, below), greater, two_sided, estimate, low, high, how)


def _permuted(
    first: np.ndarray, second: np.ndarray, seen: float, draws: int, rng: np.random.Generator
) -> tuple[float, float, str]:
    pool, n = first + second, int(first.sum())
    listed = np.prod(np.minimum(np.sort(pool)[:-1], n) + 1.0) <= MOST_TABLES
    if listed:
        tables = ways(pool, n)
        chance, extra = taken(pool, tables), 0.0
    else:
        few = len(pool) <= 64
        tables = rng.multivariate_hypergeometric(pool, n, size=draws, method="marginals" if few else "count")
        chance, extra = np.full(draws, 1 / (draws + 1)), 1 / (draws + 1)
    statistic = _studentised(tables, pool - tables)[0]
    slack = SLACK * (1 + abs(seen)) if np.isfinite(seen) else 0.0
    greater, less = as_p(
        extra + float(chance[statistic >= seen - slack].sum()), extra + float(chance[statistic <= seen + slack].sum())
    )
    how = "permutation exact" if listed else f"permutation of {draws} draws"
    return greater, min(1.0, 2 * min(greater, less)), how


def _studentised(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Statistic, win rate, its standard error and degrees of freedom (K,) of counts (K, L) against counts (K, L).

    A trial's placement is the number of the other policy's trials it beats, ties half. ±∞ where the policies are
    separated without spread, 0 where all tie.
    """
    n, m = int(first[0].sum()), int(second[0].sum())
    over_second = np.cumsum(second, axis=1) - second / 2  # placement of each level (K, L)
    over_first = np.cumsum(first, axis=1) - first / 2
    mean_first = (first * over_second).sum(axis=1) / n
    mean_second = (second * over_first).sum(axis=1) / m
    spread_first = (first * (over_second - mean_first[:, None]) ** 2).sum(axis=1) / max(n - 1, 1)
    spread_second = (second * (over_first - mean_second[:, None]) ** 2).sum(axis=1) / max(m - 1, 1)
    parts = n * spread_first, m * spread_second
    both = parts[0] + parts[1]
    both = np.where(both > SLACK, both, 0.0)
    estimate, error = mean_first / m, np.sqrt(both) / (n * m)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(estimate == 0.5, 0.0, (estimate - 0.5) / error)
        freedom = both**2 / (parts[0] ** 2 / max(n - 1, 1) + parts[1] ** 2 / max(m - 1, 1))
    return statistic, estimate, error, freedom
