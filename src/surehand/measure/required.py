"""What a promise costs before any data are collected: units, power, and how much must be given up at least.

One binomial test stands behind all of it: after n independent units with k violations, "the risk is at most ε" may be
said at confidence 1 − δ iff P(Binomial(n, ε) <= k) <= δ. A unit is an episode for joint risk and at most one decision
of an episode for conditional risk.
"""

from math import ceil, log

import numpy as np

from surehand.exceptions import ShapeError
from surehand.measure.success import clopper_pearson

MOST_UNITS = 1_000_000  # power is not searched beyond


def check_level(name: str, value: float) -> float:
    """The value; ShapeError where it is not strictly between 0 and 1."""
    if not 0 < value < 1:
        raise ShapeError(f"{name} must lie between 0 and 1, got {value:g}; 0.05 means 5 %")
    return float(value)


def smallest_n(epsilon: float, delta: float) -> int:
    """Units without any violation that "risk <= epsilon" needs at confidence 1 − delta: ⌈ln δ / ln(1 − ε)⌉.

    >>> smallest_n(0.05, 0.1), smallest_n(0.05, 0.01)
    (45, 90)
    """
    n = max(1, ceil(log(check_level("delta", delta)) / log(1 - check_level("epsilon", epsilon))) - 1)
    while (1 - epsilon) ** n > delta:  # whatever the logarithms rounded to
        n += 1
    return n


def most_violations(n: int | np.ndarray, epsilon: float, delta: float) -> np.ndarray:
    """Largest k with P(Binomial(n, epsilon) <= k) <= delta, of n's shape; −1 where not even k = 0 will do.

    >>> most_violations(np.array([44, 45, 77]), 0.05, 0.1).tolist()
    [-1, 0, 1]
    """
    from scipy.special import bdtr
    from scipy.stats import binom

    units = np.asarray(n, np.int64)
    check_level("epsilon", epsilon), check_level("delta", delta)
    # ppf is the first k at which the distribution reaches delta, and may be one off where floats round.
    k = np.minimum(np.nan_to_num(binom.ppf(delta, units, epsilon), nan=0.0) + 1, units)
    for _ in range(3):
        k = np.where((k >= 0) & (bdtr(np.maximum(k, 0), units, epsilon) > delta), k - 1, k)
    return k.astype(np.int64)  # type: ignore[no-any-return]


def power(n: int | np.ndarray, risk: float, epsilon: float, delta: float) -> np.ndarray:
    """P(the test passes) with n units at this true risk, of n's shape."""
    from scipy.special import bdtr

    units = np.asarray(n, np.int64)
    k = most_violations(units, epsilon, delta)
    return np.where(k >= 0, bdtr(np.maximum(k, 0), units, risk), 0.0)


def units_needed(risk: float, epsilon: float, delta: float, *, target: float = 0.8) -> int:
    """First number of executed units from which power STAYS at `target` or above; it saws, because k is an integer.

    ShapeError where the true risk is not below epsilon: then no number will do.

    >>> [units_needed(share * 0.05, 0.05, 0.1) for share in (0.1, 0.2, 0.4, 0.5)]
    [77, 105, 209, 330]
    """
    check_level("target", target)
    if not 0 <= risk < check_level("epsilon", epsilon):
        raise ShapeError(
            f"a true risk of {risk:g} is not below epsilon {epsilon:g}; no number of units shows that it is"
        )
    start = smallest_n(epsilon, delta)
    tooth = np.arange(ceil(3 / epsilon))  # longer than a tooth of the saw, which is one more violation allowed
    upto = start
    while power(upto + tooth, risk, epsilon, delta).min() < target:
        upto *= 2
        if upto > MOST_UNITS:
            break
    else:
        n = np.arange(max(start, upto // 2), upto + 1)
        low = np.flatnonzero(power(n, risk, epsilon, delta) < target)
        return int(n[low[-1]]) + 1 if len(low) else int(n[0])
    raise ShapeError(f"power {target:g} at risk {risk:g} needs more than {MOST_UNITS} units; choose a larger epsilon")


def upper_limit(violations: int, n: int, delta: float) -> float:
    """Exact upper limit of the risk at confidence 1 − delta (Clopper & Pearson 1934); 1 without units.

    The smallest epsilon that the binomial test of the same data would not refuse.

    >>> round(upper_limit(0, 45, 0.1), 4)
    0.0499
    """
    if not 0 <= violations <= n:
        raise ShapeError(f"{violations} violations among {n} units; count each unit once")
    return clopper_pearson(violations, n, 1 - 2 * check_level("delta", delta))[1]


def abstained_at_least(rate: float, epsilon: float, *, joint: bool) -> float:
    """Least share that must be given up even by an oracle: of episodes (joint risk) or of decisions (conditional).

    rate: share of episodes (joint) or of decisions (conditional) that violate when nobody abstains.

    >>> abstained_at_least(0.16, 0.05, joint=True), round(abstained_at_least(0.10, 0.05, joint=False), 4)
    (0.11, 0.0526)
    """
    check_level("epsilon", epsilon)
    if not 0 <= rate <= 1:
        raise ShapeError(f"a violation rate is a share between 0 and 1, got {rate:g}")
    return round(max(0.0, rate - epsilon if joint else (rate - epsilon) / (1 - epsilon)), 12)


def share_finishing(auroc: float, *, decisions: int, rate: float, epsilon: float) -> float:
    """Share of episodes that run to their end under `halt` at joint risk epsilon, for a score of this AUROC.

    A picture, not a promise: independent decisions, `rate` violations per decision, scores normal with equal spread
    among violating and other decisions (binormal). AUROC 1 is the oracle, 1 − (violating episodes − ε).

    >>> [round(share_finishing(a, decisions=17, rate=0.01, epsilon=0.05), 2) for a in (0.8, 0.9, 0.97)]
    [0.21, 0.41, 0.73]
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    if not 0.5 <= auroc <= 1 or decisions < 1 or not 0 < rate < 1:
        raise ShapeError(
            f"need AUROC .5 to 1, decisions >= 1, a rate between 0 and 1; got {auroc}, {decisions}, {rate}"
        )
    unguarded = 1 - (1 - rate) ** decisions
    if unguarded <= check_level("epsilon", epsilon):
        return 1.0
    if auroc == 1:
        return 1 - abstained_at_least(unguarded, epsilon, joint=True)
    apart = np.sqrt(2) * ndtri(auroc)

    def executed(threshold: float) -> tuple[float, float]:
        """P(executed and safe), P(executed and violating) of one decision."""
        return (1 - rate) * float(ndtr(threshold)), rate * float(ndtr(threshold - apart))

    def excess(threshold: float) -> float:
        safe, bad = executed(threshold)
        return bad * sum(safe**t for t in range(decisions)) - epsilon

    return float(sum(executed(brentq(excess, -12.0, 12.0 + apart))) ** decisions)
