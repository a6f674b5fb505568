"""Which pairs of count tables a rank test rejects, for n trials per policy: enumerated, never sampled.

T pooled tables; L levels; M pairs of tables. Two tables of n trials each are summed level by level into a pooled one
(T, L). Given the pooled table the permutation distribution knows nothing else, and D = wins − losses over all n²
match-ups is linear in the first policy's counts. Both policies having n trials, D is symmetric about zero.
"""

from collections.abc import Iterator
from functools import cached_property, lru_cache

import numpy as np

from surehand.measure.tables import log_choose, ragged

LEFT_OUT = 1e-9  # of a tail of any one level's count, at either end
ALIKE = 1e-9  # relative: p-values nearer than this to α count as α
CHUNK = 500_000  # pairs of tables held at once
DENSE = 4  # cells per pair up to which tails are added up by counting; sorting is as fast beyond


class Windows:
    """Ranges of the first policy's count at one level, given the pooled count there, and the weights within them."""

    def __init__(self, n: int, first: np.ndarray, second: np.ndarray) -> None:
        """`first` and `second` (L, n + 1): weights of every count at every level, of independent counts."""
        self.n = n
        self._laws = list(zip(first, second, strict=True))
        self.pooled = [_central(np.convolve(a, b)) for a, b in self._laws]  # first and last pooled count that matters
        null_low, null_high = _null_windows(n)
        self.low, self.high = [], []  # each (2n + 1,) per level
        for a, b in self._laws:
            (a_low, a_high), (b_low, b_high), total = _central(a), _central(b), np.arange(2 * n + 1)
            self.low.append(np.minimum(np.maximum(a_low, total - b_high), null_low))
            self.high.append(np.maximum(np.minimum(a_high, total - b_low), null_high))

    @property
    def most_tables(self) -> float:
        """An upper bound on the pooled tables."""
        return float(np.prod([1.0 + high - low for low, high in self.pooled[:-1]]))

    @cached_property
    def alternative(self) -> list[np.ndarray]:
        """first[x]·second[t − x], a table (2n + 1, n + 1) per level; 0 where t − x is no count."""
        rest = np.arange(2 * self.n + 1)[:, None] - np.arange(self.n + 1)
        possible, place = (rest >= 0) & (rest <= self.n), np.clip(rest, 0, self.n)
        return [np.where(possible, a * b[place], 0.0) for a, b in self._laws]


def _central(weights: np.ndarray) -> tuple[int, int]:
    """First and last count outside of which at most LEFT_OUT of the weight lies, at either end."""
    total = np.cumsum(weights) / weights.sum()
    back = np.cumsum(weights[::-1]) / weights.sum()
    return int(np.searchsorted(total, LEFT_OUT)), len(weights) - 1 - int(np.searchsorted(back, LEFT_OUT))


