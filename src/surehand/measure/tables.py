"""Counts that add up: every way to take so many trials out of levels, and how likely each is when labels are shuffled.

L levels, K tables, N trials in the pool.
"""

import numpy as np

from surehand.exceptions import ShapeError

__all__ = ["as_p", "checked_scores", "doubled_midranks", "level_counts", "log_choose", "ragged", "taken", "ways"]


def checked_scores(scores: np.ndarray, who: str = "a policy") -> np.ndarray:
    """Scores (N,) as floats; ShapeError where they are not one row of finite numbers."""
    row = np.asarray(scores, float)
    if row.ndim != 1:
        raise ShapeError(f"the scores of {who} must be one row (N,), got shape {row.shape}; pass one score per trial")
    if not np.isfinite(row).all():
        raise ShapeError(
            f"score {int(np.flatnonzero(~np.isfinite(row))[0]) + 1} of {who} is not a finite number; "
            "leave trials without a score out"
        )
    return row


def as_p(*chances: float) -> tuple[float, ...]:
    """Sums of chances as p-values: at most 1, and 12 digits, so that 1/20 is not a rounding above 0.05."""
    return tuple(min(1.0, float(f"{chance:.12g}")) for chance in chances)


def level_counts(*samples: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The distinct scores seen, ascending (L,), and each sample's counts of them (L,)."""
    levels, index = np.unique(np.concatenate(samples), return_inverse=True)
    ends = np.cumsum([len(s) for s in samples])[:-1]
    return levels, [np.bincount(part, minlength=len(levels)) for part in np.split(index, ends)]


def doubled_midranks(pool: np.ndarray) -> np.ndarray:
    """Twice the midrank of each level (L,) of a pool with these counts (L,): whole numbers, so that ties are exact.

    >>> doubled_midranks(np.array([1, 2, 1]))
    array([2, 5, 8])
    """
    return np.asarray(2 * np.cumsum(pool) - pool + 1)


def log_choose(n: np.ndarray | int, k: np.ndarray | int) -> np.ndarray:
    """Logarithm of the number of ways to choose k of n; −inf where there is none."""
    from scipy.special import gammaln

    n, k = np.broadcast_arrays(np.asarray(n), np.asarray(k))
    possible = (k >= 0) & (k <= n)
    k = np.where(possible, k, 0)
    return np.asarray(np.where(possible, gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), -np.inf))


def ragged(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every whole number from low (K,) to high (K,), row after row: which row it belongs to, and the number.

    >>> ragged(np.array([0, 5]), np.array([1, 6]))
    (array([0, 0, 1, 1]), array([0, 1, 5, 6]))
    """
    count = np.maximum(high - low + 1, 0)
    row = np.repeat(np.arange(len(count)), count)
    start = np.cumsum(count) - count
    return row, np.arange(len(row)) - (start - low)[row]


def ways(pool: np.ndarray, take: int) -> np.ndarray:
    """Every table (K, L) of `take` trials out of a pool with these counts (L,), in lexicographic order.

    >>> ways(np.array([2, 1]), 2).tolist()
    [[1, 1], [2, 0]]
    """
    pool = np.asarray(pool)
    columns: list[np.ndarray] = []
    left = np.array([take])
    for level in range(len(pool) - 1):
        row, number = ragged(np.maximum(0, left - pool[level + 1 :].sum()), np.minimum(pool[level], left))
        columns = [column[row] for column in columns] + [number]
        left = left[row] - number
    return np.stack([*columns, left], axis=1)


def taken(pool: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Probability (K,) of each table (K, L) when trials are taken from the pool (L,) at random."""
    log = log_choose(pool, tables).sum(axis=1)
    return np.asarray(np.exp(log - log_choose(int(np.sum(pool)), int(tables[0].sum()))))
