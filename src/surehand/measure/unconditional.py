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

    Exact up to `most_tables` pooled tables (30 v 30 on four levels): given the pooled counts T the chance of reaching z
    is a permutation tail, so that P(π) is a polynomial over T alone, whose supremum is sought on the whole simplex
    (`supremum.worst_case`). Beyond, `unconditional_large.large` takes the largest over the faces where it lies as a
    rule. p is 1 without trials. ShapeError for counts that are not whole numbers or differ in length.

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
    if pooled <= most_tables:
        tables = ways(np.full(levels, n + m), n + m)
        reached = worst_case(tables, rejections(tables, int(better.sum()), abs(z)))[0]
        method = f"exact: supremum over {levels} levels, {pooled} pooled tables"
    else:
        reached = large(better, worse, abs(z), draws, rng)
        method = (
            f"supremum over two levels, over three of which two are rare, checked by {draws} draws at the pooled scores"
        )
    p = as_p(reached)[0]
    # Where all scores tie z is 0, and some distribution makes them tie for certain: the other side's supremum is 1.
    greater, less = (p, 1.0) if z >= 0 else (1.0, p)
    return Unconditional(greater, less, min(1.0, 2 * p), pooled <= most_tables, method)


def _counts(counts: np.ndarray) -> np.ndarray:
    row = np.asarray(counts)
    if row.ndim != 1 or not np.isfinite(row).all() or (row < 0).any() or (row != np.floor(row)).any():
        raise ShapeError(f"counts per level must be one row of whole numbers ≥ 0, got {counts!r}")
    return row.astype(int)
