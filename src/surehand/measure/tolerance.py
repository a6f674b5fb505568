"""Tolerance limits: numbers that a stated share of all future peaks stays at or below, with a stated confidence.

`content` is that share p, `confidence` the probability, over the n peaks drawn, that the limit holds at least p. Peaks
are one number per independent episode; a peak counts as beyond a limit only where it is greater (strictly).
"""

import math
from typing import NamedTuple

import numpy as np

from surehand.exceptions import ShapeError, SurehandError

__all__ = [
    "Order",
    "bonferroni",
    "confidence_of",
    "content_of",
    "episodes_needed",
    "lognormal_limit",
    "looks_normal",
    "lowest_rank",
    "margin_limit",
    "normal_limit",
    "order_limit",
    "tolerance_factor",
]

MOST_SHAPIRO = 5000  # peaks; beyond it the approximation of its p-value was never tabulated


class Order(NamedTuple):
    """A limit that is one of the peaks: the rank-th largest, NaN and rank 0 where even the largest does not do."""

    value: float
    rank: int
    confidence: float  # attained; of the largest peak where rank is 0


def confidence_of(n: int, content: float, rank: int = 1) -> float:
    """Confidence with which the rank-th largest of n peaks covers `content` (Wilks 1941); 1 − pⁿ for the largest.

    It does so iff at least `rank` peaks lie at or above the p-quantile, and each does with probability 1 − p or more:
    exact for continuous peaks, and a lower bound where peaks tie.

    >>> round(confidence_of(50, 0.942), 3), round(confidence_of(299, 0.99), 4)
    (0.95, 0.9505)
    """
    from scipy.stats import binom

    _check(content, "content")
    if rank == 1:
        return -math.expm1(n * math.log(content))
    return float(binom.sf(rank - 1, n, 1 - content)) if rank > 0 else 0.0


def lowest_rank(n: int, content: float, confidence: float) -> int:
    """The largest rank from above whose peak still covers `content`, so the smallest limit that does; 0: none does."""
    from scipy.stats import binom

    _check(content, "content")
    _check(confidence, "confidence")
    rank = int(binom.ppf(1 - confidence, n, 1 - content)) + 1 if n else 0
    while rank > 0 and confidence_of(n, content, rank) < confidence:
        rank -= 1
    return rank


def content_of(n: int, confidence: float, rank: int = 1) -> float:
    """The share that the rank-th largest of n peaks covers with this confidence; 0 without so many peaks.

    >>> round(content_of(50, 0.95), 3)
    0.942
    """
    from scipy.stats import beta

    _check(confidence, "confidence")
    return float(beta.ppf(1 - confidence, n - rank + 1, rank)) if 0 < rank <= n else 0.0


def episodes_needed(content: float, confidence: float) -> int:
    """The fewest peaks of which the largest covers `content` with this confidence.

    >>> episodes_needed(0.95, 0.95), episodes_needed(0.99, 0.95)
    (59, 299)
    """
    _check(content, "content")
    _check(confidence, "confidence")
    n = max(1, math.ceil(math.log1p(-confidence) / math.log(content)) - 1)
    while confidence_of(n, content) < confidence:
        n += 1
    return n


def bonferroni(confidence: float, limits: int) -> float:
    """The confidence of each of so many limits that makes all of them hold at once with `confidence`."""
    _check(confidence, "confidence")
    if limits < 1:
        raise SurehandError(f"a family needs at least one limit, got {limits}")
    return 1 - (1 - confidence) / limits


def order_limit(peaks: np.ndarray, content: float, confidence: float) -> Order:
    """The smallest of the peaks (N,) that covers `content` with this confidence, whatever their distribution.

    >>> order_limit(np.arange(1.0, 60.0), 0.95, 0.95)[:2]
    (59.0, 1)
    """
    found = _finite(peaks)
    rank = lowest_rank(len(found), content, confidence)
    value = float(np.sort(found)[len(found) - rank]) if rank else math.nan
    return Order(value, rank, confidence_of(len(found), content, max(rank, 1)))


def tolerance_factor(n: int, content: float, confidence: float) -> float:
    """k such that mean + k · s of n normal peaks covers `content`: t'(confidence; n − 1, z_p √n) / √n (Owen 1968).

    >>> round(tolerance_factor(10, 0.9, 0.95), 3)
    2.355
    """
    from scipy.stats import nct, norm

    _check(content, "content")
    _check(confidence, "confidence")
    if n < 2:
        return math.inf
    return float(nct.ppf(confidence, n - 1, norm.ppf(content) * math.sqrt(n)) / math.sqrt(n))


def normal_limit(peaks: np.ndarray, content: float, confidence: float) -> float:
    """Mean + k · s of the peaks (N,): covers `content` where peaks are normal, and promises nothing elsewhere."""
    found = _finite(peaks)
    if len(found) < 2:
        return math.nan
    return float(found.mean() + tolerance_factor(len(found), content, confidence) * found.std(ddof=1))


def lognormal_limit(peaks: np.ndarray, content: float, confidence: float) -> float:
    """The same on the logarithms of peaks (N,), NaN unless all are above 0; for peaks that are log-normal."""
    found = _finite(peaks)
    if len(found) < 2 or found.min() <= 0:
        return math.nan
    with np.errstate(over="ignore"):
        return float(np.exp(normal_limit(np.log(found), content, confidence)))


def margin_limit(peaks: np.ndarray, factor: float) -> float:
    """The largest peak (N,), moved up by (factor − 1) of its own size; a judgement, without content or confidence."""
    found = _finite(peaks)
    if not 1 <= factor < math.inf:
        raise SurehandError(f"a margin multiplies the largest peak by at least 1, got {factor:g}; 1.5 is half as much")
    if not len(found):
        return math.nan
    return float(found.max() + (factor - 1) * abs(found.max()))


def looks_normal(values: np.ndarray) -> float:
    """p-value of Shapiro & Wilk's test (1965) that values (N,) are normal; NaN below 3, or where they are all equal."""
    from scipy.stats import shapiro

    found = _finite(values)
    if len(found) < 3 or np.ptp(found) == 0:
        return math.nan
    if len(found) > MOST_SHAPIRO:
        found = found[np.linspace(0, len(found) - 1, MOST_SHAPIRO).round().astype(int)]  # sorted ones keep both ends
    return float(shapiro(found).pvalue)


def _finite(peaks: np.ndarray) -> np.ndarray:
    found = np.asarray(peaks, float)
    if found.ndim != 1 or not np.isfinite(found).all():
        raise ShapeError(f"expected finite peaks, one per episode, got shape {found.shape}; leave the bad episodes out")
    return found


def _check(share: float, name: str) -> None:
    if not 0 < share < 1:
        raise SurehandError(f"{name} lies between 0 and 1, got {share:g}; 0.99 and 0.95 are usual")
