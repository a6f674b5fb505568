"""Intervals of errors and skills, by the number of episodes behind them: unknown stays unknown.

Which method: bootstrap-t on the logarithm below 100 units (CR1-t when stratified), percentile from 100, none below two.
`docs/statistics.md` has their measured coverage.
"""

from typing import Literal, NamedTuple

import numpy as np

from surehand.measure.clusters import by_cluster, cluster_weights, pool_strata, resampled_sums
from surehand.measure.logratio import equal_tailed, influence, log_ratios, simultaneous_limits

__all__ = [
    "Interval",
    "by_cluster",
    "cluster_weights",
    "pool_strata",
    "ratio_interval",
    "resampled_sums",
    "simultaneous_limits",
    "skill_interval",
    "unit_warnings",
]

Method = Literal["auto", "bootstrap-t", "CR1-t", "percentile"]
MANY = 100  # units from which the percentile bootstrap keeps its promise
FEW = 20  # units below which no interval quite does


class Interval(NamedTuple):
    """Limits per column, how they were made, and what a reader should know of them."""

    low: np.ndarray  # (C,) NaN where the data support no interval
    high: np.ndarray  # (C,)
    method: str  # "bootstrap-t", "CR1-t", "percentile" or "none"
    warnings: tuple[str, ...]


def unit_warnings(units: int, unit: str = "episodes") -> tuple[str, ...]:
    """What few units mean for an interval: nothing to say from 20 on."""
    if units < 2:
        return (f"{units} {unit}: no interval; at least 2 are needed and {FEW} advised",)
    if units < FEW:
        return (f"only {units} {unit}: intervals cover less than they claim; {FEW} or more are advised",)
    return ()


def ratio_interval(
    num: np.ndarray,
    den: np.ndarray,
    *,
    level: float = 0.95,
    rng: np.random.Generator,
    strata: np.ndarray | None = None,
    method: Method = "auto",
    draws: int = 10_000,
) -> Interval:
    """Interval of Σnum/Σden per column, from whole units: `num` (E, C) ≥ 0, `den` (E,) or (E, C) ≥ 0.

    Units without any denominator are left out. `strata` (E,) labels, a task for instance; labels of a single unit are
    pooled and that is said in `warnings`. NaN below two units and where Σnum is zero, never a zero-width guess.
    """
    den = den[:, None] if den.ndim == 1 else den
    kept = np.flatnonzero((den > 0).any(axis=1))
    num, den = num[kept], den[kept]
    warnings = unit_warnings(len(kept))
    if len(kept) < 2:
        nothing = np.full(num.shape[1], np.nan)
        return Interval(nothing, nothing.copy(), "none", warnings)
    if strata is not None:
        strata, pooled = pool_strata(strata[kept])
        if pooled:
            warnings += (f"{pooled} single-episode task{'s' * (pooled > 1)} pooled into one stratum",)
    if method == "auto":
        method = "percentile" if len(kept) >= MANY else "bootstrap-t" if strata is None else "CR1-t"
    if method == "bootstrap-t":
        if strata is not None:
            raise ValueError("bootstrap-t does not take strata; use CR1-t or percentile")
        low, high = equal_tailed(log_ratios(num, den, draws=draws, rng=rng), level)
    elif method == "CR1-t":
        low, high = _cr1_t(num, den, level, strata)
    else:
        low, high = _percentile(num, den, level, draws, rng, strata)
    unknown = ~((num.sum(axis=0) > 0) & (den > 0).any(axis=0)) | ((den > 0).sum(axis=0) < 2)
    return Interval(np.where(unknown, np.nan, low), np.where(unknown, np.nan, high), method, warnings)


def skill_interval(
    num: np.ndarray,
    rival: np.ndarray,
    den: np.ndarray,
    *,
    floor: np.ndarray | float = 0.0,
    level: float = 0.95,
    rng: np.random.Generator,
    strata: np.ndarray | None = None,
    method: Method = "auto",
    draws: int = 10_000,
) -> tuple[np.ndarray, Interval]:
    """Skill 1 − Σnum/Σrival per column (C,) and its interval; NaN where the rival's error Σrival/Σden ≤ `floor`.

    `num` and `rival` (E, C) must be sums over the same frames, `den` (E,) their count. The two are resampled together.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        value = 1 - num.sum(axis=0) / rival.sum(axis=0)
        undefined = ~(rival.sum(axis=0) / den.sum(axis=0) > floor)
    ratio = ratio_interval(num, rival, level=level, rng=rng, strata=strata, method=method, draws=draws)
    low, high = (np.where(undefined, np.nan, 1 - limit) for limit in (ratio.high, ratio.low))
    return np.where(undefined, np.nan, value), Interval(low, high, ratio.method, ratio.warnings)


def _cr1_t(num: np.ndarray, den: np.ndarray, level: float, strata: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Cluster-robust limits on the logarithm, t with E − T degrees of freedom (T strata; Cameron & Miller 2015)."""
    from scipy.stats import t

    psi = influence(num, den)  # (E, C)
    groups = np.zeros(len(num), int) if strata is None else strata
    variance = np.zeros(num.shape[1])
    for stratum in np.unique(groups):
        rows = psi[groups == stratum]
        variance += len(rows) / (len(rows) - 1) * ((rows - rows.mean(axis=0)) ** 2).sum(axis=0)
    reach = t.ppf((1 + level) / 2, len(num) - len(np.unique(groups))) * np.sqrt(variance)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = num.sum(axis=0) / den.sum(axis=0)
        return value * np.exp(-reach), value * np.exp(reach)


def _percentile(
    num: np.ndarray,
    den: np.ndarray,
    level: float,
    draws: int,
    rng: np.random.Generator,
    strata: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    sums = resampled_sums(np.hstack([num, den]), draws, rng, strata)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = sums[:, : num.shape[1]] / sums[:, num.shape[1] :]
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high
