"""How often a test would resolve two policies with n trials each: power, assurance, trials needed.

L levels of the rubric, lowest first; n trials of each policy. Power is exact: every pair of count tables is enumerated,
those the test rejects are summed. Where there are too many it is sampled, and `Power.method` says so.
"""

from collections.abc import Callable, Sequence

import numpy as np

from surehand.exceptions import ShapeError
from surehand.measure.power_verdict import (
    DRAWS,
    MOST_PAIRS,
    TESTS,
    Power,
    Question,
    Test,
    check,
    fixed,
    resolve,
    uncertain,
)
from surehand.measure.superiority import PRIOR, check_counts, draw_distributions, win_rates

__all__ = [
    "TESTS",
    "Power",
    "Test",
    "assurance",
    "assurance_limit",
    "find_power",
    "first_staying",
    "power",
    "trials_needed",
]

CEILING = 0.9  # share of one level from which exact tests have a power that jumps
JUMPS, SMOOTH = 0.2, 0.05  # how far ahead one looks whether power falls below the target again


def find_power(
    p_a: Sequence[float] | np.ndarray,
    p_b: Sequence[float] | np.ndarray,
    n: int,
    *,
    test: Test = "permutation",
    sides: int = 2,
    alpha: float = 0.05,
    rng: np.random.Generator | None = None,
    most_pairs: int = MOST_PAIRS,
    draws: int = DRAWS,
) -> Power:
    """Power with n trials of each policy whose scores follow p_a and p_b (L,), and how it was found."""
    a, b = (np.asarray(p, float) for p in (p_a, p_b))
    if a.ndim != 1 or a.shape != b.shape or not all(np.isclose(p.sum(), 1) and (p >= 0).all() for p in (a, b)):
        raise ShapeError(f"expected two distributions over the same levels, got {a.tolist()} and {b.tolist()}")
    check(len(a), n, test, sides, alpha)
    a, b = a / a.sum(), b / b.sum()  # shares that were computed add up to 1 only but for rounding
    asked = Question(n, test, sides, alpha, most_pairs, draws)
    return resolve(fixed(a, n), fixed(b, n), asked, rng or np.random.default_rng(0))


def power(
    p_a: Sequence[float] | np.ndarray,
    p_b: Sequence[float] | np.ndarray,
    n: int,
    *,
    test: Test = "permutation",
    sides: int = 2,
    alpha: float = 0.05,
) -> float:
    """The probability that `test` gives p ≤ α with n trials of each policy, for score distributions p_a, p_b (L,).

    Two-sided: in favour of either. One-sided: in favour of the first. "permutation" is the exact rank test with ties,
    "approximation" the usual normal one; "fisher" and "barnard" need two levels (failure, success).

    >>> round(power([0, 1], [0.25, 0.75], 20), 3)
    0.585
    """
    found = find_power(p_a, p_b, n, test=test, sides=sides, alpha=alpha)
    return found.value + (found.wrong if sides == 2 else 0.0)


def assurance(
    counts_a: Sequence[float] | np.ndarray,
    counts_b: Sequence[float] | np.ndarray,
    n: int,
    *,
    rng: np.random.Generator,
    test: Test = "permutation",
    sides: int = 2,
    alpha: float = 0.05,
    prior: float = PRIOR,
    most_pairs: int = MOST_PAIRS,
    draws: int = DRAWS,
) -> Power:
    """The probability that n new trials of each resolve the first as better, given the pilots' counts (L,).

    Averaged over the Dirichlet(counts + prior) posteriors of both (Spiegelhalter, Freedman & Blackburn 1986): the
    pilots may have been lucky. It never exceeds `assurance_limit`.
    """
    a, b = check_counts(np.asarray(counts_a), np.asarray(counts_b))
    check(len(a), n, test, sides, alpha)
    asked = Question(n, test, sides, alpha, most_pairs, draws)
    return resolve(uncertain(a + prior, n), uncertain(b + prior, n), asked, rng)


def assurance_limit(
    counts_a: Sequence[float] | np.ndarray,
    counts_b: Sequence[float] | np.ndarray,
    *,
    rng: np.random.Generator,
    prior: float = PRIOR,
    draws: int = 100_000,
) -> float:
    """What assurance tends to with ever more trials: P(the first's win rate > ½), given the pilots' counts (L,)."""
    a, b = check_counts(np.asarray(counts_a), np.asarray(counts_b))
    rate = win_rates(draw_distributions(a, prior, draws, rng), draw_distributions(b, prior, draws, rng))
    return float((rate > 0.5).mean())


def trials_needed(
    p_a: Sequence[float] | np.ndarray,
    p_b: Sequence[float] | np.ndarray,
    *,
    target: float = 0.8,
    test: Test = "permutation",
    sides: int = 2,
    alpha: float = 0.05,
    most: int = 400,
) -> int | None:
    """The first n per policy from which power stays at the target or above; None where `most` trials do not do.

    >>> trials_needed([0, 1], [0.25, 0.75])
    31
    """
    a, b = np.asarray(p_a, float), np.asarray(p_b, float)
    jumps = len(a) == 2 or max(a.max(), b.max()) > CEILING
    return first_staying(
        lambda n: power(a, b, n, test=test, sides=sides, alpha=alpha), target, most, ahead=JUMPS if jumps else SMOOTH
    )


def first_staying(curve: Callable[[int], float], target: float, most: int, *, ahead: float = 0.0) -> int | None:
    """The first n at which curve(n) ≥ target, and for the next `ahead`·(n + 50) trials too; None up to `most`.

    Exact tests have a saw-tooth power: near a ceiling one trial more may lower it by 0.1.
    """
    known: dict[int, float] = {}

    def holds(n: int) -> bool:
        if n not in known:
            known[n] = curve(n)
        return known[n] >= target

    low, high = 1, min(8, most)  # no test resolves one trial of each
    while not holds(high):
        low = high
        if high >= most:
            return None
        high = min(most, high * 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    last, n = low, high  # the last n known to fail, and the next to look at
    while n <= last + ahead * (50 + last):
        if not holds(n):
            last = n
        n += 1
    return last + 1 if last < most else None