@lru_cache(maxsize=4)
def _null_windows(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts (2n + 1,) between which the hypergeometric count of one level lies, for every pooled count."""
    half = _null_weights(n)
    chances = half * half[::-1, ::-1]  # C(t, x)·C(2n − t, n − x), but for a factor
    chances /= chances.sum(axis=1, keepdims=True)
    low = (np.cumsum(chances, axis=1) < LEFT_OUT).sum(axis=1)
    high = n - (np.cumsum(chances[:, ::-1], axis=1) < LEFT_OUT).sum(axis=1)
    return low, high


@lru_cache(maxsize=4)
def _null_weights(n: int) -> np.ndarray:
    """C(t, x)/2^t for every pooled count t and every count x ≤ n of the first policy (2n + 1, n + 1)."""
    t, x = np.arange(2 * n + 1)[:, None], np.arange(n + 1)
    return np.asarray(np.exp(log_choose(t, x) - t * np.log(2)))


def pooled_tables(windows: Windows) -> np.ndarray:
    """Every pooled table (T, L) whose counts are not all but impossible."""
    left = np.array([2 * windows.n])
    columns: list[np.ndarray] = []
    ends = windows.pooled
    for k, (low, high) in enumerate(ends[:-1]):
        after_low, after_high = sum(e[0] for e in ends[k + 1 :]), sum(e[1] for e in ends[k + 1 :])
        owner, value = ragged(np.maximum(low, left - after_high), np.minimum(high, left - after_low))
        columns = [c[owner] for c in columns] + [value]
        left = left[owner] - value
    return np.stack([*columns, left], axis=1)


def pairs(
    tables: np.ndarray, n: int, low: list[np.ndarray], high: list[np.ndarray], weights: list[list[np.ndarray]]
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The first policy's possible tables for pooled `tables` (T, L): pooled row (M,), D (M,), a weight (M,) per kind.

    `weights`: for every kind, one table (2n + 1, n + 1) per level.
    """
    below = np.cumsum(tables, axis=1) - tables
    worth = 2 * below + tables - 2 * n  # (T, L) pooled trials below − above
    after = np.cumsum(tables[:, ::-1], axis=1)[:, ::-1] - tables  # (T, L) pooled trials at higher levels
    row, left = np.arange(len(tables)), np.full(len(tables), n)
    d = np.zeros(len(tables), np.int64)
    held = [np.ones(len(tables)) for _ in weights]
    levels = tables.shape[1]
    for k in range(levels):
        pooled = tables[row, k]
        if k == levels - 1:
            value, keep = left, None
        else:
            keep, value = ragged(np.maximum(low[k][pooled], left - after[row, k]), np.minimum(high[k][pooled], left))
            row, pooled, left, d = row[keep], pooled[keep], left[keep] - value, d[keep]
        d = d + worth[row, k] * value
        place = pooled * (n + 1) + value
        held = [(h if keep is None else h[keep]) * w[k].ravel()[place] for h, w in zip(held, weights, strict=True)]
    return row, d, held


def chunks(tables: np.ndarray, low: list[np.ndarray], high: list[np.ndarray]) -> Iterator[np.ndarray]:
    """The pooled tables in pieces whose pairs fit into memory."""
    piece = (np.cumsum(most_pairs(tables, low, high)) // CHUNK).astype(np.int64)
    yield from np.split(tables, np.flatnonzero(np.diff(piece)) + 1)


def most_pairs(tables: np.ndarray, low: list[np.ndarray], high: list[np.ndarray]) -> np.ndarray:
    """An upper bound on the pairs behind every pooled table (T,)."""
    widths = [1.0 + (high[k] - low[k])[tables[:, k]] for k in range(tables.shape[1] - 1)]
    return np.asarray(np.prod(widths, axis=0))


def rejections(windows: Windows, tables: np.ndarray, tail: float, *, approximate: bool = False) -> tuple[float, float]:
    """Weights of all pairs in which the first, and the second, is found better at one-sided `tail`."""
    n, won, lost = windows.n, 0.0, 0.0
    null = [[_null_weights(n)] * tables.shape[1]] * (not approximate)
    for piece in chunks(tables, windows.low, windows.high):
        row, d, held = pairs(piece, n, windows.low, windows.high, [windows.alternative, *null])
        bar = (
            approximate_bars(piece, n, tail) if approximate else permutation_bars(row, d, held[1], len(piece), n, tail)
        )
        won += float(held[0][d >= bar[row]].sum())
        lost += float(held[0][d <= -bar[row]].sum())
    return won, lost


def null_pairs(tables: np.ndarray, n: int) -> np.ndarray:
    """An upper bound on the first policy's tables behind every pooled one (T,) when labels are shuffled."""
    low, high = ([ends] * tables.shape[1] for ends in _null_windows(n))
    return most_pairs(tables, low, high)


def bars(tables: np.ndarray, n: int, tail: float) -> np.ndarray:
    """The smallest D (T,) that the exact permutation test rejects at one-sided `tail`, for pooled tables (T, L)."""
    low, high = ([ends] * tables.shape[1] for ends in _null_windows(n))
    found = []
    for piece in chunks(tables, low, high):
        row, d, (null,) = pairs(piece, n, low, high, [[_null_weights(n)] * tables.shape[1]])
        found.append(permutation_bars(row, d, null, len(piece), n, tail))
    return np.concatenate(found)


def permutation_bars(row: np.ndarray, d: np.ndarray, null: np.ndarray, tables: int, n: int, tail: float) -> np.ndarray:
    """The smallest D (T,) whose one-sided exact permutation p is `tail` or less; n² + 1 where none is.

    `null` (M,): weights C(t, x)/2^t multiplied over levels, so that those of one pooled table sum to C(2n, n)/4^n.
    """
    from scipy.stats import binom

    up = d > 0
    row, d, null = row[up], d[up], null[up]
    most = int(d.max(initial=0)) + 1
    allowed = tail * (1 + ALIKE) * float(binom.pmf(n, 2 * n, 0.5))
    if tables * most > DENSE * len(d):
        return _sorted_bars(row, d, null, tables, n, allowed)
    at = np.bincount(row * most + d - 1, null, minlength=tables * most).reshape(tables, most)
    above = np.cumsum(at[:, ::-1], axis=1)  # (T, most) weight of D ≥ most − i
    reached = (above <= allowed).sum(axis=1)  # how far down from the top the tail stays small enough
    return np.where(reached > 0, most - reached + 1, n * n + 1)


def _sorted_bars(row: np.ndarray, d: np.ndarray, null: np.ndarray, tables: int, n: int, allowed: float) -> np.ndarray:
    """The same where the values of D lie far apart: tails by sorting instead of by counting."""
    order = np.lexsort((-d, row))
    row, d, tails = row[order], d[order], np.cumsum(null[order])
    starts = np.searchsorted(row, np.arange(tables))  # of every table's values
    before = np.concatenate([[0.0], tails])[starts]
    last = np.append((np.diff(row) != 0) | (np.diff(d) != 0), True)[: len(row)]  # of those with equal D
    small = last & (tails - before[row] <= allowed)
    found = np.full(tables, n * n + 1)
    np.minimum.at(found, row[small], d[small])
    return found


def approximate_bars(tables: np.ndarray, n: int, tail: float) -> np.ndarray:
    """The D (T,) from which the Mann-Whitney approximation, tie and continuity corrected, has a one-sided p of `tail`.

    Infinite where all trials score alike.
    """
    from scipy.stats import norm

    total = 2.0 * n
    ties = (tables.astype(float) ** 3 - tables).sum(axis=1) / (total * (total - 1))
    spread = np.sqrt(n * n / 12 * (total + 1 - ties))  # of U, half of D
    return np.where(spread > 0, (2 * spread * norm.isf(tail) + 1) * (1 - ALIKE), np.inf)
