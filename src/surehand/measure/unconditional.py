"""The unconditional exact test of ordinal scores: no conditioning on ties, the worst distribution of scores counts.

L levels of the rubric, seen or not; n and m trials. With two levels it is Barnard's test on pooled z.
"""

from math import comb
from typing import NamedTuple

import numpy as np

from surehand.exceptions import ShapeError
from surehand.measure.rejections import rejections, standardised
from surehand.measure.supremum import worst_case
from surehand.measure.tables import as_p, ways
from surehand.measure.unconditional_large import large

__all__ = ["Unconditional", "unconditional_test"]

FINE = 6  # levels up to which a grid over the simplex hides hardly anything
MOST_LEVELS = 12  # of a simplex that is searched whole: three points per stick are 177 147 there


class Unconditional(NamedTuple):
    """p-values of equal distributions; `greater` speaks for the first policy."""

    greater: float
    less: float
    two_sided: float  # min(1, 2 · the smaller of the two)
    exact: bool
    method: str


def unconditional_test(
    counts_a: np.ndarray,
    counts_b: np.ndarray,
    *,
    rng: np.random.Generator,
    most_tables: int = 60_000,
    draws: int = 3_000,
) -> Unconditional:
    """p-values of equal distributions from counts per level (L,) each: sup over π of P(z at least as large as seen).

    z is U standardised by its variance with ties (`standardised`), 0 when all scores tie; the supremum runs over the
    whole simplex of the rubric's L levels, not only over those seen. Two-sided is twice the smaller one-sided p.

    Exact up to `most_tables` pooled tables (30 v 30 on four levels) on at most 12 levels: given the pooled counts T the
    chance of reaching z is a permutation tail, so that P(π) is a polynomial over T alone, whose supremum is sought on
    the whole simplex (`supremum.worst_case`). Beyond, the same over as many levels as can be listed, if three or more
    (up to 139 trials of both): within 4 % of the whole at z from 1.8 to 3 for four to seven levels. Beyond that,
    `unconditional_large.large` takes the largest over the faces where it lies as a rule. p is 1 without trials.
    ShapeError for counts that are not whole or differ in length.

    >>> counts = np.array([0, 0, 0, 20]), np.array([0, 2, 6, 12])
    >>> round(unconditional_test(*counts, rng=np.random.default_rng(0)).greater, 6)
    0.001118
    """
    first, second = _counts(counts_a), _counts(counts_b)
    if first.shape != second.shape:
        raise ShapeError(f"both policies need the rubric's levels: got {len(first)} and {len(second)}")
    n, m, levels = int(first.sum()), int(second.sum()), len(first)
    if not n or not m or levels < 2:
        return Unconditional(1.0, 1.0, 1.0, True, "nothing to compare: p is 1")
    z = standardised(first, second)
    better, worse = (first, second) if z >= 0 else (second, first)
    pooled = comb(n + m + levels - 1, levels - 1)
    exact = pooled <= most_tables and levels <= MOST_LEVELS
    if exact:
        sizes = {levels, min(levels, FINE)}  # on few levels the grid is finer, and the worst case lies there as a rule
        reached = max(_worst(size, n + m, int(better.sum()), abs(z)) for size in sizes)
        method = f"exact: supremum over {levels} levels, {pooled} pooled tables"
    else:
        few = _listed(n + m, levels, most_tables)
        least = _worst(few, n + m, int(better.sum()), abs(z)) if few > 2 else 0.0
        reached = large(better, worse, abs(z), draws, rng, least=least)
        faces = f"any {few} of {levels} levels" if few > 2 else "two levels, over three of which two are rare"
        method = f"supremum over {faces}, checked by {draws} draws each at the pooled and at evenly spread scores"
    p = as_p(reached)[0]
    # Where all scores tie z is 0, and some distribution makes them tie for certain: the other side's supremum is 1.
    greater, less = (p, 1.0) if z >= 0 else (1.0, p)
    return Unconditional(greater, less, min(1.0, 2 * p), exact, method)


def _worst(levels: int, size: int, n: int, z: float) -> float:
    """Supremum over the simplex of so many levels: whichever they are of more, since only their order counts."""
    tables = ways(np.full(levels, size), size)
    return worst_case(tables, rejections(tables, n, z))[0]


def _listed(size: int, levels: int, most_tables: int) -> int:
    """Most levels (below L) whose pooled tables can all be listed; three take longer, where trials are many."""
    few = 2
    while few + 1 < min(levels, MOST_LEVELS + 1):
        tables = comb(size + few, few)
        if tables > (most_tables if few > 2 else most_tables // 6):
            break
        few += 1
    return few


def _counts(counts: np.ndarray) -> np.ndarray:
    row = np.asarray(counts)
    if row.ndim != 1 or not np.isfinite(row).all() or (row < 0).any() or (row != np.floor(row)).any():
        raise ShapeError(f"counts per level must be one row of whole numbers ≥ 0, got {counts!r}")
    return row.astype(int)
