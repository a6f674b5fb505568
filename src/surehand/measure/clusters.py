"""Whole episodes (or sessions, initial states) as the unit of evidence: their sums, strata, resampling weights."""

from collections.abc import Iterator

import numpy as np

BLOCK = 1 << 20  # weights held at once; small enough for the cache, so memory does not grow with the draws


def by_cluster(values: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Rows (E, ...) summed within each cluster id (E,), in ascending order of the ids: (clusters, ...).

    >>> by_cluster(np.array([1.0, 2.0, 4.0]), np.array([7, 3, 7]))
    array([2., 5.])
    """
    ids, index = np.unique(cluster, return_inverse=True)
    sums = np.zeros((len(ids), *values.shape[1:]))
    np.add.at(sums, index, values)
    return sums


def pool_strata(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Stratum index per unit (E,), and how many single-unit labels were pooled into one stratum: say it aloud if any.

    A stratum of one unit has no variance to resample. A lone single-unit label joins the smallest other stratum.
    """
    _, stratum, counts = np.unique(labels, return_inverse=True, return_counts=True)
    single = counts[stratum] == 1
    pooled = int(single.sum())
    if pooled == 1 and len(counts) > 1:
        others = np.where(counts > 1, counts, counts.max() + 1)
        stratum = np.where(single, np.argmin(others), stratum)
    elif pooled:
        stratum = np.where(single, len(counts), stratum)
    return np.unique(stratum, return_inverse=True)[1], pooled


def cluster_weights(units: int, draws: int, rng: np.random.Generator, strata: np.ndarray | None = None) -> np.ndarray:
    """Resampling weights (B, E): how often each unit counts in each draw.

    Without strata: E units drawn from E. With strata (E,), each of at least two units: Rao & Wu (1988), n_h−1 units
    drawn from n_h and weighted n_h/(n_h−1), which keeps the variance unbiased in small strata.
    """
    if strata is None:
        return _counts(units, units, draws, rng)
    weights = np.zeros((draws, units))
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        size = len(members)
        if size < 2:
            raise ValueError(f"stratum {stratum} has one unit; pool_strata first")
        weights[:, members] = _counts(size, size - 1, draws, rng) * (size / (size - 1))
    return weights


def _counts(units: int, drawn: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Multinomial counts (B, units), by drawing indices: ten times faster than `Generator.multinomial` here."""
    index = rng.integers(0, units, size=(draws, drawn), dtype=np.uint32).astype(np.int64)
    index += np.arange(draws)[:, None] * units
    return np.bincount(index.ravel(), minlength=draws * units).reshape(draws, units).astype(np.float64)


def _weight_blocks(
    units: int, draws: int, rng: np.random.Generator, strata: np.ndarray | None
) -> Iterator[tuple[slice, np.ndarray]]:
    step = max(1, BLOCK // max(units, 1))
    for start in range(0, draws, step):
        stop = min(start + step, draws)
        yield slice(start, stop), cluster_weights(units, stop - start, rng, strata)


def resampled_sums(
    columns: np.ndarray, draws: int, rng: np.random.Generator, strata: np.ndarray | None = None
) -> np.ndarray:
    """Weighted sums (B, M) of per-unit columns (E, M): one set of weights shared by every column.

    Sharing is what makes differences between columns paired. The same rng state gives the same weights.
    """
    sums = np.empty((draws, columns.shape[1]))
    for rows, weights in _weight_blocks(len(columns), draws, rng, strata):
        np.matmul(weights, columns, out=sums[rows])
    return sums
