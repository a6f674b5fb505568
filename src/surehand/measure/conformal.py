"""Joint risk: how often an episode holds an executed violation, bounded by a threshold on the score.

L_e(λ) = max_t V_t·A_t(λ) = 1{λ > c_e} is binary and never falls in λ, so the threshold is an order statistic of the
critical values c_e: with at most k violating episodes allowed, λ̂ = c_(k+1) is the largest λ at which Σ L_e(λ) <= k.
The inequality s < λ is strict, hence ties need no care: exactly the episodes with c_e < λ̂ violate.

With confidence (RCPS; Bates et al. 2021): k is the largest with P(Bin(n, ε) <= k) <= δ. In expectation (conformal risk
control; Angelopoulos et al. 2022): k is the largest with (k + 1)/(n + 1) <= ε. Both assume exchangeable episodes; the
first that they are independent draws from what will be deployed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np

from surehand.exceptions import ShapeError
from surehand.measure.decisions import Decisions
from surehand.measure.required import check_level, most_violations, smallest_n, upper_limit

NEVER = -np.inf  # a threshold below every score: always abstain


@dataclass(frozen=True)
class JointRisk:
    """A threshold with what it promises; delta is None for a promise about the mean. str() is the reason.

    `hold`: P(risk <= ε) over calibrations is at least this, and equals it where scores have no ties.
    """

    threshold: float
    epsilon: float
    delta: float | None
    episodes: int
    allowed: int  # violating episodes the promise lets pass, −1 where it needs more episodes
    violating: int  # episodes with an executed violation at the threshold
    needed: int  # episodes without which there is no promise
    executed: float  # share of the log's decisions
    finished: float  # share of the log's episodes that run to their end
    hold: float
    reason: str

    @property
    def issued(self) -> bool:
        """Whether there is a promise at all; without one the threshold abstains always."""
        return self.allowed >= 0

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class Achieved:
    """The smallest epsilon that holds with confidence 1 − delta at a threshold chosen on OTHER episodes."""

    threshold: float
    epsilon: float
    delta: float
    units: int
    violating: int
    unit: str
    reason: str

    def __str__(self) -> str:
        return self.reason


def allowed_with_confidence(n: int, epsilon: float, delta: float) -> int:
    """Violating episodes of n that RCPS lets pass; −1 below `smallest_n`."""
    return int(most_violations(n, epsilon, delta))


def allowed_in_expectation(n: int, epsilon: float) -> int:
    """Largest k with (k + 1)/(n + 1) <= epsilon as written in decimals; −1 below 1/ε − 1 episodes.

    >>> [allowed_in_expectation(n, 0.05) for n in (18, 19, 38, 39)]
    [-1, 0, 0, 1]
    """
    return floor(Fraction(repr(check_level("epsilon", epsilon))) * (n + 1)) - 1


def thresholds(critical: np.ndarray, allowed: int) -> np.ndarray:
    """sup{λ: #{c < λ} <= allowed} along the last axis of `critical` (..., n); −inf where allowed < 0.

    >>> thresholds(np.array([3.0, 1.0, 2.0, 2.0, np.inf]), 1).item()
    2.0
    """
    if allowed < 0:
        return np.full(critical.shape[:-1], NEVER)
    if allowed >= critical.shape[-1]:
        return np.full(critical.shape[:-1], np.inf)
    return np.partition(critical, allowed, axis=-1)[..., allowed]


def joint_risk(decisions: Decisions, *, epsilon: float, delta: float) -> JointRisk:
    """P(share of episodes with an executed violation <= epsilon) >= 1 − delta over calibrations; unit: episode.

    Assumes independent episodes, drawn as those that will be deployed.
    """
    return from_critical(decisions.critical, decisions.shares, epsilon=epsilon, delta=delta)


def joint_risk_in_expectation(decisions: Decisions, *, epsilon: float) -> JointRisk:
    """The mean over calibrations of the share of episodes with an executed violation is <= epsilon; unit: episode.

    Assumes exchangeable episodes. A single calibration holds about every second time at large n: see `hold`.
    """
    return from_critical(decisions.critical, decisions.shares, epsilon=epsilon, delta=None)


def from_critical(
    critical: np.ndarray, shares: Callable[[float], tuple[float, float]], *, epsilon: float, delta: float | None
) -> JointRisk:
    """The promise from critical values (n,), one per episode; without delta, that about the mean.

    shares: threshold -> share of decisions executed and of episodes finished, for the words alone.
    """
    from scipy.special import bdtr

    n = len(critical)
    if delta is None:
        allowed, needed = allowed_in_expectation(n, epsilon), ceil(1 / Fraction(repr(float(epsilon)))) - 1
    else:
        allowed, needed = allowed_with_confidence(n, epsilon, delta), smallest_n(epsilon, delta)
    threshold = float(thresholds(critical, allowed))
    violating = int((critical < threshold).sum())
    executed, finished = shares(threshold)
    hold = 1 - float(bdtr(max(allowed, 0), n, epsilon)) if allowed >= 0 else 1.0
    claim = f"at most {epsilon:g} of episodes with an executed violation"
    claim += f", confidence {1 - delta:g}" if delta is not None else " on average over calibrations"
    if allowed < 0:
        reason = f"always abstain: {claim} needs at least {needed} episodes, got {n}"
    else:
        reason = f"{claim}: execute below {threshold:.6g} ({violating} of {n} episodes violate, {allowed} allowed; "
        reason += f"{executed:.1%} of decisions executed, {finished:.1%} of episodes finish)"
        if delta is None:
            reason += f"; a single calibration holds with probability {hold:.2f} or more"
        if not executed:
            reason += "; nothing of the log would have been executed"
    facts = (threshold, epsilon, delta, n, allowed, violating, needed, executed, finished, hold)
    return JointRisk(*facts, reason)


def achieved_joint(decisions: Decisions, threshold: float, *, delta: float) -> Achieved:
    """The exact upper limit of joint risk at a threshold chosen on other episodes than these; unit: episode."""
    n, violating = len(decisions.starts), int((decisions.critical < threshold).sum())
    return achieved(threshold, violating, n, delta, "episodes")


def achieved(threshold: float, violating: int, units: int, delta: float, unit: str) -> Achieved:
    """The exact upper limit (Clopper & Pearson 1934) in words: achieved, not asked for."""
    limit = upper_limit(violating, units, delta)
    reason = f"achieved: risk at most {limit:.4g} with confidence {1 - delta:g} when executing below {threshold:.6g} "
    reason += f"({violating} of {units} {unit} violate); the threshold must come from other episodes"
    return Achieved(threshold, limit, delta, units, violating, unit, reason)


def simultaneous_delta(delta: float, strata: int) -> float:
    """What each of T independent strata may use so that all hold together with 1 − delta: 1 − (1 − δ)^(1/T).

    >>> round(simultaneous_delta(0.1, 4), 5)
    0.026
    """
    if strata < 1:
        raise ShapeError(f"{strata} strata; declare at least one")
    return float(-np.expm1(np.log1p(-check_level("delta", delta)) / strata))


def check_grid(grid: Sequence[float] | np.ndarray) -> np.ndarray:
    """Thresholds (G,) from strict to lax; ShapeError where they do not rise or are not numbers."""
    values = np.asarray(grid, float)
    if values.ndim != 1 or not len(values) or np.isnan(values).any() or (np.diff(values) <= 0).any():
        raise ShapeError("thresholds are a rising list of numbers, strict to lax, fixed before calibration")
    if values[0] == -np.inf:
        raise ShapeError("the first threshold is -inf, which executes nothing; begin with a number")
    return values
