"""Success counts: exact tests of two policies, paired or not, and intervals of one rate and of a difference.

x successes in n trials of the first policy, y in m of the second.
"""

from typing import NamedTuple

import numpy as np

from surehand.exceptions import ShapeError
from surehand.measure.tables import as_p, log_choose
from surehand.measure.two_levels import MOST_TRIALS, SLACK, given_successes, pooled_z, worst_rate

__all__ = [
    "TwoWay",
    "barnard",
    "boschloo",
    "clopper_pearson",
    "fisher",
    "mcnemar",
    "miettinen_nurminen",
    "newcombe_difference",
    "wilson",
]


class TwoWay(NamedTuple):
    """p-values of equal rates of success; `greater` speaks for the first policy."""

    greater: float
    less: float
    two_sided: float
    method: str


def fisher(x: int, n: int, y: int, m: int) -> TwoWay:
    """Fisher's exact test (1935); two-sided sums the tables no likelier than the one seen. 1 without trials.

    >>> round(fisher(20, 20, 15, 20).two_sided, 6)
    0.047124
    """
    _checked((x, n), (y, m))
    first = np.arange(n + 1)
    chance = np.exp(log_choose(n, first) + log_choose(m, x + y - first) - log_choose(n + m, x + y))
    seen = chance[x]
    greater, less, both = chance[x:].sum(), chance[: x + 1].sum(), chance[chance <= seen * (1 + SLACK)].sum()
    greater, less, both = as_p(greater, less, both)
    return TwoWay(greater, less, both, "exact, given the successes of both")


def barnard(x: int, n: int, y: int, m: int) -> TwoWay:
    """Barnard's unconditional exact test (1947) with the pooled z statistic; two-sided by |z|.

    All (n + 1)(m + 1) tables are grouped by their successes, so that the chance of rejecting is a polynomial of degree
    n + m in the common rate; its supremum by grid and climb (`supremum.worst_case`). Equal z count as equal however
    they round. Beyond 4000 trials the normal law of z, and `method` says so. 1 without trials of either.
    """
    from scipy.stats import norm

    _checked((x, n), (y, m))
    if not n or not m:
        return TwoWay(1.0, 1.0, 1.0, "nothing to compare: p is 1")
    if n + m > MOST_TRIALS:
        rate = (x + y) / (n + m)
        score = (x / n - y / m) / max(np.sqrt(rate * (1 - rate) * (1 / n + 1 / m)), 1e-300)
        greater, less, both = as_p(float(norm.sf(score)), float(norm.cdf(score)), 2 * float(norm.sf(abs(score))))
        return TwoWay(greater, less, both, f"normal approximation: more than {MOST_TRIALS} trials")
    z = pooled_z(n, m)  # [successes, of the first]
    seen = float(z[x + y, x])
    slack = SLACK * (1 + abs(seen))
    chance = given_successes(n, m)
    p = as_p(worst_rate((chance * (z >= seen - slack if seen >= 0 else z <= seen + slack)).sum(axis=1)))[0]
    both = as_p(worst_rate((chance * (np.abs(z) >= abs(seen) - slack)).sum(axis=1)))[0]
    # Where all succeed z is 0, and a rate of 1 makes that certain: the other side's supremum is 1.
    greater, less = (p, 1.0) if seen >= 0 else (1.0, p)
    return TwoWay(greater, less, both, "exact, supremum over the common rate, pooled z")


def boschloo(x: int, n: int, y: int, m: int) -> TwoWay:
    """Boschloo's unconditional exact test (1970): Fisher's one-sided p as statistic; two-sided is twice the smaller.

    Beyond 4000 trials Fisher's p itself, which is larger and so keeps the promise; `method` says so.
    """
    _checked((x, n), (y, m))
    if n + m > MOST_TRIALS:
        greater, less, _, _ = fisher(x, n, y, m)
        return TwoWay(greater, less, min(1.0, 2 * min(greater, less)), f"Fisher's p: more than {MOST_TRIALS} trials")
    chance = given_successes(n, m)
    tails = np.cumsum(chance[:, ::-1], axis=1)[:, ::-1], np.cumsum(chance, axis=1)
    masks = (tail <= tail[x + y, x] * (1 + SLACK) for tail in tails)
    greater, less = as_p(*(worst_rate((chance * mask).sum(axis=1)) for mask in masks))
    both = min(1.0, 2 * min(greater, less))
    return TwoWay(greater, less, both, "exact, supremum over the common rate, Fisher's p")


