"""How often one policy's score beats another's, ties half: its limits, its posterior, and what the prior does to it.

A rubric has L levels; a policy's trials are counts (L,), lowest level first; B draws. The win rate is
P(A > B) + P(A = B)/2, so that Cliff's delta is 2·rate − 1.
"""

from typing import NamedTuple

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError, SurehandError

PRIOR = 0.5  # Dirichlet weight per level: Jeffreys
SWEEP = (1.0, 0.5, 0.25)  # weights beside it: at a ceiling the mean's posterior is largely the prior's
DRAWS = 20_000
TAIL = 1e-17  # of a Beta density, left out by the quadrature
EDGE = 1e-9  # 0 and 1 solve a score equation there too; the other solution is the limit
NODES = 2_000  # of the quadrature, evenly spaced in log-odds


class Posterior(NamedTuple):
    """Credible limits of a win rate, and how probable it is that the first policy is the better one."""

    low: float
    high: float
    better: float  # P(win rate > ½ | data)
    higher_mean: float  # P(mean score of the first > mean of the second | data)


def check_counts(*counts: np.ndarray) -> list[np.ndarray]:
    """The counts as float arrays (L,); ShapeError or NotEnoughData where they are no trials on one rubric."""
    found = [np.asarray(c, float) for c in counts]
    if any(c.ndim != 1 or len(c) < 2 for c in found) or len({len(c) for c in found}) > 1:
        raise ShapeError(f"expected counts per level (L,) on one rubric, got shapes {[c.shape for c in found]}")
    if any(not np.isfinite(c).all() or (c < 0).any() for c in found):
        raise ShapeError("counts per level must be finite and not negative; count the trials at each level")
    if any(c.sum() == 0 for c in found):
        raise NotEnoughData("no trials behind the counts; a comparison needs at least one of each policy")
    return found


def win_rates(p_a: np.ndarray, p_b: np.ndarray) -> np.ndarray:
    """P(A > B) + P(A = B)/2 (...) of distributions over the levels p_a, p_b (..., L), lowest level first.

    >>> float(win_rates(np.array([0, 0, 0, 1.0]), np.array([0, 0, 0.25, 0.75])))
    0.625
    """
    beaten = np.cumsum(p_b, axis=-1) - p_b / 2  # (..., L) share of B below each level, ties half
    return np.asarray((p_a * beaten).sum(axis=-1))


def observed_win_rate(counts_a: np.ndarray, counts_b: np.ndarray) -> float:
    """The share of match-ups that A wins, ties half, from counts (L,)."""
    a, b = check_counts(counts_a, counts_b)
    return float(win_rates(a, b) / (a.sum() * b.sum()))  # halves add up exactly: equal counts give ½ and nothing else


def draw_distributions(counts: np.ndarray, prior: float, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Distributions over the levels (B, L) from the Dirichlet(counts + prior) posterior; no trials give the prior."""
    counts = np.asarray(counts, float)
    if counts.ndim != 1 or not np.isfinite(counts).all() or (counts < 0).any():
        raise ShapeError(f"expected counts per level (L,), none negative, got {counts.tolist()}")
    if not prior > 0:
        raise SurehandError(f"a Dirichlet prior needs a weight above 0, got {prior:g}; 0.5 is usual")
    return rng.dirichlet(counts + prior, draws)


def win_rate_posterior(p_a: np.ndarray, p_b: np.ndarray, levels: np.ndarray, level: float = 0.95) -> Posterior:
    """What draws p_a, p_b (B, L) of both policies' distributions say of the win rate and of the means.

    `levels` (L,) are the scores behind the means. Draws in which both are equal count half. The credible limits cover
    near the ceiling, where the percentile bootstrap does not.
    """
    rates = win_rates(p_a, p_b)  # (B,)
    low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
    return Posterior(float(low), float(high), _above(rates - 0.5), _above((p_a - p_b) @ levels))


def _above(values: np.ndarray) -> float:
    """The share above 0, zeros half."""
    return float((values > 0).mean() + (values == 0).mean() / 2)


def newcombe_win_rate(counts_a: np.ndarray, counts_b: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Score limits of the win rate, from counts (L,) (Newcombe 2006, method 5).

    They solve (θ̂ − θ)² = z²·V(θ), V the variance of Hanley & McNeil (1982) at θ itself with n* = (m + n)/2 − 1 for
    both samples. Never of width zero: at θ̂ = 1 the lower limit is below 1.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    a, b = check_counts(counts_a, counts_b)
    seen = observed_win_rate(a, b)
    z, pairs, more = float(norm.ppf((1 + level) / 2)), float(a.sum() * b.sum()), float(a.sum() + b.sum()) / 2 - 1

    def gap(rate: float) -> float:
        spread = 1 + more * (1 - rate) / (2 - rate) + more * rate / (1 + rate)
        return (seen - rate) ** 2 - z**2 * rate * (1 - rate) * spread / pairs

    low = 0.0 if seen <= 0 else float(brentq(gap, 0, min(seen, 1 - EDGE), xtol=1e-13))
    high = 1.0 if seen >= 1 else float(brentq(gap, max(seen, EDGE), 1, xtol=1e-13))
    return low, high


def success_posterior(x: int, n: int, y: int, m: int, prior: float = 1.0) -> float:
    """P(p_A > p_B | x of n, y of m successes) under Beta(prior, prior) on both: 1 is uniform, ½ is Jeffreys.

    By quadrature on the log-odds of p_A, where the posterior density is smooth and falls off exponentially at both
    ends whatever the prior, so that the trapezoidal rule is right to more than ten digits.

    >>> round(success_posterior(20, 20, 15, 20), 6)
    0.989656
    """
    from scipy.special import betainc, betaincinv, betaln, expit

    if not (0 <= x <= n and 0 <= y <= m):
        raise ShapeError(f"expected successes within their trials, got {x} of {n} and {y} of {m}")
    if not prior > 0:
        raise SurehandError(f"a Beta prior needs a weight above 0, got {prior:g}; 1 or 0.5 is usual")
    a, b = x + prior, n - x + prior
    below, above = (max(float(betaincinv(*ends, TAIL)), 1e-300) for ends in ((a, b), (b, a)))
    odds = np.linspace(np.log(below) - np.log1p(-below), np.log1p(-above) - np.log(above), NODES)
    density = np.exp(-a * np.logaddexp(0, -odds) - b * np.logaddexp(0, odds) - betaln(a, b))
    beaten = betainc(y + prior, m - y + prior, expit(odds))
    return float(np.clip((density * beaten).sum() / density.sum(), 0, 1))
