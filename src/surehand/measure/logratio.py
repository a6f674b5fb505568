"""Logarithms of ratios of sums over units, studentised in every draw: one error, a ratio of two errors, many at once.

An error is Σ squares / Σ counts, a skill is 1 − Σ squares / Σ rival's squares, and masking compares Σ squares of two
checkpoints: all are log Σa − log Σb with influence a/Σa − b/Σb per unit, so one bootstrap serves them.
The logarithm keeps limits positive; studentising each draw by its own standard error (bootstrap-t, Efron 1979;
Hall 1992) is what keeps the promised coverage with few, skewed episodes.
"""

from dataclasses import dataclass

import numpy as np

from surehand.measure.clusters import resampled_sums


@dataclass(frozen=True, eq=False)
class LogRatios:
    """log(Σa/Σb) per column, its standard error, and its studentised draws."""

    value: np.ndarray  # (M,) NaN where Σa or Σb is zero
    se: np.ndarray  # (M,)
    t: np.ndarray  # (B, M) (value* − value) / se*; ±inf where a draw has no spread, NaN where it has no ratio


def influence(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Influence of each unit (E, M) on log(Σa/Σb): a/Σa − b/Σb; NaN where a sum is zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(a / a.sum(axis=0) - b / b.sum(axis=0))


def log_ratios(a: np.ndarray, b: np.ndarray, *, draws: int, rng: np.random.Generator) -> LogRatios:
    """log(Σa/Σb) of a (E, M) ≥ 0 against b (E, M) or (E, 1) ≥ 0, with standard errors (CR1) and B studentised draws."""
    units = len(a)
    cr1 = units / (units - 1)  # one degree of freedom for the ratio (Cameron & Miller 2015)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = np.log(a.sum(axis=0) / b.sum(axis=0))
        value[~np.isfinite(value)] = np.nan
        # Dimensionless columns: squares of very small or very large units stay exact.
        a, b = a / a.sum(axis=0), b / b.sum(axis=0)
        se = np.sqrt(cr1 * ((a - b) ** 2).sum(axis=0))
        columns = [a, b, a * a, a * b, b * b]
        ends = np.cumsum([column.shape[1] for column in columns])[:-1]
        drawn = np.split(resampled_sums(np.hstack(columns), draws, rng), ends, axis=1)
        top, bottom, squares, products, bottom_squares = drawn  # each (B, M) or (B, 1)
        variance = squares / top**2 - 2 * products / (top * bottom) + bottom_squares / bottom**2
        # Below rounding error a draw has no spread: its t is infinite unless it also equals the estimate.
        variance[variance < 1e-14] = 0.0
        shift = np.log(top / bottom)
        shift[np.abs(shift) < 1e-12] = 0.0
        t = shift / np.sqrt(cr1 * variance)
        t[(shift == 0) & (variance == 0)] = 0.0
    return LogRatios(value, se, t)


def equal_tailed(ratios: LogRatios, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Bootstrap-t limits (low, high) of Σa/Σb, each (M,), one column at a time; NaN where there is no ratio."""
    tail = (1 - level) / 2
    upper = np.quantile(np.where(np.isnan(ratios.t), np.inf, ratios.t), 1 - tail, axis=0, method="higher")
    lower = np.quantile(np.where(np.isnan(ratios.t), -np.inf, ratios.t), tail, axis=0, method="lower")
    return limits_of(ratios.value, ratios.se, lower, upper)


def limits_of(
    value: np.ndarray, se: np.ndarray, lower: np.ndarray | float, upper: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """exp(value − upper·se) and exp(value − lower·se): a long upper tail of t reaches down, as bootstrap-t has it."""
    # No spread between units at all: 0 · inf is 0, the ratio is the same in every unit.
    flat = se < 1e-7
    with np.errstate(invalid="ignore", over="ignore"):
        low = np.exp(value - np.where(flat, 0.0, upper * se))
        high = np.exp(value - np.where(flat, 0.0, lower * se))
    return low, high


def simultaneous_limits(
    num: np.ndarray, den: np.ndarray, *, level: float, draws: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Limits (low, high) of Σnum/Σden, each (M,), that hold for all columns at once with this level (max-t).

    `num` (E, M) ≥ 0, `den` (E,) or (E, M). Fewer than two units, or a zero sum: the full range, 0 to infinity.
    Max-t over studentised draws after Romano & Wolf (2005).
    """
    if len(num) < 2:
        return np.zeros(num.shape[1]), np.full(num.shape[1], np.inf)
    ratios = log_ratios(num, _columns(den), draws=draws, rng=rng)
    reach = _max_quantile(np.abs(ratios.t[:, np.isfinite(ratios.value)]), level)
    low, high = limits_of(ratios.value, ratios.se, -reach, reach)
    return np.nan_to_num(low, nan=0.0), np.nan_to_num(high, nan=np.inf, posinf=np.inf)


def lower_limits(a: np.ndarray, b: np.ndarray, *, level: float, draws: int, rng: np.random.Generator) -> np.ndarray:
    """One-sided lower limits (M,) of Σa/Σb that hold for all columns at once; NaN below two units or for zero sums."""
    if len(a) < 2:
        return np.full(a.shape[1], np.nan)
    ratios = log_ratios(a, _columns(b), draws=draws, rng=rng)
    reach = _max_quantile(ratios.t[:, np.isfinite(ratios.value)], level)
    return limits_of(ratios.value, ratios.se, -np.inf, reach)[0]


def _columns(b: np.ndarray) -> np.ndarray:
    return b[:, None] if b.ndim == 1 else b


def _max_quantile(t: np.ndarray, level: float) -> float:
    """The level quantile of each draw's largest t; infinite where too many draws have no spread."""
    if not t.shape[1]:
        return np.inf
    largest = np.where(np.isnan(t), np.inf, t).max(axis=1)
    return float(np.quantile(largest, level, method="higher"))