def mcnemar(b: int, c: int) -> TwoWay:
    """McNemar's exact test (1947) from the pairs that differ: b where only the first succeeded, c where the second."""
    from scipy.stats import binom

    _checked((b, b + c), (c, b + c))
    greater, less = float(binom.sf(b - 1, b + c, 0.5)), float(binom.cdf(b, b + c, 0.5))
    return TwoWay(greater, less, min(1.0, 2 * min(greater, less)), f"exact, {b + c} pairs that differ")


def wilson(x: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Score limits of a rate (Wilson 1927); 0 to 1 without trials."""
    from scipy.stats import norm

    _checked((x, n))
    if not n:
        return 0.0, 1.0
    z = float(norm.ppf((1 + level) / 2))
    middle, reach = x + z * z / 2, z * float(np.sqrt(x * (n - x) / n + z * z / 4))
    low, high = (middle - reach) / (n + z * z), (middle + reach) / (n + z * z)
    return (0.0 if x == 0 else low), (1.0 if x == n else high)


def clopper_pearson(x: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact limits of a rate (Clopper & Pearson 1934), never below their level; 0 to 1 without trials."""
    from scipy.stats import beta

    _checked((x, n))
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, x, n - x + 1)) if x else 0.0
    return low, float(beta.ppf(1 - tail, x + 1, n - x)) if x < n else 1.0


def newcombe_difference(x: int, n: int, y: int, m: int, level: float = 0.95) -> tuple[float, float]:
    """Limits of the first rate minus the second from Wilson's (Newcombe 1998, method 10); −1 to 1 without trials."""
    _checked((x, n), (y, m))
    if not n or not m:
        return -1.0, 1.0
    (low_a, high_a), (low_b, high_b) = wilson(x, n, level), wilson(y, m, level)
    p, q = x / n, y / m
    low = p - q - float(np.hypot(p - low_a, high_b - q))
    return low, p - q + float(np.hypot(high_a - p, q - low_b))


def miettinen_nurminen(x: int, n: int, y: int, m: int, level: float = 0.95) -> tuple[float, float]:
    """Score limits of the first rate minus the second (Miettinen & Nurminen 1985); −1 to 1 without trials."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    _checked((x, n), (y, m))
    if not n or not m:
        return -1.0, 1.0
    z, middle = float(norm.ppf((1 + level) / 2)), x / n - y / m

    def excess(difference: float, sign: float) -> float:
        p = _restricted(x, n, y, m, difference)
        q = p - difference
        variance = (p * (1 - p) / n + q * (1 - q) / m) * (n + m) / (n + m - 1)
        return sign * (middle - difference) - z * float(np.sqrt(max(variance, 0.0)))

    limits = []
    for sign, end in ((1.0, -1.0), (-1.0, 1.0)):
        reached = abs(middle - end) < 1e-12 or excess(end, sign) <= 0
        limits.append(end if reached else float(brentq(excess, end, middle, args=(sign,), xtol=1e-12)))
    return limits[0], limits[1]


def _restricted(x: int, n: int, y: int, m: int, d: float) -> float:
    """Likeliest first rate when it exceeds the second by `d`: a cubic (Farrington & Manning 1990)."""
    theta, p, q = m / n, x / n, y / m
    a, b = 1 + theta, -(1 + theta + p + theta * q + d * (theta + 2))
    c, e = d * d + d * (2 * p + theta + 1) + p + theta * q, -p * d * (1 + d)
    v = b**3 / (27 * a**3) - b * c / (6 * a * a) + e / (2 * a)
    u = float(np.copysign(np.sqrt(max(b * b / (9 * a * a) - c / (3 * a), 0.0)), v))
    angle = (np.pi + np.arccos(np.clip(v / u**3, -1, 1) if u else 0.0)) / 3
    return float(np.clip(2 * u * np.cos(angle) - b / (3 * a), max(0.0, d), min(1.0, 1 + d)))


def _checked(*counts: tuple[int, int]) -> None:
    for x, n in counts:
        if not 0 <= x <= n:
            raise ShapeError(f"successes must lie between 0 and the trials, got {x} of {n}")
