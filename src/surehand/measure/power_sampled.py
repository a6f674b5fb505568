"""The share of sampled pairs of count tables that a rank test rejects, where there are too many to enumerate."""

import numpy as np

from surehand.measure import power_exact as exact

SURE, HOPELESS = 1 / 20, 4.0  # multiples of α: approximate p-values beyond need no exact one


def sampled_rejections(
    first: np.ndarray, second: np.ndarray, tail: float, *, budget: int, approximate: bool = False
) -> tuple[float, float, float]:
    """Shares of the samples (B, L) and (B, L) in which the first, and the second, is found better at one-sided `tail`.

    The exact test is asked only where the approximate p-value lies within α/20 and 4α; beyond, both say the same. It
    may cost `budget` pairs of tables: those spread over so many levels that it does not reach them take the
    approximation's word, which for them is right to half a percent of power. The third value is their share.
    """
    n = int(first[0].sum())
    tables = first + second
    d = 2 * (first * (np.cumsum(second, axis=1) - second)).sum(axis=1) + (first * second).sum(axis=1) - n * n
    bars = exact.approximate_bars(tables, n, tail)
    share = 0.0
    if not approximate:
        sure = np.abs(d) >= exact.approximate_bars(tables, n, tail * SURE)
        between = ~sure & (np.abs(d) >= exact.approximate_bars(tables, n, min(0.5, tail * HOPELESS)))
        asked, back = np.unique(tables[between], axis=0, return_inverse=True)
        cost = exact.null_pairs(asked, n)
        order = np.argsort(cost, kind="stable")
        cheap = order[np.cumsum(cost[order]) <= budget]
        found = exact.approximate_bars(asked, n, tail)
        if len(cheap):
            found[cheap] = exact.bars(asked[cheap], n, tail)
        bars = np.where(sure, 1.0, np.inf)
        bars[between] = found[back.ravel()]
        by_word = np.ones(len(asked), bool)
        by_word[cheap] = False
        share = float(by_word[back.ravel()].sum() / len(d))
    return float((d >= bars).mean()), float((d <= -bars).mean()), share
