"""Simultaneous limits for the ratio of every two checkpoints' errors: what hard episodes have in common cancels."""

import numpy as np

from surehand.measure.clusters import resampled_sums
from surehand.measure.logratio import limits_of

BLOCK = 1024  # draws at once: only their maximum is kept, so the arrays stay in the cache


def paired_limits(sums: np.ndarray, *, level: float, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Lower limits (C, C, G) of err_c/err_c' per group, from sums (E, C, G) ≥ 0 over the same frames: all hold at once.

    Max-t over all pairs and groups of log ratios, studentised in every draw (see logratio.py). Two-sided, so 1/limit of
    (c', c) is the upper one. 1 on the diagonal; 0, the full range, below two units and where a sum is zero.
    """
    units, models, groups = sums.shape
    limits = np.zeros((models, models, groups))
    limits[np.arange(models), np.arange(models)] = 1
    first, second = np.triu_indices(models, 1)
    if units < 2 or not len(first):
        return limits
    totals = sums.sum(axis=0)  # (C, G)
    known = totals > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = sums / totals
        value = np.log(totals[first] / totals[second])  # (P, G)
    se = np.sqrt(units / (units - 1) * ((scaled[:, first] - scaled[:, second]) ** 2).sum(axis=0))
    largest = _largest([scaled[:, known[:, g], g] for g in range(groups)], draws, rng)
    reach = np.sqrt((units - 1) / units) * float(np.quantile(largest, level, method="higher"))
    low, high = limits_of(value, se, -reach, reach)
    decided = known[first] & known[second]
    limits[first, second] = np.where(decided, low, 0)
    limits[second, first] = np.where(decided, 1 / high, 0)
    return limits


def _largest(scaled: list[np.ndarray], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Largest |t| of each draw over all pairs of columns (E, K) within each group (B,), but for the CR1 factor."""
    pairs = [np.triu_indices(x.shape[1], 1) for x in scaled]
    parts = [np.hstack([x, x * x, x[:, i] * x[:, j]]) for x, (i, j) in zip(scaled, pairs, strict=True)]
    columns, ends = np.hstack(parts), np.cumsum([part.shape[1] for part in parts])[:-1]
    largest = np.zeros(draws)
    for start in range(0, draws, BLOCK):
        rows = slice(start, min(start + BLOCK, draws))
        drawn = resampled_sums(columns, rows.stop - start, rng)
        for part, pair in zip(np.split(drawn, ends, axis=1), pairs, strict=True):
            if len(pair[0]):
                np.maximum(largest[rows], _squared_t(part, *pair).max(axis=1), out=largest[rows])
    return np.sqrt(largest)


def _squared_t(drawn: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(log ratio* − log ratio)² / variance* of every pair (B, P), from drawn sums, sums of squares and of products."""
    count = (drawn.shape[1] - len(first)) // 2
    sums, squares, products = np.split(drawn, [count, 2 * count], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        logs, inverse = np.log(sums), 1 / sums
        squares *= inverse * inverse
        variance = squares[:, first] + squares[:, second] - 2 * products * inverse[:, first] * inverse[:, second]
        # Below rounding error a draw has no spread: infinitely far out, unless it also equals the estimate.
        variance[variance < 1e-14] = 0
        shift = logs[:, first] - logs[:, second]
        shift[np.abs(shift) < 1e-12] = 0
        t = shift * shift / variance
    t[shift == 0] = 0
    return np.where(np.isnan(t), np.inf, t)
