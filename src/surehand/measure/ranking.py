"""How well numbers order policies, and what several independent runs say of it: Kendall's τ_b, sign flips, intervals.

C checkpoints of one run; R runs, the unit of every claim about a rule.
"""

from typing import NamedTuple

import numpy as np

from surehand.exceptions import ShapeError

MOST_ENUMERATED = 20  # runs up to which every pattern of signs is tried
ROUNDING = 1e-9  # sums nearer than this, relative to the largest possible one, count as equal


class RunInterval(NamedTuple):
    """A mean over runs with its limits; NaN limits where the runs support none."""

    value: float
    low: float
    high: float
    runs: int  # that had a value


def kendall(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's τ_b of x (C,) and y (C,) (Kendall 1945); NaN where either is constant or has fewer than two values.

    >>> kendall(np.array([1, 2, 3, 4]), np.array([1, 2, 4, 3]))
    0.6666666666666666
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape or x.ndim != 1:
        raise ShapeError(f"τ needs two rows of the same length, got {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return float("nan")
    first, second = np.triu_indices(len(x), 1)
    dx, dy = np.sign(x[first] - x[second]), np.sign(y[first] - y[second])
    untied = np.abs(dx).sum() * np.abs(dy).sum()
    return float((dx * dy).sum() / np.sqrt(untied)) if untied > 0 else float("nan")


def partial_kendall(x: np.ndarray, y: np.ndarray, given: np.ndarray) -> float:
    """τ_b of x (C,) and y (C,) with `given` (C,) held fixed (Kendall 1942); NaN where it is undefined.

    What remains of an agreement when both merely follow the same clock.
    """
    xy, xz, yz = kendall(x, y), kendall(x, given), kendall(y, given)
    left = (1 - xz**2) * (1 - yz**2)
    return (xy - xz * yz) / float(np.sqrt(left)) if left > ROUNDING else float("nan")


def mean_over_runs(values: np.ndarray, level: float = 0.95) -> RunInterval:
    """Mean of values (R,) and its t interval with R − 1 degrees of freedom; runs whose value is NaN are left out.

    No interval below two runs, nor where all runs agree exactly: no spread seen is not no spread.
    """
    from scipy.stats import t

    values = np.asarray(values, float)
    known = values[np.isfinite(values)]
    runs = len(known)
    if not runs:
        return RunInterval(float("nan"), float("nan"), float("nan"), 0)
    mean = float(known.mean())
    spread = float(known.std(ddof=1)) if runs > 1 else 0.0
    if spread <= ROUNDING:
        return RunInterval(mean, float("nan"), float("nan"), runs)
    reach = float(t.ppf((1 + level) / 2, runs - 1)) * spread / float(np.sqrt(runs))
    return RunInterval(mean, mean - reach, mean + reach, runs)


def sign_flip(differences: np.ndarray, *, draws: int = 100_000, rng: np.random.Generator) -> float:
    """Two-sided p of mean difference zero, from flipping the sign of whole runs' differences (R,) (Fisher 1935).

    Every pattern up to 20 runs that differ, `draws` random ones beyond: p = (b + 1)/(B + 1). Runs without a difference
    change nothing; runs whose value is NaN are left out. NaN where no run has a value.
    """
    known = np.asarray(differences, float)
    known = known[np.isfinite(known)]
    if not len(known):
        return float("nan")
    moved = np.abs(known[known != 0])
    if not len(moved):
        return 1.0
    reached = abs(float(known.sum())) - ROUNDING * float(moved.sum())
    if len(moved) <= MOST_ENUMERATED:
        sums = np.zeros(1)
        for size in moved:
            sums = np.concatenate([sums + size, sums - size])
        return float((np.abs(sums) >= reached).mean())
    signs = rng.integers(0, 2, (draws, len(moved)), dtype=np.int8) * 2 - 1
    return float((1 + (np.abs(signs @ moved) >= reached).sum()) / (draws + 1))


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values (M,) adjusted so that the family's chance of a false rejection is kept (Holm 1979); NaN stays NaN.

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, float)
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = len(known) - np.arange(len(known))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * factors))
    return adjusted
