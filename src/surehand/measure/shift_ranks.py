"""Conformal p-values: where a new value stands among all values so far, ties broken by chance.

Against *all* earlier values, deployed ones included, the p-values of exchangeable values are independent and uniform
(Vovk, Gammerman & Shafer 2005), which is what a martingale may be built on. Against a fixed calibration set each is
valid alone, but all share that set's luck. Small p = riskier than before; NaN counts as infinitely risky.
"""

from bisect import bisect_left, bisect_right, insort

import numpy as np

from surehand.exceptions import ShapeError

_SMALL = 256  # values that are inserted one by one before they become a sorted array


class Ranks:
    """A growing bag of values (n of them): add one in O(log n) on average, count those below or equal in O(log² n).

    Sorted arrays of growing size, two of like size merged into one (Bentley & Saxe 1980).
    """

    def __init__(self, values: np.ndarray | None = None) -> None:
        self._recent: list[float] = []
        self._sorted: list[np.ndarray] = []
        if values is not None and np.size(values):
            self._sorted.append(np.sort(_numbers(values)))

    def __len__(self) -> int:
        return len(self._recent) + sum(len(part) for part in self._sorted)

    def add(self, value: float) -> None:
        """One more value in the bag."""
        insort(self._recent, value if value == value else float("inf"))
        if len(self._recent) < _SMALL:
            return
        part = np.array(self._recent)
        self._recent.clear()
        while self._sorted and len(self._sorted[-1]) <= len(part):
            part = np.sort(np.concatenate([self._sorted.pop(), part]), kind="stable")  # finds both runs and merges them
        self._sorted.append(part)

    def merge(self, other: "Ranks") -> "Ranks":
        """This bag with the other's values added."""
        parts = [*self._sorted, *other._sorted, np.array(self._recent), np.array(other._recent)]
        self._recent, self._sorted = [], [np.sort(np.concatenate(parts))]
        return self

    def counts(self, value: float) -> tuple[int, int]:
        """How many values lie above this one, and how many equal it."""
        value = value if value == value else float("inf")
        low, high = bisect_left(self._recent, value), bisect_right(self._recent, value)
        for part in self._sorted:
            low += int(part.searchsorted(value, "left"))
            high += int(part.searchsorted(value, "right"))
        return len(self) - high, high - low

    def values(self) -> np.ndarray:
        """All values, sorted (n,)."""
        return np.sort(np.concatenate([*self._sorted, np.array(self._recent)]))


def fixed_p_values(calibration: np.ndarray, values: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Smoothed conformal p-values (N,) of values (N,), each alone against calibration values (n,).

    p = (#{c > v} + U·(#{c = v} + 1))/(n + 1), U uniform. Each one is valid by itself. Together they are not: never
    multiply them into a martingale.
    """
    pool, new = np.sort(_numbers(calibration)), _numbers(values)
    order = np.argsort(new)  # looking up in order is several times faster: neighbours share memory
    high = np.empty(len(new), np.int64)
    low = np.empty(len(new), np.int64)
    high[order] = pool.searchsorted(new[order], "right")
    low[order] = pool.searchsorted(new[order], "left")
    return np.asarray((len(pool) - high + _uniform(rng, len(new)) * (high - low + 1)) / (len(pool) + 1))


def online_p_values(calibration: np.ndarray, values: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Smoothed conformal p-values (N,) of values (N,), each against calibration (n,) *and all values before it*.

    The numbers that a `ShiftMonitor` with the same `rng` finds one by one, for all at once: calibration and values in
    order of time are ranked once, then split by one bit of the rank after the other.
    """
    pool, new = _numbers(calibration), _numbers(values)
    everything = np.concatenate([pool, new])
    order = np.argsort(everything, kind="stable")  # ties in order of time
    rank = np.empty(len(everything), np.int32)
    rank[order] = np.arange(len(everything), dtype=np.int32)
    ordered = everything[order]
    starts = np.concatenate([[True], ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, bool)
    first = np.maximum.accumulate(np.where(starts, np.arange(len(ordered), dtype=np.int32), 0))
    below = _earlier_below(rank)[len(pool) :]
    mine = rank[len(pool) :]
    equal = mine - first[mine]  # ties are in order of time: those before it in its run came earlier
    earlier = np.arange(len(pool), len(everything))
    return np.asarray((earlier - below + _uniform(rng, len(new)) * (equal + 1)) / (earlier + 1))


def _earlier_below(rank: np.ndarray) -> np.ndarray:
    """For each i (n,) how many j < i have rank[j] < rank[i]; rank is a permutation of 0..n−1.

    Items are kept sorted by the leading bits of their rank and, among equal ones, in order of time; as the ranks are a
    permutation, those with the same leading bits stand at known places. At each bit ones gain the zeros before them.
    """
    n = len(rank)
    bits = max(int(n - 1).bit_length(), 1)
    size = 1 << bits
    place = np.arange(size, dtype=np.int32)
    # An item is its count above 32 bits of rank, so that one move carries both. Padding comes later and is larger.
    items = np.concatenate([rank.astype(np.int64), np.arange(n, size)])
    following = np.empty_like(items)
    for bit in range(bits - 1, -1, -1):
        half = 1 << bit
        one = (items & half) != 0
        zeros = np.cumsum(~one, dtype=np.int32) - ((place >> np.int32(bit + 1)) << np.int32(bit))  # in the own block
        low, high = np.flatnonzero(~one), np.flatnonzero(one)
        blocks = following.reshape(-1, 2, half)
        blocks[:, 0] = items[low].reshape(-1, half)
        blocks[:, 1] = (items[high] + (zeros[high].astype(np.int64) << 32)).reshape(-1, half)
        items, following = following, items
    return np.asarray((items >> 32)[rank])  # by now sorted by rank


def _uniform(rng: np.random.Generator, size: int) -> np.ndarray:
    """Uniform in (0, 1]: a p-value of 0 would be infinite evidence."""
    return np.asarray(1 - rng.random(size))


def _numbers(values: np.ndarray) -> np.ndarray:
    found = np.asarray(values, float)
    if found.ndim != 1:
        raise ShapeError(f"values have shape {found.shape}, expected one number per episode (N,)")
    return np.where(np.isnan(found), np.inf, found)
